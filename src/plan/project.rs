//! What actions say of containers: the project or stack that they are of, its secrets, and networks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A Compose project on a node: what the Compose tool is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ComposeProject {
    /// The engine's socket.
    pub socket: PathBuf,
    /// Its name.
    pub name: String,
    /// What relative paths in its files are relative to.
    pub directory: PathBuf,
    /// Its Compose files, the later ones over the earlier.
    pub files: Vec<PathBuf>,
    /// Where variables of the files come from.
    pub env_file: PathBuf,
    /// The profiles that are on.
    pub profiles: Vec<String>,
}

/// A stack of a swarm: what `docker stack deploy` is told, and what it needs before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwarmStack {
    /// The engine's socket.
    pub socket: PathBuf,
    /// Its name.
    pub name: String,
    /// What is deployed: a file of vsa's own, with nothing in it that is filled in later.
    pub file: PathBuf,
    /// Where variables that become secrets come from.
    pub env_file: PathBuf,
    /// Its services, as its files call them.
    pub services: Vec<String>,
    /// What the swarm keeps for its services.
    pub blobs: Vec<Blob>,
}

/// What a swarm keeps for services, in a file that they see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlobKind {
    /// Encrypted, in the containers' memory alone.
    Secret,
    /// In clear.
    Config,
}

impl BlobKind {
    /// What it is called.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Config => "config",
        }
    }
}

/// A secret or config of a stack, and where its content is. The swarm never changes one: another content gets another
/// name, which ends in a digest of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Blob {
    /// Which of the two.
    pub kind: BlobKind,
    /// The name that the stack's files give it.
    pub name: String,
    /// Where its content is.
    pub source: BlobSource,
}

/// Where the content of a secret or config is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlobSource {
    /// A file on the node.
    File(PathBuf),
    /// A variable of the stack.
    Variable(String),
}

/// A service whose containers are replaced while they go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollingService {
    /// Its name.
    pub name: String,
    /// The ids of all containers that it has.
    pub here: Vec<String>,
    /// Of those, the ones that new ones take the place of.
    pub old: Vec<String>,
    /// How many containers it has while both are there.
    pub scale: usize,
}

/// A network of Docker's, as vsa makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSettings {
    /// Its name.
    pub name: String,
    /// `bridge`, `overlay`, ….
    pub driver: String,
    /// Whether it has no way out.
    pub internal: bool,
    /// Its addresses; the engine's next unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// The node's address in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// The part of `subnet` that containers get addresses from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_range: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// When images are pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullPolicy {
    /// Those that are not there.
    Missing,
    /// All of them, with each change.
    Always,
    /// None: they must be there.
    Never,
}
