//! From changes to ordered actions.
//!
//! | module | what |
//! |---|---|
//! | `lineages` | what of certbot's more than one resource has taken over |
//! | `work` | the steps of one resource's change |
//! | `bases` | what goes live in prepare, and what gives way to it |
//! | `clean_up` | what is no longer wanted, in reverse dependency order |

mod bases;
mod clean_up;
mod lineages;
mod work;

use std::collections::{BTreeMap, HashMap};

use super::action::{Action, Operation, Phase, Undo};
use super::build::{Inputs, NodeWork};
use super::kind::Step;
use super::node::NodeSpec;
use super::{nodes, proxy};
use crate::address::Address;
use crate::state::StoredNode;

use bases::{Bases, is_in_the_way};
pub use clean_up::KEPT_GENERATIONS;
use clean_up::clean_up;
pub(super) use work::Work;

/// Gives actions their numbers.
#[derive(Default)]
struct Sequence(Vec<Action>);

impl Sequence {
    fn push(&mut self, resource: &Address, node: &Address, step: Step, needs: Vec<u32>) -> u32 {
        let id = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let Step { phase, operation, undo } = step;
        self.0.push(Action {
            id,
            resource: resource.clone(),
            node: node.clone(),
            phase,
            operation,
            undo,
            needs,
        });
        id
    }

    /// Has an action wait for others too.
    fn need(&mut self, id: u32, more: Vec<u32>) {
        if let Some(action) = self.0.iter_mut().find(|action| action.id == id) {
            action.needs.extend(more);
        }
    }
}

/// All actions: prepare in dependency order, a switch for each node, clean up in reverse dependency order. `left` takes
/// away what no resource has on a node.
pub(super) fn order(
    mut works: Vec<Work>,
    left: &BTreeMap<Address, Vec<Operation>>,
    nodes: &BTreeMap<Address, NodeWork>,
    retired: &[(&Address, &StoredNode)],
    inputs: &Inputs<'_>,
) -> Vec<Action> {
    lineages::share(&mut works, inputs.state);
    sort_by_dependency(&mut works);
    let mut sequence = Sequence::default();
    let mut made: HashMap<Address, Vec<u32>> = HashMap::new();
    let mut prepared: HashMap<Address, Vec<u32>> = HashMap::new();
    // What runs on a node may be in its networks without naming them: they are there before it.
    let (networks, others): (Vec<&Work>, Vec<&Work>) = works.iter().partition(|work| work.makes_network());
    let mut there: BTreeMap<Address, Vec<u32>> = BTreeMap::new();
    let mut bases = Bases::new(nodes, retired, inputs);
    for work in networks.into_iter().chain(others) {
        let mut needs: Vec<u32> =
            work.depends_on.iter().filter_map(|address| made.get(address)).flatten().copied().collect();
        if work.orders().next().is_some()
            && let Some(base) = bases.of(&mut sequence, &work.node, &made)
        {
            needs.push(base);
        }
        if work.runs_containers() {
            needs.extend(there.get(&work.node).into_iter().flatten());
        }
        let mut last: Option<u32> = None;
        for step in work.steps.iter().filter(|step| step.phase == Phase::Prepare) {
            let needs = last.map_or_else(|| needs.clone(), |id| vec![id]);
            let id = sequence.push(&work.address, &work.node, step.clone(), needs);
            made.entry(work.address.clone()).or_default().push(id);
            if work.makes_network() {
                there.entry(work.node.clone()).or_default().push(id);
            }
            prepared.entry(work.node.clone()).or_default().push(id);
            last = Some(id);
        }
    }
    let live = |address| inputs.state.nodes.get(address).map_or(0, |stored| stored.generation);
    // The container that answers may come up in this very run.
    for (node, base) in bases.all() {
        let brings = works.iter().filter(|work| work.node == *node && work.remakes_proxy());
        let brought: Vec<u32> =
            brings.filter_map(|work| made.get(&work.address)).flatten().copied().collect();
        sequence.need(base, brought);
    }
    // A node that goes is there until what comes is, unless that cannot be before it has gone.
    let is_first = |goes: &NodeSpec| {
        nodes.values().any(|work| work.files.switch && is_in_the_way(goes, &work.node.spec))
    };
    let retired_first = bases.retire(&mut sequence, is_first);
    for (address, work) in nodes {
        let former = inputs.state.nodes.get(address).map(|stored| &stored.networks);
        let remade = works.iter().any(|work| work.node == *address && work.remakes_proxy());
        let joins = if remade { proxy::needed(work) } else { work.membership.joins.clone() };
        let needs = prepared.get(address).cloned().unwrap_or_default();
        let come = works.iter().filter(|work| work.runs_containers()).map(|work| &work.address).collect();
        for network in joins.into_iter().filter(|network| proxy::can_be_joined(work, network, &come)) {
            let undo = if former.is_some_and(|former| former.contains(&network)) {
                Undo::Nothing
            } else {
                Undo::RemoveMade
            };
            let operation = Operation::ConnectNetwork { network: network.to_string() };
            let step = Step { phase: Phase::Prepare, operation, undo };
            let id = sequence.push(address, address, step, needs.clone());
            prepared.entry(address.clone()).or_default().push(id);
        }
        if work.files.switch {
            let former = live(address);
            let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
            let step = Step {
                phase: Phase::Switch,
                operation: Operation::SwitchGeneration {
                    number: work.files.number,
                    changed: count(work.files.changed.len()),
                    files: count(work.files.files.len()),
                },
                undo: Undo::SwitchBack { to: (former > 0).then_some(former) },
            };
            let mut needs = prepared.remove(address).unwrap_or_default();
            let in_the_way = retired_first.iter().filter(|(goes, _)| is_in_the_way(goes, &work.node.spec));
            needs.extend(in_the_way.map(|(_, retired)| *retired));
            sequence.push(address, address, step, needs);
        }
    }
    bases.retire(&mut sequence, |goes| !is_first(goes));
    let interrupted = inputs.interrupted.is_some();
    // What a killed run left is removed as well; where that is all, the live generation stays the live one.
    let prune = nodes.iter().map(|(address, work)| {
        let number = work.files.number;
        if work.files.switch {
            (address, number, interrupted || nodes::prunes(&work.node.spec, &work.observed, number))
        } else {
            (address, live(address), interrupted && live(address) > 0)
        }
    });
    let prune = prune.filter(|(.., needed)| *needed).map(|(address, live, _)| (address, live)).collect();
    clean_up(&mut sequence, &works, left, nodes, prune, retired);
    sequence.0
}

/// Puts each resource after those that it depends on; else in the order of the addresses.
fn sort_by_dependency(works: &mut Vec<Work>) {
    let index: HashMap<Address, usize> =
        works.iter().enumerate().map(|(index, work)| (work.address.clone(), index)).collect();
    let mut order = Vec::with_capacity(works.len());
    let mut seen = vec![false; works.len()];
    for start in 0..works.len() {
        // A stack of its own: a chain of resources can be longer than the program's stack is deep.
        let mut stack = vec![(start, false)];
        while let Some((at, entered)) = stack.pop() {
            if entered {
                order.push(at);
            } else if !std::mem::replace(&mut seen[at], true) {
                stack.push((at, true));
                let needs = works[at].depends_on.iter().filter_map(|address| index.get(address));
                stack.extend(needs.map(|need| (*need, false)));
            }
        }
    }
    let mut slots: Vec<Option<Work>> = std::mem::take(works).into_iter().map(Some).collect();
    works.extend(order.into_iter().filter_map(|at| slots[at].take()));
}
