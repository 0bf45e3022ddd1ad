//! vsa: hosting as code.
//!
//! Three layers over one small floor, imports only downwards (checked by `tests/layers.rs`):
//!
//! | layer | modules | may do |
//! |---|---|---|
//! | edge | `cli` | arguments, rendering, exit codes |
//! | do | `acme`, `host`, `apply`, `store`, `audit` | effects; the only async code |
//! | decide | `compose`, `kinds`, `nginx`, `plan`, `state` | pure functions from values to values |
//! | declare | `lang`, `config` | text to resources; knows no host |
//! | floor | `diag`, `digest`, `address`, `names`, `value`, `schema`, `resource`, `shipped` | plain values |

pub mod address;
pub mod diag;
pub mod digest;
pub mod names;
pub mod resource;
pub mod schema;
pub mod shipped;
pub mod value;

pub mod config;
pub mod lang;

pub mod compose;
pub mod kinds;
pub mod nginx;
pub mod plan;
pub mod state;

pub mod acme;
pub mod apply;
pub mod audit;
pub mod host;
pub mod store;
pub mod template;

pub mod cli;
