//! Schemas as pages of the reference.

use std::fmt::Write as _;

use crate::schema::{Attribute, Block, Default, Nested, Nesting, Schema, Sensitivity, Ty, Vocabulary};

use super::{json_of, text_types};

/// A page of the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its file's name.
    pub name: String,
    /// Its text, in Markdown.
    pub text: String,
}

/// The pages of all kinds, the index first.
pub fn pages(vocabulary: &dyn Vocabulary) -> Vec<Page> {
    let schemas = vocabulary.schemas();
    let mut index = "# Reference\n\nThe kinds of resources. These pages are made from the schemas that `vsa schema -json` \
                     prints.\n\n"
        .to_owned();
    for schema in &schemas {
        let summary = schema.doc.lines().next().unwrap_or_default();
        let _ = writeln!(index, "- [`{0}`]({0}.md): {summary}", schema.kind);
    }
    let mut pages = vec![Page { name: "README.md".to_owned(), text: index }];
    pages.extend(
        schemas.into_iter().map(|schema| Page { name: format!("{}.md", schema.kind), text: page(schema) }),
    );
    pages
}

fn page(schema: &Schema) -> String {
    let mut text = format!("# `{}`\n\n{}\n\n", schema.kind, schema.doc);
    let _ = writeln!(text, "```hcl\n{} \"{}\" {{ … }}\n```\n", schema.kind, example(schema));
    let _ = writeln!(text, "The label is a *{}*: {}.", schema.label.name, schema.label.doc);
    if let Some(name) = schema.instance_name {
        let _ = writeln!(text, "With `for_each`, `{name}` names each instance, its key where it is absent.");
    }
    if let Some(label) = schema.implied_label {
        let _ = writeln!(text, "Where none is declared, there is `{}.{label}`.", schema.kind);
    }
    if !schema.body.attributes.is_empty() {
        text.push_str("\n## Attributes\n\n");
        attributes(&mut text, &schema.body);
    }
    for nested in &schema.body.blocks {
        block(&mut text, nested, "");
    }
    text.push_str("\n## Exports\n\nWhat others may refer to:\n\n");
    let name = "`name`: the label, or what names the instance.".to_owned();
    let exports = schema.exports.iter().map(|export| format!("`{}`: {}", export.name, export.doc));
    for export in std::iter::once(name).chain(exports) {
        let _ = writeln!(text, "- {export}");
    }
    text.push_str("\n## Types\n\n");
    for ty in text_types(schema) {
        let examples: Vec<_> = ty.examples.iter().map(|example| code(&format!("{example:?}"))).collect();
        let _ = writeln!(text, "- *{}*: {}. Such as {}.", ty.name, ty.doc, examples.join(", "));
    }
    text
}

fn example(schema: &Schema) -> &'static str {
    schema.label.examples.first().copied().unwrap_or("…")
}

fn block(text: &mut String, nested: &Nested, outer: &str) {
    let path = if outer.is_empty() { nested.name.to_string() } else { format!("{outer}.{}", nested.name) };
    let _ = writeln!(text, "\n## `{path}`\n\n{}\n", nested.doc);
    let often = match nested.nesting {
        Nesting::Optional => "At most one.".to_owned(),
        Nesting::Defaulted => "At most one; where it is absent, its defaults hold.".to_owned(),
        Nesting::Required => "Exactly one.".to_owned(),
        Nesting::List => "Any number.".to_owned(),
        Nesting::Labelled(label) => {
            format!("Any number, each with a label of its own, a *{}*: {}.", label.name, label.doc)
        }
    };
    let _ = writeln!(text, "{often}\n");
    attributes(text, &nested.body);
    for inner in &nested.body.blocks {
        block(text, inner, &path);
    }
}

fn attributes(text: &mut String, block: &Block) {
    for attribute in &block.attributes {
        let _ = writeln!(text, "- `{}` ({}): {}", attribute.name, facts(attribute), indented(attribute.doc));
        values(text, &attribute.ty);
    }
}

/// What stands in brackets behind an attribute's name.
fn facts(attribute: &Attribute) -> String {
    let mut facts = vec![type_name(&attribute.ty)];
    match &attribute.default {
        Default::Required => facts.push("required".to_owned()),
        Default::Null => {}
        Default::Value(value) => facts.push(format!("{} by default", code(&json_of(value).to_string()))),
        Default::OnlyOne => facts.push("the only one by default".to_owned()),
    }
    match attribute.sensitivity {
        Sensitivity::Always => facts.push("sensitive".to_owned()),
        Sensitivity::Possible => facts.push("may hold sensitive values".to_owned()),
        Sensitivity::Refused => {}
    }
    if attribute.forces_replacement {
        facts.push("a change replaces the resource".to_owned());
    }
    facts.join(", ")
}

fn type_name(ty: &Ty) -> String {
    match ty {
        Ty::Bool => "bool".to_owned(),
        Ty::Integer(range) => format!("number from {} to {}", range.start(), range.end()),
        Ty::Text(text) => format!("*{}*", text.name),
        Ty::Enum(_) => "one of the values below".to_owned(),
        Ty::List(element) => format!("list of {}", type_name(element)),
        Ty::Map(key, element) => format!("map from *{}* to {}", key.name, type_name(element)),
        Ty::Ref(kind) => format!("reference to a [`{kind}`]({kind}.md)"),
    }
}

fn values(text: &mut String, ty: &Ty) {
    match ty {
        Ty::Enum(values) => {
            for (value, doc) in *values {
                let _ = writeln!(text, "  - `{value:?}`: {doc}");
            }
        }
        Ty::List(element) | Ty::Map(_, element) => values(text, element),
        Ty::Bool | Ty::Integer(_) | Ty::Text(_) | Ty::Ref(_) => {}
    }
}

/// Text as code, within more backticks than it holds.
fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// More lines of a list's item.
fn indented(doc: &str) -> String {
    doc.replace('\n', "\n  ")
}
