//! The journal of an apply: what it is about to do and what came of it, on disk before the state knows.
//!
//! One JSON record a line, beside the state's lock; gone when its run has come to its end. An intent is durable before
//! its action begins. A result may be lost with the machine: its action is then done again, which changes nothing.
//! `fold` makes the state from the records, at the commit, at the end, and after a kill: the same function, so that
//! all three agree.

mod file;
mod fold;
mod record;
#[cfg(test)]
mod tests;

pub(super) use file::Journal;
pub use file::read;
pub use record::{Before, Facts, Header, NodeFacts, Record, VERSION};

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::address::Address;
use crate::plan::Operation;
use crate::state::State;

/// What is left of a run that did not come to its end.
#[derive(Clone, Debug)]
pub struct Interrupted {
    /// What it had set out to do.
    pub header: Header,
    records: Vec<Record>,
}

impl Interrupted {
    /// Folds what it did into the state that it began with (or that it wrote at its commit).
    pub fn fold(&self, state: &mut State) {
        fold::fold(state, &self.header, &self.records);
    }

    /// Whether it had committed.
    pub fn committed(&self) -> bool {
        self.records.iter().any(|record| matches!(record, Record::Commit))
    }

    /// The highest generation that it may have made live on a node. The next one must be above it.
    pub fn generation(&self, node: &Address) -> Option<u64> {
        let numbers = self.header.actions.iter().filter(|action| action.node == *node);
        numbers
            .filter_map(|action| match action.operation {
                Operation::SwitchGeneration { number, .. } => Some(number),
                _ => None,
            })
            .max()
    }

    /// The networks that it may have taken the container of a new node's nginx into.
    pub(super) fn networks(&self, node: &Address) -> BTreeSet<Arc<str>> {
        fold::networks(node, &self.header, &self.records)
    }

    /// How far it came, for people.
    pub fn summary(&self) -> String {
        let count = |wanted: fn(&Record) -> bool| self.records.iter().filter(|record| wanted(record)).count();
        format!(
            "run {} was interrupted {} its commit, with {} of {} actions done",
            self.header.run,
            if self.committed() { "after" } else { "before" },
            count(|record| matches!(record, Record::Done { .. })),
            self.header.actions.len(),
        )
    }
}
