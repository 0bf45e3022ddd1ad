//! The manifest of a generation: what it is made of, by digest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diag::Diagnostic;
use crate::digest::sha256;
use crate::host::Host;
use crate::nginx;
use crate::plan::{Answer, Query};

/// The version of the manifests that this vsa writes.
pub(super) const MANIFEST_VERSION: u32 = 1;

/// The manifest of a generation, inside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the manifest's format.
    pub version: u32,
    /// The generation's number.
    pub generation: u64,
    /// The token that its marker answers.
    pub marker: String,
    /// SHA-256 over all paths and digests, the marker and retained files left out: equal for equal configurations.
    pub digest: String,
    /// Files and links by path: SHA-256 in hexadecimal, or `link:` and the target.
    pub files: BTreeMap<Arc<str>, String>,
    /// Files that nginx's workers read for each request.
    pub per_request: BTreeSet<Arc<str>>,
    /// Files of the former generation that its workers may still read.
    pub retained: BTreeMap<Arc<str>, String>,
}

impl Manifest {
    /// What nginx's marker answers while it serves this generation.
    pub(in crate::apply) fn marker_answer(&self) -> String {
        format!("{} {}", self.generation, self.marker)
    }

    /// Reads one.
    ///
    /// # Errors
    /// Why it cannot be used, for after its name: it is damaged, or of a later vsa.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Header {
            version: u32,
        }
        let damaged = |error: serde_json::Error| format!("is not the manifest of a generation: {error}");
        match serde_json::from_slice(bytes).map_err(damaged)? {
            Header { version } if version > MANIFEST_VERSION => {
                Err(format!("is of a later vsa: its version is {version}, this vsa knows {MANIFEST_VERSION}"))
            }
            Header { .. } => serde_json::from_slice(bytes).map_err(damaged),
        }
    }
}

/// One digest over all files.
pub(super) fn digest_of(files: &BTreeMap<Arc<str>, String>) -> String {
    let text = files.iter().fold(String::new(), |mut text, (path, digest)| {
        text.extend([path, "\0", digest, "\n"]);
        text
    });
    sha256(text.as_bytes())
}

/// The manifest of a generation's directory; `None` where there is none, because it was never complete.
///
/// # Errors
/// It cannot be read, or not be understood.
pub async fn read_manifest(host: &dyn Host, generation: &Path) -> Result<Option<Manifest>, Diagnostic> {
    let path = generation.join(nginx::MANIFEST);
    let unusable = |reason: String| Diagnostic::error(format!("`{}` {reason}", path.display()));
    match host.observe(&[Query::Read(path.clone())]).await.pop() {
        Some(Answer::Bytes(bytes)) => Manifest::parse(&bytes).map(Some).map_err(unusable),
        Some(Answer::Failed(reason)) => Err(unusable(format!("cannot be read: {reason}"))),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/state/samples/manifest-v1.json"));

    #[test]
    fn every_version_ever_written_is_read() {
        let manifest = Manifest::parse(SAMPLE.as_bytes()).unwrap();
        assert_eq!(manifest.generation, 2);
        let written = serde_json::to_string_pretty(&manifest).unwrap();
        assert_eq!(written, SAMPLE.trim_end(), "a changed manifest needs a new version");
    }

    #[test]
    fn a_later_version_and_damage_are_told_apart() {
        let later = Manifest::parse(br#"{"version": 2, "shape": "unknown"}"#).unwrap_err();
        assert!(later.contains("later vsa"), "{later}");
        let torn = Manifest::parse(&SAMPLE.as_bytes()[..SAMPLE.len() / 2]).unwrap_err();
        assert!(torn.contains("not the manifest"), "{torn}");
    }
}
