//! The node's own directory.

use std::path::{Path, PathBuf};

use super::{Context, Facts, fact};
use crate::apply::lock;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host};
use crate::plan::observation::FileType;
use crate::plan::{Answer, Query};

/// Directories that a former vsa made in a node's directory that it had made, and did not write down.
const FORMERLY: [&str; 3] = ["logs", "run", "acme"];

/// Removes what vsa put into the node's directory: what is vsa's alone, and the directories that the state says it made.
/// The owner file goes after all of that, so that the node stays this state's until nothing else is left, and the lock
/// last; then the directory and those above it, as far as vsa made them and nothing of anybody's is in them.
pub(super) async fn remove(context: Context<'_>, path: &Path) -> Result<Facts, Diagnostic> {
    let Context { host, spec, .. } = context;
    if *path != spec.root {
        return Err(Diagnostic::error(format!("{} is not the node's directory", path.display())));
    }
    let Some(owner) = lock::owner(host, spec).await? else { return Ok(Facts::new()) };
    let is_made = owner.made.iter().any(|made| made == path);
    let trees = spec.own().into_iter().filter(|path| *path != spec.current());
    let trees = trees.chain(directories(context, is_made));
    let trees = trees.map(|path| FileOperation::RemoveTree { root: spec.root.clone(), path });
    let current = FileOperation::Remove { path: spec.current() };
    host.files(std::iter::once(current).chain(trees).collect()).await?;
    // The tenants' directories lie below it where no other place was given; their own directory goes with the last.
    if spec.owns(&spec.srv_root) {
        remove_if_empty(host, &spec.srv_root).await?;
    }
    let mut kept = Vec::new();
    for directory in outside(context) {
        if !remove_if_empty(host, &directory).await? {
            kept.push(directory);
        }
    }
    let last = [spec.owner_file(), lock::lock_file(spec)];
    host.files(last.map(|path| FileOperation::Remove { path }).into()).await?;
    if is_made && remove_if_empty(host, path).await? {
        lock::remove_made(host, owner.made).await;
    } else {
        kept.push(path.to_owned());
    }
    Ok(fact("kept", kept.iter().map(|path| path.to_string_lossy().into_owned()).collect::<Vec<_>>()))
}

/// The directories that vsa made for the node outside of its own, the innermost first.
fn outside(context: Context<'_>) -> Vec<PathBuf> {
    let Context { spec, state, .. } = context;
    let known = state.resources.get(&spec.address).and_then(|stored| stored.directories());
    let made = known.into_iter().flatten().filter(|(path, owned)| *owned && !path.starts_with(&spec.root));
    let mut made: Vec<PathBuf> = made.map(|(path, _)| path.to_owned()).collect();
    made.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
    made
}

/// The directories below the node's own that vsa made, tenants' data left out.
fn directories(context: Context<'_>, is_made: bool) -> Vec<PathBuf> {
    let spec = context.spec;
    let known = context.state.resources.get(&spec.address).and_then(|stored| stored.directories());
    let made: Vec<PathBuf> = match known {
        Some(known) => known.filter(|(_, owned)| *owned).map(|(path, _)| path.to_owned()).collect(),
        None if is_made => FORMERLY.map(|name| spec.root.join(name)).into(),
        None => Vec::new(),
    };
    let below = |path: &PathBuf| {
        let data = spec.srv_root != spec.root && path.starts_with(&spec.srv_root);
        path.starts_with(&spec.root) && *path != spec.root && !data
    };
    made.into_iter().filter(below).collect()
}

/// Removes a directory that nothing is in; gives whether it is gone.
async fn remove_if_empty(host: &dyn Host, path: &Path) -> Result<bool, Diagnostic> {
    match host.observe(&[Query::Stat(path.to_owned())]).await.pop() {
        Some(Answer::Stat(stat)) if stat.file_type == FileType::Directory && stat.empty => {
            host.files(vec![FileOperation::RemoveDirectory { path: path.to_owned() }]).await?;
            Ok(true)
        }
        Some(Answer::Stat(_)) => Ok(false),
        _ => Ok(true),
    }
}
