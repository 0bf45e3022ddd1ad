//! The journal's file: begun, appended to, ended; and read where a run did not end it.
#![expect(clippy::disallowed_methods, reason = "the journal is a file of its own beside the state's lock")]

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::fold::fold;
use super::{Header, Interrupted, Record, VERSION};
use crate::diag::Diagnostic;
use crate::host::{pause, read_file, sync_parent};
use crate::state::State;

/// Reads a journal: `None` where there is none, because the last run came to its end. A torn last line is one that
/// was never relied on. The first one is never torn: a journal gets its name with that record whole on disk.
///
/// # Errors
/// A journal that cannot be read, is of a later version, or is not as a run writes it, however that was killed.
pub fn read(path: &Path) -> Result<Option<Interrupted>, Diagnostic> {
    let text = match read_file(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path, &error)),
    };
    let mut header = None;
    let mut records = Vec::new();
    let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        match serde_json::from_slice(line) {
            Ok(Record::Begin(begin)) => {
                if begin.version > VERSION {
                    return Err(Diagnostic::error(format!(
                        "the journal `{}` is of a later vsa",
                        path.display()
                    ))
                    .detail(format!("its version is {}, this vsa knows {VERSION}", begin.version))
                    .help("use the vsa that began the run to finish it"));
                }
                header = Some(*begin);
                records.clear();
            }
            Ok(_) if header.is_none() => {
                return Err(damaged(path, "its first line is not that of a run's beginning"));
            }
            Ok(record) => records.push(record),
            Err(_) if header.is_some() && lines.peek().is_none() => {}
            Err(error) => return Err(damaged(path, error)),
        }
    }
    let header = header.ok_or_else(|| damaged(path, "it is empty"))?;
    Ok(Some(Interrupted { header, records }))
}

/// Of a journal that no kill leaves so: what its run had begun must not go unnoticed.
fn damaged(path: &Path, why: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::error(format!("the journal `{}` is damaged", path.display()))
        .code("damaged_journal")
        .detail(why.to_string())
        .help("put it back as the interrupted run left it, and run `vsa apply` again: it finishes what was begun")
        .help("or move it away; what its run had begun is known to nobody then, so look at the node yourself")
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(format!("cannot {what} the journal `{}`: {error}", path.display()))
        .help("the journal is what makes an apply survive a crash; nothing is changed without it")
}

/// The journal of a run under way.
#[derive(Debug)]
pub(in crate::apply) struct Journal {
    path: PathBuf,
    file: File,
    /// How long it is, in whole records.
    length: u64,
    header: Header,
    records: Vec<Record>,
}

impl Journal {
    /// Begins a journal in the place of a former run's, whose state must be folded and written already.
    pub(in crate::apply) fn begin(path: &Path, header: Header) -> Result<Self, Diagnostic> {
        let new = path.with_extension("new");
        let opened = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new);
        let mut journal = Self {
            path: path.to_owned(),
            file: opened.map_err(|error| failed("write", path, &error))?,
            length: 0,
            header: header.clone(),
            records: Vec::new(),
        };
        journal.append(&[Record::Begin(Box::new(header))], true).inspect_err(|_| {
            let _ = std::fs::remove_file(&new);
        })?;
        journal.records.clear();
        pause::around(|| std::fs::rename(&new, path).and_then(|()| sync_parent(path)))
            .map_err(|error| failed("write", path, &error))?;
        Ok(journal)
    }

    /// Appends records, all or none; with `sync`, they are on disk when this returns.
    pub(in crate::apply) fn append(&mut self, records: &[Record], sync: bool) -> Result<(), Diagnostic> {
        let mut bytes = Vec::new();
        for record in records {
            serde_json::to_writer(&mut bytes, record)
                .map_err(|error| failed("write", &self.path, &std::io::Error::from(error)))?;
            bytes.push(b'\n');
        }
        let written = pause::around(|| {
            self.file.write_all_at(&bytes, self.length)?;
            if sync { self.file.sync_data() } else { Ok(()) }
        });
        if let Err(error) = written {
            // What cannot be cut is written over by the next record, and is a torn line until then.
            let _ = self.file.set_len(self.length);
            return Err(failed("write", &self.path, &error));
        }
        self.length += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.records.extend_from_slice(records);
        Ok(())
    }

    /// Ends it, in one step: the state holds all that it said.
    pub(in crate::apply) fn end(&mut self) -> Result<(), Diagnostic> {
        pause::around(|| std::fs::remove_file(&self.path).and_then(|()| sync_parent(&self.path)))
            .map_err(|error| failed("remove", &self.path, &error))
    }

    /// Folds what has happened so far into the state that the run began with.
    pub(in crate::apply) fn fold(&self, state: &mut State) {
        fold(state, &self.header, &self.records);
    }
}
