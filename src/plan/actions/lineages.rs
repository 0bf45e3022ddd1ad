//! Lineages of certbot's that more than one resource has taken over, or one on more than one node: the last of them gives
//! one back.

use std::collections::{BTreeSet, HashSet};

use super::Work;
use crate::address::Address;
use crate::plan::action::Operation;
use crate::plan::issuance::Lineage;
use crate::state::{State, Stored};

/// Finds out which lineages that are to be left to certbot something else has switched off too.
pub(super) fn share(works: &mut [Work], state: &State) {
    if !works.iter().any(|work| work.has(|operation| matches!(operation, Operation::ResumeCertbot { .. }))) {
        return;
    }
    let given = works.iter().flat_map(|work| {
        let given = work.steps.iter().filter_map(|step| match &step.operation {
            Operation::ResumeCertbot { lineage, .. } => Some(lineage),
            _ => None,
        });
        given.map(|lineage| (&work.address, &work.node, lineage))
    });
    let given: HashSet<(&Address, &Address, &Lineage)> = given.collect();
    let known = state.resources.iter().flat_map(|(address, stored)| {
        let on_a_node =
            |stored: &Stored| Some((address, stored.node.clone(), Lineage::switched_off(&stored.facts)?));
        stored.everywhere().filter_map(on_a_node).collect::<Vec<_>>()
    });
    let stays =
        |(address, node, lineage): &(&Address, Address, Lineage)| !given.contains(&(*address, node, lineage));
    let mut kept: BTreeSet<Lineage> = known.filter(stays).map(|(.., lineage)| lineage).collect();
    let steps = works.iter().flat_map(|work| &work.steps);
    kept.extend(steps.filter_map(|step| match &step.operation {
        Operation::StopCertbot { lineage } => Some(lineage.clone()),
        _ => None,
    }));
    for step in works.iter_mut().flat_map(|work| &mut work.steps) {
        if let Operation::ResumeCertbot { lineage, is_shared } = &mut step.operation {
            *is_shared = kept.contains(lineage);
        }
    }
}
