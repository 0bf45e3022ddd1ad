//! Finding what somebody did to the log.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::host::open_file;
use crate::state::AuditHead;

use super::Error;
use super::database::Database;
use super::journal::{Line, Lines, RETRY, TRIES};
use super::record;

/// One of the two copies of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// The file of JSON lines.
    File,
    /// The `SQLite` database.
    Database,
}

impl fmt::Display for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Database => "database",
        })
    }
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A record whose hash is not that of its content.
    Edited {
        /// Where.
        copy: Copy,
        /// The record.
        seq: u64,
    },
    /// Records that are not there, with others after them.
    Deleted {
        /// Where.
        copy: Copy,
        /// The first of them.
        seq: u64,
        /// The next that is there.
        next: u64,
    },
    /// A record that stands where another one belongs: it was moved or put in.
    Misplaced {
        /// Where.
        copy: Copy,
        /// The record that belongs there.
        seq: u64,
        /// The record that is there.
        found: u64,
    },
    /// A record that does not name the one before it as its predecessor: one of the two was replaced.
    Unchained {
        /// Where.
        copy: Copy,
        /// The record.
        seq: u64,
    },
    /// A copy that ends before the other one.
    Short {
        /// The shorter one.
        copy: Copy,
        /// The first record that it lacks.
        seq: u64,
        /// The last of the other one.
        last: u64,
    },
    /// The copies hold different records of one number.
    Different {
        /// The record.
        seq: u64,
    },
    /// The log ends before a record that is known to have been in it.
    Truncated {
        /// The first record that is missing.
        seq: u64,
        /// The record that is known.
        known: u64,
    },
    /// A record is not the one that is known to have been in its place: the chain was made anew.
    Rewritten {
        /// The record that is known; those before it may have changed too.
        seq: u64,
    },
    /// The database's table is not as vsa makes it: what it answers need not be what the records say.
    ForeignTable,
}

impl Fault {
    /// The first record in doubt; 0 where it is not a record.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Edited { seq, .. }
            | Self::Deleted { seq, .. }
            | Self::Misplaced { seq, .. }
            | Self::Unchained { seq, .. }
            | Self::Short { seq, .. }
            | Self::Different { seq }
            | Self::Truncated { seq, .. }
            | Self::Rewritten { seq } => *seq,
            Self::ForeignTable => 0,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { copy, seq } => {
                write!(f, "record {seq} of the {copy} was edited: its hash is not that of its content")
            }
            Self::Deleted { copy, seq, next } if seq + 1 == *next => {
                write!(f, "record {seq} of the {copy} was deleted")
            }
            Self::Deleted { copy, seq, next } => {
                write!(f, "records {seq} to {} of the {copy} were deleted", next - 1)
            }
            Self::Misplaced { copy, seq, found } => {
                write!(
                    f,
                    "in the place of record {seq} of the {copy} stands record {found}: it was moved or put in"
                )
            }
            Self::Unchained { copy, seq } => {
                write!(
                    f,
                    "record {seq} of the {copy} does not follow the record before it: one of them was replaced"
                )
            }
            Self::Short { copy, seq, last } => {
                write!(f, "the {copy} was cut before record {seq}; the other copy goes on to record {last}")
            }
            Self::Different { seq } => write!(f, "file and database hold different records {seq}"),
            Self::Truncated { seq, known } => {
                write!(f, "the log was cut before record {seq}: record {known} is known to have been in it")
            }
            Self::Rewritten { seq } => {
                write!(
                    f,
                    "record {seq} is not the one that is known: the log was written anew up to it or before it"
                )
            }
            Self::ForeignTable => write!(f, "the table of the database is not as vsa makes it"),
        }
    }
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// The last record up to which the log is as it was written.
    pub head: AuditHead,
    /// What is not; the first bad record first.
    pub faults: Vec<Fault>,
    /// Records that note a repair, which is not a fault: a killed run, or somebody, left the log unfinished.
    pub repairs: Vec<u64>,
}

