//! Directories as they are found, with what is in their files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode, OFlags};
use zeroize::Zeroizing;

use super::observe::{another_certificates, digest_of, read_pem};
use crate::host::private_key;
use crate::plan::observation::{Ids, Leaf};

/// Leaves below a directory by their path.
pub(super) fn tree(directory: &Path) -> io::Result<BTreeMap<String, Leaf>> {
    let mut listings = Vec::new();
    let mut level = vec![String::new()];
    while !level.is_empty() {
        let listed: Vec<_> =
            level.into_par_iter().map(|prefix| list(directory, prefix)).collect::<io::Result<_>>()?;
        level = listed.iter().flat_map(Listed::below).collect();
        listings.extend(listed);
    }
    let leaves = |listed: &Listed| -> io::Result<Vec<(String, Leaf)>> {
        let leaves = listed.leaves.par_iter().map_init(Vec::new, |buffer, (name, is_link)| {
            let place = Place { directory: listed.handle.as_fd(), path: Path::new(name) };
            let leaf = if *is_link { place.link()? } else { place.file(buffer)?.0 };
            Ok((format!("{}{name}", listed.prefix), leaf))
        });
        leaves.collect()
    };
    let leaves: Vec<_> = listings.par_iter().map(leaves).collect::<io::Result<_>>()?;
    Ok(leaves.into_iter().flatten().collect())
}

/// The links directly in a directory, with what the directories that they name hold of three files.
pub(super) fn linked(path: &Path, [read, unread, rare]: [&str; 3]) -> io::Result<BTreeMap<String, Leaf>> {
    let Listed { handle, leaves, .. } = list(path, String::new())?;
    let links = leaves.into_par_iter().filter(|(_, is_link)| *is_link);
    let found: Vec<_> = links
        .map_init(Vec::new, |buffer, (name, _)| {
            let directory = handle.as_fd();
            let Leaf::Link(target) = (Place { directory, path: Path::new(&name) }).link()? else {
                return Ok(Vec::new());
            };
            let link = path.join(&name);
            let mut found = Vec::with_capacity(6);
            let chain = there(Place { directory, path: &target.join(read) }.leaf(buffer))?;
            let mut key = there(Place { directory, path: &target.join(unread) }.unread())?;
            if let (Some((_, Some(certified))), Some((Leaf::Unread { is_anothers, .. }, Some(written)))) =
                (&chain, &mut key)
            {
                // It is read only where it was written after its certificate: vsa writes them the other way round.
                *is_anothers |=
                    *written > *certified && is_anothers_key(&link.join(unread), &link.join(read));
            }
            found.extend(chain.map(|(leaf, _)| (format!("{name}/{read}"), leaf)));
            found.extend(key.map(|(leaf, _)| (format!("{name}/{unread}"), leaf)));
            let rarely = there(Place { directory, path: &target.join(rare) }.unread())?;
            found.extend(rarely.map(|(leaf, _)| (format!("{name}/{rare}"), leaf)));
            for (which, path) in [(Leaf::ITSELF, target.clone()), (Leaf::ABOVE, target.join(Leaf::ABOVE))] {
                let its = there(Place { directory, path: &path }.access())?.flatten();
                found.extend(its.map(|leaf| (format!("{name}/{which}"), leaf)));
            }
            found.push((name, Leaf::Link(target)));
            Ok(found)
        })
        .collect::<io::Result<_>>()?;
    Ok(found.into_iter().flatten().collect())
}

fn is_anothers_key(key: &Path, certificate: &Path) -> bool {
    read_pem(key)
        .map(Zeroizing::new)
        .is_ok_and(|key| private_key(&key).is_err() || another_certificates(&key, certificate).is_some())
}

/// What is found, if anything is: nothing is at the end of a way that leads in a circle either.
fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) if is_circle(&error) => Ok(None),
        result => result.map(Some),
    }
}

fn is_circle(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ELOOP as i32)
}

/// A path from a directory that is open: the way to it is not gone again for each of thousands.
struct Place<'a> {
    directory: BorrowedFd<'a>,
    path: &'a Path,
}

/// When a file was last written: seconds since 1970, and nanoseconds.
type Written = (i64, i64);

