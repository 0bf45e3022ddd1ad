//! A resource as it shall be beside what the state knows of it.

use serde_json::value::RawValue;

use super::build::Inputs;
use super::change::{Change, ChangeKind, Mode};
use super::items::Item;
use super::kind::{Refreshed, Subject};
use super::placed::Placement;
use crate::address::{self, Address};
use crate::diag::Diagnostics;
use crate::schema::Schema;
use crate::state::{Key, Status, Stored, attributes};

/// What became of the comparison of a resource with the state.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) change: Option<Change>,
    /// Of one that changes and stays, what the state shall hold of it.
    pub(super) stored: Option<Stored>,
    /// Its files at places of their own.
    pub(super) placement: Placement,
    /// Whether it has sensitive values that could not be compared.
    pub(super) uncompared: bool,
    pub(super) errors: Diagnostics,
}

pub(super) fn compare(
    item: &Item<'_>,
    subject: Option<Subject<'_>>,
    refreshed: &Refreshed,
    moved_from: Option<&Address>,
    key: Option<&Key>,
) -> Compared {
    let files = match subject.filter(|subject| subject.desired.is_some()) {
        Some(subject) => item.kind.placed(subject),
        None => Ok(Vec::new()),
    };
    let files = match files {
        Ok(files) => files,
        Err(errors) => return Compared { errors, ..Compared::default() },
    };
    let written_as = moved_from.unwrap_or(item.address);
    let placement = Placement::of(item.address, written_as, item.prior, files, key);
    let encoded = item.desired.map(|resource| attributes::encode(resource, key));
    let uncompared = key.is_none() && encoded.as_deref().is_some_and(attributes::has_unfingerprinted);
    // Fingerprints are of an address: what moved is compared as what it was.
    let as_before = item.desired.zip(moved_from);
    let as_before =
        as_before.map(|(resource, from)| attributes::encode_object(from, &resource.attributes, key));
    let after = as_before.as_deref().or(encoded.as_deref());
    let change = change(item, refreshed, after, moved_from, &placement);
    let stored = change.as_ref().and(item.desired).zip(encoded).map(|(resource, attributes)| Stored {
        status: Status::Live,
        node: item.node.clone(),
        name: resource.name.clone(),
        attributes,
        facts: item.prior.map(|prior| prior.facts.clone()).unwrap_or_default(),
        placed: placement.stored.clone(),
        depends_on: resource.depends_on.clone(),
        left: Vec::new(),
    });
    Compared { change, stored, placement, uncompared, errors: Diagnostics::new() }
}

/// What happens to a resource; `None` where nothing does.
fn change(
    item: &Item<'_>,
    refreshed: &Refreshed,
    after: Option<&RawValue>,
    moved_from: Option<&Address>,
    placement: &Placement,
) -> Option<Change> {
    let before = item.prior.or(item.former).map(|prior| &*prior.attributes);
    let mut reasons: Vec<String> = refreshed.due.iter().cloned().collect();
    let repaired = refreshed.drift.iter().filter(|drift| drift.repaired);
    reasons.extend(repaired.map(|drift| format!("{} {}", drift.subject, drift.what)));
    if let Some(prior) = item.prior {
        match prior.status {
            Status::Live => {}
            Status::Interrupted => reasons.push("an apply has begun this and not finished it".to_owned()),
            Status::Deleting => reasons.push("an earlier apply could not finish its deletion".to_owned()),
        }
    }
    // It was to live there, and is wanted where it was again.
    let begun = item.former.filter(|_| item.prior.is_some());
    reasons.extend(begun.map(|former| format!("what was begun on `{}` goes", former.node)));
    let mut forced_by = Vec::new();
    let edited = !placement.changed.is_empty();
    let kind = match (before, after) {
        (None, None) => return None,
        (None, Some(_)) => ChangeKind::Create,
        (Some(_), None) => ChangeKind::Delete,
        (Some(before), Some(after)) if item.prior.is_none() => {
            forced_by = forcing(before, after, item.kind.schema());
            ChangeKind::Replace
        }
        (Some(before), Some(after)) if attributes::same(before, after) => match moved_from {
            _ if !reasons.is_empty() || edited => ChangeKind::Update,
            Some(_) => ChangeKind::NoOp,
            None => return None,
        },
        (Some(before), Some(after)) => {
            forced_by = forcing(before, after, item.kind.schema());
            if forced_by.is_empty() { ChangeKind::Update } else { ChangeKind::Replace }
        }
    };
    Some(Change {
        address: item.address.clone(),
        moved_from: moved_from.cloned(),
        node: item.node.clone(),
        kind,
        before: before.map(RawValue::to_owned),
        after: after.map(RawValue::to_owned),
        reasons,
        forced_by,
        implied_by: item.desired.and_then(|resource| resource.implied_by.clone()),
        details: None,
    })
}

/// Why a resource is not wanted any more; nothing where nothing is.
pub(super) fn unwanted(address: &Address, inputs: &Inputs<'_>) -> Option<String> {
    if inputs.mode == Mode::Destroy {
        return None;
    }
    let key = address.key().filter(|_| {
        let first = address.with_key(None);
        let mut alike = inputs.resources.range(first.clone()..);
        alike.next().is_some_and(|(other, _)| other.with_key(None) == first)
    });
    Some(match key {
        Some(key @ address::Key::Name(_)) => format!("because key {key} is not in for_each"),
        Some(key @ address::Key::Index(_)) => format!("because index {key} is out of range for count"),
        None => format!("because {address} is not in configuration"),
    })
}

/// The attributes whose change forces a replacement.
fn forcing(before: &RawValue, after: &RawValue, schema: &Schema) -> Vec<String> {
    let (Ok(before), Ok(after)) = (attributes::decode(before), attributes::decode(after)) else {
        return Vec::new();
    };
    let differs = |name: &str| match (before.get(name), after.get(name)) {
        (Some(before), Some(after)) => !before.same(after),
        (before, after) => before.is_some() != after.is_some(),
    };
    let forces = schema.body.attributes.iter().filter(|attribute| attribute.forces_replacement);
    forces.map(|attribute| attribute.name.to_string()).filter(|name| differs(name)).collect()
}
