//! The node's own directory.

use std::path::Path;

use super::{Context, Facts, fact};
use crate::apply::lock;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host};
use crate::plan::observation::FileType;
use crate::plan::{Answer, Query};

/// What vsa puts into a node's directory. Anything else below it, tenants' data above all, is not touched.
const OWN: [&str; 9] =
    ["current", "candidate", "generations", "certificates", "logs", "run", "acme", "temp", "lock"];

/// Removes what vsa put into the node's directory, the owner file last, so that the node stays this state's until
/// nothing else is left; then the directory and those above it, as far as vsa made them and nothing of anybody's is in
/// them.
pub(super) async fn remove(context: Context<'_>, path: &Path) -> Result<Facts, Diagnostic> {
    let Context { host, spec, .. } = context;
    if *path != spec.root {
        return Err(Diagnostic::error(format!("{} is not the node's directory", path.display())));
    }
    let Some(owner) = lock::owner(host, spec).await? else { return Ok(Facts::new()) };
    let own = OWN.map(|name| path.join(name));
    let remove = own.into_iter().map(|path| {
        let is_file = path.ends_with("current") || path.ends_with("lock");
        if is_file {
            FileOperation::Remove { path }
        } else {
            FileOperation::RemoveTree { root: spec.root.clone(), path }
        }
    });
    host.files(remove.collect()).await?;
    // The tenants' directories lie below it where no other place was given; their own directory goes with the last.
    if spec.owns(&spec.srv_root) {
        remove_if_empty(host, &spec.srv_root).await?;
    }
    host.files(vec![FileOperation::Remove { path: spec.owner_file() }]).await?;
    if owner.made.iter().any(|made| made == path) && remove_if_empty(host, path).await? {
        lock::remove_made(host, owner.made).await;
        return Ok(Facts::new());
    }
    Ok(fact("kept", path.to_string_lossy().into_owned()))
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
