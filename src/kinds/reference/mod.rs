//! The reference of the kinds, from their schemas: for programs and for people. Pure.

mod json;
mod markdown;

pub use json::schemas_json;
pub use markdown::{Page, pages};

use serde_json::{Map, Value as Json};

use crate::names::TextType;
use crate::schema::{Block, Schema, Ty};
use crate::value::{Repr, Value};

/// A default as JSON; what stands in schemas is known and not sensitive.
fn json_of(value: &Value) -> Json {
    match value.repr() {
        Repr::Null | Repr::Unknown(_) => Json::Null,
        Repr::Bool(bool) => (*bool).into(),
        Repr::Number(number) => number.as_i64().map_or_else(|| number.to_string().into(), Json::from),
        Repr::String(text) => Json::from(&**text),
        Repr::List(_, elements) | Repr::Set(_, elements) | Repr::Tuple(elements) => {
            elements.iter().map(json_of).collect()
        }
        Repr::Map(_, object) | Repr::Object(object) => {
            let entries = object.iter().map(|(name, value)| (name.to_string(), json_of(value)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// The types of text that a schema uses, by their names.
fn text_types(schema: &Schema) -> Vec<&'static TextType> {
    fn of_type(ty: &Ty, found: &mut Vec<&'static TextType>) {
        match ty {
            Ty::Text(text) => found.push(text),
            Ty::List(element) => of_type(element, found),
            Ty::Map(key, element) => {
                found.push(key);
                of_type(element, found);
            }
            Ty::Bool | Ty::Integer(_) | Ty::Enum(_) | Ty::Ref(_) => {}
        }
    }
    fn of_block(block: &Block, found: &mut Vec<&'static TextType>) {
        for attribute in &block.attributes {
            of_type(&attribute.ty, found);
        }
        for nested in &block.blocks {
            if let crate::schema::Nesting::Labelled(label) = nested.nesting {
                found.push(label);
            }
            of_block(&nested.body, found);
        }
    }
    let mut found = vec![schema.label];
    of_block(&schema.body, &mut found);
    found.sort_by_key(|text| text.name);
    found.dedup_by_key(|text| text.name);
    found
}
