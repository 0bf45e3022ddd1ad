//! Decide: what would change, as plain values.
//!
//! The engine (`build`) never names a kind: it sees them through [`Kind`].

pub mod action;
mod actions;
mod applied;
mod attempts;
mod base;
mod brought;
mod build;
pub mod change;
mod claims;
mod compare;
pub mod details;
pub mod docker;
pub mod endpoint;
mod explain;
pub mod file;
mod files;
mod foreign;
mod found;
pub mod issuance;
mod items;
pub mod kind;
mod moves;
pub mod node;
mod nodes;
pub mod observation;
mod outputs;
mod owner;
mod placed;
mod pools;
mod project;
mod proxy;
mod running;
mod stays;
mod taken;
mod targets;
mod tenants;
mod unseen;

pub use action::{Action, Operation, Phase, Undo};
pub use actions::KEPT_GENERATIONS;
pub use applied::{Applied, as_applied};
pub use attempts::{Attempt, Attempts};
pub use brought::{BroughtContainer, BroughtProxy};
pub use build::{Ask, Inputs, NodeWork, Planned, build};
pub use change::{
    Change, ChangeKind, Counts, FileChange, FileChangeKind, Mode, NodePlan, OutputChange, Plan, Preflight,
};
pub use details::{Details, Effect, PartAttribute, PartChange, Shown};
pub use endpoint::{Endpoint, Endpoints, NO_ENDPOINTS, NetworkName, Reach, Serving, Target};
pub use explain::Explanation;
pub use file::{Aside, Content, File, FileBody, Piece};
pub use files::{NodeFiles, Rendered, text_digest, unified};
pub use kind::{Base, Claim, ClaimScope, Distrust, Drift, Held, Kind, Kinds, Memo, Refreshed, Step, Subject};
pub use node::{Docker, Nginx, Node, NodeSpec, ProxyMode};
pub use nodes::{elsewhere, own as nodes_own};
pub use observation::{Answer, ComposeCandidate, FileBytes, Observations, Query};
pub use outputs::stored as stored_output;
pub use owner::Owner;
pub use placed::{PlacedBody, PlacedFile, StoredPlaced};
pub use pools::NeededNetwork;
pub use project::{
    Blob, BlobKind, BlobSource, ComposeProject, NetworkSettings, PullPolicy, RollingService, SwarmStack,
};
pub use proxy::Membership;
pub use running::{Orphans, goes_on, hears_nothing};
pub use taken::{Taken, Thing};
