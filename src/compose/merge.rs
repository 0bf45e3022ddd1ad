//! Merging: what a later file, or the extending service, does to what stands there (compose-spec, "Merge").

use std::collections::BTreeMap;
use std::sync::Arc;

use super::node::{Entry, Layer, Map, Node, Value};
use super::port;
use super::volume;
use crate::diag::{Diagnostic, Span};

/// Merges `over` into `base`; both are in the canonical form.
pub(super) fn merge(base: Node, over: Node, path: &mut Vec<Arc<str>>) -> Result<Node, Diagnostic> {
    if over.layer == Layer::Reset || over.layer == Layer::Override {
        return Ok(over);
    }
    // What a lower layer of this same file has reset stays reset for the files before it.
    let layer = if base.layer == Layer::Merged { Layer::Merged } else { Layer::Override };
    if base.layer == Layer::Reset {
        return Ok(Node { layer, ..over });
    }
    let span = over.span;
    let value = match (base.value, over.value) {
        (value, Value::Null) => return Ok(Node { value, span: base.span, layer: base.layer }),
        (Value::Null, value) => value,
        (_, value) if is(path, &["services", "*", "command"]) => value,
        (_, value) if is(path, &["services", "*", "entrypoint"]) => value,
        (_, value) if is(path, &["services", "*", "healthcheck", "test"]) => value,
        (Value::Map(base), Value::Map(over)) if is(path, &["services", "*", "logging"]) => {
            let driver = |map: &Map| {
                map.get("driver").and_then(|entry| entry.node.text()).map(|text| text.text.clone())
            };
            match (driver(&base), driver(&over)) {
                (Some(one), Some(two)) if one != two => Value::Map(over),
                _ => Value::Map(maps(base, over, path)?),
            }
        }
        (Value::Map(base), Value::Map(over)) => Value::Map(maps(base, over, path)?),
        (Value::List(mut base), Value::List(over)) => {
            base.extend(over);
            Value::List(base)
        }
        (Value::Text(_), value @ Value::Text(_)) => value,
        // One limit for both, or two: the later form counts.
        (_, value) if is(path, &["services", "*", "ulimits", "*"]) => value,
        (one, two) => return Err(unlike(path, &Node::new(one, base.span), &Node::new(two, span))),
    };
    Ok(Node { value, span, layer })
}

fn maps(mut base: Map, over: Map, path: &mut Vec<Arc<str>>) -> Result<Map, Diagnostic> {
    for (name, Entry { key, node }) in over {
        let node = match base.remove(&name) {
            None => node,
            Some(before) => {
                path.push(Arc::clone(&name));
                let merged = merge(before.node, node, path)?;
                path.pop();
                merged
            }
        };
        base.insert(name, Entry { key, node });
    }
    Ok(base)
}

fn unlike(path: &[Arc<str>], base: &Node, over: &Node) -> Diagnostic {
    let name = path.join(".");
    Diagnostic::error(format!("`{name}` cannot be merged: {} over {}", over.kind(), base.kind()))
        .code("compose_merge")
        .at(over.span)
        .also(base.span, "over this")
        .help("write both in one form, or tag the later one with `!override`")
}

/// Whether a path is of a pattern, in which `*` is any name.
fn is(path: &[Arc<str>], pattern: &[&str]) -> bool {
    path.len() == pattern.len()
        && path.iter().zip(pattern).all(|(name, pattern)| *pattern == "*" || **name == **pattern)
}

/// Ends the layers: what was reset goes, and no tag is left.
pub(super) fn settle(node: &mut Node) {
    node.layer = Layer::Merged;
    match &mut node.value {
        Value::Null | Value::Text(_) => {}
        Value::List(list) => list.iter_mut().for_each(settle),
        Value::Map(map) => {
            map.retain(|_, entry| entry.node.layer != Layer::Reset);
            for entry in map.values_mut() {
                settle(&mut entry.node);
            }
        }
    }
}

/// What two items of a sequence must share for the later to take the place of the earlier.
type Identity = fn(&Node) -> Option<String>;

/// The sequences of a service whose items are unique, and by what.
const UNIQUE: [(&[&str], Identity); 17] = [
    (&["ports"], port::identity),
    (&["volumes"], volume::identity),
    (&["devices"], volume::identity),
    (&["secrets"], |node| mounted(node, "/run/secrets/")),
    (&["configs"], |node| mounted(node, "/")),
    (&["env_file"], |node| node.text().or_else(|| node.text_of("path")).map(|text| text.text.to_string())),
    (&["cap_add"], whole),
    (&["cap_drop"], whole),
    (&["dns"], whole),
    (&["dns_opt"], whole),
    (&["dns_search"], whole),
    (&["expose"], whole),
    (&["links"], whole),
    (&["profiles"], whole),
    (&["tmpfs"], whole),
    (&["build", "tags"], whole),
    (&["extra_hosts"], whole),
];

fn whole(node: &Node) -> Option<String> {
    node.text().map(|text| text.text.to_string())
}

fn mounted(node: &Node, directory: &str) -> Option<String> {
    let target = node.text_of("target").map(|text| text.text.to_string());
    target.or_else(|| {
        let source = node.text().or_else(|| node.text_of("source"))?;
        Some(format!("{directory}{}", source.text))
    })
}

/// Lets the later of two items of one identity take the place of the earlier, in every service.
pub(super) fn unify(root: &mut Node) {
    let Value::Map(root) = &mut root.value else { return };
    let Some(Entry { node: Node { value: Value::Map(services), .. }, .. }) = root.get_mut("services") else {
        return;
    };
    for Entry { node, .. } in services.values_mut() {
        for (path, identity) in UNIQUE {
            let mut at = Some(&mut *node);
            for key in path {
                at = at.and_then(|node| match &mut node.value {
                    Value::Map(map) => map.get_mut(*key).map(|entry| &mut entry.node),
                    _ => None,
                });
            }
            if let Some(Node { value: Value::List(list), .. }) = at {
                unique(list, identity);
            }
        }
    }
}

fn unique(list: &mut Vec<Node>, identity: Identity) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut kept: Vec<Node> = Vec::with_capacity(list.len());
    for node in list.drain(..) {
        match identity(&node) {
            Some(id) => match seen.get(&id) {
                Some(at) => kept[*at] = node,
                None => {
                    seen.insert(id, kept.len());
                    kept.push(node);
                }
            },
            None => kept.push(node),
        }
    }
    *list = kept;
}

/// Two resources of one name that are not the same.
pub(super) fn conflict(section: &str, name: &str, here: Span, there: Span) -> Diagnostic {
    let name = crate::diag::visible(name);
    Diagnostic::error(format!("`{section}.{name}` is also defined by an included file"))
        .code("compose_include")
        .at(here)
        .also(there, "the included one")
        .help("rename one, or change the included one in an override file of its own `include` entry")
}
