//! Schemas as JSON, in the shape of `terraform providers schema -json` with more beside it.

use serde_json::{Map, Value as Json, json};

use crate::names::TextType;
use crate::schema::{Attribute, Block, Default, Nesting, Schema, Sensitivity, Ty, Vocabulary};

use super::json_of;

/// The version of the output's format.
const FORMAT_VERSION: &str = "1.0";

/// What `vsa schema -json` prints.
pub fn schemas_json(vocabulary: &dyn Vocabulary) -> Json {
    let schemas = vocabulary.schemas();
    let kinds: Map<_, _> =
        schemas.into_iter().map(|schema| (schema.kind.to_owned(), of_kind(schema))).collect();
    json!({ "format_version": FORMAT_VERSION, "resource_schemas": kinds })
}

fn of_kind(schema: &Schema) -> Json {
    let exports = schema.exports.iter().map(|export| (export.name.to_owned(), export.doc.into()));
    let mut kind = json!({
        "version": 0,
        "block": of_block(&schema.body),
        "description": schema.doc,
        "label": of_text(schema.label),
        "exports": exports.collect::<Map<_, _>>(),
    });
    if let Some(name) = schema.instance_name {
        kind["instance_name"] = name.into();
    }
    if let Some(label) = schema.implied_label {
        kind["implied_label"] = label.into();
    }
    kind
}

fn of_block(block: &Block) -> Json {
    let attributes = block.attributes.iter().map(|it| (it.name.to_string(), of_attribute(it)));
    let attributes: Map<_, _> = attributes.collect();
    let blocks: Map<_, _> = block
        .blocks
        .iter()
        .map(|nested| {
            let mut of = json!({ "block": of_block(&nested.body), "description": nested.doc });
            let (mode, least, most) = match nested.nesting {
                Nesting::Optional | Nesting::Defaulted => ("single", 0, Some(1)),
                Nesting::Required => ("single", 1, Some(1)),
                Nesting::List => ("list", 0, None),
                Nesting::Labelled(label) => {
                    of["label"] = of_text(label);
                    ("map", 0, None)
                }
            };
            of["nesting_mode"] = mode.into();
            of["min_items"] = least.into();
            if let Some(most) = most {
                of["max_items"] = most.into();
            }
            (nested.name.to_string(), of)
        })
        .collect();
    let mut of = json!({ "attributes": attributes });
    if !blocks.is_empty() {
        of["block_types"] = blocks.into();
    }
    of
}

fn of_attribute(attribute: &Attribute) -> Json {
    let mut of = json!({
        "type": type_of(&attribute.ty),
        "description": attribute.doc,
        "description_kind": "markdown",
    });
    match &attribute.default {
        Default::Required => of["required"] = true.into(),
        Default::Null => of["optional"] = true.into(),
        Default::Value(value) => {
            of["optional"] = true.into();
            of["default"] = json_of(value);
        }
        Default::OnlyOne => {
            of["optional"] = true.into();
            of["default_reference"] = "the only one".into();
        }
    }
    match attribute.sensitivity {
        Sensitivity::Always => of["sensitive"] = true.into(),
        Sensitivity::Possible => of["may_be_sensitive"] = true.into(),
        Sensitivity::Refused => {}
    }
    if attribute.forces_replacement {
        of["forces_replacement"] = true.into();
    }
    constrain(&mut of, &attribute.ty);
    of
}

/// The type in Terraform's notation.
fn type_of(ty: &Ty) -> Json {
    match ty {
        Ty::Bool => "bool".into(),
        Ty::Integer(_) => "number".into(),
        Ty::Text(_) | Ty::Enum(_) => "string".into(),
        Ty::List(element) => json!(["list", type_of(element)]),
        Ty::Map(_, element) => json!(["map", type_of(element)]),
        Ty::Ref(_) => "dynamic".into(),
    }
}

/// What a type says beyond Terraform's notation; of a list or map, what its elements are.
fn constrain(of: &mut Json, ty: &Ty) {
    match ty {
        Ty::Bool => {}
        Ty::Integer(range) => {
            of["minimum"] = (*range.start()).into();
            of["maximum"] = (*range.end()).into();
        }
        Ty::Text(text) => of["text"] = of_text(text),
        Ty::Enum(values) => {
            let values = values.iter().map(|(value, doc)| ((*value).to_owned(), (*doc).into()));
            of["values"] = values.collect::<Map<_, _>>().into();
        }
        Ty::List(element) => constrain(of, element),
        Ty::Map(key, element) => {
            of["key"] = of_text(key);
            constrain(of, element);
        }
        Ty::Ref(kind) => of["reference"] = (*kind).into(),
    }
}

fn of_text(text: &TextType) -> Json {
    json!({ "name": text.name, "description": text.doc, "examples": text.examples })
}
