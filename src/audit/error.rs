//! What can go wrong with the audit log.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::diag::Diagnostic;
use crate::host::FileError;

/// Why the audit log could not be read or written.
#[derive(Debug)]
pub enum Error {
    /// The operating system refused.
    Io(FileError),
    /// The database refused.
    Database {
        /// The database.
        path: PathBuf,
        /// Its reason.
        source: rusqlite::Error,
    },
    /// A database that is not an audit log, or of a newer vsa.
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// Another process held the file's lock for too long.
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A record that cannot be understood.
    Malformed {
        /// Where it is.
        path: PathBuf,
        /// Where in it, and why.
        source: serde_json::Error,
    },
    /// A record of a format that this vsa does not know.
    Later {
        /// Where it is.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The records are in the file, and the database could not be reached: the next append brings it up to date.
    Behind(Box<Self>),
    /// A record that cannot be written as JSON.
    Encode(serde_json::Error),
    /// The end of the log is not as any vsa leaves it.
    Tampered {
        /// The file.
        jsonl: PathBuf,
        /// The database.
        database: PathBuf,
        /// The first record in doubt.
        seq: u64,
    },
}

impl Error {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let refused = FileError::new(doing, path);
        |source| Self::Io(refused(source))
    }

    pub(super) fn database(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Database { path, source }
    }

    /// As a diagnostic, with what to do.
    pub fn diagnostic(&self) -> Diagnostic {
        if let Self::Behind(why) = self {
            return why.diagnostic();
        }
        let diagnostic = Diagnostic::error(self.to_string());
        match self {
            Self::Io(refused) => match refused.source.kind() {
                io::ErrorKind::StorageFull => refused.advise(diagnostic),
                _ => refused
                    .advise(diagnostic)
                    .help("`vsa { audit { jsonl = … database = … } }` moves the log"),
            },
            Self::Database { .. } => diagnostic.help(
                "if the database is damaged, move it away: it is made again from the file, and the log says so",
            ),
            Self::Foreign { .. } => {
                diagnostic.help("name another path in `vsa { audit { database = … } }`, or use a newer vsa")
            }
            Self::Busy { .. } => diagnostic.help("see which process holds the file open, and run the command again"),
            Self::Malformed { .. } | Self::Tampered { .. } => diagnostic
                .help("`vsa audit verify` names the first record that is not as it was written")
                .help("to go on, move both copies away and keep them as evidence: a new log begins"),
            Self::Later { .. } => diagnostic
                .help("list the log with the vsa that wrote it, or a newer one; `vsa audit export` prints it as it is"),
            Self::Behind(_) | Self::Encode(_) => diagnostic,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(FileError { doing, path, source }) => {
                write!(f, "cannot {doing} the audit log `{}`: {source}", path.display())
            }
            Self::Database { path, source } => {
                write!(f, "cannot use the audit database `{}`: {source}", path.display())
            }
            Self::Foreign { path } => {
                write!(f, "`{}` is not an audit database that this vsa knows", path.display())
            }
            Self::Busy { path } => {
                write!(f, "the audit log `{}` is held by another process", path.display())
            }
            Self::Malformed { path, source } => {
                write!(f, "a record of the audit log `{}` cannot be read: {source}", path.display())
            }
            Self::Later { path, version } => write!(
                f,
                "a record of the audit log `{}` has format {version}; this vsa knows format {} only",
                path.display(),
                super::VERSION
            ),
            Self::Behind(why) => why.fmt(f),
            Self::Encode(source) => write!(f, "a record of the audit log cannot be written: {source}"),
            Self::Tampered { jsonl, database, seq } => write!(
                f,
                "the audit log was changed: `{}` and `{}` contradict each other from record {seq} on",
                jsonl.display(),
                database.display()
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(refused) => Some(&refused.source),
            Self::Database { source, .. } => Some(source),
            Self::Behind(why) => why.source(),
            Self::Malformed { source, .. } | Self::Encode(source) => Some(source),
            _ => None,
        }
    }
}
