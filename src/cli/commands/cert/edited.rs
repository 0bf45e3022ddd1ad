//! What was edited since the last apply: nobody has looked at it yet, so a renewal leaves it alone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::KIND;
use crate::address::Address;
use crate::cli::{Failure, Invocation};
use crate::config::Declared;
use crate::plan::{self, Kinds, Plan};
use crate::resource::Resource;
use crate::state::State;

/// The configuration's resources, certificates and nodes as they were applied last: what is renewed is what there is. A
/// certificate that is to move is as it is wanted.
pub(super) fn as_applied<'a>(
    invocation: &Invocation,
    declared: &'a Declared,
    state: &State,
) -> Result<Cow<'a, BTreeMap<Address, Resource>>, Failure> {
    let key = invocation.key()?;
    let is_kept = |resource: &Resource| match state.resources.get(&resource.address) {
        Some(stored) if resource.address.kind() == KIND => resource.reference("node") == Some(&stored.node),
        Some(stored) => stored.node == resource.address,
        None => false,
    };
    let beside = (invocation.kinds as &dyn Kinds, key.as_ref());
    Ok(plan::as_applied(&declared.resources, state, beside, is_kept).resources)
}

/// Which of these sites were edited, or bring along what was, by a plan of them and these certificates: none once nothing
/// that was edited is in the plan.
pub(super) fn held(
    declared: &Declared,
    plan: &Plan,
    certificates: &BTreeSet<Address>,
    sites: &BTreeSet<Address>,
) -> BTreeSet<Address> {
    let edited = plan.changes.iter().filter(|change| change.is_edited());
    let edited: BTreeSet<Address> = edited.map(|change| change.address.clone()).collect();
    let edited = &edited - certificates;
    if edited.is_empty() {
        return BTreeSet::new();
    }
    let held: BTreeSet<Address> =
        sites.iter().filter(|site| needs(declared, site, &edited)).cloned().collect();
    // Others come by a stack that sites share: which of these brings them is not looked at.
    if held.is_empty() { sites.clone() } else { held }
}

/// Whether a resource is one of `these`, or needs one.
fn needs(declared: &Declared, address: &Address, these: &BTreeSet<Address>) -> bool {
    let mut seen = BTreeSet::new();
    let mut pending = vec![address];
    while let Some(address) = pending.pop() {
        if these.contains(address) {
            return true;
        }
        if seen.insert(address) {
            pending.extend(
                declared.resources.get(address).into_iter().flat_map(|resource| &resource.depends_on),
            );
        }
    }
    false
}
