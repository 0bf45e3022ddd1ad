//! Making trees of a Compose file.

use std::sync::Arc;

use crate::compose::node::{Entry, Map, Node, Text, Value};
use crate::diag::Span;

pub(super) fn only_keys(node: &Node, keys: &[&str]) -> Node {
    let known = node.map().into_iter().flatten().filter(|(key, _)| keys.contains(&&***key));
    Node::new(Value::Map(known.map(|(key, entry)| (Arc::clone(key), entry.clone())).collect()), node.span)
}

pub(super) fn text(span: Span, text: &str) -> Node {
    let text = Text { text: text.into(), span, sensitive: false, plain: true, directory: "".into() };
    Node::new(Value::Text(text), span)
}

pub(super) fn map<const N: usize>(span: Span, entries: [(&str, Node); N]) -> Map {
    entries.into_iter().map(|(key, node)| (Arc::from(key), Entry { key: span, node })).collect()
}

pub(super) fn map_of<const N: usize>(span: Span, entries: [(&str, Value); N]) -> Map {
    map(span, entries.map(|(key, value)| (key, Node::new(value, span))))
}

pub(super) fn insert(map: &mut Map, span: Span, key: &str, node: Node) {
    map.insert(key.into(), Entry { key: span, node });
}

/// Puts a value in the place of another; an empty one takes it away.
pub(super) fn replace(map: &mut Map, span: Span, key: &str, value: Value) {
    let empty = match &value {
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
        Value::Null | Value::Text(_) => false,
    };
    if empty {
        map.remove(key);
    } else {
        insert(map, span, key, Node::new(value, span));
    }
}
