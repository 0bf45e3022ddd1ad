//! Compose projects: what the files of a stack come to, which rules they break, and what changes between two of them.
//!
//! Nothing here reads a disk: the files come in, and values and diagnostics go out.

mod canonical;
pub mod diff;
mod environment;
mod interpolate;
mod load;
mod merge;
mod node;
mod overriding;
mod path;
mod port;
mod project;
pub mod rules;
mod scalar;
mod service;
pub mod swarm;
mod volume;
mod yaml;

pub use environment::{EnvValue, Environment, read as read_variables, write as write_variable};
pub use node::{Entry, Map, Node, Text, Value};
pub use overriding::{FILES_LABEL, NetworkOverride, Override, override_file};
pub use path::Place;
pub use port::Port;
pub use project::{Project, Resource};
pub use scalar::{InCompose, Scalar};
pub use service::{Attachment, Origin, Service, Variable};
pub use volume::{Mount, MountKind};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The directories of a stack on its node; all absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directories {
    /// Where the compose files stand, and relative paths begin: `/srv/acme/shop/compose`.
    pub project: String,
    /// All that is of the stack: `/srv/acme/shop`. What is read besides compose files stands below it.
    pub stack: String,
    /// All that is of the tenant: `/srv/acme`. What is mounted stands below it.
    pub tenant: String,
}

/// What a project is read from.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// The stack's files that are text, by their path from the project's directory: `compose.yml`, `../env/.env`.
    pub files: BTreeMap<String, Arc<str>>,
    /// The paths, as those of `files`, of what else is written beside them: what is no text, and vsa's own.
    pub others: Vec<String>,
    /// The compose files to read, in order: each is merged over those before it.
    pub entries: Vec<String>,
    /// What interpolation reads.
    pub environment: Environment,
    /// The profiles that are on.
    pub profiles: Vec<Arc<str>>,
    /// Where the stack stands on its node.
    pub directories: Directories,
    /// The name that the project is started under.
    pub name: Arc<str>,
    /// The names, as Docker knows them, of networks and volumes that the project may use without making them.
    pub owned: Vec<Arc<str>>,
    /// What stands before the files' paths in diagnostics.
    pub shown: PathBuf,
}
