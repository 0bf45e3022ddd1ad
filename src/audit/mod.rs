//! Do: the audit log, twice (JSON lines for log shippers, `SQLite` for queries), in one hash chain.
//!
//! The line of a record is its canonical form: compact JSON whose last member is the hash of all before it. The
//! database holds the very same texts; what can be queried are columns that it derives from them. A record is in
//! the file, and the file on the disk, before it is in the database, so a run that is killed between the two leaves
//! a gap that the next one closes, and notes.

#![expect(clippy::disallowed_methods, reason = "the audit log is a file and a database: this is their home")]

mod database;
mod error;
mod journal;
mod query;
mod record;
mod verify;

pub use error::Error;
pub use query::Filter;
pub use record::{Actor, Entry, Event, Record, Run, VERSION};
pub use verify::{Copy, Fault, Verification, verify};

use std::path::Path;

use crate::state::AuditHead;

use database::Database;
use journal::Journal;

/// The audit log, for those who may only read it.
#[derive(Debug)]
pub struct Reader(Database);

impl Reader {
    /// Opens the log's database; `None` where there is none.
    pub fn open(database: &Path) -> Result<Option<Self>, Error> {
        Ok(Database::open_read_only(database)?.map(Self))
    }

    /// The records that `filter` lets through, oldest first.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Record>, Error> {
        self.lines(filter)?.iter().map(|line| record::parse(line, self.0.path())).collect()
    }

    /// As [`Reader::list`], as the lines that they are.
    pub fn lines(&self, filter: &Filter) -> Result<Vec<String>, Error> {
        self.0.select(filter)
    }
}

/// The open audit log of a configuration.
#[derive(Debug)]
pub struct Audit {
    journal: Journal,
    database: Database,
    head: AuditHead,
    run: Run,
}

impl Audit {
    /// Opens the log, or makes it: directories with mode 0750, files with 0640. What a killed run left unfinished is
    /// finished, and a record says so; `now` is its time. `run` is whose records are appended.
    ///
    /// # Errors
    /// [`Error::Tampered`] where the two copies contradict each other at their end; [`verify()`] says more.
    pub fn open(jsonl: &Path, database: &Path, run: Run, now: jiff::Timestamp) -> Result<Self, Error> {
        let journal = Journal::open(jsonl)?;
        let guard = journal.lock()?;
        let database = Database::open(database)?;
        drop(guard);
        let mut audit = Self { journal, database, head: AuditHead::default(), run };
        audit.append(now, &[])?;
        Ok(audit)
    }

    /// Appends records, all of them or none, durably when it returns. Gives the new head of the chain.
    ///
    /// # Errors
    /// Where nothing was appended; [`Error::Behind`] where only the database could not be reached.
    pub fn append(&mut self, now: jiff::Timestamp, entries: &[Entry]) -> Result<&AuditHead, Error> {
        let guard = self.journal.lock()?;
        let repairs = self.catch_up()?;
        let entries = repairs.iter().chain(entries);
        let mut lines = Vec::new();
        let mut head = self.head.clone();
        for entry in entries {
            let (line, next) = record::seal(&self.run, now, entry, &head)?;
            lines.push(line);
            head = next;
        }
        if !lines.is_empty() {
            self.journal.append(&lines)?;
            self.head = head;
            self.database.insert(&lines).map_err(|error| Error::Behind(Box::new(error)))?;
        }
        drop(guard);
        Ok(&self.head)
    }

    /// The last record's number and hash, as of the last append.
    pub fn head(&self) -> &AuditHead {
        &self.head
    }

    /// Whether the log contains the record that `head` names; a log that was cut below a state's head does not.
    pub fn contains(&self, head: &AuditHead) -> Result<bool, Error> {
        if head.count == 0 {
            return Ok(true);
        }
        let line = self.database.line(head.count)?;
        Ok(line.is_some_and(|line| record::hash_of(&line) == Some(&*head.head)))
    }

    /// Makes closing the log leave no side files of the database; for runs that change things, because it takes a
    /// few milliseconds more.
    pub fn fold_on_close(&self) -> Result<(), Error> {
        self.database.fold_on_close()
    }

    /// Brings both copies to the same last record, under the lock; gives what to note about it.
    fn catch_up(&mut self) -> Result<Vec<Entry>, Error> {
        let stored = self.database.last()?;
        let tampered = |audit: &Self, seq| Error::Tampered {
            jsonl: audit.journal.path().to_owned(),
            database: audit.database.path().to_owned(),
            seq,
        };
        let mut repairs = Vec::from_iter(self.mend_torn_line()?);
        let written = self.journal.tail()?.ok_or_else(|| tampered(self, stored.count))?;
        if stored.count < written.count {
            let missing = self.journal.after(&stored)?.ok_or_else(|| tampered(self, stored.count))?;
            self.database.insert(&missing)?;
            let (from, to) = (stored.count + 1, written.count);
            repairs.push(Entry::repair(format!(
                "copied records {from} to {to} from the file into the database"
            )));
        } else if stored.count > written.count {
            let missing = self.database.after(written.count)?;
            if !record::continues(&written, &missing) {
                return Err(tampered(self, written.count + 1));
            }
            self.journal.append(&missing)?;
            let (from, to) = (written.count + 1, stored.count);
            repairs.push(Entry::repair(format!(
                "copied records {from} to {to} from the database into the file"
            )));
        } else if stored != written {
            return Err(tampered(self, written.count));
        }
        self.head = if stored.count < written.count { written } else { stored };
        Ok(repairs)
    }

    /// Mends the end of the file where it is not a whole line. What the database knows of the record is completed; a
    /// record that it never heard of was not finished by anybody, and is cut.
    fn mend_torn_line(&self) -> Result<Option<Entry>, Error> {
        let Some(torn) = self.journal.torn()? else { return Ok(None) };
        let before = self.journal.tail()?.unwrap_or_default();
        let repair = match self.database.line(before.count + 1)? {
            Some(line) if line.as_bytes().starts_with(&torn) => {
                self.journal.replace_torn(&line)?;
                "completed a torn line of the file from the database".to_owned()
            }
            _ if std::str::from_utf8(&torn).is_ok_and(|line| record::hash_of(line).is_some()) => {
                self.journal.end_torn()?;
                "ended a line of the file that had no newline".to_owned()
            }
            _ => {
                self.journal.cut_torn()?;
                format!("cut a torn line of {} bytes off the file", torn.len())
            }
        };
        Ok(Some(Entry::repair(repair)))
    }
}
