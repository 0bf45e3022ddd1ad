//! Who may change a node: one run at a time, and only of the state that owns it.

use std::path::PathBuf;

use super::generation::Readers;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host, Lock};
use crate::plan::action::Access;
use crate::plan::{Answer, NodeSpec, Owner, Query};

/// A node's directory, held by this run.
#[derive(Debug)]
pub(super) struct NodeLock {
    spec: NodeSpec,
    /// Where this run took possession of the node: the directories that it made, from the top.
    new: Option<Vec<PathBuf>>,
    _held: Box<dyn Lock>,
}

fn lock_file(spec: &NodeSpec) -> PathBuf {
    spec.root.join("lock")
}

/// Reads who owns a node; `None` where nobody does.
///
/// # Errors
/// The owner file cannot be read, or not be understood.
pub(super) async fn owner(host: &dyn Host, spec: &NodeSpec) -> Result<Option<Owner>, Diagnostic> {
    match host.observe(&[Query::Read(spec.owner_file())]).await.pop() {
        Some(Answer::Bytes(bytes)) => Owner::parse(spec, &bytes).map(Some),
        Some(Answer::Failed(reason)) => {
            let path = spec.owner_file();
            let error = Diagnostic::error(format!("cannot read `{}`: {reason}", path.display()));
            Err(error.help("run vsa as the user that owns the node's directory").on(&spec.address))
        }
        _ => Ok(None),
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
        match owner(host, spec).await? {
            Some(owner) => owner.refusal(spec, lineage).map_or(Ok(()), Err)?,
            None => {
                host.files(vec![write_owner(spec.owner_file(), lineage, Vec::new())]).await?;
                new = Some(Vec::new());
            }
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
            [self.spec.owner_file(), lock_file(&self.spec)].map(|path| FileOperation::Remove { path });
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

fn write_owner(path: PathBuf, lineage: &str, made: Vec<PathBuf>) -> FileOperation {
    let owner = Owner::new(lineage, made);
    FileOperation::Replace {
        path,
        access: Access { owner: None, group: None, mode: 0o644 },
        bytes: serde_json::to_vec_pretty(&owner).unwrap_or_default().into(),
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
    // A name of vsa's alone: what stands in its place is removed.
    let name = spec.root.file_name().unwrap_or_default().to_string_lossy();
    let new = spec.root.with_file_name(format!(".{name}.new"));
    let parent = spec.root.parent().unwrap_or(&spec.root).to_owned();
    operations.extend([
        FileOperation::RemoveTree { root: parent, path: new.clone() },
        FileOperation::MakeDirectory { path: new.clone(), access: readers.directory() },
        write_owner(new.join(spec.owner_file().file_name().unwrap_or_default()), lineage, made.clone()),
        FileOperation::Rename { from: new, to: spec.root.clone() },
    ]);
    host.files(operations).await?;
    Ok(Some(made))
}
