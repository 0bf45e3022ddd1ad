//! Changes of files on this machine.

mod beneath;
mod supplant;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::unistd::{fchown, syncfs};
use rayon::prelude::*;

use super::access::Ids;
use crate::host::durable::{self, beside};
use crate::host::{FileOperation, HostError, pause};
use crate::plan::action::Access;

/// Does the operations in their order.
pub(super) fn all(operations: &[FileOperation]) -> Result<(), HostError> {
    let ids = Ids::default();
    operations.iter().try_for_each(|operation| one(operation, &ids))
}

fn one(operation: &FileOperation, ids: &Ids) -> Result<(), HostError> {
    match operation {
        FileOperation::Unordered(operations) => {
            operations.par_iter().with_min_len(16).try_for_each(|operation| one(operation, ids))
        }
        FileOperation::Below { root, operations } => {
            operations.iter().try_for_each(|operation| beneath::one(root, operation, ids))
        }
        other => pause::around(|| change(other, ids, true)),
    }
}

/// Does one operation; `links` says whether a directory that shall be there may be reached by a link.
fn change(operation: &FileOperation, ids: &Ids, links: bool) -> Result<(), HostError> {
    match operation {
        FileOperation::MakeDirectory { path, access } => make_directory(path, access, ids, links),
        FileOperation::SetAccess { path, access } => {
            let mut options = OpenOptions::new();
            options.read(true).custom_flags(OFlag::O_NOFOLLOW.bits());
            let opened = options.open(path).map_err(failed("set the access of", path))?;
            set_access(&opened, path, access, ids)
        }
        FileOperation::Create { path, access, bytes } => create(path, access, bytes, ids).map(drop),
        FileOperation::Replace { path, access, bytes } => replace(path, access, bytes, ids),
        FileOperation::HardLink { from, to } => fs::hard_link(from, to).map_err(failed("link", to)),
        FileOperation::Link { path, target } => symlink(target, path).map_err(failed("link", path)),
        FileOperation::Repoint { path, target } => {
            let new = beside(path);
            absent_is_fine(fs::remove_file(&new)).map_err(failed("remove", &new))?;
            symlink(target, &new).map_err(failed("link", &new))?;
            fs::rename(&new, path).map_err(failed("replace", path))?;
            sync_parent(path)
        }
        FileOperation::Rename { from, to } => {
            fs::rename(from, to).map_err(failed("rename", from))?;
            sync_parent(from)?;
            if from.parent() == to.parent() { Ok(()) } else { sync_parent(to) }
        }
        FileOperation::Supplant { from, to } => supplant::supplant(from, to),
        FileOperation::Remove { path } => {
            absent_is_fine(fs::remove_file(path)).map_err(failed("remove", path))
        }
        FileOperation::RemoveDirectory { path } => {
            absent_is_fine(fs::remove_dir(path)).map_err(failed("remove", path))
        }
        FileOperation::RemoveTree { root, path } => {
            let inside = path.strip_prefix(root).is_ok_and(|rest| {
                rest.components().next().is_some()
                    && rest.components().all(|part| matches!(part, std::path::Component::Normal(_)))
            });
            if !inside {
                let reason = format!("it is not below `{}`", root.display());
                return Err(HostError::because("remove", path, reason));
            }
            absent_is_fine(fs::remove_dir_all(path)).map_err(failed("remove", path))
        }
        FileOperation::Sync { path } => {
            File::open(path).and_then(|opened| opened.sync_all()).map_err(failed("sync", path))
        }
        FileOperation::SyncFilesystem { path } => {
            let opened = File::open(path).map_err(failed("sync", path))?;
            syncfs(&opened).map_err(|error| HostError::new("sync", path, error))
        }
        FileOperation::Unordered(_) | FileOperation::Below { .. } => one(operation, ids),
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HostError {
    let path = path.to_owned();
    move |error| HostError::new(what, path, error)
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn sync_parent(path: &Path) -> Result<(), HostError> {
    durable::sync_parent(path).map_err(failed("sync", durable::parent(path)))
}

/// Makes a directory. One that is there already stays as it is; `links` says whether it may be reached by a link.
fn make_directory(path: &Path, access: &Access, ids: &Ids, links: bool) -> Result<(), HostError> {
    let is_there =
        || if links { path.is_dir() } else { path.symlink_metadata().is_ok_and(|found| found.is_dir()) };
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists && is_there() => return Ok(()),
        Err(error) => return Err(HostError::new("make the directory", path, error)),
    }
    // Something else may have taken its place since.
    let mut options = OpenOptions::new();
    options.read(true).custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits());
    let opened = options.open(path).map_err(failed("open", path))?;
    set_access(&opened, path, access, ids)
}

fn set_access(opened: &File, path: &Path, access: &Access, ids: &Ids) -> Result<(), HostError> {
    let (owner, group) = ids.of(access, path)?;
    if owner.is_some() || group.is_some() {
        fchown(opened, owner, group).map_err(|error| HostError::new("set the owner of", path, error))?;
    }
    // After the owner: a change of owner takes set-id bits away.
    opened.set_permissions(Permissions::from_mode(access.mode)).map_err(failed("set the mode of", path))
}

fn create(path: &Path, access: &Access, bytes: &[u8], ids: &Ids) -> Result<File, HostError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).map_err(failed("write", path))?;
    set_access(&file, path, access, ids)?;
    file.write_all(bytes).map_err(failed("write", path))?;
    Ok(file)
}

fn replace(path: &Path, access: &Access, bytes: &[u8], ids: &Ids) -> Result<(), HostError> {
    let new = beside(path);
    absent_is_fine(fs::remove_file(&new)).map_err(failed("remove", &new))?;
    let file = create(&new, access, bytes, ids)?;
    file.sync_all().map_err(failed("sync", &new))?;
    fs::rename(&new, path).map_err(failed("replace", path))?;
    sync_parent(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_may_be_reached_by_a_link_of_the_administrator_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (root, target) = (directory.path(), directory.path().join("target"));
        fs::create_dir(&target).unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o700)).unwrap();
        symlink(&target, root.join("link")).unwrap();
        let access = Access { owner: None, group: None, mode: 0o755 };
        let make =
            |name: &str| FileOperation::MakeDirectory { path: root.join(name), access: access.clone() };
        let below = |name: &str| FileOperation::Below { root: root.to_owned(), operations: vec![make(name)] };
        all(&[make("link"), make("target"), below("target")]).unwrap();
        assert!(all(&[below("link")]).is_err());
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o700);
        all(&[below("new")]).unwrap();
        assert_eq!(fs::metadata(root.join("new")).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn access_is_never_set_through_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("link"));
        fs::create_dir(&target).unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o700)).unwrap();
        symlink(&target, &link).unwrap();
        let access = Access { owner: None, group: None, mode: 0o755 };
        let set = |path: &Path| FileOperation::SetAccess { path: path.to_owned(), access: access.clone() };
        let mode = || fs::metadata(&target).unwrap().permissions().mode() & 0o777;
        assert!(all(&[set(&link)]).is_err());
        assert_eq!(mode(), 0o700);
        all(&[set(&target)]).unwrap();
        assert_eq!(mode(), 0o755);
    }
}
