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
            fs::File::open(from).and_then(|opened| opened.sync_all()).map_err(failed("sync", from))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of a file and a link, and one of another link that shall take its place.
    fn ground() -> (tempfile::TempDir, std::path::PathBuf, std::path::PathBuf) {
        let ground = tempfile::tempdir().unwrap();
        let (from, to) = (ground.path().join(".live.new"), ground.path().join("live"));
        for directory in [&from, &to] {
            fs::create_dir(directory).unwrap();
        }
        fs::write(to.join("README"), "text").unwrap();
        symlink("bundle", to.join("alias")).unwrap();
        symlink("old", to.join("cert")).unwrap();
        symlink("new", from.join("cert")).unwrap();
        (ground, from, to)
    }

    fn shown(to: &Path) -> (String, std::path::PathBuf, std::path::PathBuf) {
        let link = |name| fs::read_link(to.join(name)).unwrap();
        (fs::read_to_string(to.join("README")).unwrap(), link("alias"), link("cert"))
    }

    #[test]
    fn what_else_is_there_is_carried_over() {
        let (_ground, from, to) = ground();
        supplant(&from, &to).unwrap();
        assert_eq!(shown(&to), ("text".to_owned(), "bundle".into(), "new".into()));
        assert_eq!(fs::read_link(from.join("cert")).unwrap(), Path::new("old"));
        assert_eq!(fs::read_dir(&to).unwrap().count(), 3);
    }

    #[test]
    fn where_directories_cannot_be_exchanged_each_name_takes_its_place() {
        let (ground, from, to) = ground();
        fs::create_dir(to.join("below")).unwrap();
        fs::write(to.join("below/kept"), "kept").unwrap();
        supplant(&from, &to).unwrap();
        assert_eq!(shown(&to), ("text".to_owned(), "bundle".into(), "new".into()));
        assert_eq!(fs::read_to_string(to.join("below/kept")).unwrap(), "kept");

        // A link to the directory stays a link.
        let alias = ground.path().join("alias");
        symlink("live", &alias).unwrap();
        let again = ground.path().join(".alias.new");
        fs::create_dir(&again).unwrap();
        symlink("newer", again.join("cert")).unwrap();
        supplant(&again, &alias).unwrap();
        assert_eq!(fs::read_link(&alias).unwrap(), Path::new("live"));
        assert_eq!(fs::read_link(to.join("cert")).unwrap(), Path::new("newer"));
    }

    #[test]
    fn where_nothing_is_it_is_moved() {
        let (_ground, from, to) = ground();
        fs::remove_dir_all(&to).unwrap();
        supplant(&from, &to).unwrap();
        assert_eq!(fs::read_link(to.join("cert")).unwrap(), Path::new("new"));
        assert!(!from.exists());
    }
}
