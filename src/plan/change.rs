//! A plan: what would change, as plain values that every rendering starts from.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::address::Address;
use crate::state::attributes;

use super::action::Action;
use super::details::Details;
use super::kind::Drift;

/// The version of the plan's JSON format.
pub const FORMAT_VERSION: &str = "1.2";

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// It is deleted and made again.
    Replace,
    /// It is deleted.
    Delete,
    /// Nothing of its own changes.
    NoOp,
}

/// A change of one resource. Sensitive values stand in it as fingerprints only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    /// The resource.
    pub address: Address,
    /// The address that it had, where that was another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<Address>,
    /// The node that it lives on.
    pub node: Address,
    /// What happens.
    pub kind: ChangeKind,
    /// Its attributes before, as the state holds them (see [`crate::state::attributes`]); `None` for a new one.
    pub before: Option<Box<RawValue>>,
    /// Its attributes after; `None` for one that goes.
    pub after: Option<Box<RawValue>>,
    /// Why it changes although no attribute does, or must be replaced: `renewal is due: …`.
    pub reasons: Vec<String>,
    /// Attributes whose change forces a replacement.
    pub forced_by: Vec<String>,
    /// The resource that brought it along.
    pub implied_by: Option<Address>,
    /// What it does beyond the attributes, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

impl Change {
    /// Whether it follows from what the configuration says, and not from how things are on the node alone.
    pub fn is_edited(&self) -> bool {
        let same = match (&self.before, &self.after) {
            (Some(before), Some(after)) => attributes::same(before, after),
            _ => false,
        };
        !same || self.details.is_some()
    }
}

/// What happens to a file of a node's generation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileChange {
    /// The node.
    pub node: Address,
    /// The path inside the generation.
    pub path: Arc<str>,
    /// The resource that it is of.
    pub resource: Address,
    /// What happens to it.
    pub kind: FileChangeKind,
    /// Unified diff without header; empty where the former text could not be read.
    pub diff: String,
}

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileChangeKind {
    /// It is new.
    Create,
    /// Its text changes.
    Update,
    /// It goes.
    Delete,
}

/// What a plan knows of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodePlan {
    /// The node.
    pub node: Address,
    /// The live generation, by the state; 0 before the first.
    pub generation: u64,
    /// The generation that an apply would switch to, where it would.
    pub next: Option<u64>,
    /// Whether the node was asked how things are.
    pub refreshed: bool,
    /// Whether the next generation was tested.
    pub preflight: Preflight,
}

/// Whether and how the next generation was tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Preflight {
    /// No file of nginx's would change.
    NotNeeded,
    /// nginx accepts it, tested with all that nginx reads on the node.
    Passed,
    /// nginx accepts vsa's own files; what else the node's nginx reads was not part of the test.
    PassedStandalone,
    /// The apply that follows at once tests it, before it touches anything.
    AtApply,
    /// The apply that follows at once tests the site files that change before it touches anything; nginx tests all of
    /// them as it reloads.
    ChangedAtApply {
        /// How many change.
        files: usize,
        /// How many site files there are.
        of: usize,
    },
    /// It was not tested.
    NotTested {
        /// Why.
        why: String,
    },
}

/// A change of an output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutputChange {
    /// What happens to it.
    pub kind: ChangeKind,
    /// The value before; `None` for a new or sensitive one.
    pub before: Option<serde_json::Value>,
    /// The value after; `None` for one that goes or is sensitive.
    pub after: Option<serde_json::Value>,
    /// Whether it is sensitive.
    pub sensitive: bool,
}

/// What the plan is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// To make things as the configuration says.
    #[default]
    Normal,
    /// To delete all that the state holds.
    Destroy,
}

/// A plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// What it is for.
    pub mode: Mode,
    /// The state's lineage.
    pub lineage: String,
    /// The state's serial.
    pub serial: u64,
    /// What an earlier, interrupted apply had begun: its run and when.
    pub interrupted: Option<String>,
    /// Changes of resources, in the order of their addresses, no-ops left away.
    pub changes: Vec<Change>,
    /// How many resources stay as they are.
    pub unchanged: usize,
    /// Where reality differs from the state.
    pub drift: Vec<Drift>,
    /// Changes of files, in the order of their paths.
    pub files: Vec<FileChange>,
    /// The nodes.
    pub nodes: Vec<NodePlan>,
    /// What an apply does, in order.
    pub actions: Vec<Action>,
    /// Changes of outputs, no-ops left away.
    pub outputs: BTreeMap<String, OutputChange>,
}

/// How many resources a plan adds, changes and destroys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// To add; a replacement adds one.
    pub add: usize,
    /// To change in place.
    pub change: usize,
    /// To destroy; a replacement destroys one.
    pub destroy: usize,
}

impl Plan {
    /// Whether an apply would do anything, the state's outputs among it.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.actions.is_empty()
            && self.outputs.is_empty()
            && self.interrupted.is_none()
    }

    /// How many resources it adds, changes and destroys.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for change in &self.changes {
            match change.kind {
                ChangeKind::Create => counts.add += 1,
                ChangeKind::Update => counts.change += 1,
                ChangeKind::Delete => counts.destroy += 1,
                ChangeKind::Replace => {
                    counts.add += 1;
                    counts.destroy += 1;
                }
                ChangeKind::NoOp => {}
            }
        }
        counts
    }
}
