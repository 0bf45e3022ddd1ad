//! Who may change a node: one run at a time, and only of the state that owns it.

use std::path::PathBuf;

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
    /// Whether vsa made the directory.
    pub made: bool,
}

/// A node's directory, held by this run.
#[derive(Debug)]
pub(super) struct NodeLock {
    spec: NodeSpec,
    /// Directories that were made for it, from the top.
    made: Vec<PathBuf>,
    /// Whether this run took possession of the node.
    new: bool,
    _held: Box<dyn Lock>,
}

fn owner_file(spec: &NodeSpec) -> PathBuf {
    spec.root.join("owner.json")
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
        let made = make_root(host, spec).await?;
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
                .on(&spec.address));
        }
        let lock = Self { spec: spec.clone(), new: owner.is_none(), _held: held, made };
        if lock.new {
            let owner = Owner { lineage: lineage.to_owned(), made: lock.made.contains(&spec.root) };
            let bytes = serde_json::to_vec_pretty(&owner).unwrap_or_default();
            let access = Access { owner: None, group: None, mode: 0o644 };
            host.files(vec![FileOperation::Replace { path: owner_file(spec), access, bytes }]).await?;
        }
        Ok(lock)
    }

    /// Gives up a node that this run took possession of, when the run is taken back: as if it had never been there.
    pub(super) async fn give_up(self, host: &dyn Host) -> Result<(), Diagnostic> {
        if !self.new {
            return Ok(());
        }
        let generations = FileOperation::RemoveTree {
            root: self.spec.root.clone(),
            path: self.spec.root.join("generations"),
        };
        let files =
            [owner_file(&self.spec), lock_file(&self.spec)].map(|path| FileOperation::Remove { path });
        host.files(std::iter::once(generations).chain(files).collect()).await?;
        for path in self.made.into_iter().rev() {
            // Somebody may have put something there meanwhile: then it stays.
            let _ = host.files(vec![FileOperation::RemoveDirectory { path }]).await;
        }
        Ok(())
    }
}

/// Makes the node's directory and what is missing above it; says what was made, from the top.
async fn make_root(host: &dyn Host, spec: &NodeSpec) -> Result<Vec<PathBuf>, Diagnostic> {
    let missing = super::operations::missing(host, &spec.root).await;
    if missing.is_empty() {
        return Ok(missing);
    }
    let readers = Readers::of(host, spec).await?;
    let make = |path: &PathBuf| {
        let access = if *path == spec.root {
            readers.directory()
        } else {
            Access { owner: None, group: None, mode: 0o755 }
        };
        FileOperation::MakeDirectory { path: path.clone(), access }
    };
    host.files(missing.iter().map(make).collect()).await?;
    Ok(missing)
}
