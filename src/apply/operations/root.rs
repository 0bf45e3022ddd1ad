//! The node's own directory.

use std::path::Path;

use super::{Context, Facts, fact};
use crate::apply::lock;
use crate::diag::Diagnostic;
use crate::host::FileOperation;

/// What vsa puts into a node's directory, whoever made that; the owner file last, so that the node stays this
/// state's until nothing else is left.
const OWN: [&str; 8] = ["current", "candidate", "generations", "certificates", "logs", "run", "temp", "lock"];

/// Removes the node's directory if vsa made it, else what vsa put into it.
pub(super) async fn remove(context: Context<'_>, path: &Path) -> Result<Facts, Diagnostic> {
    let Context { host, spec, .. } = context;
    if *path != spec.root {
        return Err(Diagnostic::error(format!("{} is not the node's directory", path.display())));
    }
    let Some(owner) = lock::owner(host, spec).await else { return Ok(Facts::new()) };
    if owner.made {
        let parent = path.parent().unwrap_or(path).to_owned();
        host.files(vec![FileOperation::RemoveTree { root: parent, path: path.to_owned() }]).await?;
        return Ok(Facts::new());
    }
    let own = OWN.map(|name| path.join(name));
    let remove = own.into_iter().map(|path| {
        let is_file = path.ends_with("current") || path.ends_with("lock");
        if is_file {
            FileOperation::Remove { path }
        } else {
            FileOperation::RemoveTree { root: spec.root.clone(), path }
        }
    });
    let owner_file = FileOperation::Remove { path: path.join("owner.json") };
    host.files(remove.chain([owner_file]).collect()).await?;
    Ok(fact("kept", path.to_string_lossy().into_owned()))
}