impl Place<'_> {
    fn link(&self) -> io::Result<Leaf> {
        let target = rustix::fs::readlinkat(self.directory, self.path, Vec::with_capacity(256))?;
        Ok(Leaf::Link(OsString::from_vec(target.into_bytes()).into()))
    }

    /// A file that is no link, and when it was written. What is neither is refused unread: opening a pipe would wait for
    /// its writer.
    fn file(&self, buffer: &mut Vec<u8>) -> io::Result<(Leaf, Option<Written>)> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(self.directory, self.path, flags, Mode::empty())?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let mode = metadata.permissions().mode() & 0o7777;
        let ids = Ids { uid: metadata.uid(), gid: metadata.gid() };
        let digest = digest_of(&mut file, metadata.len(), buffer)?;
        Ok((Leaf::File { digest, mode, ids }, Some((metadata.mtime(), metadata.mtime_nsec()))))
    }

    fn leaf(&self, buffer: &mut Vec<u8>) -> io::Result<(Leaf, Option<Written>)> {
        match self.file(buffer) {
            Err(error) if is_circle(&error) => Ok((self.link()?, None)),
            leaf => leaf,
        }
    }

    /// What is not read, and when it was written.
    fn unread(&self) -> io::Result<(Leaf, Option<Written>)> {
        let status = rustix::fs::statat(self.directory, self.path, AtFlags::SYMLINK_NOFOLLOW)?;
        let file_type = rustix::fs::FileType::from_raw_mode(status.st_mode);
        if file_type.is_symlink() {
            return Ok((self.link()?, None));
        }
        let written = (status.st_mtime, i64::try_from(status.st_mtime_nsec).unwrap_or(i64::MAX));
        let ids = Ids { uid: status.st_uid, gid: status.st_gid };
        // What is no file is no key: nginx would wait at a pipe.
        let is_anothers = !file_type.is_file();
        Ok((Leaf::Unread { mode: status.st_mode & 0o7777, ids, is_anothers }, Some(written)))
    }

    /// The access of a directory; nothing of what is none.
    fn access(&self) -> io::Result<Option<Leaf>> {
        let status = rustix::fs::statat(self.directory, self.path, AtFlags::SYMLINK_NOFOLLOW)?;
        let ids = Ids { uid: status.st_uid, gid: status.st_gid };
        let is_directory = rustix::fs::FileType::from_raw_mode(status.st_mode).is_dir();
        Ok(is_directory.then_some(Leaf::Directory { mode: status.st_mode & 0o7777, ids }))
    }
}

/// What stands directly in a directory.
struct Listed {
    /// The directory, open.
    handle: File,
    /// Its path below the tree's root: empty, or with a `/` at its end.
    prefix: String,
    /// Names of files and links, and whether each is a link.
    leaves: Vec<(String, bool)>,
    /// Names of directories.
    directories: Vec<String>,
}

impl Listed {
    /// The directories in it, by their paths below the tree's root.
    fn below(&self) -> impl Iterator<Item = String> {
        self.directories.iter().map(|name| format!("{}{name}/", self.prefix))
    }
}

/// What stands in `directory/prefix`. What is neither a file nor a link is left out: opening a pipe would wait for its
/// writer.
fn list(directory: &Path, prefix: String) -> io::Result<Listed> {
    let path = directory.join(&prefix);
    let (mut leaves, mut directories) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(&path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_dir() {
            directories.push(name);
        } else if kind.is_file() || kind.is_symlink() {
            leaves.push((name, kind.is_symlink()));
        }
    }
    Ok(Listed { handle: File::open(path)?, prefix, leaves, directories })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_digests_modes_and_targets() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("sites")).unwrap();
        fs::write(directory.path().join("sites/a.conf"), "abc").unwrap();
        fs::set_permissions(directory.path().join("sites/a.conf"), fs::Permissions::from_mode(0o640))
            .unwrap();
        std::os::unix::fs::symlink("/dev/null", directory.path().join("log")).unwrap();
        let found = tree(directory.path()).unwrap();
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
        let ids = Ids { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() };
        assert_eq!(found["sites/a.conf"], Leaf::File { digest, mode: 0o640, ids });
        assert_eq!(found["log"], Leaf::Link("/dev/null".into()));
        assert_eq!(tree(&directory.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn links_lead_to_the_files_of_what_they_name() {
        let directory = tempfile::tempdir().unwrap();
        let made = directory.path().join("made");
        fs::create_dir(&made).unwrap();
        fs::write(made.join("chain"), "abc").unwrap();
        std::os::unix::fs::symlink("chain", made.join("key")).unwrap();
        let links = directory.path().join("links");
        fs::create_dir(&links).unwrap();
        for (name, target) in [("shop", made.as_path()), ("gone", Path::new("/nowhere"))] {
            std::os::unix::fs::symlink(target, links.join(name)).unwrap();
        }
        let found = linked(&links, ["chain", "key", "rare"]).unwrap();
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            ["gone", "shop", "shop/.", "shop/..", "shop/chain", "shop/key"]
        );
        assert!(matches!(found["shop/."], Leaf::Directory { .. }));
        assert_eq!(found["shop/key"], Leaf::Link("chain".into()));
        assert!(matches!(&found["shop/chain"], Leaf::File { digest, .. } if digest.starts_with("ba7816bf")));
        assert_eq!(found["gone"], Leaf::Link("/nowhere".into()));
    }
}
