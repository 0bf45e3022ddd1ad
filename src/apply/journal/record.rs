//! What a journal says: the records, as they stand in it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::plan::{Action, Nginx, NodeSpec};
use crate::state::{Moves, Stored, StoredNode, StoredOutput};

/// The version of the records that this vsa writes.
pub const VERSION: u32 = 1;

/// What operations report.
pub type Facts = serde_json::Map<String, serde_json::Value>;

/// What a run sets out to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    /// The version of the records.
    pub version: u32,
    /// The run's id.
    pub run: String,
    /// When it began, in seconds since 1970.
    pub started: i64,
    /// The state's lineage.
    pub lineage: String,
    /// The state's serial when the run began.
    pub serial: u64,
    /// What changes its address.
    #[serde(default, skip_serializing_if = "Moves::is_empty")]
    pub moves: Moves,
    /// Its actions.
    pub actions: Vec<Action>,
    /// What the state shall hold of each resource that changes; `None` of one that goes.
    pub desired: BTreeMap<Address, Option<Stored>>,
    /// What the nodes' configuration says.
    pub nodes: BTreeMap<Address, NodeFacts>,
    /// What the outputs shall be.
    pub outputs: BTreeMap<String, StoredOutput>,
}

/// What the state keeps of a node whether it switches or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeFacts {
    /// What its configuration says.
    pub spec: NodeSpec,
    /// Its nginx.
    pub nginx: Nginx,
}

/// What was there before an action, so that its undo takes back no more than it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Whether what it makes was there.
    pub existed: bool,
    /// Permission bits and ids of owner and group, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<(u32, u32, u32)>,
    /// Directories above it that were not there, from the top.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<PathBuf>,
    /// The links of a lineage, with their targets as written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, PathBuf>,
    /// Whether a lineage had no configuration of its renewal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unconfigured: bool,
    /// Whether the node's proxy, in a container, did not serve what is live; of a network, whether no Docker engine answered
    /// that could make it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
}

/// A record of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// The run begins.
    Begin(Box<Header>),
    /// An action is about to be done.
    Intent {
        /// The action.
        action: u32,
        /// What was there before.
        before: Before,
    },
    /// An action is done.
    Done {
        /// The action.
        action: u32,
        /// What it reported.
        #[serde(default, skip_serializing_if = "Facts::is_empty")]
        facts: Facts,
    },
    /// What an action has begun and not done yet, for who reads the journal; the state does not learn it.
    Noted {
        /// The action.
        action: u32,
        /// What.
        facts: Facts,
    },
    /// An action failed.
    Failed {
        /// The action.
        action: u32,
        /// Why.
        reason: String,
    },
    /// An action is taken back.
    Undone {
        /// The action.
        action: u32,
    },
    /// nginx has said that it serves a generation.
    Live {
        /// The node.
        node: Address,
        /// What the state shall know of it.
        live: Box<StoredNode>,
    },
    /// All nodes have switched: there is no way back.
    Commit,
}
