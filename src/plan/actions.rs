//! From changes to ordered actions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::address::Address;
use crate::state::{Status, StoredNode};

use super::action::{Action, Operation, Phase, Undo};
use super::build::{Inputs, NodeWork};
use super::change::ChangeKind;
use super::issuance::CertificateOrder;
use super::kind::{Drift, Kind, Step, Subject};
use super::placed::Placement;
use super::{nodes, proxy};

/// How many old generations a node keeps.
pub const KEPT_GENERATIONS: u32 = 10;

/// The steps of one resource's change.
pub(super) struct Work {
    address: Address,
    node: Address,
    depends_on: BTreeSet<Address>,
    steps: Vec<Step>,
    /// Whether it makes the container anew that is the node's proxy.
    remakes_proxy: bool,
}

impl Work {
    /// Asks the kind for the steps of a change; a replacement is a creation and a deletion, unless what was there is on
    /// another node, where it goes by itself. Placed files are written once their directories are there.
    pub(super) fn of(
        kind: &dyn Kind,
        subject: Subject<'_>,
        change: ChangeKind,
        placement: &Placement,
        drift: &[Drift],
    ) -> Self {
        let mut steps = if change == ChangeKind::Replace && subject.moves_from.is_none() {
            let mut steps = kind.steps(Subject { prior: None, ..subject });
            steps.extend(kind.steps(Subject { desired: None, ..subject }));
            steps
        } else {
            kind.steps(subject)
        };
        let whole =
            change == ChangeKind::Replace || subject.prior.is_some_and(|prior| prior.status != Status::Live);
        let drifted: Vec<String> = drift.iter().map(|drift| drift.subject.clone()).collect();
        let first = steps.iter().position(|step| !is_before_files(&step.operation)).unwrap_or(steps.len());
        let (removals, writes): (Vec<Step>, Vec<Step>) =
            placement.steps(whole, &drifted).into_iter().partition(|step| step.phase == Phase::CleanUp);
        steps.splice(first..first, writes);
        let last = steps.iter().position(|step| is_after_files(&step.operation)).unwrap_or(steps.len());
        steps.splice(last..last, removals);
        let depends_on = match (subject.desired, subject.prior) {
            (Some(resource), _) => resource.depends_on.clone(),
            (None, Some(prior)) => prior.depends_on.clone(),
            (None, None) => BTreeSet::new(),
        };
        let remakes_proxy = kind.proxy(subject).is_some()
            && steps.iter().any(|step| matches!(step.operation, Operation::ComposeUp { .. }));
        Self {
            address: subject.address.clone(),
            node: subject.node.spec.address.clone(),
            depends_on,
            steps,
            remakes_proxy,
        }
    }
}

impl Work {
    fn has(&self, is_it: impl Fn(&Operation) -> bool) -> bool {
        self.steps.iter().any(|step| is_it(&step.operation))
    }

    /// Whether it may make the container anew that is the node's proxy.
    pub(super) fn remakes_proxy(&self) -> bool {
        self.remakes_proxy
    }

    /// The node that it is on.
    pub(super) fn node(&self) -> &Address {
        &self.node
    }

    /// What authorities are asked for.
    pub(super) fn orders(&self) -> impl Iterator<Item = &CertificateOrder> {
        self.steps.iter().filter_map(|step| step.operation.order())
    }

    fn makes_network(&self) -> bool {
        self.has(|operation| matches!(operation, Operation::CreateNetwork { .. }))
    }

    fn removes_network(&self) -> bool {
        self.has(|operation| matches!(operation, Operation::RemoveNetwork { .. }))
    }

    fn runs_containers(&self) -> bool {
        self.has(Operation::runs_containers)
    }
}

/// Whether an operation comes before the resource's placed files are written.
fn is_before_files(operation: &Operation) -> bool {
    matches!(operation, Operation::EnsureDirectory { .. }) || operation.only_looks()
}

/// Whether an operation comes after the resource's placed files are removed.
fn is_after_files(operation: &Operation) -> bool {
    matches!(operation, Operation::RemoveEmptyDirectory { .. } | Operation::RemoveDirectory { .. })
}

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

/// All actions: prepare in dependency order, a switch for each node, clean up in reverse dependency order.
pub(super) fn order(
    mut works: Vec<Work>,
    nodes: &BTreeMap<Address, NodeWork>,
    retired: &[(&Address, &StoredNode)],
    inputs: &Inputs<'_>,
) -> Vec<Action> {
    sort_by_dependency(&mut works);
    let mut sequence = Sequence::default();
    let mut made: HashMap<Address, Vec<u32>> = HashMap::new();
    let mut prepared: HashMap<Address, Vec<u32>> = HashMap::new();
    // What runs on a node may be in its networks without naming them: they are there before it.
    let (networks, others): (Vec<&Work>, Vec<&Work>) = works.iter().partition(|work| work.makes_network());
    let mut there: BTreeMap<Address, Vec<u32>> = BTreeMap::new();
    let mut bases: BTreeMap<&Address, u32> = BTreeMap::new();
    for work in networks.into_iter().chain(others) {
        let mut needs: Vec<u32> =
            work.depends_on.iter().filter_map(|address| made.get(address)).flatten().copied().collect();
        if work.orders().next().is_some()
            && let Some(base) = base_of(&mut sequence, &mut bases, nodes, &work.node, &made, inputs)
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
    for (node, base) in bases {
        let brings = works.iter().filter(|work| work.node == *node && work.remakes_proxy);
        let brought: Vec<u32> =
            brings.filter_map(|work| made.get(&work.address)).flatten().copied().collect();
        sequence.need(base, brought);
    }
    // Nodes that go, first: one that comes may listen on their ports.
    for (address, stored) in retired.iter().filter(|(_, stored)| stored.generation > 0) {
        let step = Step {
            phase: Phase::Switch,
            operation: Operation::RetireProxy { number: stored.generation },
            undo: Undo::SwitchBack { to: Some(stored.generation) },
        };
        sequence.push(address, address, step, Vec::new());
    }
    for (address, work) in nodes {
        let former = inputs.state.nodes.get(address).map(|stored| &stored.networks);
        let remade = works.iter().any(|work| work.node == *address && work.remakes_proxy);
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
            sequence.push(address, address, step, prepared.remove(address).unwrap_or_default());
        }
    }
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
    clean_up(&mut sequence, &works, nodes, prune, retired);
    sequence.0
}

/// The action that has a node answer for what authorities look at, where that takes one.
fn base_of<'a>(
    sequence: &mut Sequence,
    bases: &mut BTreeMap<&'a Address, u32>,
    nodes: &'a BTreeMap<Address, NodeWork>,
    node: &Address,
    made: &HashMap<Address, Vec<u32>>,
    inputs: &Inputs<'_>,
) -> Option<u32> {
    let (address, work) = nodes.get_key_value(node)?;
    let base = work.base.as_ref()?;
    if let Some(known) = bases.get(address) {
        return Some(*known);
    }
    let former = inputs.state.nodes.get(address).map_or(0, |stored| stored.generation);
    let (number, files) = (base.number, u64::try_from(base.files.len()).unwrap_or(u64::MAX));
    let step = Step {
        phase: Phase::Prepare,
        operation: Operation::SwitchBase { number, files },
        undo: Undo::SwitchBack { to: (former > 0).then_some(former) },
    };
    let base = sequence.push(address, address, step, made.get(address).cloned().unwrap_or_default());
    bases.insert(address, base);
    Some(base)
}

fn clean_up(
    sequence: &mut Sequence,
    works: &[Work],
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
