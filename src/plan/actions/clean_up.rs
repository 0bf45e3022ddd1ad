//! Clean up: what is no longer wanted, in reverse dependency order, and what old generations and nodes leave.

use std::collections::{BTreeMap, HashMap};

use super::{Sequence, Work};
use crate::address::Address;
use crate::plan::action::{Operation, Phase, Undo};
use crate::plan::build::NodeWork;
use crate::plan::kind::Step;
use crate::state::StoredNode;

/// How many old generations a node keeps.
pub const KEPT_GENERATIONS: u32 = 10;

pub(super) fn clean_up(
    sequence: &mut Sequence,
    works: &[Work],
    traces: &BTreeMap<Address, Vec<Operation>>,
    nodes: &BTreeMap<Address, NodeWork>,
    prune: Vec<(&Address, u64)>,
    retired: &[(&Address, &StoredNode)],
) {
    // A network goes only once the proxy has left it.
    let mut left: HashMap<&Address, Vec<u32>> = HashMap::new();
    let leaving = nodes.iter().map(|(address, work)| (address, &work.membership.leaves));
    for (address, networks) in
        leaving.chain(retired.iter().map(|(address, stored)| (*address, &stored.networks)))
    {
        for network in networks {
            let operation = Operation::DisconnectNetwork { network: network.to_string() };
            let step = Step { phase: Phase::CleanUp, operation, undo: Undo::Nothing };
            left.entry(address).or_default().push(sequence.push(address, address, step, Vec::new()));
        }
    }
    let mut removed: HashMap<&Address, Vec<u32>> = HashMap::new();
    let mut dependants: HashMap<&Address, Vec<&Address>> = HashMap::new();
    for work in works {
        for address in &work.depends_on {
            dependants.entry(address).or_default().push(&work.address);
        }
    }
    let mut cleaned: HashMap<&Address, Vec<u32>> = HashMap::new();
    // A network goes after all that may have been in it.
    let (networks, others): (Vec<&Work>, Vec<&Work>) =
        works.iter().rev().partition(|work| work.removes_network());
    for work in others.into_iter().chain(networks) {
        let before = dependants.get(&work.address).into_iter().flatten();
        let needs = before.filter_map(|address| removed.get(*address)).chain(left.get(&work.node));
        let mut needs: Vec<u32> = needs.flatten().copied().collect();
        if work.removes_network() {
            needs.extend(cleaned.get(&work.node).into_iter().flatten());
        }
        let mut last: Option<u32> = None;
        // All of a node that goes is removed at once, with its directory.
        let goes = retired.iter().any(|(address, _)| **address == work.node);
        let is_left = |step: &&Step| !goes || !matches!(step.operation, Operation::RemoveCertificate { .. });
        for step in work.steps.iter().filter(|step| step.phase == Phase::CleanUp).filter(is_left) {
            let needs = last.map_or_else(|| needs.clone(), |id| vec![id]);
            let id = sequence.push(&work.address, &work.node, step.clone(), needs);
            last = Some(id);
            removed.entry(&work.address).or_default().push(id);
            cleaned.entry(&work.node).or_default().push(id);
        }
    }
    let irreversible = |reason: &str| Undo::Irreversible { reason: reason.to_owned() };
    // After all else that goes, one after the other: several of them may be of one name.
    for (address, operations) in traces {
        let before = cleaned.entry(address).or_default();
        let mut needs = before.clone();
        for operation in operations {
            let undo = irreversible("a private key is removed for good");
            let step = Step { phase: Phase::CleanUp, operation: operation.clone(), undo };
            let id = sequence.push(address, address, step, std::mem::take(&mut needs));
            needs.push(id);
            before.push(id);
        }
    }
    for (address, live) in prune {
        let operation = Operation::PruneGenerations { live, keep: KEPT_GENERATIONS };
        let undo = irreversible("old generations are removed for good");
        let needs = cleaned.get(address).cloned().unwrap_or_default();
        sequence.push(address, address, Step { phase: Phase::CleanUp, operation, undo }, needs);
    }
    for (address, stored) in retired {
        let operation = Operation::RemoveRoot { path: stored.spec.root.clone() };
        let undo = irreversible("the node's own directory is removed for good");
        let needs = cleaned.get(address).cloned().unwrap_or_default();
        sequence.push(address, address, Step { phase: Phase::CleanUp, operation, undo }, needs);
    }
}
