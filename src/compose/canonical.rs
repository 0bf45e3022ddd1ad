//! One form for what compose files may write in two: done before files are merged, so that both forms meet.

use std::sync::Arc;

use super::node::{Entry, Map, Node, Text, Value};

/// Brings the short forms of a whole file into the long ones that merging works on.
pub(super) fn canonical(root: &mut Node) {
    each(root, "services", service);
    for kind in ["networks", "volumes", "secrets", "configs"] {
        each(root, kind, |node| at(node, "labels", pairs));
    }
}

fn each(root: &mut Node, section: &str, change: impl Fn(&mut Node)) {
    let Value::Map(root) = &mut root.value else { return };
    let Some(Entry { node: Node { value: Value::Map(section), .. }, .. }) = root.get_mut(section) else {
        return;
    };
    for entry in section.values_mut() {
        change(&mut entry.node);
    }
}

fn at(node: &mut Node, key: &str, change: impl Fn(&mut Node)) {
    if let Value::Map(map) = &mut node.value
        && let Some(entry) = map.get_mut(key)
    {
        change(&mut entry.node);
    }
}

fn service(node: &mut Node) {
    for key in ["environment", "labels", "annotations", "sysctls"] {
        at(node, key, pairs);
    }
    for key in ["dns", "dns_search", "dns_opt", "tmpfs", "env_file", "label_file"] {
        at(node, key, several);
    }
    at(node, "extra_hosts", hosts);
    at(node, "depends_on", |node| names(node, Some(("condition", "service_started"))));
    at(node, "networks", |node| names(node, None));
    at(node, "models", |node| names(node, None));
    at(node, "build", |build| {
        if let Value::Text(context) = &build.value {
            build.value = single("context", context);
        }
        for key in ["args", "labels", "additional_contexts"] {
            at(build, key, pairs);
        }
        at(build, "extra_hosts", hosts);
    });
    at(node, "deploy", |deploy| at(deploy, "labels", pairs));
}

fn single(key: &str, text: &Text) -> Value {
    let node = Node::new(Value::Text(text.clone()), text.span);
    Value::Map(Map::from([(Arc::from(key), Entry { key: text.span, node })]))
}

/// `[NAME=value, NAME]` to a mapping.
fn pairs(node: &mut Node) {
    let Value::List(list) = &node.value else { return };
    let mut map = Map::new();
    for item in list {
        let Value::Text(text) = &item.value else { return };
        let (name, value) = match text.text.split_once('=') {
            Some((name, value)) => (name, Value::Text(Text { plain: false, ..text.with(value) })),
            None => (&*text.text, Value::Null),
        };
        map.insert(name.into(), Entry { key: item.span, node: Node::new(value, item.span) });
    }
    node.value = Value::Map(map);
}

/// One text to a sequence of one.
fn several(node: &mut Node) {
    if let Value::Text(_) = node.value {
        node.value = Value::List(vec![Node::new(node.value.clone(), node.span)]);
    }
}

/// A mapping of host names to a sequence of `name:address`.
fn hosts(node: &mut Node) {
    let Value::Map(map) = &node.value else { return };
    let mut list = Vec::new();
    for (name, entry) in map {
        let addresses = entry.node.list().unwrap_or(std::slice::from_ref(&entry.node));
        for address in addresses.iter().filter_map(Node::text) {
            let text = address.with(format!("{name}:{}", address.text));
            list.push(Node::new(Value::Text(text), address.span));
        }
    }
    node.value = Value::List(list);
}

/// A sequence of names to a mapping, each with one setting or nothing.
fn names(node: &mut Node, setting: Option<(&str, &str)>) {
    let Value::List(list) = &node.value else { return };
    let mut map = Map::new();
    for item in list {
        let Value::Text(text) = &item.value else { return };
        let value = setting.map_or(Value::Null, |(key, value)| single(key, &text.with(value)));
        map.insert(Arc::clone(&text.text), Entry { key: item.span, node: Node::new(value, item.span) });
    }
    node.value = Value::Map(map);
}
