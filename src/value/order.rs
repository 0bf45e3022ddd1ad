//! The order of the elements of sets.

use std::cmp::Ordering;

use super::{Object, Repr, Type, Value};

impl Value {
    /// A set of these elements, which are of type `element`; sorted, duplicates dropped.
    ///
    /// What is sensitive in an element makes the whole set sensitive, since its place among the others tells of it.
    pub fn set(element: Type, elements: impl IntoIterator<Item = Self>) -> Self {
        let mut sensitive = false;
        let mut elements: Vec<_> = elements
            .into_iter()
            .map(|value| {
                sensitive |= value.contains_sensitive();
                value.without_sensitive()
            })
            .collect();
        elements.sort_by(compare);
        elements.dedup_by(|a, b| a.is_wholly_known() && compare(a, b) == Ordering::Equal);
        Self::new(Repr::Set(element, elements.into())).with_sensitive(sensitive)
    }

    /// Where this value stands beside another one among the elements of a set: a total order, of strings by their
    /// bytes, of numbers by their size, of all else by their parts.
    pub fn set_order(&self, other: &Self) -> Ordering {
        compare(self, other)
    }
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a.repr(), b.repr()) {
        (Repr::Bool(a), Repr::Bool(b)) => a.cmp(b),
        (Repr::Number(a), Repr::Number(b)) => a.cmp(b),
        (Repr::String(a), Repr::String(b)) => a.cmp(b),
        (
            Repr::List(_, a) | Repr::Set(_, a) | Repr::Tuple(a),
            Repr::List(_, b) | Repr::Set(_, b) | Repr::Tuple(b),
        ) => {
            let differing = a.iter().zip(b.iter()).map(|(a, b)| compare(a, b)).find(|order| order.is_ne());
            differing.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Repr::Map(_, a) | Repr::Object(a), Repr::Map(_, b) | Repr::Object(b)) => compare_objects(a, b),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn compare_objects(a: &Object, b: &Object) -> Ordering {
    let mut differing = a
        .iter()
        .zip(b.iter())
        .map(|((name_a, a), (name_b, b))| name_a.cmp(name_b).then_with(|| compare(a, b)));
    differing.find(|order| order.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
}

fn rank(value: &Value) -> u8 {
    match value.repr() {
        Repr::Bool(_) => 0,
        Repr::Number(_) => 1,
        Repr::String(_) => 2,
        Repr::List(..) | Repr::Set(..) | Repr::Tuple(_) => 3,
        Repr::Map(..) | Repr::Object(_) => 4,
        Repr::Unknown(_) => 5,
        Repr::Null => 6,
    }
}
