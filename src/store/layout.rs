//! Where things of a configuration are.

use std::path::{Path, PathBuf};

/// The files and directories that vsa keeps beside a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    configuration: PathBuf,
}

impl Layout {
    /// Of the configuration in this directory.
    pub fn new(configuration: impl Into<PathBuf>) -> Self {
        Self { configuration: configuration.into() }
    }

    /// The configuration's directory.
    pub fn configuration(&self) -> &Path {
        &self.configuration
    }

    /// Local data, which belongs into no repository.
    pub fn data(&self) -> PathBuf {
        self.configuration.join(".vsa")
    }

    /// The state document.
    pub fn state(&self) -> PathBuf {
        self.configuration.join("state").join("default.json")
    }

    /// Former state documents, named by their serial.
    pub fn backups(&self) -> PathBuf {
        self.data().join("backups")
    }

    /// What a run locks for as long as it may change the state.
    pub fn lock(&self) -> PathBuf {
        self.data().join("lock")
    }

    /// The intents and results of an apply under way.
    pub fn journal(&self) -> PathBuf {
        self.data().join("journal.jsonl")
    }

    /// The key of the state.
    pub fn key(&self) -> PathBuf {
        self.data().join("key")
    }

    /// The audit log for log shippers, unless the settings name another place.
    pub fn audit_jsonl(&self) -> PathBuf {
        self.data().join("audit").join("audit.jsonl")
    }

    /// The audit log for queries, unless the settings name another place.
    pub fn audit_database(&self) -> PathBuf {
        self.data().join("audit").join("audit.db")
    }
}
