//! What a host could not do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::diag::Diagnostic;

/// What a host could not do, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostError {
    /// What was tried: `write`, `start`, ….
    pub what: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why it failed.
    pub reason: String,
}

impl HostError {
    /// From the operating system's error.
    pub fn new(what: &'static str, path: impl AsRef<Path>, error: impl Into<io::Error>) -> Self {
        Self::because(what, path, reason(&error.into()))
    }

    /// With a reason of its own.
    pub fn because(what: &'static str, path: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Self { what, path: path.as_ref().to_owned(), reason: reason.into() }
    }
}

/// The operating system's words, without the number and in lower case.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} `{}`: {}", self.what, self.path.display(), self.reason)
    }
}

impl std::error::Error for HostError {}

impl From<HostError> for Diagnostic {
    fn from(error: HostError) -> Self {
        let is_full = ["no space left on device", "disk quota exceeded"].contains(&error.reason.as_str());
        let told = Self::error(error.to_string()).code("host");
        if is_full {
            let path = error.path.parent().unwrap_or(&error.path).display();
            return told.help(format!("make room where `{path}` is (`df -h`, `df -i`), and run it again"));
        }
        told
    }
}
