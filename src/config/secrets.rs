//! Which parts of the sources hold secrets, so that no snippet of a diagnostic shows them.

use std::collections::BTreeSet;

use hcl_edit::expr::Expression;

use crate::diag::{FileId, Span};
use crate::schema::{Block, Vocabulary};

use super::declarations::{Declarations, Located};

/// The places in the configuration that hold secrets, with those in `more`.
pub(super) fn secrets(declared: &Declarations<'_>, more: Vec<Span>) -> Vec<Span> {
    let mut places = more;
    for block in &declared.resources {
        block.bound.each_attribute(&mut |attribute, written, source| {
            if attribute.is_sensitive() && holds_text(&written.value) {
                places.push(Located::of(written, source).span());
            }
        });
    }
    for variable in declared.variables.values().filter(|variable| variable.sensitive) {
        places.extend(variable.written_default.map(Located::span));
    }
    places
}

/// Where text that is not HCL seems to spell secrets out: from the `=` after the name of a sensitive attribute, and after
/// `default` where a variable is sensitive, to the line's end.
pub(super) fn suspected(vocabulary: &dyn Vocabulary, file: FileId, text: &str) -> Vec<Span> {
    fn sensitive<'a>(block: &'a Block, into: &mut BTreeSet<&'a str>) {
        into.extend(
            block.attributes.iter().filter(|attribute| attribute.is_sensitive()).map(|found| &*found.name),
        );
        block.blocks.iter().for_each(|nested| sensitive(&nested.body, into));
    }
    let mut names = BTreeSet::from_iter(text.contains("sensitive").then_some("default"));
    vocabulary.schemas().into_iter().for_each(|schema| sensitive(&schema.body, &mut names));
    let mut places = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some((name, value)) = line.split_once('=')
            && name.split_whitespace().next_back().is_some_and(|name| names.contains(name))
        {
            let end = start + line.trim_end().len();
            places.push(Span::new(file, end.min(start + line.len() - value.trim_start().len())..end));
        }
        start += line.len();
    }
    places
}

/// Whether an expression may spell a secret out, rather than refer to one.
pub(super) fn holds_text(expr: &Expression) -> bool {
    !matches!(
        expr,
        Expression::Variable(_) | Expression::Traversal(_) | Expression::Null(_) | Expression::Bool(_)
    )
}
