//! The state after the records of a journal.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{Before, Facts, Header, Record};
use crate::address::Address;
use crate::plan::{Action, Operation, Phase};
use crate::state::{State, Status, Stored, StoredNode, UNMADE};

/// What became of a run's actions.
struct Progress<'a> {
    begun: HashMap<u32, &'a Before>,
    done: HashMap<u32, &'a Facts>,
    /// The generations that went live, one after the other.
    live: BTreeMap<&'a Address, Vec<&'a StoredNode>>,
    committed: bool,
}

fn progress<'a>(header: &Header, records: &'a [Record]) -> Progress<'a> {
    let mut progress =
        Progress { begun: HashMap::new(), done: HashMap::new(), live: BTreeMap::new(), committed: false };
    for record in records {
        match record {
            Record::Intent { action, before } => {
                progress.begun.insert(*action, before);
            }
            Record::Done { action, facts } => {
                progress.done.insert(*action, facts);
            }
            Record::Undone { action } => {
                progress.begun.remove(action);
                progress.done.remove(action);
                let undone = header.actions.iter().find(|other| other.id == *action);
                let switch = undone.and_then(|undone| Some((&undone.node, undone.operation.generation()?)));
                if let Some((node, number)) = switch
                    && let Some(live) = progress.live.get_mut(node)
                {
                    live.retain(|live| live.generation != number);
                }
            }
            Record::Live { node, live } => {
                progress.live.entry(node).or_default().push(live);
            }
            Record::Commit => progress.committed = true,
            // What an action that is not done has begun says nothing about what is there.
            Record::Begin(_) | Record::Noted { .. } | Record::Failed { .. } => {}
        }
    }
    progress
}

/// Makes the state what it is after these records. Doing it twice is doing it once.
pub(super) fn fold(state: &mut State, header: &Header, records: &[Record]) {
    state.relocate(&header.moves);
    let progress = progress(header, records);
    let mut of: BTreeMap<&Address, Vec<&Action>> = BTreeMap::new();
    for action in &header.actions {
        of.entry(&action.resource).or_default().push(action);
    }
    let is_done = |action: &Action| progress.done.contains_key(&action.id);
    let of_switch = header.actions.iter().filter(|action| action.phase == Phase::Switch);
    let pending: BTreeSet<&Address> =
        of_switch.clone().filter(|action| !is_done(action)).map(|action| &action.node).collect();
    let switched: BTreeSet<&Address> =
        of_switch.filter(|action| is_done(action)).map(|action| &action.node).collect();

    for (address, desired) in &header.desired {
        let own = of.get(address).map(Vec::as_slice).unwrap_or_default();
        let Some(node) =
            desired.as_ref().or_else(|| state.resources.get(address)).map(|stored| stored.node.clone())
        else {
            continue;
        };
        let own_done = own.iter().all(|action| is_done(action));
        let served = progress.committed || switched.contains(&node);
        let complete = own_done && !pending.contains(&node) && (served || !own.is_empty());
        let begun = served || own.iter().any(|action| progress.begun.contains_key(&action.id));
        match desired {
            Some(desired) if begun => {
                let mut stored = desired.clone();
                let prior = state.resources.get(address);
                if let Some(prior) = prior {
                    stored.follow(prior.clone());
                }
                let is_here = |action: &&&Action| action.node == stored.node;
                let here: Vec<&Action> = own.iter().filter(is_here).copied().collect();
                if complete {
                    stored.left.clear();
                } else {
                    let prior = prior.into_iter().flat_map(Stored::everywhere);
                    let prior = prior.filter(|prior| prior.node == stored.node).last();
                    unwritten(&mut stored, prior, &here, &progress);
                }
                let is_new = prior.is_none_or(|prior| prior.facts.contains_key(UNMADE));
                stored.facts.remove(UNMADE);
                for action in here {
                    learn(&mut stored, action, &progress);
                    if is_new && is_unmade(action, &progress) {
                        stored.facts.insert(UNMADE.to_owned(), true.into());
                    }
                }
                stored.status = if complete { Status::Live } else { Status::Interrupted };
                state.resources.insert(address.clone(), stored);
            }
            None if complete => {
                state.resources.remove(address);
            }
            None if begun => {
                if let Some(stored) = state.resources.get_mut(address) {
                    stored.status = Status::Deleting;
                }
            }
            _ => {}
        }
    }
    fold_nodes(state, header, &progress);
    if progress.committed {
        state.outputs.clone_from(&header.outputs);
    }
}

