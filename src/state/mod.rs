//! State: what vsa made and last knew of it, as one versioned document.

pub mod attributes;
mod key;
mod moves;

pub use key::{InvalidKey, KEY_LENGTH, Key};
pub use moves::Moves;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::address::Address;
use crate::plan::node::{Nginx, NodeSpec};
use crate::plan::observation::Ids;
use crate::plan::{NetworkName, StoredPlaced};

/// The version of the document that this vsa writes.
pub const VERSION: u32 = 1;

/// A count, as a document may hold it: what cannot be read is not written.
mod count {
    use serde::de::{Deserialize, Deserializer, Error as _};
    use serde::ser::{Error as _, Serializer};

    use crate::names::MOST_COUNTED;

    fn refusal(count: u64) -> Option<String> {
        (count > MOST_COUNTED).then(|| format!("{count} is more than any history counts"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let count = u64::deserialize(deserializer)?;
        refusal(count).map_or(Ok(count), |refusal| Err(D::Error::custom(refusal)))
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references on")]
    pub(super) fn serialize<S: Serializer>(count: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        match refusal(*count) {
            Some(refusal) => Err(S::Error::custom(refusal)),
            None => serializer.serialize_u64(*count),
        }
    }
}

/// Where a resource stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As the last apply left it.
    #[default]
    Live,
    /// An apply began to make or change it and was interrupted.
    Interrupted,
    /// No longer wanted; something of it could not be cleaned up yet.
    Deleting,
}

/// The fact of a resource that there was nobody to make it: it needs nobody who removes it.
pub const UNMADE: &str = "unmade";

/// What the state knows of a resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stored {
    /// Where it stands in its life.
    #[serde(default)]
    pub status: Status,
    /// The node that it lives on.
    pub node: Address,
    /// Its name; see [`crate::resource::Resource::name`].
    pub name: Arc<str>,
    /// Its attributes as canonical JSON: nulls left away, references as `{"$ref": "tenant.acme"}`, sensitive ones as
    /// `{"$fingerprint": "…"}`.
    pub attributes: Box<RawValue>,
    /// What operations reported: `{ "directories": { "/srv/acme": true } }`, `{ "issue": 2, "not_after": 1767225600 }`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub facts: serde_json::Map<String, serde_json::Value>,
    /// Its files at places of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub placed: BTreeMap<PathBuf, StoredPlaced>,
    /// What it depends on, for the order of deletes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub depends_on: BTreeSet<Address>,
    /// What there is of it on nodes that it has left, until that is taken away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Self>,
}

/// The fact that says of each directory of a resource whether vsa made it.
const DIRECTORIES: &str = "directories";

/// The fact of a former vsa, which said it of the last directory alone.
const OWNED: &str = "owned";

impl Stored {
    /// What there is of it, node by node: where it lives first.
    pub fn everywhere(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.left)
    }

    /// Follows what the state knew of the resource before: the facts of the same node go on, and what is on others was
    /// left there.
    pub fn follow(&mut self, mut prior: Self) {
        let mut all = std::mem::take(&mut prior.left);
        all.insert(0, prior);
        if let Some(at) = all.iter().position(|stored| stored.node == self.node) {
            self.facts = all.remove(at).facts;
        }
        self.left = all;
    }

    /// Whether vsa made this directory of the resource.
    pub fn owns(&self, path: &Path) -> bool {
        match self.directories() {
            Some(mut known) => known.any(|(known, owned)| known == path && owned),
            None => self.facts.get(OWNED) == Some(&true.into()),
        }
    }

    /// The resource's directories, each with whether vsa made it; `None` where a former vsa did not write them down.
    pub fn directories(&self) -> Option<impl Iterator<Item = (&Path, bool)>> {
        let known = self.facts.get(DIRECTORIES)?.as_object()?;
        Some(known.iter().map(|(path, owned)| (Path::new(path), *owned == serde_json::Value::Bool(true))))
    }

    /// Notes whether vsa made a directory.
    pub fn note_directory(&mut self, path: &Path, owned: bool) {
        self.facts.remove(OWNED);
        let known = self.facts.entry(DIRECTORIES).or_insert_with(|| serde_json::json!({}));
        if let Some(known) = known.as_object_mut() {
            known.insert(path.to_string_lossy().into_owned(), owned.into());
        }
    }
}

/// What the state knows of a generation's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// The resource that it is of.
    pub resource: Address,
    /// SHA-256 of its bytes in hexadecimal, or `link:` and the target.
    pub digest: String,
    /// For a file with secrets: its text with fingerprints in the place of secrets
    /// (see [`crate::plan::Content::sealed`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
}

/// What stands in the place of a link's digest.
pub fn link_digest(target: &str) -> String {
    format!("link:{target}")
}

/// The target of a link, from what stands in the place of its digest; `None` of a file.
pub fn link_target(digest: &str) -> Option<&str> {
    digest.strip_prefix("link:")
}

/// What the state knows of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredNode {
    /// What its configuration said.
    pub spec: NodeSpec,
    /// The nginx that the live generation is written for.
    pub nginx: Option<Nginx>,
    /// The live generation; 0 before the first.
    #[serde(with = "count")]
    pub generation: u64,
    /// The token that the marker of the live generation answers.
    pub marker: String,
    /// The files of the live generation; without the marker, which follows from `generation` and `marker`, and the
    /// manifest.
    pub files: BTreeMap<Arc<str>, StoredFile>,
    /// Loopback ports of the services that its sites pass requests on to, by `stack.shop web:3000`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, Vec<u16>>,
    /// The names that its nginx, in a container, reaches targets by, by target as in `endpoints`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, NetworkName>,
    /// The networks that vsa took the container of its nginx into.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub networks: BTreeSet<Arc<str>>,
    /// Files of an earlier generation that old workers may still have been reading; carried along once.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub retained: BTreeMap<Arc<str>, String>,
    /// Owner and group of what vsa made of the live generation; a former vsa did not write them down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Ids>,
}

impl StoredNode {
    /// What the marker of the live generation answers.
    pub fn marker_answer(&self) -> String {
        format!("{} {}", self.generation, self.marker)
    }
}

/// An output's last value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredOutput {
    /// The value, `null` too; absent for a sensitive one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "there")]
    pub value: Option<serde_json::Value>,
    /// Whether it is sensitive.
    #[serde(default)]
    pub sensitive: bool,
    /// The fingerprint of a sensitive value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// What is there, `null` too.
fn there<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

/// How far the audit log reached when the state was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// Records in the log.
    #[serde(with = "count")]
    pub count: u64,
    /// The hash of the last one, in hexadecimal.
    pub head: String,
}

/// The document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// The version of the document's format.
    pub version: u32,
    /// Counts the writes.
    #[serde(with = "count")]
    pub serial: u64,
    /// Which history it belongs to; never changes.
    pub lineage: String,
    /// The vsa that wrote it.
    pub vsa_version: String,
    /// The fingerprint of the key that its fingerprints were made with; absent in documents of the first vsa.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What vsa made.
    pub resources: BTreeMap<Address, Stored>,
    /// The nodes.
    pub nodes: BTreeMap<Address, StoredNode>,
    /// Outputs.
    #[serde(default)]
    pub outputs: BTreeMap<String, StoredOutput>,
    /// The audit log.
    #[serde(default)]
    pub audit: AuditHead,
}

impl State {
    /// What there is of resources on a node, those too that live on another one by now.
    pub fn on<'a>(&'a self, node: &'a Address) -> impl Iterator<Item = &'a Stored> {
        self.resources.values().flat_map(Stored::everywhere).filter(move |stored| stored.node == *node)
    }
}
