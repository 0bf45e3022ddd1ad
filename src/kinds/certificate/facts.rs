//! What the state knows of the last issue.

use serde::Deserialize;

use crate::plan::Subject;
use crate::plan::issuance::{Lineage, asked_authority};

/// What the state knows of the last issue.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Facts {
    #[serde(default)]
    pub(super) issue: u64,
    #[serde(default)]
    pub(super) request: String,
    /// A former vsa did not write it down.
    #[serde(default)]
    pub(super) not_before: i64,
    #[serde(default)]
    pub(super) not_after: i64,
    #[serde(default)]
    pub(super) digest: String,
    /// The number that it has in certbot's layout, where it is there too.
    #[serde(default)]
    pub(super) published: u64,
    /// The issue that it is there.
    #[serde(default)]
    pub(super) published_issue: Option<u64>,
    /// The account that it was ordered by.
    #[serde(default)]
    pub(super) account: String,
    /// The chain's permission bits; a former vsa did not write them down.
    #[serde(default)]
    pub(super) mode: Option<u32>,
    /// The id of the user whose the key is; a former vsa did not write it down.
    #[serde(default)]
    pub(super) owner: Option<u32>,
    /// The lineage of certbot's whose renewal was switched off.
    #[serde(default)]
    pub(super) certbot: Option<Lineage>,
}

impl Facts {
    /// The directory of the authority that it was asked from, where it was.
    pub(super) fn directory(&self) -> Option<&str> {
        asked_authority(&self.request)
    }

    pub(super) fn of(subject: Subject<'_>) -> Self {
        subject.prior.and_then(|prior| Self::deserialize(&prior.facts).ok()).unwrap_or_default()
    }
}
