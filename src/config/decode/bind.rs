//! What is written in a block, matched with its schema: names, nesting and labels. Looks at no value.

use std::collections::HashMap;
use std::sync::Arc;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{self, Body, Structure};

use crate::diag::{Diagnostic, Diagnostics, Span, nearest};
use crate::lang::{NoScope, Source, eval, references};
use crate::schema::{Attribute, Default, Nested, Nesting};
use crate::value::{Type, Value, convert};

use super::super::written::header;
use super::shape::{Entry, Shape};
use super::words::{one_label, quoted, takes};

/// The attributes and blocks of a body, each with what its schema says of it.
pub(in crate::config) struct Bound<'a> {
    /// Where it is from.
    pub(super) source: Source,
    /// In the order they are written.
    pub(super) attributes: Vec<(&'a Attribute, &'a structure::Attribute)>,
    /// In the order they are written.
    pub(super) blocks: Vec<BoundBlock<'a>>,
}

/// A nested block.
pub(in crate::config) struct BoundBlock<'a> {
    /// Its index in the schema.
    pub(super) nested: usize,
    /// Its label in canonical form; empty where it has none.
    pub(super) label: Arc<str>,
    /// What it holds.
    pub(super) bound: Bound<'a>,
}

impl<'a> Bound<'a> {
    /// Every expression in it, nested ones too.
    pub(in crate::config) fn each_expression(&self, visit: &mut dyn FnMut(&'a Expression, Source)) {
        self.each_attribute(&mut |_, written, source| visit(&written.value, source));
    }

    /// Every attribute in it, nested ones too.
    pub(in crate::config) fn each_attribute(
        &self,
        visit: &mut dyn FnMut(&'a Attribute, &'a structure::Attribute, Source),
    ) {
        for (attribute, written) in &self.attributes {
            visit(attribute, written, self.source);
        }
        for block in &self.blocks {
            block.bound.each_attribute(visit);
        }
    }

    /// The attribute at the top of the block.
    pub(in crate::config) fn get(&self, name: &str) -> Option<&'a structure::Attribute> {
        self.attributes.iter().find(|(attribute, _)| &*attribute.name == name).map(|(_, written)| *written)
    }

    /// The nested blocks of a name.
    pub(in crate::config) fn blocks(&self, nested: usize) -> impl Iterator<Item = &Self> {
        self.blocks.iter().filter(move |block| block.nested == nested).map(|block| &block.bound)
    }

    /// The value of an attribute that must not refer to anything.
    pub(in crate::config) fn constant(
        &self,
        name: &str,
        ty: &Type,
        diagnostics: &mut Diagnostics,
    ) -> Option<Value> {
        let attribute = self.get(name)?;
        let span = self.source.span(&attribute.value);
        if let Some(reference) = references(&attribute.value, self.source).first() {
            diagnostics.push(
                Diagnostic::error(format!("`{name}` must be a constant"))
                    .label(reference.span(), "this refers to something else"),
            );
            return None;
        }
        match eval(&attribute.value, self.source, &NoScope) {
            Ok(value) => match convert(&value, ty) {
                Ok(value) => Some(value),
                Err(error) => {
                    diagnostics.push(
                        Diagnostic::error(format!("wrong type for `{name}`")).label(span, error.to_string()),
                    );
                    None
                }
            },
            Err(errors) => {
                diagnostics.extend(errors);
                None
            }
        }
    }

    /// A constant text.
    pub(in crate::config) fn constant_text(
        &self,
        name: &str,
        diagnostics: &mut Diagnostics,
    ) -> Option<Arc<str>> {
        self.constant(name, &Type::String, diagnostics).and_then(|value| value.as_str().map(Arc::from))
    }

    /// A constant `true` or `false`.
    pub(in crate::config) fn constant_bool(&self, name: &str, diagnostics: &mut Diagnostics) -> Option<bool> {
        self.constant(name, &Type::Bool, diagnostics).and_then(|value| value.as_bool())
    }
}

/// Matches a body with a shape. `name` is how diagnostics call the block, `span` its header; `meta` are the names that
/// stand for more than the schema says.
pub(in crate::config) fn bind<'a>(
    body: &'a Body,
    shape: &Shape<'a>,
    (name, span): (&str, Span),
    meta: &[&str],
    source: Source,
    diagnostics: &mut Diagnostics,
) -> Bound<'a> {
    let mut bound = Bound { source, attributes: Vec::new(), blocks: Vec::new() };
    let mut twins = HashMap::new();
    for structure in body {
        match structure {
            Structure::Attribute(written) => match shape.entry(&written.key) {
                Some(Entry::Attribute(attribute)) => bound.attributes.push((attribute, written)),
                Some(Entry::Block(_, nested, _)) => {
                    let summary = format!("`{}` in `{name}` is a block, not an attribute", nested.name);
                    let example = block_example(nested);
                    diagnostics.push(
                        Diagnostic::error(summary)
                            .label(source.span(&written.key), "")
                            .help(format!("write it without `=`: `{example}`")),
                    );
                }
                None if meta.contains(&written.key.as_str()) => {}
                None => diagnostics.push(unknown("attribute", &written.key, name, shape, meta, source)),
            },
            Structure::Block(written) => match shape.entry(&written.ident) {
                Some(Entry::Block(index, nested, shape)) => {
                    bind_block(&mut bound, written, (index, nested, shape), name, &mut twins, diagnostics);
                }
                Some(Entry::Attribute(attribute)) => {
                    let summary = format!("`{}` in `{name}` is an attribute, not a block", attribute.name);
                    diagnostics.push(
                        Diagnostic::error(summary)
                            .label(source.span(&written.ident), "")
                            .help(format!("write `{} = …`", attribute.name)),
                    );
                }
                None if meta.contains(&written.ident.as_str()) => {}
                None if written.ident.as_str() == "dynamic" => diagnostics.push(
                    Diagnostic::error("`dynamic` blocks are not supported yet")
                        .label(header(written, source), ""),
                ),
                None => diagnostics.push(unknown("block", &written.ident, name, shape, meta, source)),
            },
        }
    }
    missing(&bound, body, shape, (name, span), diagnostics);
    bound
}

