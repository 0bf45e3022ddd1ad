//! Decide: what would change, as plain values.
//!
//! The engine (`build`) never names a kind: it sees them through [`Kind`].

pub mod action;
pub mod file;
pub mod kind;
pub mod node;
pub mod observation;

pub use action::{Action, Operation, Phase, Undo};
pub use file::{Aside, Content, File, FileBody, Piece};
pub use kind::{Claim, ClaimScope, Drift, Kind, Refreshed, Step, Subject};
pub use node::{Generation, Nginx, Node, NodeSpec, ProxyMode};
pub use observation::{Answer, Observations, Query};
