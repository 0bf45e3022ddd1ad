//! Files of resources at places of their own, outside nginx's generations: a stack's compose file, its `.env`.
//!
//! They are compared, shown, watched for drift and put back by the engine, like the files of a generation; but each
//! is written by an action of its own, and taken back from the former file, which is kept beside it until the run has
//! committed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::digest::sha256;
use crate::state::{Key, Stored};

use super::action::{Access, Operation, Phase, Undo};
use super::change::{FileChange, FileChangeKind};
use super::file::Content;
use super::files;
use super::kind::{Drift, Step, Subject};
use super::observation::{Answer, FileType, Observations, Query};

/// What a placed file holds.
#[derive(Clone, Debug)]
pub enum PlacedBody {
    /// Text, which may have secrets in it.
    Text(Content),
    /// Bytes that are no text.
    Bytes(Arc<[u8]>),
}

/// A file of a resource at a place of its own.
#[derive(Clone, Debug)]
pub struct PlacedFile {
    /// Where it is, absolute. Its directory is made by the resource's own steps.
    pub path: PathBuf,
    /// Owner, group and mode.
    pub access: Access,
    /// What it holds.
    pub body: PlacedBody,
}

/// What the state knows of a placed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPlaced {
    /// SHA-256 of its bytes in hexadecimal; `hmac:` and its fingerprint where it holds secrets; empty where there was
    /// no key to make one with.
    pub digest: String,
    /// Where it holds secrets: its text with fingerprints in their place (see [`Content::sealed`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
    /// Owner, group and mode.
    pub access: Access,
}

const SEALED: &str = "hmac:";

/// What the state shall know of a file.
pub(super) fn stored(file: &PlacedFile, resource: &Address, key: Option<&Key>) -> StoredPlaced {
    let access = file.access.clone();
    let content = match &file.body {
        PlacedBody::Bytes(bytes) => return StoredPlaced { digest: sha256(bytes), sealed: None, access },
        PlacedBody::Text(content) => content,
    };
    if let Some(text) = content.as_text() {
        return StoredPlaced { digest: sha256(text.as_bytes()), sealed: None, access };
    }
    let name = file.path.to_string_lossy();
    let sealed = files::sealed(content, resource, &name, key);
    let digest = match (key, content.exposed()) {
        (Some(key), Some(text)) => format!("{SEALED}{}", key.fingerprint(resource, &name, text.expose())),
        _ => String::new(),
    };
    StoredPlaced { digest, sealed: Some(sealed), access }
}

fn same(before: &StoredPlaced, after: &StoredPlaced, has_key: bool) -> bool {
    before.access == after.access
        && match (&before.sealed, &after.sealed) {
            (Some(before), Some(after)) if !has_key => files::unsealed(before) == files::unsealed(after),
            (before_sealed, after_sealed) => before.digest == after.digest && before_sealed == after_sealed,
        }
}

/// What the engine has to know of the files that the state knows.
pub(super) fn queries(prior: &BTreeMap<PathBuf, StoredPlaced>) -> impl Iterator<Item = Query> {
    prior.iter().flat_map(|(path, stored)| {
        let bytes = match stored.sealed {
            Some(_) => Query::Read(path.clone()),
            None => Query::Digest(path.clone()),
        };
        [Query::Stat(path.clone()), bytes]
    })
}

/// Where files differ from what the state knows; fingerprints are of the address that it was written under.
pub(super) fn drift(
    address: &Address,
    written_as: &Address,
    prior: &BTreeMap<PathBuf, StoredPlaced>,
    observed: &Observations,
    key: Option<&Key>,
) -> Vec<Drift> {
    let differs = |path: &Path, stored: &StoredPlaced| {
        let stat = match observed.get(&Query::Stat(path.to_owned()))? {
            Answer::Absent => return Some("was deleted".to_owned()),
            Answer::Stat(stat) => stat,
            _ => return None,
        };
        if stat.file_type != FileType::File {
            return Some("is not a file any more".to_owned());
        }
        let edited = match &stored.sealed {
            None => {
                matches!(observed.get(&Query::Digest(path.to_owned()))?, Answer::Digest(digest) if *digest != stored.digest)
            }
            Some(_) => match (observed.get(&Query::Read(path.to_owned()))?, key) {
                (Answer::Bytes(bytes), Some(key)) if !stored.digest.is_empty() => {
                    let text = zeroize::Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
                    let found = key.fingerprint(written_as, &path.to_string_lossy(), &text);
                    stored.digest.strip_prefix(SEALED) != Some(&found)
                }
                _ => false,
            },
        };
        if edited {
            return Some("was edited".to_owned());
        }
        let wanted = stored.access.mode;
        (stat.mode != wanted).then(|| format!("mode is {:04o}, not {wanted:04o}", stat.mode))
    };
    prior
        .iter()
        .filter_map(|(path, stored)| {
            let what = differs(path, stored)?;
            let subject = path.display().to_string();
            Some(Drift { address: address.clone(), subject, what, repaired: true, diff: None })
        })
        .collect()
}

/// The placed files of one resource, before and after.
#[derive(Debug, Default)]
pub(super) struct Placement {
    /// What shall be there.
    pub(super) files: BTreeMap<PathBuf, PlacedFile>,
    /// What the state shall know of it.
    pub(super) stored: BTreeMap<PathBuf, StoredPlaced>,
    /// What differs from the state.
    pub(super) changed: BTreeMap<PathBuf, FileChangeKind>,
}

