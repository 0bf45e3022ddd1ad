//! Changes below a directory that somebody else may write to: no symbolic link is followed.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use rustix::fs::{Mode, OFlags, open, openat};

use super::{Ids, change};
use crate::host::{FileOperation, HostError, pause};

/// Does an operation on what stands below `root`. Each directory on the way is opened from the one above it and held
/// until the operation is done, so nothing can be put in its place meanwhile.
pub(super) fn one(root: &Path, operation: &FileOperation, ids: &Ids) -> Result<(), HostError> {
    let mut held = Vec::new();
    let mut named = Vec::new();
    let mut find = |path: &Path| {
        let Some(directory) = walk(root, path)? else { return Ok(None) };
        let handle = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
        let place = handle.join(path.file_name().unwrap_or_default());
        held.push(directory);
        named.push((handle, path.parent().unwrap_or(root).to_owned()));
        Ok::<_, HostError>(Some(place))
    };
    let mut by_handle = |path: &Path| {
        find(path)?.ok_or_else(|| HostError::because("reach", path, "the directory is not there"))
    };
    let moved = match operation {
        FileOperation::MakeDirectory { path, access } => {
            FileOperation::MakeDirectory { path: by_handle(path)?, access: access.clone() }
        }
        FileOperation::SetAccess { path, access } => {
            FileOperation::SetAccess { path: by_handle(path)?, access: access.clone() }
        }
        FileOperation::Replace { path, access, bytes } => {
            FileOperation::Replace { path: by_handle(path)?, access: access.clone(), bytes: bytes.clone() }
        }
        FileOperation::HardLink { from, to } => {
            FileOperation::HardLink { from: by_handle(from)?, to: by_handle(to)? }
        }
        FileOperation::Rename { from, to } => {
            FileOperation::Rename { from: by_handle(from)?, to: by_handle(to)? }
        }
        // What is not there any more is gone, with the directory that it was in.
        FileOperation::Remove { path } => match find(path)? {
            Some(path) => FileOperation::Remove { path },
            None => return Ok(()),
        },
        FileOperation::RemoveDirectory { path } => match find(path)? {
            Some(path) => FileOperation::RemoveDirectory { path },
            None => return Ok(()),
        },
        _ => return Err(HostError::because("change", root, "that is not done without following links")),
    };
    pause::around(|| change(&moved, ids, false)).map_err(|error| {
        let real = named.iter().find_map(|(handle, directory)| {
            let name = error.path.strip_prefix(handle).ok()?;
            Some(if name.as_os_str().is_empty() { directory.clone() } else { directory.join(name) })
        });
        HostError { path: real.unwrap_or_else(|| error.path.clone()), ..error }
    })
}

