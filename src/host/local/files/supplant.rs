//! A directory in the place of another.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{failed, sync_parent};
use crate::host::HostError;

/// Puts `from` into the place of `to`; see [`crate::host::FileOperation::Supplant`].
pub(super) fn supplant(from: &Path, to: &Path) -> Result<(), HostError> {
    match fs::symlink_metadata(to) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::rename(from, to).map_err(failed("rename", from))?;
        }
        Err(error) => return Err(HostError::new("look at", to, error)),
        // Whatever hinders the exchange, the way name by name shows whether it can be done at all.
        Ok(found) if found.is_dir() && exchange(from, to).is_ok() => {}
        Ok(_) => one_by_one(from, to)?,
    }
    sync_parent(to)
}

fn exchange(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        let place = from.join(entry.file_name());
        let kind = entry.file_type()?;
        let carried = if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &place)
        } else {
            fs::hard_link(entry.path(), &place)
        };
        match carried {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            carried => carried?,
        }
    }
    fs::File::open(from)?.sync_all()?;
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::EXCHANGE)?)
}

fn one_by_one(from: &Path, to: &Path) -> Result<(), HostError> {
    let entries = fs::read_dir(from).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut names: Vec<_> =
        entries.map_err(failed("read", from))?.into_iter().map(|entry| entry.file_name()).collect();
    names.sort();
    for name in names {
        fs::rename(from.join(&name), to.join(&name)).map_err(failed("replace", &to.join(&name)))?;
    }
    fs::File::open(to).and_then(|opened| opened.sync_all()).map_err(failed("sync", to))
}