impl Placement {
    /// What has moved is compared as it was written, under the address that it had.
    pub(super) fn of(
        address: &Address,
        written_as: &Address,
        prior: Option<&Stored>,
        files: Vec<PlacedFile>,
        key: Option<&Key>,
    ) -> Self {
        let none = BTreeMap::new();
        let before = prior.map_or(&none, |prior| &prior.placed);
        let files: BTreeMap<_, _> = files.into_iter().map(|file| (file.path.clone(), file)).collect();
        let stored: BTreeMap<_, _> =
            files.iter().map(|(path, file)| (path.clone(), stored(file, address, key))).collect();
        let is_same = |path: &PathBuf, before: &StoredPlaced, after: &StoredPlaced| {
            let former = files.get(path).filter(|_| after.sealed.is_some() && address != written_as);
            let former = former.map(|file| self::stored(file, written_as, key));
            same(before, former.as_ref().unwrap_or(after), key.is_some())
        };
        let new = stored.iter().filter_map(|(path, after)| match before.get(path) {
            None => Some((path.clone(), FileChangeKind::Create)),
            Some(before) if is_same(path, before, after) => None,
            Some(_) => Some((path.clone(), FileChangeKind::Update)),
        });
        let gone = before.keys().filter(|path| !files.contains_key(*path));
        let gone = gone.map(|path| (path.clone(), FileChangeKind::Delete));
        let changed = new.chain(gone).collect();
        Self { files, stored, changed }
    }

    /// The steps that write them (all of them with `whole`, and those of `drifted`), and that remove what goes.
    pub(super) fn steps(&self, whole: bool, drifted: &[String]) -> Vec<Step> {
        let writes = self.stored.iter().filter(|(path, _)| {
            whole
                || matches!(self.changed.get(*path), Some(FileChangeKind::Create | FileChangeKind::Update))
                || drifted.iter().any(|drifted| Path::new(drifted) == **path)
        });
        let writes = writes.map(|(path, stored)| Step {
            phase: Phase::Prepare,
            operation: Operation::WriteFile { path: path.clone(), access: stored.access.clone() },
            undo: Undo::FormerFile,
        });
        let gone = self.changed.iter().filter(|(_, kind)| **kind == FileChangeKind::Delete);
        let gone = gone.map(|(path, _)| Step {
            phase: Phase::CleanUp,
            operation: Operation::RemoveFile { path: path.clone() },
            undo: Undo::Irreversible {
                reason: "a file that is no longer wanted is removed for good".to_owned(),
            },
        });
        writes.chain(gone).collect()
    }

    /// The diffs of all that changes.
    pub(super) fn diffs(
        &self,
        subject: Subject<'_>,
        read: &mut dyn FnMut(&[Query]) -> Vec<Answer>,
    ) -> Vec<FileChange> {
        let before = |path: &PathBuf| subject.prior.and_then(|prior| prior.placed.get(path));
        let plain: Vec<&PathBuf> = self
            .changed
            .keys()
            .filter(|path| before(path).is_some_and(|stored| stored.sealed.is_none()))
            .collect();
        let queries: Vec<Query> = plain.iter().map(|path| Query::Read((*path).clone())).collect();
        let answers = if queries.is_empty() { Vec::new() } else { read(&queries) };
        let texts: BTreeMap<&PathBuf, String> = plain
            .into_iter()
            .zip(answers)
            .filter_map(|(path, answer)| match answer {
                Answer::Bytes(bytes) => Some((path, shown(&bytes))),
                _ => None,
            })
            .collect();
        let change = |(path, kind): (&PathBuf, &FileChangeKind)| {
            let former = match before(path).map(|stored| &stored.sealed) {
                Some(Some(sealed)) => sealed.clone(),
                Some(None) => texts.get(path).cloned().unwrap_or_default(),
                None => String::new(),
            };
            let after = match (self.stored.get(path), self.files.get(path).map(|file| &file.body)) {
                (Some(StoredPlaced { sealed: Some(sealed), .. }), _) => sealed.clone(),
                (_, Some(PlacedBody::Text(content))) => content.as_text().unwrap_or_default().to_owned(),
                (_, Some(PlacedBody::Bytes(bytes))) => shown(bytes),
                (_, None) => String::new(),
            };
            FileChange {
                node: subject.node.spec.address.clone(),
                path: path.to_string_lossy().into(),
                resource: subject.address.clone(),
                kind: *kind,
                diff: files::unified(&former, &after),
            }
        };
        self.changed.iter().map(change).collect()
    }
}

/// Bytes as a plan shows them.
fn shown(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| format!("({} bytes, not text)\n", bytes.len()), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Piece;
    use crate::value::Secret;

    fn placed(secret: &str) -> PlacedFile {
        let text = Piece::Text("# not compared with fingerprint anything\nPASSWORD=".into());
        let body = Content { pieces: vec![text, Piece::Secret(Secret::new(secret.to_owned()))] };
        let access = Access { owner: None, group: None, mode: 0o640 };
        PlacedFile { path: PathBuf::from("/srv/acme/.env"), access, body: PlacedBody::Text(body) }
    }

    #[test]
    fn without_a_key_alone_secrets_are_not_compared() {
        let address = Address::new("stack", "shop");
        let key = Key::new(&[1; 32]);
        let known = stored(&placed("one"), &address, Some(&key));
        let differs = |secret: &str, key: Option<&Key>| {
            !same(&known, &stored(&placed(secret), &address, key), key.is_some())
        };
        assert!(!differs("one", Some(&key)));
        assert!(differs("two", Some(&key)), "whatever the file says of itself");
        assert!(!differs("two", None));
        let own = |text: &str| {
            files::unsealed(&format!("# fingerprint {text})\nA=(secret, fingerprint not compared)"))
        };
        assert_ne!(own("one"), own("two"), "text of the file's own is compared");
    }
}
