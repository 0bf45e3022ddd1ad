//! Values as JSON.

use serde_json::Value as Json;

use super::{Repr, Value};

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
}
