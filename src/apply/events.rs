//! What happens during an apply, as plain values. Rendering is `cli`'s, records are `audit`'s.

use std::time::Duration;

use crate::address::Address;
use crate::diag::Diagnostic;
use crate::plan::{Action, Phase};

use super::{Outcome, Scope};

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The run has the nodes' locks; preflight begins.
    Started {
        /// The run's id.
        run: &'a str,
        /// How many actions it has.
        actions: usize,
    },
    /// A node's next generation is tested aside.
    Testing {
        /// The node.
        node: &'a Address,
        /// How many files it has.
        files: usize,
        /// What of them is tested.
        scope: &'a Scope,
    },
    /// A phase begins.
    Phase(Phase),
    /// Passwords are hashed.
    Hashing {
        /// How many.
        passwords: usize,
    },
    /// An action begins.
    Begun(&'a Action),
    /// What the containers of a service do has changed, while an action waits for them.
    Service {
        /// The action.
        action: &'a Action,
        /// The service.
        service: &'a str,
        /// What they do: `running (starting)`, `running (healthy)`; of several, the one that is furthest from its work.
        state: &'a str,
    },
    /// An action is done.
    Done {
        /// The action.
        action: &'a Action,
        /// How long it took.
        took: Duration,
    },
    /// An action failed.
    Failed {
        /// The action.
        action: &'a Action,
        /// Why.
        error: &'a Diagnostic,
    },
    /// An action is taken back.
    Undone {
        /// The action.
        action: &'a Action,
    },
    /// An action could not be taken back.
    NotUndone {
        /// The action.
        action: &'a Action,
        /// Why.
        error: &'a Diagnostic,
    },
    /// nginx has said that it serves a generation.
    Live {
        /// The node.
        node: &'a Address,
        /// The generation.
        generation: u64,
    },
    /// There is no way back from here.
    Committed,
    /// Old workers finish their requests.
    Draining {
        /// The node.
        node: &'a Address,
        /// How many.
        workers: usize,
    },
    /// The run has ended.
    Ended(&'a Outcome),
}

/// Whom an apply tells what happens. Called from several threads.
pub trait Events: Send + Sync {
    /// Takes note. Must not block for long.
    fn event(&self, event: Event<'_>);
}

/// Nobody.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Events for Silent {
    fn event(&self, _event: Event<'_>) {}
}
