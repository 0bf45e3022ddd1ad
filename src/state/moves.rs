//! Resources whose address changes while they stay what they are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use super::{State, Stored, StoredNode};
use crate::address::Address;

/// Addresses that resources have left, each with the one that it has now.
pub type Moves = BTreeMap<Address, Address>;

/// The address that something has now.
fn now(moves: &Moves, address: &mut Address) {
    if let Some(to) = moves.get(address) {
        *address = to.clone();
    }
}

impl State {
    /// Gives resources the addresses that they have now, wherever these stand. Doing it twice is doing it once. What has
    /// such an address already stays.
    pub fn relocate(&mut self, moves: &Moves) {
        if moves.is_empty() {
            return;
        }
        let references = moves.iter().map(|(from, to)| (reference(from), reference(to))).collect::<Vec<_>>();
        for (from, to) in moves {
            if !self.resources.contains_key(to)
                && let Some(stored) = self.resources.remove(from)
            {
                self.resources.insert(to.clone(), stored);
            }
            if !self.nodes.contains_key(to)
                && let Some(stored) = self.nodes.remove(from)
            {
                self.nodes.insert(to.clone(), stored);
            }
        }
        self.resources.values_mut().for_each(|stored| stored.relocate(moves, &references));
        self.nodes.values_mut().for_each(|stored| stored.relocate(moves));
    }
}

impl Stored {
    fn relocate(&mut self, moves: &Moves, references: &[(String, String)]) {
        now(moves, &mut self.node);
        let depends_on: BTreeSet<Address> = std::mem::take(&mut self.depends_on);
        self.depends_on = depends_on.into_iter().map(|on| moves.get(&on).cloned().unwrap_or(on)).collect();
        // In a string of JSON the quotes would be escaped, and a name of the user's own has one more `$`: this is a mark.
        let text = self.attributes.get();
        if references.iter().any(|(from, _)| text.contains(from)) {
            let moved = references.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
            if let Ok(attributes) = RawValue::from_string(moved) {
                self.attributes = attributes;
            }
        }
    }
}

impl StoredNode {
    fn relocate(&mut self, moves: &Moves) {
        now(moves, &mut self.spec.address);
        self.files.values_mut().for_each(|file| now(moves, &mut file.resource));
        self.endpoints = std::mem::take(&mut self.endpoints)
            .into_iter()
            .map(|(target, ports)| (target_now(moves, target), ports))
            .collect();
        self.names = std::mem::take(&mut self.names)
            .into_iter()
            .map(|(target, name)| (target_now(moves, target), name))
            .collect();
    }
}

/// `stack.shop web:3000` under the address that the stack has now.
fn target_now(moves: &Moves, target: String) -> String {
    let moved = moves.iter().find_map(|(from, to)| {
        let rest = target.strip_prefix(&from.to_string()).filter(|rest| rest.starts_with(' '))?;
        Some(format!("{to}{rest}"))
    });
    moved.unwrap_or(target)
}

/// How canonical attributes refer to a resource.
fn reference(address: &Address) -> String {
    serde_json::json!({ "$ref": address.to_string() }).to_string()
}
