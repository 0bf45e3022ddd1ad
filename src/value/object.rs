//! Attributes of objects and entries of maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::address::Address;

use super::Value;

/// Named values in the order of their names; of a resource's exports, also which resource they are of.
#[derive(Clone, Debug, Default)]
pub struct Object {
    entries: BTreeMap<Arc<str>, Value>,
    resource: Option<Address>,
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl Object {
    /// No entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same entries, known as the exports of `resource`.
    #[must_use]
    pub fn of_resource(mut self, resource: Address) -> Self {
        self.resource = Some(resource);
        self
    }

    /// The resource that these are the exports of.
    pub fn resource(&self) -> Option<&Address> {
        self.resource.as_ref()
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries.get(name)
    }

    /// Sets the value of `name`, and gives the former one.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, value: impl Into<Value>) -> Option<Value> {
        self.entries.insert(name.into(), value.into())
    }

    /// Removes `name`, and gives its value.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.entries.remove(name)
    }

    /// Whether `name` is there.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// In the order of the names.
    pub fn iter(&self) -> std::collections::btree_map::Iter<'_, Arc<str>, Value> {
        self.entries.iter()
    }

    /// The names, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.entries.keys()
    }

    /// The values, in the order of their names.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.entries.values()
    }
}

impl<N: Into<Arc<str>>, V: Into<Value>> FromIterator<(N, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(iter: I) -> Self {
        Self {
            entries: iter.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            resource: None,
        }
    }
}

impl<'a> IntoIterator for &'a Object {
    type Item = (&'a Arc<str>, &'a Value);
    type IntoIter = std::collections::btree_map::Iter<'a, Arc<str>, Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
