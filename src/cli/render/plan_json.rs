//! Plans as JSON, in the shape of `terraform show -json` with vsa's own parts under `vsa`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::address::{Address, Key};
use crate::plan::{Change, ChangeKind, Drift, OutputChange, Plan, change::FORMAT_VERSION};
use crate::state::attributes::{self, Tree};

/// A value, and in the same shape which of it is sensitive. A sensitive value itself is `null`.
fn split(tree: &Tree) -> (Value, Value) {
    match tree {
        Tree::Null | Tree::Unknown => (Value::Null, false.into()),
        Tree::Bool(bool) => ((*bool).into(), false.into()),
        Tree::Number(number) => {
            (number.parse().map_or_else(|_| number.to_string().into(), Value::Number), false.into())
        }
        Tree::String(text) => (text.to_string().into(), false.into()),
        Tree::Reference(address) => (address.to_string().into(), false.into()),
        Tree::Sensitive(_) => (Value::Null, true.into()),
        Tree::List(elements) => {
            let (values, marks): (Vec<_>, Vec<_>) = elements.iter().map(split).unzip();
            (values.into(), marks.into())
        }
        Tree::Object(entries) => {
            let mut values = Map::new();
            let mut marks = Map::new();
            for (name, tree) in entries {
                let (value, mark) = split(tree);
                values.insert(name.to_string(), value);
                if mark != Value::Bool(false) {
                    marks.insert(name.to_string(), mark);
                }
            }
            (values.into(), marks.into())
        }
    }
}

fn side(raw: Option<&RawValue>) -> (Value, Value) {
    raw.and_then(|raw| attributes::decode(raw).ok()).map_or((Value::Null, false.into()), |tree| split(&tree))
}

fn actions(kind: ChangeKind) -> &'static [&'static str] {
    match kind {
        ChangeKind::Create => &["create"],
        ChangeKind::Update => &["update"],
        ChangeKind::Replace => &["delete", "create"],
        ChangeKind::Delete => &["delete"],
        ChangeKind::NoOp => &["no-op"],
    }
}

fn module(address: &Address) -> Option<String> {
    let text = address.to_string();
    let inner =
        Address::in_module(Vec::new(), address.kind(), address.name(), address.key().cloned()).to_string();
    text.strip_suffix(&inner).and_then(|module| module.strip_suffix('.')).map(str::to_owned)
}

fn index(key: Option<&Key>) -> Value {
    match key {
        None => Value::Null,
        Some(Key::Index(index)) => (*index).into(),
        Some(Key::Name(name)) => Arc::clone(name).to_string().into(),
    }
}

/// Which resource an entry is about.
fn resource(address: &Address) -> Value {
    let mut object = json!({
        "address": address,
        "mode": "managed",
        "type": address.kind(),
        "name": address.name(),
        "provider_name": "vsa",
    });
    if let Some(module) = module(address) {
        object["module_address"] = module.into();
    }
    if address.key().is_some() {
        object["index"] = index(address.key());
    }
    object
}

fn resource_change(change: &Change) -> Value {
    let (before, before_sensitive) = side(change.before.as_deref());
    let (after, after_sensitive) = side(change.after.as_deref());
    let mut object = resource(&change.address);
    if let Some(from) = &change.moved_from {
        object["previous_address"] = from.to_string().into();
    }
    object["change"] = json!({
        "actions": actions(change.kind),
        "before": before,
        "after": after,
        "after_unknown": {},
        "before_sensitive": before_sensitive,
        "after_sensitive": after_sensitive,
    });
    object["vsa"] = json!({
        "node": change.node,
        "reasons": change.reasons,
        "implied_by": change.implied_by,
        "details": change.details,
    });
    if !change.forced_by.is_empty() {
        let paths: Vec<Value> = change.forced_by.iter().map(|name| json!([name])).collect();
        object["change"]["replace_paths"] = paths.into();
        object["action_reason"] = "replace_because_cannot_update".into();
    }
    object
}

/// What drifted, by resource. Which files and processes of it differ, and how, stands under vsa's own key: what a node
/// shows is no value of an attribute.
fn resource_drift(drift: &[Drift]) -> Vec<Value> {
    let mut by_resource: BTreeMap<&Address, Vec<&Drift>> = BTreeMap::new();
    for drift in drift {
        by_resource.entry(&drift.address).or_default().push(drift);
    }
    let object = |(address, drift): (&Address, Vec<&Drift>)| {
        let mut object = resource(address);
        object["change"] = json!({
            "actions": ["update"],
            "before": null,
            "after": null,
            "after_unknown": {},
            "before_sensitive": false,
            "after_sensitive": false,
        });
        object["vsa"] = json!({ "drift": drift });
        object
    };
    by_resource.into_iter().map(object).collect()
}

fn output_change(change: &OutputChange) -> Value {
    json!({
        "actions": actions(change.kind),
        "before": change.before,
        "after": change.after,
        "after_unknown": false,
        "before_sensitive": change.sensitive,
        "after_sensitive": change.sensitive,
    })
}

/// The whole plan.
pub fn plan_json(plan: &Plan) -> Value {
    json!({
        "format_version": FORMAT_VERSION,
        "vsa_version": env!("CARGO_PKG_VERSION"),
        "applyable": !plan.is_empty(),
        "complete": true,
        "errored": false,
        "resource_changes": plan.changes.iter().map(resource_change).collect::<Vec<_>>(),
        "resource_drift": resource_drift(&plan.drift),
        "output_changes": plan.outputs.iter().map(|(name, change)| (name.clone(), output_change(change)))
            .collect::<Map<_, _>>(),
        "vsa": {
            "mode": plan.mode,
            "lineage": plan.lineage,
            "serial": plan.serial,
            "interrupted": plan.interrupted,
            "unchanged": plan.unchanged,
            "counts": plan.counts(),
            "drift": plan.drift,
            "files": plan.files,
            "nodes": plan.nodes,
            "actions": plan.actions,
        },
    })
}