/// Files that the run did not come to write, or has put back, are as they were: an apply that follows writes them, and
/// they are no drift meanwhile.
fn unwritten(stored: &mut Stored, prior: Option<&Stored>, own: &[&Action], progress: &Progress<'_>) {
    for action in own.iter().filter(|action| !progress.begun.contains_key(&action.id)) {
        let Operation::WriteFile { path, .. } = &action.operation else { continue };
        match prior.and_then(|prior| prior.placed.get(path)) {
            Some(former) => stored.placed.insert(path.clone(), former.clone()),
            None => stored.placed.remove(path),
        };
    }
}

/// Facts of one action. An intent without a result means that it may have been done: what was not there before is
/// then vsa's.
fn learn(stored: &mut Stored, action: &Action, progress: &Progress<'_>) {
    let mut facts = progress.done.get(&action.id).map(|facts| (*facts).clone()).unwrap_or_default();
    if let Operation::EnsureDirectory { path, .. } = &action.operation {
        let made = || progress.begun.get(&action.id).is_some_and(|before| !before.existed).then_some(true);
        let owned = facts.remove("owned").map_or_else(made, |owned| owned.as_bool());
        if let Some(owned) = owned {
            stored.note_directory(path, owned);
        }
        // What lies above is nobody's but the node's: many tenants may have theirs below it.
        if action.resource == stored.node && owned == Some(true) {
            let above = progress.begun.get(&action.id).into_iter().flat_map(|before| &before.parents);
            above.for_each(|path| stored.note_directory(path, true));
        }
    }
    stored.facts.extend(facts);
}

/// Whether there was nobody who could have made what an action is for.
fn is_unmade(action: &Action, progress: &Progress<'_>) -> bool {
    let begun = progress.begun.get(&action.id);
    !progress.done.contains_key(&action.id)
        && begun.is_none_or(|before| before.silent)
        && matches!(action.operation, Operation::CreateNetwork { .. })
}

/// The networks that vsa took the container of a node's nginx into, and has not taken it from.
fn fold_networks(
    networks: &mut BTreeSet<Arc<str>>,
    node: &Address,
    header: &Header,
    progress: &Progress<'_>,
) {
    for action in header.actions.iter().filter(|action| action.node == *node) {
        let done = progress.done.get(&action.id);
        match &action.operation {
            // An intent without a result may have been done. One that changed nothing found it there without vsa.
            Operation::ConnectNetwork { network } if progress.begun.contains_key(&action.id) => {
                let changed = |facts: &&Facts| facts.get("changed").and_then(serde_json::Value::as_bool);
                if done.is_none_or(|facts| changed(facts) == Some(true)) {
                    networks.insert(network.as_str().into());
                }
            }
            Operation::DisconnectNetwork { network } if done.is_some() => {
                networks.remove(network.as_str());
            }
            Operation::DisconnectNetwork { network } => {
                networks.insert(network.as_str().into());
            }
            _ => {}
        }
    }
}

/// As [`fold_networks`], for a node that no state knows yet.
pub(super) fn networks(node: &Address, header: &Header, records: &[Record]) -> BTreeSet<Arc<str>> {
    let mut networks = BTreeSet::new();
    fold_networks(&mut networks, node, header, &progress(header, records));
    networks
}

fn fold_nodes(state: &mut State, header: &Header, progress: &Progress<'_>) {
    for (node, live) in &progress.live {
        if let Some(live) = live.last() {
            state.nodes.insert((*node).clone(), (*live).clone());
        }
    }
    if progress.committed {
        for (node, facts) in &header.nodes {
            if let Some(stored) = state.nodes.get_mut(node) {
                stored.spec = facts.spec.clone();
                stored.nginx = Some(facts.nginx.clone());
            }
        }
    }
    for (node, stored) in &mut state.nodes {
        fold_networks(&mut stored.networks, node, header, progress);
    }
    for action in header.actions.iter().filter(|action| progress.done.contains_key(&action.id)) {
        match action.operation {
            Operation::RetireProxy { .. } => {
                if let Some(stored) = state.nodes.get_mut(&action.node) {
                    stored.generation = 0;
                    stored.marker.clear();
                    stored.files.clear();
                    stored.retained.clear();
                }
            }
            Operation::RemoveRoot { .. } => {
                state.nodes.remove(&action.node);
            }
            _ => {}
        }
    }
}