/// Reads both copies whole. `known` are heads that the log is known to have had: the state's, or one that a run
/// printed; without any, a log that was cut or written anew in both copies cannot be told from a right one.
///
/// # Errors
/// Where a copy cannot be read at all; that one is missing is a fault, not an error.
pub fn verify(jsonl: &Path, database: &Path, known: &[AuditHead]) -> Result<Verification, Error> {
    let _guard = lock_shared(jsonl)?;
    let mut file = Chain::new(Copy::File);
    if jsonl.exists() {
        for line in Lines::open(jsonl)? {
            match line? {
                Line::Whole(line) => file.see(None, &line),
                Line::Broken => file.see(None, ""),
            }
        }
    }
    let mut rows = Chain::new(Copy::Database);
    let mut faults = Vec::new();
    if let Some(database) = Database::open_read_only(database)? {
        database.each(|seq, line| rows.see(Some(seq), &line))?;
        if !database.is_genuine()? {
            faults.push(Fault::ForeignTable);
        }
    }
    faults.extend(file.fault.take());
    faults.extend(rows.fault.take());
    if let Some(position) = file.hashes.iter().zip(&rows.hashes).position(|(a, b)| a != b) {
        faults.push(Fault::Different { seq: position as u64 + 1 });
    } else if faults.iter().all(|fault| *fault == Fault::ForeignTable) {
        let (short, long) = if file.head.count < rows.head.count { (&file, &rows) } else { (&rows, &file) };
        if short.head.count < long.head.count {
            let (seq, last) = (short.head.count + 1, long.head.count);
            faults.push(Fault::Short { copy: short.copy, seq, last });
        }
    }
    let longest = if file.head.count < rows.head.count { &rows } else { &file };
    for head in known.iter().filter(|head| head.count > 0) {
        let index = usize::try_from(head.count - 1).unwrap_or(usize::MAX);
        match longest.hashes.get(index) {
            Some(hash) if **hash == *head.head => {}
            Some(_) => faults.push(Fault::Rewritten { seq: head.count }),
            // What a broken record hides was reported as such.
            None if !faults.is_empty() => {}
            None => faults.push(Fault::Truncated { seq: longest.head.count + 1, known: head.count }),
        }
    }
    faults.sort_by_key(Fault::seq);
    let shortest = if file.head.count < rows.head.count { file } else { rows };
    Ok(Verification { head: shortest.head, faults, repairs: shortest.repairs })
}

/// How far one copy is right.
struct Chain {
    copy: Copy,
    head: AuditHead,
    hashes: Vec<Box<str>>,
    repairs: Vec<u64>,
    fault: Option<Fault>,
}

impl Chain {
    fn new(copy: Copy) -> Self {
        Self { copy, head: AuditHead::default(), hashes: Vec::new(), repairs: Vec::new(), fault: None }
    }

    /// Takes the next record, with the number that the database keeps it under.
    fn see(&mut self, key: Option<u64>, line: &str) {
        if self.fault.is_some() {
            return;
        }
        let copy = self.copy;
        let seq = self.head.count + 1;
        self.fault = match record::link(line) {
            None => Some(Fault::Edited { copy, seq }),
            Some((before, after)) if before == self.head && key.is_none_or(|key| key == seq) => {
                if record::is_repair(line) {
                    self.repairs.push(seq);
                }
                self.hashes.push(after.head.as_str().into());
                self.head = after;
                None
            }
            Some((_, after)) if after.count == seq => Some(Fault::Unchained { copy, seq }),
            Some((_, after)) if after.count > seq => Some(Fault::Deleted { copy, seq, next: after.count }),
            Some((_, after)) => Some(Fault::Misplaced { copy, seq, found: after.count }),
        };
    }
}

/// Keeps other processes from appending while the log is read; there is nothing to keep where there is no file.
fn lock_shared(jsonl: &Path) -> Result<Option<File>, Error> {
    let file = match open_file(jsonl) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", jsonl)(error)),
    };
    for _ in 0..TRIES {
        match file.try_lock_shared() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(RETRY),
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", jsonl)(source)),
        }
    }
    Err(Error::Busy { path: jsonl.to_owned() })
}
