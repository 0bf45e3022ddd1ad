//! What vsa laid out for other programs, as it is found: thousands of lineages are looked at in each plan.
//!
//! Only the chain is read of each. The others are looked at without being opened, and read where they were changed after the
//! chain, which is written last.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::digest::sha256;
use crate::host::{is_key_of, private_key};
use crate::plan::issuance::lineage::{resolved, split_chain};
use crate::plan::issuance::{Damage, Lineage, Obstacle, Piece, PublishedLineage};

type Published = BTreeMap<String, Result<PublishedLineage, Damage>>;

/// The lineages of a home, by name.
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

fn changed(metadata: &Metadata) -> Changed {
    (metadata.ctime(), metadata.ctime_nsec())
}

/// Why a lineage is not whole: it is damaged, or it could not be looked at.
enum Broken {
    Damaged(Damage),
    Unseen(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Unseen(error)
    }
}

/// What is found of one; an error where that cannot be told.
fn one(lineage: &Lineage) -> io::Result<Result<PublishedLineage, Damage>> {
    match look(lineage) {
        Ok(found) => Ok(Ok(found)),
        Err(Broken::Damaged(damage)) => Ok(Err(damage)),
        Err(Broken::Unseen(error)) => Err(error),
    }
}

fn damaged(lineage: &Lineage, path: &Path, what: &str) -> Broken {
    let path = path.strip_prefix(lineage.home()).unwrap_or(path).display().to_string();
    Broken::Damaged(Damage { path, what: what.to_owned(), obstacle: None })
}

fn in_the_way(lineage: &Lineage, path: &Path, what: &str, obstacle: Obstacle) -> Broken {
    let path = path.strip_prefix(lineage.home()).unwrap_or(path).display().to_string();
    Broken::Damaged(Damage { path, what: what.to_owned(), obstacle: Some(obstacle) })
}

fn look(lineage: &Lineage) -> Result<PublishedLineage, Broken> {
    let archive = lineage.archive();
    let mut number = None;
    let mut found = |piece: Piece| {
        let link = lineage.link(piece);
        let target = target(lineage, &link)?;
        match archived(&target) {
            Some((found, its))
                if found == piece && its == *number.get_or_insert(its) && is_inside(&target, &archive) =>
            {
                file(lineage, &archive, target, its)
            }
            _ => Err(damaged(lineage, &link, &format!("leads to `{}`", target.display()))),
        }
    };
    let files = Files {
        cert: found(Piece::Cert)?,
        chain: found(Piece::Chain)?,
        fullchain: found(Piece::Fullchain)?,
        privkey: found(Piece::Privkey)?,
    };
    let renewal = lineage.renewal();
    match fs::symlink_metadata(&renewal) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(in_the_way(lineage, &renewal, "is no file any more", Obstacle::Other));
        }
        Ok(_) => {}
        Err(error) if is_gone(&error) => return Err(damaged(lineage, &renewal, "was deleted")),
        Err(error) => return Err(error.into()),
    }
    files.whole(lineage, number.unwrap_or_default())
}

/// What a link leads to.
fn target(lineage: &Lineage, link: &Path) -> Result<PathBuf, Broken> {
    let error = match fs::read_link(link) {
        Ok(target) => return Ok(resolved(link, &target)),
        Err(error) => error,
    };
    Err(match error.kind() {
        _ if is_gone(&error) => {
            let live = lineage.live();
            if is_no_directory(&live) {
                in_the_way(lineage, &live, "is no directory", Obstacle::Other)
            } else {
                damaged(lineage, link, "was deleted")
            }
        }
        ErrorKind::InvalidInput if fs::symlink_metadata(link)?.is_file() => {
            in_the_way(lineage, link, "is no link any more", Obstacle::File)
        }
        ErrorKind::InvalidInput => in_the_way(lineage, link, "is neither a link nor a file", Obstacle::Other),
        _ => error.into(),
    })
}

