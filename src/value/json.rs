//! Values as JSON.

use std::fmt::{self, Write as _};

use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::{Number, Object, Repr, Value};

/// Why a text is not JSON that a value can be made of; shows nothing of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError(String);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JsonError {}

impl Value {
    /// The value as JSON, its secrets exposed: callers look at [`Value::contains_sensitive`] first. Unknown values are
    /// `null`.
    pub fn to_json(&self) -> Json {
        match self.repr() {
            Repr::Null | Repr::Unknown(_) => Json::Null,
            Repr::Bool(bool) => Json::Bool(*bool),
            Repr::Number(number) => number.to_json(),
            Repr::String(text) => Json::String(text.to_string()),
            Repr::List(_, elements) | Repr::Set(_, elements) | Repr::Tuple(elements) => {
                elements.iter().map(Self::to_json).collect()
            }
            Repr::Map(_, object) | Repr::Object(object) => {
                object.iter().map(|(name, value)| (name.to_string(), value.to_json())).collect()
            }
        }
    }

    /// Whether [`Value::to_json`] can say all of it: a number beyond those of IEEE 754 double precision would be `null`.
    pub fn is_json(&self) -> bool {
        match self.repr() {
            Repr::Number(number) => !number.to_json().is_null(),
            _ => self.children().all(Self::is_json),
        }
    }

    /// The value as the text of `jsonencode`, its secrets exposed: numbers with all their digits; `<`, `>` and `&`
    /// escaped. Unknown values are `null`.
    pub fn to_json_text(&self) -> String {
        let mut text = String::new();
        self.write_json(&mut text);
        text
    }

    fn write_json(&self, text: &mut String) {
        match self.repr() {
            Repr::Null | Repr::Unknown(_) => text.push_str("null"),
            Repr::Bool(bool) => text.push_str(if *bool { "true" } else { "false" }),
            Repr::Number(number) => text.push_str(&number.to_string()),
            Repr::String(string) => write_string(string, text),
            Repr::List(_, elements) | Repr::Set(_, elements) | Repr::Tuple(elements) => {
                text.push('[');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    element.write_json(text);
                }
                text.push(']');
            }
            Repr::Map(_, object) | Repr::Object(object) => {
                text.push('{');
                for (index, (name, value)) in object.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    write_string(name, text);
                    text.push(':');
                    value.write_json(text);
                }
                text.push('}');
            }
        }
    }

    /// The value of a JSON text: arrays are tuples, objects are objects, numbers keep all their digits.
    pub fn from_json_text(text: &str) -> Result<Self, JsonError> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| JsonError(error.to_string()))?;
        from_raw(raw, Self::MAX_DEPTH)
    }
}

fn write_string(string: &str, text: &mut String) {
    let quoted = Json::from(string).to_string();
    for char in quoted.chars() {
        match char {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => _ = write!(text, "\\u{:04x}", char as u32),
            other => text.push(other),
        }
    }
}

fn from_raw(raw: &RawValue, depth: u16) -> Result<Value, JsonError> {
    let text = raw.get().trim();
    let wrong = |error: serde_json::Error| JsonError(error.to_string());
    let deeper =
        || depth.checked_sub(1).ok_or_else(|| JsonError(format!("more than {} levels", Value::MAX_DEPTH)));
    Ok(match text.as_bytes().first() {
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(wrong)?;
            let depth = deeper()?;
            let elements: Result<Vec<_>, _> = elements.into_iter().map(|raw| from_raw(raw, depth)).collect();
            Value::tuple(elements?)
        }
        Some(b'{') => {
            let entries: std::collections::BTreeMap<String, &RawValue> =
                serde_json::from_str(text).map_err(wrong)?;
            let depth = deeper()?;
            let entries: Result<Object, _> =
                entries.into_iter().map(|(name, raw)| Ok((name, from_raw(raw, depth)?))).collect();
            entries?.into()
        }
        Some(b'"') => serde_json::from_str::<String>(text).map_err(wrong)?.into(),
        Some(b't') => true.into(),
        Some(b'f') => false.into(),
        Some(b'n') => Value::NULL,
        _ => Number::parse(text).ok_or_else(|| JsonError("a number has too many places".to_owned()))?.into(),
    })
}
