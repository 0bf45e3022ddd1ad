//! Decide: what would change, as plain values.
//!
//! The engine (`build`) never names a kind: it sees them through [`Kind`].

pub mod action;
mod actions;
mod build;
pub mod change;
mod claims;
pub mod docker;
mod explain;
pub mod file;
mod files;
pub mod kind;
pub mod node;
mod nodes;
pub mod observation;
mod outputs;
mod owner;

pub use action::{Action, Operation, Phase, Undo};
pub use actions::KEPT_GENERATIONS;
pub use build::{Ask, Inputs, NodeWork, Planned, build};
pub use change::{
    Change, ChangeKind, Counts, FileChange, FileChangeKind, Mode, NodePlan, OutputChange, Plan, Preflight,
};
pub use explain::Explanation;
pub use file::{Aside, Content, File, FileBody, Piece};
pub use files::{NodeFiles, Rendered, text_digest, unified};
pub use kind::{Base, Claim, ClaimScope, Drift, Held, Kind, Kinds, Refreshed, Step, Subject};
pub use node::{Nginx, Node, NodeSpec, ProxyMode};
pub use observation::{Answer, Observations, Query};
pub use outputs::stored as stored_output;
pub use owner::Owner;
