//! Attributes that stand twice in one block: the parser refuses the second and forgets the first.

use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::parser;
use hcl_edit::structure::{Body, Structure};

use crate::diag::Diagnostic;

use super::Source;

/// What is said of the attribute whose second occurrence is at byte `at`; `None` where no name stands there.
pub(super) fn twice(text: &str, at: usize, source: Source) -> Option<Diagnostic> {
    let rest = text.get(at..)?;
    let length = rest.find(|char: char| !(char.is_alphanumeric() || char == '_' || char == '-'))?;
    let name = rest.get(..length).filter(|name| !name.is_empty())?;
    Some(
        Diagnostic::error(format!("`{name}` is set twice"))
            .label(source.range(at..at + length), "again here")
            .also(first(text, name, at).map(|range| source.range(range)), "first here"),
    )
}

/// Where the first one is: under another name the second is accepted, and the tree says which block it is in.
fn first(text: &str, name: &str, at: usize) -> Option<Range<usize>> {
    let free = ['_', 'q', 'z', 'j'].map(|char| char.to_string().repeat(name.len()));
    free.iter().filter(|free| *free != name).find_map(|free| {
        let mut renamed = text.to_owned();
        renamed.replace_range(at..at + name.len(), free);
        sibling(&parser::parse_body(&renamed).ok()?, name, at)
    })
}

fn sibling(body: &Body, name: &str, at: usize) -> Option<Range<usize>> {
    let here = |structure: &Structure| match structure {
        Structure::Attribute(attribute) => attribute.key.span().is_some_and(|span| span.start == at),
        Structure::Block(_) => false,
    };
    if body.iter().any(here) {
        return body.get_attribute(name)?.key.span();
    }
    body.iter().filter_map(Structure::as_block).find_map(|block| sibling(&block.body, name, at))
}
