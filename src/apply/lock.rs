//! Who may change a node: one run at a time, and only of the state that owns it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Interrupted;
use super::generation::Readers;
use super::journal::NodeFacts;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host, Lock};
use crate::plan::action::Access;
use crate::plan::{Answer, NodeSpec, Observations, Owner, Query};
use crate::state::{State, StoredNode};

/// A node's directory, held by this run.
#[derive(Debug)]
pub(super) struct NodeLock {
    spec: NodeSpec,
    /// Where this run took possession of the node: what it made for that.
    taken: Option<Taken>,
    _held: Box<dyn Lock>,
}

/// What a run made to take possession of a node.
#[derive(Debug, Default)]
struct Taken {
    /// The directories on the way to the node's own, which is the last; none where that was there already.
    directories: Vec<PathBuf>,
    /// Files and directories in it that were not there before.
    inside: Vec<PathBuf>,
}

pub(super) fn lock_file(spec: &NodeSpec) -> PathBuf {
    spec.root.join("lock")
}

/// The code of the error that another run holds a node.
pub const NODE_LOCKED: &str = "node_locked";

/// Says that another run holds a node.
pub(super) fn held(spec: &NodeSpec) -> Diagnostic {
    Diagnostic::error(format!("another run is changing {}", spec.address))
        .code(NODE_LOCKED)
        .detail(format!("it holds the lock {}", lock_file(spec).display()))
        .help("wait until it has ended")
        .on(&spec.address)
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

/// Adds the nodes that an interrupted run had taken and whose first generation was never live: their directories say
/// whose they are.
pub async fn adopt(host: &dyn Host, interrupted: &Interrupted, state: &mut State) {
    for (address, NodeFacts { spec, nginx }) in &interrupted.header.nodes {
        let is_new = !state.nodes.contains_key(address);
        // One whose owner cannot be told is nobody's to take away.
        if is_new && matches!(owner(host, spec).await, Ok(Some(owner)) if owner.lineage == state.lineage) {
            let node = StoredNode {
                spec: spec.clone(),
                nginx: Some(nginx.clone()),
                generation: 0,
                marker: String::new(),
                files: BTreeMap::new(),
                endpoints: BTreeMap::new(),
                names: BTreeMap::new(),
                networks: interrupted.networks(address),
                retained: BTreeMap::new(),
                ids: None,
            };
            state.nodes.insert(address.clone(), node);
        }
    }
}

impl NodeLock {
    /// Takes the lock of a node; its directory is made where it is missing. One that is there and has no owner is taken,
    /// unless something stands in it where vsa's own files go; those of a node that the state knows are the state's.
    ///
    /// # Errors
    /// Another run holds the lock, another state owns the node, or something stands in the way.
    pub(super) async fn take(host: &dyn Host, spec: &NodeSpec, state: &State) -> Result<Self, Diagnostic> {
        let lineage = &state.lineage;
        let directories = make_root(host, spec, lineage).await?;
        let own = spec.own().into_iter().chain([lock_file(spec)]);
        let queries: Vec<Query> = own.map(Query::Stat).collect();
        let found: Observations = queries.iter().cloned().zip(host.observe(&queries).await).collect();
        let Some(held) = host.lock(&lock_file(spec)).await? else {
            return Err(held(spec));
        };
        let mut lock = Self { spec: spec.clone(), taken: None, _held: held };
        let owner = owner(host, spec).await?;
        if let Some(owner) = &owner {
            owner.refusal(spec, lineage).map_or(Ok(()), Err)?;
            Owner::misplaced(spec, &found).next().map_or(Ok(()), Err)?;
        }
        if !directories.is_empty() || owner.is_none() {
            let inside = [spec.candidate(), spec.root.join("generations"), lock_file(spec)];
            let inside = inside.into_iter().filter(|path| found.is_absent(path)).collect();
            lock.taken = Some(Taken { directories, inside });
        }
        if owner.is_none() {
            let known = state.nodes.get(&spec.address).is_some_and(|stored| stored.generation > 0);
            let obstacle = Owner::obstacles(spec, &found).find(|_| !known);
            let is_made = state.resources.get(&spec.address).is_some_and(|stored| stored.owns(&spec.root));
            let made = if known && is_made { vec![spec.root.clone()] } else { Vec::new() };
            let taken = match obstacle {
                Some(obstacle) => Err(obstacle),
                None => {
                    let write = write_owner(spec.owner_file(), lineage, made);
                    host.files(vec![write]).await.map_err(Diagnostic::from)
                }
            };
            if let Err(error) = taken {
                lock.give_up(host).await?;
                return Err(error);
            }
        }
        Ok(lock)
    }

    /// Gives up a node that this run took possession of, when the run is taken back: what it made for that goes, and
    /// nothing else.
    pub(super) async fn give_up(self, host: &dyn Host) -> Result<(), Diagnostic> {
        let Some(Taken { directories, inside }) = self.taken else { return Ok(()) };
        // What authorities know outlasts a run: the node stays this state's.
        if host.observe(&[Query::Stat(self.spec.accounts())]).await.pop() != Some(Answer::Absent) {
            return Ok(());
        }
        let (lock, candidate) = (lock_file(&self.spec), self.spec.candidate());
        let root = &self.spec.root;
        // The lock last: whoever makes another one is alone then.
        let operations = inside.into_iter().map(|path| {
            if path == lock {
                FileOperation::Remove { path }
            } else if path == candidate {
                FileOperation::RemoveTree { root: root.clone(), path }
            } else {
                FileOperation::RemoveDirectory { path }
            }
        });
        let mut operations: Vec<_> = operations.collect();
        // While the owner file is there, what is left of the rest is known as vsa's.
        let owner = operations.len().saturating_sub(1);
        operations.insert(owner, FileOperation::Remove { path: self.spec.owner_file() });
        host.files(operations).await?;
        remove_made(host, directories).await;
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

/// Makes the node's directory and what is missing above it, and says what was made, from the top; nothing where it was
/// there. It appears with its owner's name in it: a kill leaves no directory that nobody owns.
async fn make_root(host: &dyn Host, spec: &NodeSpec, lineage: &str) -> Result<Vec<PathBuf>, Diagnostic> {
    let made = super::operations::missing(host, &spec.root).await;
    if made.is_empty() {
        return Ok(made);
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
    Ok(made)
}
