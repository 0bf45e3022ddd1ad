//! Do: a plan becomes real, as a transaction, in four phases.
//!
//! ```text
//! preflight ── prepare ── switch ══ commit ══ clean up
//! ```
//!
//! | module | what |
//! |---|---|
//! | `run` | the phases, the way back, the end |
//! | `journal` | what was about to happen and what came of it, on disk before the state knows |
//! | `generation` | the files of nginx, made as a candidate that can go live |
//! | `scope`, `preflight`, `standalone` | `nginx -t` of a candidate, aside, and how much of it; of vsa's own files alone |
//! | `switch`, `proxy`, `error_log` | the candidate goes live, and nginx says so |
//! | `operations` | all other actions, each with its undo |
//! | `lock` | one run at a time, of the state that owns the node |
//!
//! What the caller makes of a [`crate::plan::Planned`] is a [`Run`]; what comes back is a [`Report`].

mod certificate;
pub mod compose;
mod container;
mod error_log;
mod events;
mod generation;
mod interrupt;
mod issuance;
pub mod journal;
mod lock;
mod masks;
mod not_started;
mod operations;
mod orphans;
mod passwords;
mod preflight;
mod proxy;
mod renewal_info;
mod required;
mod revocation;
mod run;
mod scope;
mod standalone;
pub mod swarm;
mod switch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use async_trait::async_trait;

pub use events::{Event, Events, Silent};
pub use generation::{Candidate, Manifest, Place, read_manifest};
pub use interrupt::Interrupt;
pub use journal::Interrupted;
pub use lock::{NODE_LOCKED, adopt};
pub use preflight::{REFUSED, Tested, preflight, refusal, untested};
pub use proxy::{Proxy, ProxyStatus};
pub use renewal_info::{Inquiry, renewal_info};
pub use revocation::{RevokedBy, Revoking, revoke};
pub use run::run;
pub use scope::Scope;
pub use switch::{start, stop};

use crate::address::Address;
use crate::diag::Diagnostic;
use crate::plan::{Action, NodeWork, PlacedFile};
use crate::state::{Key, Moves, State, Stored, StoredOutput};
use crate::value::Secret;

/// What to do with what succeeded, when something else fails before the commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Take it back.
    #[default]
    Rollback,
    /// Keep it.
    Keep,
}

/// How a run is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many actions are done at once.
    pub parallelism: usize,
    /// What happens to what succeeded, when something else fails.
    pub on_failure: OnFailure,
    /// From how many site files on only those that change are tested aside, where that will do; see [`Scope`].
    pub large: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { parallelism: 10, on_failure: OnFailure::Rollback, large: scope::LARGE }
    }
}

/// A run: a plan with what it takes to make it real.
#[derive(Debug)]
pub struct Run {
    /// The run's id, for the journal and the audit log.
    pub id: String,
    /// The journal's file; its directory exists.
    pub journal: PathBuf,
    /// The plan's actions.
    pub actions: Vec<Action>,
    /// The nodes that shall be there ([`crate::plan::Planned::nodes`]); those that go are in `prior`.
    pub nodes: BTreeMap<Address, NodeWork>,
    /// What the state shall hold of each resource that changes (facts are those from before); `None` of one that
    /// goes.
    pub desired: BTreeMap<Address, Option<Stored>>,
    /// Files at places of their own that actions write, by node and path.
    pub placed: BTreeMap<(Address, PathBuf), PlacedFile>,
    /// The secrets that operations need, by resource and name.
    pub secrets: BTreeMap<Address, BTreeMap<&'static str, Secret>>,
    /// What the outputs shall be.
    pub outputs: BTreeMap<String, StoredOutput>,
    /// The state that the plan was made from, an interrupted run's journal folded into it.
    pub prior: State,
    /// What the state that is stored still has under another address ([`crate::plan::Planned::moves`]).
    pub moves: Moves,
    /// For the salts of password hashes.
    pub key: Option<Key>,
    /// The token that the markers of this run's generations answer: unique to it, without white space.
    pub marker: String,
    /// How it is done.
    pub options: Options,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is done.
    Done,
    /// Nothing was begun: a lock is held, or nginx refuses the next generation.
    Refused,
    /// It failed, and all that it had done is taken back.
    RolledBack,
    /// It failed, or was asked to keep what succeeded, and something is left to look at; the next run finishes it.
    Left,
}

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// The state after it; written already, where anything changed.
    pub state: State,
    /// What went wrong, the cause first.
    pub errors: Vec<Diagnostic>,
    /// nginx's remarks on the generations that went live.
    pub warnings: Vec<String>,
    /// What went wrong beside actions that are done.
    pub remarks: Vec<Diagnostic>,
    /// What a deletion left, because it is not vsa's to delete.
    pub kept: Vec<PathBuf>,
    /// What no authority issued, where nothing else has failed: all of it was tried.
    pub not_issued: BTreeSet<Address>,
}

impl Report {
    /// Takes note of how the end of the journal went.
    fn close(&mut self, ended: Result<(), Diagnostic>) {
        if let Err(error) = ended {
            self.errors.push(error);
            self.outcome = Outcome::Left;
        }
    }
}

/// Who keeps the state.
#[async_trait]
pub trait States: Send + Sync {
    /// Finds out, before anything is changed, whether the state can be stored.
    async fn try_write(&self) -> Result<(), Diagnostic>;

    /// Stores the state as it is now, so that it lasts. Called at the commit and at the end; counts the serial.
    async fn write(&self, state: &mut State) -> Result<(), Diagnostic>;
}
