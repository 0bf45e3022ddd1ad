//! What could not be done with a DNS record.

use std::fmt;

use crate::diag::{Diagnostic, said, said_lines};

/// What could not be done with a DNS record, why, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsError {
    /// What was tried, and why it failed.
    pub what: String,
    /// Where: the server, the zone, the program.
    pub at: String,
    /// More of it, such as what a program wrote; may be empty.
    pub detail: String,
    /// What to do.
    pub help: String,
}

impl DnsError {
    /// With what failed, where, and what to do.
    pub fn new(what: impl Into<String>, at: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: said(&what.into()), at: at.into(), detail: String::new(), help: help.into() }
    }

    /// Adds what somebody else wrote about it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = said_lines(&detail.into());
        self
    }
}

impl fmt::Display for DnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for DnsError {}

impl From<DnsError> for Diagnostic {
    fn from(error: DnsError) -> Self {
        Self::error(error.what).code("dns").detail(error.detail).help(error.help)
    }
}
