//! Attributes of objects and entries of maps.

use std::sync::Arc;

use crate::address::Address;

use super::Value;

/// Named values in the order of their names; of a resource's exports, also which resource they are of.
///
/// The entries are a sorted list rather than a tree: tens of thousands of resources hold some dozen each, and a
/// tree's nodes are half empty.
#[derive(Clone, Debug, Default)]
pub struct Object {
    entries: Vec<(Arc<str>, Value)>,
    resource: Option<Address>,
}

/// The entries of an [`Object`], in the order of their names.
#[derive(Clone, Debug)]
pub struct Iter<'a>(std::slice::Iter<'a, (Arc<str>, Value)>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Arc<str>, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(name, value)| (name, value))
    }
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

    /// The same entries, with room for `more`: a list that grows by itself doubles.
    #[must_use]
    pub fn with_room(&self, more: usize) -> Self {
        let mut entries = Vec::with_capacity(self.entries.len() + more);
        entries.extend_from_slice(&self.entries);
        Self { entries, resource: self.resource.clone() }
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

    /// Where `name` is, or where it belongs.
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|(other, _)| (**other).cmp(name))
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.find(name).ok().map(|at| &self.entries[at].1)
    }

    /// Sets the value of `name`, and gives the former one.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, value: impl Into<Value>) -> Option<Value> {
        let (name, value) = (name.into(), value.into());
        // Names mostly come in order.
        let last = self.entries.last().is_some_and(|(last, _)| *last < name);
        match if last { Err(self.entries.len()) } else { self.find(&name) } {
            Ok(at) => Some(std::mem::replace(&mut self.entries[at].1, value)),
            Err(at) => {
                self.entries.insert(at, (name, value));
                None
            }
        }
    }

    /// Removes `name`, and gives its value.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.find(name).ok().map(|at| self.entries.remove(at).1)
    }

    /// Whether `name` is there.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_ok()
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
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.entries.iter())
    }

    /// The names, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.entries.iter().map(|(name, _)| name)
    }

    /// The values, in the order of their names.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.entries.iter().map(|(_, value)| value)
    }
}

impl<N: Into<Arc<str>>, V: Into<Value>> FromIterator<(N, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(iter: I) -> Self {
        let mut entries: Vec<(Arc<str>, Value)> =
            iter.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        if !entries.is_sorted_by(|(a, _), (b, _)| a < b) {
            // Of several entries of one name the last counts: the sort is stable, and what is kept is the first.
            entries.reverse();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            entries.dedup_by(|(later, _), (kept, _)| later == kept);
        }
        entries.shrink_to_fit();
        Self { entries, resource: None }
    }
}

impl<'a> IntoIterator for &'a Object {
    type Item = (&'a Arc<str>, &'a Value);
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_in_order_and_the_last_of_a_name_counts() {
        let object: Object = [("b", 1), ("a", 2), ("b", 3)]
            .map(|(name, value)| (name, i64::from(value)))
            .into_iter()
            .collect();
        let names: Vec<_> = object.keys().map(|name| &**name).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(
            object.get("b").and_then(Value::as_number).and_then(super::super::Number::as_i64),
            Some(3)
        );
    }

    #[test]
    fn inserting_replaces_and_removing_gives_back() {
        let mut object = Object::new();
        for name in ["m", "z", "a", "m"] {
            object.insert(name, name);
        }
        assert_eq!(object.len(), 3);
        assert_eq!(object.remove("m"), Some(Value::from("m")));
        assert!(!object.contains("m") && object.contains("a") && object.contains("z"));
    }
}