fn bind_block<'a>(
    bound: &mut Bound<'a>,
    written: &'a structure::Block,
    (index, nested, shape): (usize, &'a Nested, &Shape<'a>),
    outer: &str,
    twins: &mut HashMap<(usize, Arc<str>), Span>,
    diagnostics: &mut Diagnostics,
) {
    let source = bound.source;
    let span = header(written, source);
    let label = match (nested.nesting, written.labels.as_slice()) {
        (Nesting::Labelled(ty), [label]) => match (ty.canonical)(label.as_str()) {
            Ok(label) => label,
            Err(invalid) => {
                let summary = format!("invalid label for `{}`", nested.name);
                let remark = format!("{} {}", quoted(label.as_str()), invalid.reason);
                let mut diagnostic = Diagnostic::error(summary).label(source.span(label), remark);
                diagnostic.help.extend(invalid.help);
                diagnostics.push(diagnostic);
                return;
            }
        },
        (Nesting::Labelled(ty), labels) => {
            let summary = one_label(&nested.name, ty);
            let remark = if labels.is_empty() { "this has none" } else { "this has several" };
            diagnostics.push(
                Diagnostic::error(summary)
                    .label(span, remark)
                    .help(format!("write `{}`", block_example(nested))),
            );
            return;
        }
        (_, [label, ..]) => {
            let summary = format!("`{}` takes no label", nested.name);
            diagnostics.push(Diagnostic::error(summary).label(source.span(label), ""));
            return;
        }
        (_, []) => String::new(),
    };
    let label: Arc<str> = label.into();
    if !matches!(nested.nesting, Nesting::List)
        && let Some(twin) = twins.insert((index, Arc::clone(&label)), span)
    {
        let summary = if label.is_empty() {
            format!("`{}` may stand only once in `{outer}`", nested.name)
        } else {
            format!("duplicate `{}` {} in `{outer}`", nested.name, quoted(&label))
        };
        diagnostics.push(Diagnostic::error(summary).label(span, "again here").also(twin, "first here"));
        return;
    }
    let inner = bind(&written.body, shape, (&nested.name, span), &[], source, diagnostics);
    bound.blocks.push(BoundBlock { nested: index, label, bound: inner });
}

fn missing(
    bound: &Bound<'_>,
    body: &Body,
    shape: &Shape<'_>,
    (name, span): (&str, Span),
    diagnostics: &mut Diagnostics,
) {
    for attribute in &shape.schema.attributes {
        let required = matches!(attribute.default, Default::Required);
        // A block of that name has been reported already.
        if required && bound.get(&attribute.name).is_none() && !body.has_blocks(&attribute.name) {
            diagnostics.push(
                Diagnostic::error(format!("missing attribute `{}` in `{name}`", attribute.name))
                    .label(span, "")
                    .help(format!("`{}` takes {}", attribute.name, takes(&attribute.ty))),
            );
        }
    }
    for nested in &shape.schema.blocks {
        let required = matches!(nested.nesting, Nesting::Required);
        if required && !body.has_blocks(&nested.name) && !body.has_attribute(&nested.name) {
            diagnostics.push(
                Diagnostic::error(format!("missing block `{}` in `{name}`", nested.name))
                    .label(span, "")
                    .help(format!("add `{}`", block_example(nested))),
            );
        }
    }
}

fn unknown(
    what: &str,
    written: &hcl_edit::Decorated<hcl_edit::Ident>,
    name: &str,
    shape: &Shape<'_>,
    meta: &[&str],
    source: Source,
) -> Diagnostic {
    let diagnostic = Diagnostic::error(format!("unknown {what} `{}` in `{name}`", written.as_str()))
        .label(source.span(written), "");
    let attributes = shape.schema.attributes.iter().map(|attribute| &*attribute.name);
    let blocks = shape.schema.blocks.iter().map(|nested| &*nested.name);
    match nearest(written.as_str(), attributes.chain(blocks).chain(meta.iter().copied())) {
        Some(likely) => match shape.entry(likely) {
            Some(Entry::Block(_, nested, _)) if what == "attribute" => {
                diagnostic.help(format!("did you mean the block `{}`?", block_example(nested)))
            }
            Some(Entry::Attribute(..)) if what == "block" => {
                diagnostic.help(format!("did you mean the attribute `{likely} = …`?"))
            }
            _ => diagnostic.help(format!("did you mean `{likely}`?")),
        },
        None => diagnostic,
    }
}

fn block_example(nested: &Nested) -> String {
    match nested.nesting {
        Nesting::Labelled(ty) => {
            let label = ty.examples.first().copied().unwrap_or("…");
            format!("{} \"{label}\" {{ … }}", nested.name)
        }
        _ => format!("{} {{ … }}", nested.name),
    }
}
