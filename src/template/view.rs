//! What a template sees: named values, looked up without hashing.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};

/// Named values; a name that is absent is an error of the template.
#[derive(Clone, Debug, Default)]
pub struct View(Vec<(&'static str, Value)>);

impl View {
    /// Without values.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// With a list.
    #[must_use]
    pub fn list<T: Into<Value>>(self, name: &'static str, values: impl IntoIterator<Item = T>) -> Self {
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        self.with(name, values)
    }

    /// With a value that may be absent: `none` in the template.
    #[must_use]
    pub fn optional<T: Into<Value>>(self, name: &'static str, value: Option<T>) -> Self {
        self.with(name, value.map_or_else(|| Value::from(()), Into::into))
    }
}

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone())
    }
}

impl From<View> for Value {
    fn from(view: View) -> Self {
        Self::from_object(view)
    }
}
