//! Generations that go live in prepare, to answer for what authorities look at, and nodes that give way to them.

use std::collections::{BTreeMap, HashMap};

use super::Sequence;
use crate::address::Address;
use crate::plan::action::{Operation, Phase, Undo};
use crate::plan::build::{Inputs, NodeWork};
use crate::plan::kind::Step;
use crate::plan::node::{NodeSpec, ProxyMode};
use crate::state::StoredNode;

/// Those of a plan, as far as they were asked for.
pub(super) struct Bases<'a> {
    nodes: &'a BTreeMap<Address, NodeWork>,
    retired: &'a [(&'a Address, &'a StoredNode)],
    inputs: &'a Inputs<'a>,
    /// The actions, by node.
    made: BTreeMap<&'a Address, u32>,
    /// The nodes that have given way, by the actions that take them out of nginx.
    gone: BTreeMap<&'a Address, u32>,
}

impl<'a> Bases<'a> {
    pub(super) fn new(
        nodes: &'a BTreeMap<Address, NodeWork>,
        retired: &'a [(&'a Address, &'a StoredNode)],
        inputs: &'a Inputs<'a>,
    ) -> Self {
        Self { nodes, retired, inputs, made: BTreeMap::new(), gone: BTreeMap::new() }
    }

    /// The action that has a node answer, where that takes one; `made` are the actions of resources so far. A node that
    /// goes and is in its place is taken out of nginx before.
    pub(super) fn of(
        &mut self,
        sequence: &mut Sequence,
        node: &Address,
        made: &HashMap<Address, Vec<u32>>,
    ) -> Option<u32> {
        let (address, work) = self.nodes.get_key_value(node)?;
        let base = work.base.as_ref()?;
        if let Some(known) = self.made.get(address) {
            return Some(*known);
        }
        let mut needs = made.get(address).cloned().unwrap_or_default();
        let prepared = needs.clone();
        for (going, stored) in served(self.retired) {
            if !is_in_the_way(&stored.spec, &work.node.spec) {
                continue;
            }
            // It may have given way to another node already.
            let gives_way = || sequence.push(going, going, retire(Phase::Prepare, stored), prepared.clone());
            needs.push(*self.gone.entry(going).or_insert_with(gives_way));
        }
        let former = self.inputs.state.nodes.get(address).map_or(0, |stored| stored.generation);
        let (number, files) = (base.number, u64::try_from(base.files.len()).unwrap_or(u64::MAX));
        let step = Step {
            phase: Phase::Prepare,
            operation: Operation::SwitchBase { number, files },
            undo: Undo::SwitchBack { to: (former > 0).then_some(former) },
        };
        let base = sequence.push(address, address, step, needs);
        self.made.insert(address, base);
        Some(base)
    }

    /// All of them, by node.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a Address, u32)> + '_ {
        self.made.iter().map(|(node, base)| (*node, *base))
    }

    /// Takes some of the nodes that go, and that nginx still serves, out of it: the actions that do.
    pub(super) fn retire(
        &self,
        sequence: &mut Sequence,
        is_meant: impl Fn(&NodeSpec) -> bool,
    ) -> Vec<(&'a NodeSpec, u32)> {
        let still_there = served(self.retired).filter(|(address, _)| !self.gone.contains_key(address));
        let still_there = still_there.filter(|(_, stored)| is_meant(&stored.spec));
        let retired = still_there.map(|(address, stored)| {
            (&stored.spec, sequence.push(address, address, retire(Phase::Switch, stored), Vec::new()))
        });
        retired.collect()
    }
}

/// Those of the nodes that go that nginx serves something of.
fn served<'a>(
    retired: &'a [(&'a Address, &'a StoredNode)],
) -> impl Iterator<Item = (&'a Address, &'a StoredNode)> {
    retired.iter().filter(|(_, stored)| stored.generation > 0).copied()
}

/// What takes a node out of nginx.
fn retire(phase: Phase, stored: &StoredNode) -> Step {
    let number = stored.generation;
    let (operation, undo) = (Operation::RetireProxy { number }, Undo::SwitchBack { to: Some(number) });
    Step { phase, operation, undo }
}

/// Whether a node that comes cannot listen, or be read by nginx, as long as one that goes is there.
pub(super) fn is_in_the_way(goes: &NodeSpec, comes: &NodeSpec) -> bool {
    match (comes.mode, goes.mode) {
        (ProxyMode::Container, ProxyMode::Container) => comes.container == goes.container,
        (ProxyMode::Host, ProxyMode::Host) => true,
        _ => {
            let former = [goes.http_port, goes.https_port];
            [comes.http_port, comes.https_port].iter().any(|port| former.contains(port))
        }
    }
}
