//! What can go wrong with state, lock and key.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::diag::Diagnostic;
use crate::host::FileError;
use crate::state;

use super::lock::Holder;

/// Why something of the store could not be read, written or held.
#[derive(Debug)]
pub enum Error {
    /// The operating system refused.
    Io(FileError),
    /// A state document that is not one.
    Malformed {
        /// The document.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A state document of a format that this vsa does not know.
    Version {
        /// The document.
        path: PathBuf,
        /// Its version.
        version: u64,
        /// The vsa that wrote it, where it says so.
        written_by: Option<String>,
    },
    /// Another run holds the lock (exit code 3).
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who holds it, where that could be read.
        holder: Option<Box<Holder>>,
    },
    /// A key file that holds no key.
    InvalidKey {
        /// The file.
        path: PathBuf,
    },
    /// A key file that others may read.
    ExposedKey {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl Error {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let refused = FileError::new(doing, path);
        |source| Self::Io(refused(source))
    }

    /// As a diagnostic, with what to do.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.to_string());
        match self {
            Self::Io(refused) => match refused.source.kind() {
                io::ErrorKind::ReadOnlyFilesystem => diagnostic
                    .help("the file system is mounted read-only; `-chdir` names a configuration elsewhere"),
                _ => refused.advise(diagnostic),
            },
            Self::Malformed { .. } => diagnostic
                .detail("the state is written whole and renamed into place, so it was edited or damaged by something else")
                .help("put back the newest document of `.vsa/backups/`, where there is one, or that of your repository"),
            Self::Version { version, written_by, .. } if *version > u64::from(state::VERSION) => {
                diagnostic.help(match written_by {
                    Some(vsa) => format!("use vsa {vsa} or later"),
                    None => "use a newer vsa".to_owned(),
                })
            }
            Self::Version { .. } => {
                diagnostic.help("put back the newest document of `.vsa/backups/`, where there is one, or that of your repository")
            }
            Self::Locked { holder, .. } => {
                let diagnostic = match holder {
                    Some(holder) => diagnostic.detail(format!(
                        "held by {} with process {} since {}: {}",
                        holder.who, holder.pid, holder.since, holder.command
                    )),
                    None => diagnostic,
                };
                diagnostic.help("wait for that run to end; `-lock-timeout=5m` waits for up to five minutes")
            }
            Self::InvalidKey { .. } => diagnostic.help(
                "put the state's key back; where it is lost, remove the file and run `vsa init`, which makes another: all \
                 sensitive values then count as changed",
            ),
            Self::ExposedKey { path, .. } => diagnostic
                .help(format!("run `chmod 600 {}`", path.display()))
                .help("if others had access, remove the key and run `vsa init`, which makes another: the next apply hashes passwords again"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(FileError { doing, path, source }) => {
                write!(f, "cannot {doing} `{}`: {source}", path.display())
            }
            Self::Malformed { path, source } => {
                write!(f, "`{}` is not a state document: {source}", path.display())
            }
            Self::Version { path, version, .. } => write!(
                f,
                "`{}` has state format {version}; this vsa knows format {} only",
                path.display(),
                state::VERSION
            ),
            Self::Locked { path, .. } => {
                write!(f, "the state is locked by another run (`{}`)", path.display())
            }
            Self::InvalidKey { path } => {
                write!(f, "`{}` holds no key: {}", path.display(), state::InvalidKey)
            }
            Self::ExposedKey { path, mode } => {
                write!(f, "`{}` may be read by others: its mode is {mode:04o}, not 0600", path.display())
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(refused) => Some(&refused.source),
            Self::Malformed { source, .. } => Some(source),
            _ => None,
        }
    }
}
