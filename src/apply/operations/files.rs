//! Files of resources at places of their own.

use std::path::{Path, PathBuf};

use super::{Context, Facts};
use crate::apply::journal::Before;
use crate::diag::Diagnostic;
use crate::host::{Contents, FileOperation};
use crate::plan::action::Access;
use crate::plan::{Answer, observation::FileType};
use crate::plan::{NodeSpec, PlacedBody, Query};

/// Where the former file is kept until the run has committed: beside the new one, so with the same protection.
pub(in crate::apply) fn former(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.vsa-former"))
}

/// Writes a file, and keeps the former one.
pub(super) async fn write(
    context: Context<'_>,
    path: &Path,
    access: &Access,
    before: &Before,
) -> Result<Facts, Diagnostic> {
    let key = (context.spec.address.clone(), path.to_owned());
    let Some(file) = context.placed.get(&key) else {
        return Err(Diagnostic::error(format!("the plan has no text for `{}`", path.display())));
    };
    let bytes: Contents = match &file.body {
        PlacedBody::Bytes(bytes) => bytes.to_vec().into(),
        PlacedBody::Text(content) => match content.exposed() {
            Some(text) => text.expose().into(),
            None => return Err(Diagnostic::error("a placed file holds a password that is not hashed")),
        },
    };
    let mut operations = Vec::new();
    if before.existed {
        if let Some(Answer::Stat(stat)) = context.host.observe(&[Query::Stat(path.to_owned())]).await.pop()
            && stat.file_type != FileType::File
        {
            return Err(Diagnostic::error(format!("`{}` is there and is not a file", path.display()))
                .help("move it away, or give the resource another name"));
        }
        let former = former(path);
        operations.push(FileOperation::HardLink { from: path.to_owned(), to: former });
    }
    operations.push(FileOperation::Replace { path: path.to_owned(), access: access.clone(), bytes });
    context.host.files(guarded(context.spec, path, operations)).await?;
    Ok(Facts::new())
}

/// Operations on a path: where containers may write, no symbolic link is followed on the way to it.
pub(in crate::apply) fn guarded(
    spec: &NodeSpec,
    path: &Path,
    operations: Vec<FileOperation>,
) -> Vec<FileOperation> {
    match spec.stack_around(path) {
        Some(root) => vec![FileOperation::Below { root, operations }],
        None => operations,
    }
}

/// Puts the former file back, or removes the new one where there was none.
pub(super) async fn undo(context: Context<'_>, path: &Path, before: &Before) -> Result<(), Diagnostic> {
    let former = former(path);
    let kept = context.host.observe(&[Query::Stat(former.clone())]).await.pop();
    let operation = match (before.existed, kept) {
        (true, Some(Answer::Stat(_))) => FileOperation::Rename { from: former, to: path.to_owned() },
        // The new one was never written.
        (true, _) => return Ok(()),
        (false, _) => FileOperation::Remove { path: path.to_owned() },
    };
    Ok(context.host.files(guarded(context.spec, path, vec![operation])).await?)
}

/// Removes a file.
pub(super) async fn remove(context: Context<'_>, path: &Path) -> Result<Facts, Diagnostic> {
    let remove = FileOperation::Remove { path: path.to_owned() };
    context.host.files(guarded(context.spec, path, vec![remove])).await?;
    Ok(Facts::new())
}
