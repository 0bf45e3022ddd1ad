//! What vsa laid out for other programs, as it is found: thousands of lineages are looked at in each plan.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::digest::sha256;
use crate::host::{is_key_of, private_key};
use crate::plan::issuance::lineage::resolved;
use crate::plan::issuance::{Damage, Lineage, Piece, PublishedLineage};

type Published = BTreeMap<String, Result<PublishedLineage, Damage>>;

/// The lineages of a home of vsa's own, by name.
pub(super) fn all(home: &Path) -> io::Result<Published> {
    let entries: Vec<_> = fs::read_dir(home.join("live"))?.collect::<io::Result<_>>()?;
    let found = entries.into_par_iter().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let lineage = Lineage::new(home, &*name).ok()?;
        Some(one(&lineage).map(|found| (name, found)))
    });
    found.collect()
}

/// When an inode was last changed: seconds since 1970, and nanoseconds. No program sets it back.
type Changed = (i64, i64);

/// What is found of one; an error where that cannot be told.
fn one(lineage: &Lineage) -> io::Result<Result<PublishedLineage, Damage>> {
    let below = |path: &Path, what: &str| {
        let path = path.strip_prefix(lineage.home()).unwrap_or(path).display().to_string();
        Damage { path, what: what.to_owned(), is_in_the_way: false }
    };
    let in_the_way = |path: &Path, what: &str| Damage { is_in_the_way: true, ..below(path, what) };
    let archive = lineage.archive();
    let mut number = None;
    let mut opened = Vec::with_capacity(Piece::ALL.len());
    for piece in Piece::ALL {
        let link = lineage.link(piece);
        let target = match fs::read_link(&link) {
            Ok(target) => resolved(&link, &target),
            Err(error) => match is_gone(&error) {
                true if is_no_directory(&lineage.live()) => {
                    return Ok(Err(in_the_way(&lineage.live(), "is no directory")));
                }
                true => return Ok(Err(below(&link, "was deleted"))),
                false if error.kind() == ErrorKind::InvalidInput => {
                    let is_file = fs::symlink_metadata(&link)?.is_file();
                    return Ok(Err(if is_file {
                        below(&link, "is no link any more")
                    } else {
                        in_the_way(&link, "is neither a link nor a file")
                    }));
                }
                false => return Err(error),
            },
        };
        let named = target.file_name().and_then(|name| Piece::of_archived(name.to_str()?));
        let is_inside = target.parent() == Some(&archive);
        match named {
            Some((found, its)) if is_inside && found == piece && its == *number.get_or_insert(its) => {}
            _ => return Ok(Err(below(&link, &format!("leads to `{}`", target.display())))),
        }
        let mut options = fs::OpenOptions::new();
        options.read(true).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
        match options.open(&target) {
            Ok(file) => opened.push((piece, target, file)),
            Err(error) if is_gone(&error) && is_no_directory(&archive) => {
                return Ok(Err(in_the_way(&archive, "is no directory")));
            }
            Err(error) if is_gone(&error) => return Ok(Err(below(&target, "was deleted"))),
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32) => {
                return Ok(Err(below(&target, "is a link")));
            }
            Err(error) => return Err(error),
        }
    }
    whole(number.unwrap_or_default(), opened).map(|found| found.map_err(|(path, what)| below(&path, what)))
}

/// Whether something else stands there.
fn is_no_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_dir())
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Reads the chain, and of the others those that were changed after it: vsa writes it last.
fn whole(
    number: u64,
    opened: Vec<(Piece, PathBuf, File)>,
) -> io::Result<Result<PublishedLineage, (PathBuf, &'static str)>> {
    let mut changed: BTreeMap<Piece, (Changed, PathBuf, File)> = BTreeMap::new();
    let (mut key_mode, mut key_owner) = (0, 0);
    for (piece, path, file) in opened {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Err((path, "is no file any more")));
        }
        if piece == Piece::Privkey {
            (key_mode, key_owner) = (metadata.permissions().mode() & 0o7777, metadata.uid());
        }
        changed.insert(piece, ((metadata.ctime(), metadata.ctime_nsec()), path, file));
    }
    let mut take = |piece: Piece| changed.remove(&piece).ok_or_else(|| io::Error::other("it was not opened"));
    let (written, _, chain) = take(Piece::Fullchain)?;
    let fullchain = read(chain)?;
    let [cert, rest, key] = [take(Piece::Cert)?, take(Piece::Chain)?, take(Piece::Privkey)?];
    let edited = [cert.0, rest.0].iter().any(|changed| *changed > written);
    if edited {
        let (certificate, others) =
            crate::plan::issuance::lineage::split_chain(&String::from_utf8_lossy(&fullchain));
        for ((_, path, file), wanted) in [(cert, certificate), (rest, others)] {
            if *read(file)? != *wanted.as_bytes() {
                return Ok(Err((path, "was edited")));
            }
        }
    }
    let (its, path, file) = key;
    if its > written {
        let key = read(file)?;
        if private_key(&key).is_err() || is_key_of(&key, &fullchain) == Some(false) {
            return Ok(Err((path, "is not the key of the certificate")));
        }
    }
    Ok(Ok(PublishedLineage { number, digest: sha256(&fullchain), key_mode, key_owner }))
}

/// How much of a file is read, in bytes: many times the longest chain.
const LARGEST: u64 = 1 << 20;

fn read(file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 << 10));
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