/// Opens the directory of a path; `None` where it is not there. The way to `root` itself is the administrator's, and may
/// have links.
fn walk(root: &Path, path: &Path) -> Result<Option<OwnedFd>, HostError> {
    let refused = |reason: String| HostError::because("reach", path, reason);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let failed = |at: &Path, error: rustix::io::Errno| {
        refused(match Errno::from_raw(error.raw_os_error()) {
            Errno::ENOTDIR | Errno::ELOOP => format!(
                "`{}` is no directory, or a symbolic link, which is not followed; remove it or move it away",
                at.display()
            ),
            error => format!("`{}`: {}", at.display(), error.desc().to_lowercase()),
        })
    };
    let outside = || refused(format!("it is not below `{}`", root.display()));
    let below = path.strip_prefix(root).map_err(|_| outside())?;
    let names = below.parent().ok_or_else(outside)?;
    let mut at = root.to_owned();
    let opened = |at: &Path, result: rustix::io::Result<OwnedFd>| match result {
        Err(rustix::io::Errno::NOENT) => Ok(None),
        result => result.map(Some).map_err(|error| failed(at, error)),
    };
    let Some(mut directory) = opened(root, open(root, flags, Mode::empty()))? else { return Ok(None) };
    for name in names.components() {
        let Component::Normal(name) = name else { return Err(outside()) };
        at.push(name);
        let next = openat(&directory, name, flags | OFlags::NOFOLLOW, Mode::empty());
        let Some(next) = opened(&at, next)? else { return Ok(None) };
        directory = next;
    }
    Ok(Some(directory))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::plan::action::Access;

    fn done(root: &Path, operation: FileOperation) -> Result<(), HostError> {
        super::super::all(&[FileOperation::Below { root: root.to_owned(), operations: vec![operation] }])
    }

    #[test]
    fn failures_name_the_place_itself() {
        let ground = tempfile::tempdir().unwrap();
        let root = ground.path();
        fs::create_dir_all(root.join("conf/.a.new")).unwrap();
        fs::create_dir(root.join("conf/b")).unwrap();
        let access = || Access { owner: None, group: None, mode: 0o640 };
        let write = |path: &str| FileOperation::Replace {
            path: root.join(path),
            access: access(),
            bytes: "new".into(),
        };
        for (operation, place) in [
            (write("conf/a"), "conf/.a.new"),
            (write("conf/b"), "conf/b"),
            (write("none/a"), "none/a"),
            (FileOperation::Rename { from: root.join("conf/none"), to: root.join("c") }, "conf/none"),
        ] {
            let failed = done(root, operation).unwrap_err();
            assert_eq!(failed.path, root.join(place), "{failed}");
        }
    }

    #[test]
    fn nothing_is_changed_beyond_a_link() {
        let ground = tempfile::tempdir().unwrap();
        let (root, outside) = (ground.path().join("root"), ground.path().join("outside"));
        let access = || Access { owner: None, group: None, mode: 0o640 };
        for directory in [&root, &root.join("conf"), &outside, &outside.join("in")] {
            fs::create_dir(directory).unwrap();
        }
        fs::write(outside.join("kept"), "kept").unwrap();
        let write = |path: PathBuf| FileOperation::Replace { path, access: access(), bytes: "new".into() };
        done(&root, write(root.join("conf/a"))).unwrap();
        done(&root, write(root.join("b"))).unwrap();
        assert_eq!(fs::read_to_string(root.join("conf/a")).unwrap(), "new");

        fs::rename(root.join("conf"), root.join("gone")).unwrap();
        symlink(&outside, root.join("conf")).unwrap();
        let kept = || root.join("conf/kept");
        for operation in [
            write(root.join("conf/a")),
            write(root.join("conf/in/a")),
            write(kept()),
            FileOperation::MakeDirectory { path: root.join("conf/new"), access: access() },
            FileOperation::SetAccess { path: root.join("conf/in"), access: access() },
            FileOperation::HardLink { from: root.join("b"), to: root.join("conf/b") },
            FileOperation::Rename { from: kept(), to: root.join("b") },
            FileOperation::Remove { path: kept() },
            FileOperation::RemoveDirectory { path: root.join("conf/in") },
            write(root.join("../outside/a")),
            write(outside.join("a")),
        ] {
            let shown = format!("{operation:?}");
            assert!(done(&root, operation).is_err(), "{shown}");
        }
        let refused = done(&root, write(root.join("conf/a"))).unwrap_err().to_string();
        assert!(
            refused.contains("is no directory, or a symbolic link") && !refused.contains("/proc/"),
            "{refused}"
        );
        let names = |path: &Path| fs::read_dir(path).unwrap().count();
        assert_eq!((names(&outside), names(&outside.join("in"))), (2, 0));
        assert_eq!(fs::read_to_string(outside.join("kept")).unwrap(), "kept");
        done(&root, FileOperation::Remove { path: root.join("none/a") }).unwrap();
        // The link itself is what stands there: it goes, and what it names stays.
        done(&root, FileOperation::Remove { path: root.join("conf") }).unwrap();
        assert_eq!(names(&outside), 2);
    }
}
