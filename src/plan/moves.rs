//! Resources whose address changes while they stay what they are: a `for_each` block is renamed, its keys are not.
//!
//! What vsa makes of a resource has the resource's name (a directory, a file, a server of nginx's), and its address is
//! vsa's own affair. Made anew under one address and taken away under the other, it would be gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::build::Inputs;
use super::change::Mode;
use super::items::items;
use super::nodes;
use super::targets::Targets;
use crate::address::Address;
use crate::diag::Diagnostics;
use crate::resource::Resource;
use crate::state::attributes::{Tree, decode};
use crate::state::{Moves, Stored};
use crate::value::Object;

/// What makes two resources one: their kind, their name, and the node that they live on.
type Identity = (Arc<str>, Arc<str>, Option<Address>);

/// Resources of one identity.
#[derive(Default)]
struct Alike<'a> {
    leaving: Vec<(&'a Address, &'a Stored)>,
    arriving: Vec<(&'a Address, &'a Resource)>,
}

/// The addresses that resources of the state have left, each with the one that the configuration has for it.
pub(super) fn moves(inputs: &Inputs<'_>) -> Moves {
    let mut moves = Moves::new();
    if inputs.mode == Mode::Destroy {
        return moves;
    }
    let known = &inputs.state.resources;
    let leaving: Vec<_> =
        known.iter().filter(|(address, _)| !inputs.resources.contains_key(*address)).collect();
    if leaving.is_empty() {
        return moves;
    }
    let arriving: Vec<_> =
        inputs.resources.iter().filter(|(address, _)| !known.contains_key(*address)).collect();
    let specs = nodes::specs(inputs.resources, inputs);
    // Nodes first: what lives on one that moves is where it was.
    for (from, stored) in &inputs.state.nodes {
        let is_it = |to: &&Address| {
            specs.get(*to).is_some_and(|spec| spec.name == stored.spec.name && spec.root == stored.spec.root)
        };
        let mut found = arriving.iter().map(|(to, _)| *to).filter(is_it);
        if !inputs.resources.contains_key(from)
            && let Some(to) = found.next()
        {
            moves.insert(from.clone(), to.clone());
        }
    }
    let mut groups: BTreeMap<Identity, Alike<'_>> = BTreeMap::new();
    for (address, stored) in leaving {
        if !inputs.state.nodes.contains_key(address) {
            let node = moves.get(&stored.node).unwrap_or(&stored.node).clone();
            let identity = (address.kind().into(), Arc::clone(&stored.name), Some(node));
            groups.entry(identity).or_default().leaving.push((address, stored));
        }
    }
    for (address, resource) in arriving {
        if !specs.contains_key(address) {
            let node = nodes::placement(resource, &specs);
            let identity = (address.kind().into(), Arc::clone(&resource.name), node);
            groups.entry(identity).or_default().arriving.push((address, resource));
        }
    }
    let is_one = |alike: &Alike<'_>| alike.leaving.len() == 1 && alike.arriving.len() == 1;
    let (one, several): (Vec<_>, Vec<_>) = groups.into_values().partition(is_one);
    for Alike { leaving, arriving } in one {
        let pairs = leaving.into_iter().zip(arriving);
        moves.extend(pairs.map(|((from, _), (to, _))| (from.clone(), to.clone())));
    }
    // Of several of one name, each is what refers to the same others: the stack of the same tenant.
    for Alike { leaving, arriving } in several {
        let mut open: BTreeMap<References, Vec<&Address>> = BTreeMap::new();
        for (to, resource) in arriving {
            open.entry(wanted(resource)).or_default().push(to);
        }
        for (from, stored) in leaving {
            if let Some(to) = open.get_mut(&references(stored, &moves)).and_then(Vec::pop) {
                moves.insert(from.clone(), to.clone());
            }
        }
    }
    moves
}

/// Leaves those alone that the plan is not about. One that is named by its former address is named by the one of now.
pub(super) fn keep_targeted(moves: &mut Moves, targets: &mut BTreeSet<Address>, inputs: &Inputs<'_>) {
    let named: Vec<_> =
        moves.iter().filter(|(from, _)| targets.contains(*from)).map(|(_, to)| to.clone()).collect();
    targets.extend(named);
    let mut specs = nodes::specs(inputs.resources, inputs);
    for (address, stored) in &inputs.state.nodes {
        specs.entry(address.clone()).or_insert_with(|| stored.spec.clone());
    }
    let items = items(inputs.resources, inputs, &specs, &mut Diagnostics::new());
    let about = Targets::of(Some(targets), inputs.applied, &items);
    moves.retain(|_, to| about.contains(to));
}

type References = BTreeSet<(Arc<str>, Address)>;

/// What top-level attributes refer to, by the addresses of now.
fn references(stored: &Stored, moves: &Moves) -> References {
    let Ok(Tree::Object(entries)) = decode(&stored.attributes) else { return References::new() };
    let references = entries.into_iter().filter_map(|(name, tree)| match tree {
        Tree::Reference(address) => Some((name, moves.get(&address).cloned().unwrap_or(address))),
        _ => None,
    });
    references.collect()
}

fn wanted(resource: &Resource) -> References {
    let references = resource.attributes.iter().filter_map(|(name, value)| {
        Some((Arc::clone(name), value.as_object().and_then(Object::resource)?.clone()))
    });
    references.collect()
}
