//! Blocks of kinds, each read by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;

use crate::address::{Address, is_identifier};
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::syntax::TopLevel;
use crate::lang::{Reference, Source, references};
use crate::schema::Schema;

use super::declarations::{Kind, Located};
use super::decode::{Bound, bind, one_label, quoted};
use super::written::{Written, header};

/// How a block makes several resources.
#[derive(Clone, Copy)]
pub(super) enum Repeat<'a> {
    /// `for_each = …`
    ForEach(Located<'a>),
    /// `count = …`
    Count(Located<'a>),
}

impl<'a> Repeat<'a> {
    /// The expression.
    pub(super) fn located(self) -> Located<'a> {
        match self {
            Self::ForEach(located) | Self::Count(located) => located,
        }
    }
}

/// A block of a kind.
pub(super) struct ResourceBlock<'a> {
    /// Its kind.
    pub(super) kind: &'a Kind<'a>,
    /// Its label, in canonical form.
    pub(super) name: Arc<str>,
    /// Its header.
    pub(super) span: Span,
    /// How it makes several resources; `None` where it makes one.
    pub(super) repeat: Option<Repeat<'a>>,
    /// What `depends_on` names.
    pub(super) depends_on: Vec<Reference>,
    /// What it holds.
    pub(super) bound: Bound<'a>,
    /// Where it stands.
    pub(super) written: Written,
    /// Whether something in it is wrong already.
    pub(super) failed: bool,
}

impl ResourceBlock<'_> {
    /// Its address, without a key.
    pub(super) fn address(&self) -> Address {
        Address::new(self.kind.schema.kind, Arc::clone(&self.name))
    }
}

/// A block as it was read.
pub(super) struct Read<'a> {
    /// The block; `None` where it has no right label.
    pub(super) resource: Option<ResourceBlock<'a>>,
    /// What is wrong with it.
    pub(super) diagnostics: Diagnostics,
}

/// Attributes and blocks of a resource that are not its schema's.
const META: [&str; 4] = ["for_each", "count", "depends_on", "lifecycle"];

/// Reads the top-level structure of this index; `None` where it is no block of a kind.
pub(super) fn read<'a>(
    file: &'a Arc<Vec<TopLevel>>,
    index: usize,
    kinds: &'a BTreeMap<&'a str, Kind<'a>>,
) -> Option<Read<'a>> {
    let TopLevel { structure, source } = file.get(index)?;
    let block = structure.as_block()?;
    let kind = kinds.get(block.ident.as_str())?;
    let mut diagnostics = Diagnostics::new();
    let written = Written::new(file, index);
    let resource = resource(kind, block, written, *source, kinds, &mut diagnostics);
    Some(Read { resource, diagnostics })
}

fn resource<'a>(
    kind: &'a Kind<'a>,
    block: &'a Block,
    written: Written,
    source: Source,
    kinds: &BTreeMap<&str, Kind<'_>>,
    diagnostics: &mut Diagnostics,
) -> Option<ResourceBlock<'a>> {
    let schema = kind.schema;
    let span = header(block, source);
    let attribute = |name: &str| {
        let known = kind.shape.entry(name).is_none();
        block.body.get_attribute(name).filter(|_| known).map(|attribute| Located::of(attribute, source))
    };
    let repeat = match (attribute("for_each"), attribute("count")) {
        (Some(for_each), Some(count)) => {
            diagnostics.push(
                Diagnostic::error(format!(
                    "`for_each` and `count` cannot both stand in one `{}`",
                    schema.kind
                ))
                .at(count.span())
                .also(for_each.span(), ""),
            );
            Some(Repeat::ForEach(for_each))
        }
        (Some(for_each), None) => Some(Repeat::ForEach(for_each)),
        (None, Some(count)) => Some(Repeat::Count(count)),
        (None, None) => None,
    };
    let depends_on = self::depends_on(attribute("depends_on"), kinds, diagnostics);
    if kind.shape.entry("lifecycle").is_none()
        && let Some(lifecycle) = block.body.get_blocks("lifecycle").next()
    {
        diagnostics.push(
            Diagnostic::error("`lifecycle` blocks are not supported yet").at(header(lifecycle, source)),
        );
    }
    let title = (schema.kind, span);
    let bound = bind(&block.body, &kind.shape, title, &META, source, diagnostics);
    let name = label(schema, block, repeat.is_some(), source, diagnostics)?;
    let failed = !diagnostics.is_empty();
    Some(ResourceBlock { kind, name, span, repeat, depends_on, bound, written, failed })
}

/// The label of a resource, in canonical form.
fn label(
    schema: &Schema,
    block: &Block,
    repeated: bool,
    source: Source,
    diagnostics: &mut Diagnostics,
) -> Option<Arc<str>> {
    let kind = schema.kind;
    let [label] = block.labels.as_slice() else {
        let remark = if block.labels.is_empty() { "this has none" } else { "this has several" };
        let example = schema.label.examples.first().copied().unwrap_or("main");
        diagnostics.push(
            Diagnostic::error(one_label(kind, schema.label))
                .label(header(block, source), remark)
                .help(format!("write `{kind} \"{example}\" {{ … }}`")),
        );
        return None;
    };
    match (schema.label.canonical)(label.as_str()) {
        Ok(canonical) => Some(canonical.into()),
        // Its instances are named by their keys: the label only stands in addresses.
        Err(_) if repeated && is_identifier(label.as_str()) => Some(label.as_str().into()),
        Err(invalid) => {
            let title = format!("invalid label for `{kind}`");
            let remark = format!("{} {}", quoted(label.as_str()), invalid.reason);
            let mut diagnostic = Diagnostic::error(title).label(source.span(label), remark);
            diagnostic.help.extend(invalid.help);
            diagnostics.push(diagnostic);
            None
        }
    }
}

/// The references that `depends_on` lists.
pub(super) fn depends_on(
    list: Option<Located<'_>>,
    kinds: &BTreeMap<&str, Kind<'_>>,
    diagnostics: &mut Diagnostics,
) -> Vec<Reference> {
    let Some(Located { expr, source }) = list else { return Vec::new() };
    let Expression::Array(elements) = expr else {
        diagnostics.push(
            Diagnostic::error("`depends_on` takes a list of resources")
                .at(source.span(expr))
                .help("write `depends_on = [tenant.acme]`"),
        );
        return Vec::new();
    };
    let mut found = Vec::new();
    for element in elements {
        let mut references = references(element, source);
        let plain = matches!(element, Expression::Traversal(_));
        match (references.pop(), references.is_empty()) {
            (Some(reference), true) if plain && kinds.contains_key(&*reference.root) => {
                found.push(reference);
            }
            _ => diagnostics.push(
                Diagnostic::error("`depends_on` takes resources")
                    .label(source.span(element), "this is not the address of a resource")
                    .help("write it without quotes: `depends_on = [tenant.acme]`"),
            ),
        }
    }
    found
}
