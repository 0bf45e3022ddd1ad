//! An authority, and how control over names is proven to it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A certificate authority and how it is asked; nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Authority {
    /// The address of its directory (RFC 8555, section 7.1.1).
    pub directory: String,
    /// Where it writes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A PEM file on the node with the root that its own certificate is checked against, beside those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The id of the key that names the account there (RFC 8555, section 7.3.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
}

/// The host of a directory's address, by which people know an authority.
pub fn host_of(directory: &str) -> &str {
    directory.split('/').nth(2).unwrap_or(directory)
}

/// How control over a name is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChallengeType {
    /// By a file that the name's server answers with (RFC 8555, section 8.3).
    #[serde(rename = "http-01")]
    Http01,
    /// By a TXT record (RFC 8555, section 8.4).
    #[serde(rename = "dns-01")]
    Dns01,
}

/// When a certificate should be renewed, in seconds since 1970 (RFC 9773, section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// From when on.
    pub start: i64,
    /// Until when.
    pub end: i64,
}
