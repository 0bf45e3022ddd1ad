//! Who may change a node: one run at a time, and only of the state that owns it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::generation::Readers;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host, Lock};
use crate::plan::action::Access;
use crate::plan::{Answer, NodeSpec, Query};

/// Who owns a node's directory: `owner.json` in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The lineage of the state.
    pub lineage: String,
    /// The directories that vsa made for it, from the top, its own the last; none where it was there already.
    pub made: Vec<PathBuf>,
}

/// A node's directory, held by this run.
#[derive(Debug)]
pub(super) struct NodeLock {
    spec: NodeSpec,
    /// Where this run took possession of the node: the directories that it made, from the top.
    new: Option<Vec<PathBuf>>,
    _held: Box<dyn Lock>,
}

/// The file that names the owner.
const OWNER: &str = "owner.json";

fn owner_file(spec: &NodeSpec) -> PathBuf {
    spec.root.join(OWNER)
}

fn lock_file(spec: &NodeSpec) -> PathBuf {
    spec.root.join("lock")
}

/// Reads who owns a node; `None` where nobody does.
pub(super) async fn owner(host: &dyn Host, spec: &NodeSpec) -> Option<Owner> {
    match host.observe(&[Query::Read(owner_file(spec))]).await.pop() {
        Some(Answer::Bytes(bytes)) => serde_json::from_slice(&bytes).ok(),
        _ => None,
    }
}

impl NodeLock {
    /// Takes the lock of a node; its directory is made where it is missing.
    ///
    /// # Errors
    /// Another run holds the lock, or another state owns the node.
    pub(super) async fn take(host: &dyn Host, spec: &NodeSpec, lineage: &str) -> Result<Self, Diagnostic> {
        let mut new = make_root(host, spec, lineage).await?;
        let Some(held) = host.lock(&lock_file(spec)).await? else {
            return Err(Diagnostic::error(format!("another run is changing {}", spec.address))
                .code("node_locked")
                .detail(format!("it holds the lock {}", lock_file(spec).display()))
                .help("wait until it has ended")
                .on(&spec.address));
        };
        let owner = owner(host, spec).await;
        if let Some(owner) = owner.as_ref().filter(|owner| owner.lineage != lineage) {
            return Err(Diagnostic::error(format!("`{}` belongs to another configuration", spec.address))
                .code("foreign_node")
                .detail(format!(
                    "{} names the state with lineage `{}`, this state's lineage is `{lineage}`",
                    owner_file(spec).display(),
                    owner.lineage,
                ))
                .help("give the node another `root`, or destroy the other configuration first")
                .help("where it is this configuration and its state is lost, put the state back: `.vsa/backups/` has former ones")
                .on(&spec.address));
        }
        if owner.is_none() {
            host.files(vec![write_owner(&spec.root, lineage, Vec::new())]).await?;
            new = Some(Vec::new());
        }
        Ok(Self { spec: spec.clone(), new, _held: held })
    }

    /// Gives up a node that this run took possession of, when the run is taken back: as if it had never been there.
    pub(super) async fn give_up(self, host: &dyn Host) -> Result<(), Diagnostic> {
        let Some(made) = self.new else { return Ok(()) };
        let generations = FileOperation::RemoveTree {
            root: self.spec.root.clone(),
            path: self.spec.root.join("generations"),
        };
        let files =
            [owner_file(&self.spec), lock_file(&self.spec)].map(|path| FileOperation::Remove { path });
        host.files(std::iter::once(generations).chain(files).collect()).await?;
        remove_made(host, made).await;
        Ok(())
    }
}

/// Removes directories that vsa made, from the bottom; where somebody put something there meanwhile it stays.
pub(super) async fn remove_made(host: &dyn Host, made: Vec<PathBuf>) {
    for path in made.into_iter().rev() {
        if host.files(vec![FileOperation::RemoveDirectory { path }]).await.is_err() {
            return;
        }
    }
}

fn write_owner(directory: &Path, lineage: &str, made: Vec<PathBuf>) -> FileOperation {
    let owner = Owner { lineage: lineage.to_owned(), made };
    FileOperation::Replace {
        path: directory.join(OWNER),
        access: Access { owner: None, group: None, mode: 0o644 },
        bytes: serde_json::to_vec_pretty(&owner).unwrap_or_default(),
    }
}

/// Makes the node's directory and what is missing above it, and says what was made, from the top; `None` where it
/// was there. It appears with its owner's name in it: a kill leaves no directory that nobody owns.
async fn make_root(
    host: &dyn Host,
    spec: &NodeSpec,
    lineage: &str,
) -> Result<Option<Vec<PathBuf>>, Diagnostic> {
    let made = super::operations::missing(host, &spec.root).await;
    if made.is_empty() {
        return Ok(None);
    }
    let readers = Readers::of(host, spec).await?;
    let access = Access { owner: None, group: None, mode: 0o755 };
    let above = made.iter().filter(|path| **path != spec.root);
    let make = |path: &PathBuf| FileOperation::MakeDirectory { path: path.clone(), access: access.clone() };
    let mut operations: Vec<_> = above.map(make).collect();
    let new = spec.root.with_extension("new");
    let parent = spec.root.parent().unwrap_or(&spec.root).to_owned();
    operations.extend([
        FileOperation::RemoveTree { root: parent, path: new.clone() },
        FileOperation::MakeDirectory { path: new.clone(), access: readers.directory() },
        write_owner(&new, lineage, made.clone()),
        FileOperation::Rename { from: new, to: spec.root.clone() },
    ]);
    host.files(operations).await?;
    Ok(Some(made))
}