fn archived(path: &Path) -> Option<(Piece, u64)> {
    Piece::of_archived(path.file_name()?.to_str()?)
}

/// Whether a path is in the archive, whatever links are on the way.
fn is_inside(path: &Path, archive: &Path) -> bool {
    let same = |parent: &Path| match [parent, archive].map(Path::canonicalize) {
        [Ok(parent), Ok(archive)] => parent == archive,
        _ => false,
    };
    path.parent().is_some_and(|parent| parent == archive || same(parent))
}

/// A file of the archive.
struct Found {
    path: PathBuf,
    metadata: Metadata,
    /// Whether a link leads to it from the number that is in use: certbot has one where it keeps a key.
    is_kept: bool,
}

/// A file of this number.
fn file(lineage: &Lineage, archive: &Path, path: PathBuf, number: u64) -> Result<Found, Broken> {
    let metadata = match fs::symlink_metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if is_gone(&error) && is_no_directory(archive) => {
            return Err(in_the_way(lineage, archive, "is no directory", Obstacle::Other));
        }
        Err(error) if is_gone(&error) => return Err(damaged(lineage, &path, "was deleted")),
        Err(error) => return Err(error.into()),
    };
    if metadata.is_symlink() {
        let target = resolved(&path, &fs::read_link(&path)?);
        return match archived(&target) {
            Some((Piece::Privkey, its)) if its < number && is_inside(&target, archive) => {
                let kept = file(lineage, archive, target, its)?;
                Ok(Found { is_kept: true, ..kept })
            }
            _ => Err(damaged(lineage, &path, "is a link")),
        };
    }
    if !metadata.is_file() {
        return Err(damaged(lineage, &path, "is no file any more"));
    }
    Ok(Found { path, metadata, is_kept: false })
}

/// Whether something else stands there.
fn is_no_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_dir())
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The files of an issue.
struct Files {
    cert: Found,
    chain: Found,
    fullchain: Found,
    privkey: Found,
}

impl Files {
    /// Reads the chain, and of the others those that were changed after it.
    fn whole(self, lineage: &Lineage, number: u64) -> Result<PublishedLineage, Broken> {
        let Self { cert, chain, fullchain: both, privkey } = self;
        let fullchain = read(&both.path)?;
        let is_later = |found: &Found| changed(&found.metadata) > changed(&both.metadata);
        if is_later(&cert) || is_later(&chain) {
            let (certificate, others) = split_chain(&String::from_utf8_lossy(&fullchain));
            for (found, wanted) in [(cert, certificate), (chain, others)] {
                if !is_same_text(&read(&found.path)?, wanted.as_bytes()) {
                    return Err(damaged(lineage, &found.path, "was edited"));
                }
            }
        }
        if privkey.is_kept || is_later(&privkey) {
            let key = Zeroizing::new(read(&privkey.path)?);
            if private_key(&key).is_err() || is_key_of(&key, &fullchain) == Some(false) {
                return Err(damaged(lineage, &privkey.path, "is not the key of the certificate"));
            }
        }
        let (key_mode, key_owner) = (privkey.metadata.mode() & 0o7777, privkey.metadata.uid());
        Ok(PublishedLineage { number, digest: sha256(&fullchain), key_mode, key_owner })
    }
}

/// Whether two PEM files are the same but for empty lines, which certbot leaves where it splits a chain.
fn is_same_text(one: &[u8], other: &[u8]) -> bool {
    let filled = |line: &&[u8]| !line.trim_ascii().is_empty();
    let [one, other] = [one, other].map(|text| text.split(|byte| *byte == b'\n').filter(filled));
    one.eq(other)
}

/// How much of a file is read, in bytes: many times the longest chain.
const LARGEST: u64 = 1 << 20;

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = fs::OpenOptions::new();
    options.read(true).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    let file: File = options.open(path)?;
    let mut bytes = Vec::with_capacity(8 << 10);
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
