//! What vsa laid out for other programs, as it is found: thousands of lineages are looked at in each plan.
//!
//! Only the chain is read of each. The others are looked at without being opened, and read where they were changed after the
//! chain, which is written last. All of it is reached from the home, which is open: the way to it is gone once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::digest::sha256;
use crate::host::{is_key_of, private_key};
use crate::plan::issuance::lineage::{resolved, split_chain};
use crate::plan::issuance::{Damage, Lineage, Obstacle, Piece, PublishedLineage};

type Published = BTreeMap<String, Result<PublishedLineage, Damage>>;

/// The lineages of a home, by name.
pub(super) fn all(home: &Path) -> io::Result<Published> {
    let live = home.join("live");
    let entries: Vec<_> = match fs::read_dir(&live) {
        // What is there and is none is not nothing.
        Err(error) if is_gone(&error) && fs::symlink_metadata(&live).is_ok() => {
            return Err(io::Error::other("it is no directory"));
        }
        entries => entries?.collect::<io::Result<_>>()?,
    };
    let opened = File::open(home)?;
    let found = entries.into_par_iter().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let lineage = Lineage::new(home, &*name).ok()?;
        Some((name, Place { lineage, home: opened.as_fd() }.found()))
    });
    Ok(found.collect())
}

/// When an inode was last changed: seconds since 1970, and nanoseconds. No program sets it back.
type Changed = (i64, i64);

fn changed(status: &Stat) -> Changed {
    (status.st_ctime, i64::try_from(status.st_ctime_nsec).unwrap_or(i64::MAX))
}

fn file_type(status: &Stat) -> FileType {
    FileType::from_raw_mode(status.st_mode)
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

/// A lineage, and its home.
struct Place<'a> {
    lineage: Lineage,
    home: BorrowedFd<'a>,
}

