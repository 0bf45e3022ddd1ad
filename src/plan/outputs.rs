//! Changes of outputs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::address::Address;
use crate::config::Output;
use crate::state::{StoredOutput, attributes};

use super::build::Inputs;
use super::change::{ChangeKind, OutputChange};

/// An output as the state holds it.
pub fn stored(name: &str, output: &Output, inputs: &Inputs<'_>) -> StoredOutput {
    if output.sensitive {
        let address = Address::new("output", name);
        let text = || attributes::sensitive_text(&output.value);
        let fingerprint = inputs.key.map(|key| key.fingerprint(&address, "value", &text()));
        StoredOutput { value: None, sensitive: true, fingerprint }
    } else {
        StoredOutput { value: Some(output.value.to_json()), sensitive: false, fingerprint: None }
    }
}

/// What changes between the state's outputs and `outputs`.
pub(super) fn changes(
    outputs: &BTreeMap<Arc<str>, Output>,
    inputs: &Inputs<'_>,
) -> BTreeMap<String, OutputChange> {
    let before = &inputs.state.outputs;
    let names: BTreeSet<&str> =
        outputs.keys().map(|name| &**name).chain(before.keys().map(String::as_str)).collect();
    let mut changes = BTreeMap::new();
    for name in names {
        let old = before.get(name);
        let new = outputs.get(name).map(|output| stored(name, output, inputs));
        let kind = match (old, &new) {
            (Some(old), Some(new)) if same(old, new) => continue,
            (Some(_), Some(_)) => ChangeKind::Update,
            (None, Some(_)) => ChangeKind::Create,
            (_, None) => ChangeKind::Delete,
        };
        let sensitive = old.is_some_and(|old| old.sensitive) || new.as_ref().is_some_and(|new| new.sensitive);
        let shown = |output: Option<&StoredOutput>| {
            output.and_then(|output| output.value.clone()).filter(|_| !sensitive)
        };
        let change = OutputChange { kind, before: shown(old), after: shown(new.as_ref()), sensitive };
        changes.insert(name.to_owned(), change);
    }
    changes
}

/// Whether an output stays as it is; a sensitive one without a key to compare it by does.
fn same(old: &StoredOutput, new: &StoredOutput) -> bool {
    let uncompared = new.sensitive && old.sensitive && new.fingerprint.is_none();
    uncompared || old == new
}
