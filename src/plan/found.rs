//! What is found on a node: what stands at a path, who runs, which certificate a file has.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, with its target as written.
    Link(PathBuf),
    /// A socket, a device, ….
    Other,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub file_type: FileType,
    /// Permission bits, `0o7777` at most.
    pub mode: u32,
    /// Owner's id.
    pub uid: u32,
    /// Group's id.
    pub gid: u32,
    /// Of a directory: whether nothing is in it.
    pub empty: bool,
}

/// Owner and group of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    /// The user's id.
    pub uid: u32,
    /// The group's id.
    pub gid: u32,
}

impl Ids {
    /// How these differ from what is wanted.
    pub fn differ(self, wanted: Self) -> Option<String> {
        let differs =
            |what, found, wanted| (found != wanted).then(|| format!("{what} is {found}, not {wanted}"));
        differs("owner", self.uid, wanted.uid).or_else(|| differs("group", self.gid, wanted.gid))
    }
}

/// A leaf of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// A file, with the SHA-256 of its bytes in hexadecimal and its permission bits.
    File {
        /// SHA-256 in hexadecimal.
        digest: String,
        /// Permission bits.
        mode: u32,
        /// Whose it is.
        ids: Ids,
    },
    /// A private key, which was not to be shown.
    Unread {
        /// Permission bits.
        mode: u32,
        /// Whose it is.
        ids: Ids,
        /// Whether it was written after the certificate beside it, and is not the key of that.
        is_anothers: bool,
    },
    /// A link, with its target as written.
    Link(PathBuf),
    /// A directory that a link leads to, or the one above that.
    Directory {
        /// Permission bits.
        mode: u32,
        /// Whose it is.
        ids: Ids,
    },
}

impl Leaf {
    /// The name of the directory that a link leads to, below the link's.
    pub const ITSELF: &str = ".";
    /// That of the one above it.
    pub const ABOVE: &str = "..";
}

/// A process of nginx's. A worker whose master has ended answers on, and nobody can tell it to read its configuration
/// again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NginxProcess {
    /// Whether it is a master, or has one: it can be told, by whoever knows its process id.
    pub led: bool,
    /// The files that it has open.
    pub files: BTreeSet<PathBuf>,
    /// The TCP ports that it listens on.
    pub ports: BTreeSet<u16>,
}

/// The first certificate of a PEM file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Start of validity, in seconds since 1970.
    pub not_before: i64,
    /// End of validity, in seconds since 1970.
    pub not_after: i64,
    /// Subject alternative names of type DNS.
    pub names: Vec<String>,
    /// The issuer's common name.
    pub issuer: String,
    /// The issuer's whole name, as in `C=US, O=Let's Encrypt, CN=R11`.
    pub issuer_name: String,
    /// The serial number in hexadecimal, with the bytes that it has in the certificate: with `00` before it where its
    /// first bit is set (X.690, section 8.3).
    pub serial: String,
    /// The identifier of the issuer's key in hexadecimal (RFC 5280, section 4.2.1.1).
    pub authority_key_id: Option<String>,
    /// `ecdsa-p256`, `ecdsa-p384`, `rsa-2048`, …; the algorithm's number where it has no such name.
    pub key_type: String,
}