impl Place<'_> {
    /// What is found of it. One that cannot be looked at hides no other: a home of certbot's has lineages of others.
    fn found(&self) -> Result<PublishedLineage, Damage> {
        self.look().map_err(|broken| match broken {
            Broken::Damaged(damage) => damage,
            Broken::Unseen(error) => Damage {
                path: self.below(&self.lineage.live()).display().to_string(),
                what: format!("cannot be looked at: {error}"),
                obstacle: Some(Obstacle::Unseen),
            },
        })
    }

    fn below<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(self.lineage.home()).unwrap_or(path)
    }

    /// What there is, and no link followed.
    fn status(&self, path: &Path) -> io::Result<Stat> {
        Ok(rustix::fs::statat(self.home, self.below(path), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// What a link leads to.
    fn target(&self, link: &Path) -> io::Result<PathBuf> {
        let target = rustix::fs::readlinkat(self.home, self.below(link), Vec::with_capacity(256))?;
        Ok(resolved(link, Path::new(&OsString::from_vec(target.into_bytes()))))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(self.home, self.below(path), flags, Mode::empty())?);
        let mut bytes = Vec::with_capacity(8 << 10);
        file.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Why nothing is found at a path: what stands on the way to it and is no directory, else that it was deleted.
    fn missing(&self, path: &Path, error: io::Error) -> Broken {
        let mut ways: Vec<&Path> = self.below(path).ancestors().skip(1).collect();
        ways.pop();
        let barred = ways.into_iter().rev().find_map(|way| {
            let what = match rustix::fs::statat(self.home, way, AtFlags::empty()) {
                Ok(status) if file_type(&status).is_dir() => return None,
                Err(Errno::LOOP) => "is a link that leads to itself",
                Err(_) if self.status(way).is_err() => return None,
                _ => "is no directory",
            };
            Some(self.in_the_way(way, what))
        });
        match barred {
            Some(barred) => barred,
            None if is_gone(&error) => self.damaged(path, "was deleted"),
            None => error.into(),
        }
    }

    fn damaged(&self, path: &Path, what: &str) -> Broken {
        self.broken(path, what, None)
    }

    fn in_the_way(&self, path: &Path, what: &str) -> Broken {
        self.broken(path, what, Some(Obstacle::Other))
    }

    fn broken(&self, path: &Path, what: &str, obstacle: Option<Obstacle>) -> Broken {
        let path = self.below(path).display().to_string();
        Broken::Damaged(Damage { path, what: what.to_owned(), obstacle })
    }

    fn look(&self) -> Result<PublishedLineage, Broken> {
        let archive = self.lineage.archive();
        let mut number = None;
        let mut found = |piece: Piece| {
            let link = self.lineage.link(piece);
            let target = self.linked(&link)?;
            match archived(&target) {
                Some((found, its))
                    if found == piece
                        && its == *number.get_or_insert(its)
                        && is_inside(&target, &archive) =>
                {
                    self.file(&archive, target, its)
                }
                _ => Err(self.damaged(&link, &format!("leads to `{}`", target.display()))),
            }
        };
        let [cert, chain] = [found(Piece::Cert)?, found(Piece::Chain)?];
        let [fullchain, privkey] = [found(Piece::Fullchain)?, found(Piece::Privkey)?];
        let renewal = self.lineage.renewal();
        match self.status(&renewal) {
            Ok(status) if file_type(&status).is_dir() => {
                return Err(self.in_the_way(&renewal, "is no file any more"));
            }
            Ok(_) => {}
            Err(error) => return Err(self.missing(&renewal, error)),
        }
        self.whole(number.unwrap_or_default(), Files { cert, chain, fullchain, privkey })
    }

    /// What a link leads to.
    fn linked(&self, link: &Path) -> Result<PathBuf, Broken> {
        let error = match self.target(link) {
            Ok(target) => return Ok(target),
            Err(error) => error,
        };
        Err(match error.kind() {
            ErrorKind::InvalidInput if file_type(&self.status(link)?).is_file() => {
                self.broken(link, "is no link any more", Some(Obstacle::File))
            }
            ErrorKind::InvalidInput => self.in_the_way(link, "is neither a link nor a file"),
            _ => self.missing(link, error),
        })
    }

    /// A file of this number.
    fn file(&self, archive: &Path, path: PathBuf, number: u64) -> Result<Found, Broken> {
        let status = self.status(&path).map_err(|error| self.missing(&path, error))?;
        match file_type(&status) {
            FileType::RegularFile => Ok(Found { path, status, is_kept: false }),
            FileType::Symlink => {
                let target = self.target(&path)?;
                match archived(&target) {
                    Some((Piece::Privkey, its)) if its < number && is_inside(&target, archive) => {
                        let kept = self.file(archive, target, its)?;
                        Ok(Found { is_kept: true, ..kept })
                    }
                    _ => Err(self.damaged(&path, "is a link")),
                }
            }
            _ => Err(self.damaged(&path, "is no file any more")),
        }
    }

    /// Reads the chain, and of the others those that were changed after it.
    fn whole(&self, number: u64, files: Files) -> Result<PublishedLineage, Broken> {
        let Files { cert, chain, fullchain: both, privkey } = files;
        let fullchain = self.read(&both.path)?;
        let is_later = |found: &Found| changed(&found.status) > changed(&both.status);
        if is_later(&cert) || is_later(&chain) {
            let (certificate, others) = split_chain(&String::from_utf8_lossy(&fullchain));
            for (found, wanted) in [(cert, certificate), (chain, others)] {
                if !is_same_text(&self.read(&found.path)?, wanted.as_bytes()) {
                    return Err(self.damaged(&found.path, "was edited"));
                }
            }
        }
        if privkey.is_kept || is_later(&privkey) {
            let key = Zeroizing::new(self.read(&privkey.path)?);
            if private_key(&key).is_err() || is_key_of(&key, &fullchain) == Some(false) {
                return Err(self.damaged(&privkey.path, "is not the key of the certificate"));
            }
        }
        let (key_mode, key_owner) = (privkey.status.st_mode & 0o7777, privkey.status.st_uid);
        Ok(PublishedLineage { number, digest: sha256(&fullchain), key_mode, key_owner })
    }
}

/// A file of the archive.
struct Found {
    path: PathBuf,
    status: Stat,
    /// Whether a link leads to it from the number that is in use: certbot has one where it keeps a key.
    is_kept: bool,
}

/// The files of an issue.
struct Files {
    cert: Found,
    chain: Found,
    fullchain: Found,
    privkey: Found,
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

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Whether two PEM files are the same but for empty lines, which certbot leaves where it splits a chain.
fn is_same_text(one: &[u8], other: &[u8]) -> bool {
    let filled = |line: &&[u8]| !line.trim_ascii().is_empty();
    let [one, other] = [one, other].map(|text| text.split(|byte| *byte == b'\n').filter(filled));
    one.eq(other)
}

/// How much of a file is read, in bytes: many times the longest chain.
const LARGEST: u64 = 1 << 20;
