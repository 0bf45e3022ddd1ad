//! Files that are there whole or not at all.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::Error;
use crate::host::{beside, sync_parent};

/// The permission bits of files that nobody else may read.
pub(super) const PRIVATE: u32 = 0o600;

/// Makes a directory and those above it with the process's own mode; that it is there already is fine.
pub(super) fn make_directory(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::io("make directory", path))
}

/// Makes a directory that nobody else may enter, inside one that is made as usual.
pub(super) fn make_private_directory(path: &Path) -> Result<(), Error> {
    if let Some(parent) = path.parent() {
        make_directory(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made.map_err(Error::io("make directory", path)),
    }
}

/// Creates a file that must not be there yet, private before anything is in it.
pub(super) fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Finds out whether [`replace`] will be able to, changing nothing: a directory may be read-only, a disk full.
pub(super) fn try_beside(path: &Path) -> Result<(), Error> {
    let temporary = beside(path);
    let attempt = || {
        remove_if_there(&temporary)?;
        create_private(&temporary, b" ")?;
        fs::remove_file(&temporary)
    };
    attempt().map_err(Error::io("write", path))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts a private file in the place of whatever is there, so that a reader sees the old bytes or the new ones, also
/// after a power cut. The caller holds a lock: the temporary name is the same for all.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let temporary = beside(path);
    let write = || {
        remove_if_there(&temporary)?;
        create_private(&temporary, bytes)?;
        fs::rename(&temporary, path)?;
        sync_parent(path)
    };
    write().map_err(|source| {
        let _ = fs::remove_file(&temporary);
        Error::io("write", path)(source)
    })
}
