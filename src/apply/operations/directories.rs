//! Directories of resources.

use std::path::Path;

use super::files::guarded;
use super::{Context, Facts, fact, missing};
use crate::apply::journal::Before;
use crate::apply::lock;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host};
use crate::plan::action::Access;
use crate::plan::observation::FileType;
use crate::plan::{Answer, Query};

/// Makes a directory, or mends the access of one that is vsa's. The node's own directory is vsa's where its owner
/// file says so: it is made with the node's lock, before any action.
pub(super) async fn ensure(
    context: Context<'_>,
    path: &Path,
    access: &Access,
    owned: bool,
    before: &Before,
) -> Result<Facts, Diagnostic> {
    let host = context.host;
    let there = match host.observe(&[Query::Stat(path.to_owned())]).await.pop() {
        Some(Answer::Stat(stat)) if stat.file_type == FileType::Directory => true,
        Some(Answer::Stat(_)) => {
            // A link to a directory is used as one, and never owned: what it points at is somebody's choice.
            let below = host.observe(&[Query::Entries(path.to_owned())]).await.pop();
            if !matches!(below, Some(Answer::Entries(_))) {
                return Err(Diagnostic::error(format!("{} is there and is not a directory", path.display()))
                    .help("move it away, or give the resource another name"));
            }
            return Ok(fact("owned", false));
        }
        _ => false,
    };
    if there {
        // Somebody else in this run, or this action before a kill, may have made it since.
        let owned = owned || !before.existed || is_made_root(context, path).await?;
        if owned {
            let operation = FileOperation::SetAccess { path: path.to_owned(), access: access.clone() };
            host.files(guarded(context.spec, path, vec![operation])).await?;
        }
        return Ok(facts(host, path, owned).await);
    }
    let parents = missing(host, path).await;
    let make = parents.into_iter().flat_map(|parent| {
        let access =
            if parent == path { access.clone() } else { Access { owner: None, group: None, mode: 0o755 } };
        let operation = FileOperation::MakeDirectory { path: parent.clone(), access };
        guarded(context.spec, &parent, vec![operation])
    });
    let mut operations: Vec<_> = make.collect();
    operations.extend(path.parent().map(|parent| FileOperation::Sync { path: parent.to_owned() }));
    host.files(operations).await?;
    Ok(facts(host, path, true).await)
}

/// Whose the directory is: vsa's or somebody else's, and of vsa's the ids that its owner and group came to.
async fn facts(host: &dyn Host, path: &Path, owned: bool) -> Facts {
    let mut facts = fact("owned", owned);
    if owned && let Some(Answer::Stat(stat)) = host.observe(&[Query::Stat(path.to_owned())]).await.pop() {
        facts.extend(fact("uid", stat.uid));
        facts.extend(fact("gid", stat.gid));
    }
    facts
}

/// Whether a directory is the node's own, and vsa made it.
async fn is_made_root(context: Context<'_>, path: &Path) -> Result<bool, Diagnostic> {
    let Context { host, spec, .. } = context;
    Ok(*path == spec.root
        && lock::owner(host, spec).await?.is_some_and(|owner| owner.made.contains(&spec.root)))
}

/// Takes back what [`ensure`] did: what it made goes (a tenant's, or one outside the
/// node's directory, only if it is empty), what it mended is as it was.
pub(super) async fn undo(
    context: Context<'_>,
    path: &Path,
    owned: bool,
    before: &Before,
) -> Result<(), Diagnostic> {
    if let Some((mode, uid, gid)) = before.access {
        if owned || is_made_root(context, path).await? {
            let access = Access { owner: Some(uid.to_string()), group: Some(gid.to_string()), mode };
            let operation = FileOperation::SetAccess { path: path.to_owned(), access };
            context.host.files(guarded(context.spec, path, vec![operation])).await?;
        }
        return Ok(());
    }
    let root = &context.spec.root;
    let is_tenants = path.starts_with(&context.spec.srv_root);
    let remove = if path.starts_with(root) && path != root && !is_tenants {
        // What nginx put there meanwhile was for this run alone.
        FileOperation::RemoveTree { root: root.clone(), path: path.to_owned() }
    } else {
        FileOperation::RemoveDirectory { path: path.to_owned() }
    };
    context.host.files(guarded(context.spec, path, vec![remove])).await?;
    for parent in before.parents.iter().rev() {
        let remove = vec![FileOperation::RemoveDirectory { path: parent.clone() }];
        if context.host.files(guarded(context.spec, parent, remove)).await.is_err() {
            // Another action made something below it; its own undo comes to it again.
            break;
        }
    }
    Ok(())
}

/// Removes a directory with all below it.
pub(super) async fn remove(context: Context<'_>, root: &Path, path: &Path) -> Result<Facts, Diagnostic> {
    let operation = FileOperation::RemoveTree { root: root.to_owned(), path: path.to_owned() };
    context.host.files(vec![operation]).await?;
    Ok(Facts::new())
}

/// Removes a directory if it is empty, else says that it stays.
pub(super) async fn remove_empty(context: Context<'_>, path: &Path) -> Result<Facts, Diagnostic> {
    match context.host.observe(&[Query::Stat(path.to_owned())]).await.pop() {
        Some(Answer::Stat(stat)) if stat.file_type == FileType::Directory && stat.empty => {
            let remove = FileOperation::RemoveDirectory { path: path.to_owned() };
            context.host.files(guarded(context.spec, path, vec![remove])).await?;
            Ok(Facts::new())
        }
        Some(Answer::Stat(_)) => Ok(fact("kept", path.to_string_lossy().into_owned())),
        _ => Ok(Facts::new()),
    }
}
