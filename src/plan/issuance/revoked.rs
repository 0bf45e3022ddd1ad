//! Certificates that were revoked.

use serde::{Deserialize, Serialize};

use crate::diag::day;
use crate::plan::observation::Answer;

/// The file beside a pair that says that its certificate was revoked, as JSON.
pub const REVOKED: &str = "revoked";

/// A certificate that its authority has revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// The digest of its file, as the state has it.
    pub digest: String,
    /// When, in seconds since 1970; 0 where that is not known, as of a note that cannot be read.
    pub at: i64,
    /// Why (RFC 5280, section 5.3.1).
    pub reason: Revocation,
}

/// Why a certificate is revoked (RFC 5280, section 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// No reason is given.
    Unspecified,
    /// Somebody else may have the key.
    KeyCompromise,
    /// Another certificate has taken its place.
    Superseded,
    /// The site is no more.
    CessationOfOperation,
}

impl Revocation {
    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unspecified => "no reason given",
            Self::KeyCompromise => "somebody else may have the key",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "the site is no more",
        }
    }
}

impl Revoked {
    /// What the file [`REVOKED`] beside the pair with this digest says, where it is there. One that cannot be read says
    /// that much, too.
    pub fn noted(answer: Option<&Answer>, digest: &str) -> Option<Self> {
        let Some(Answer::Bytes(bytes)) = answer else { return None };
        let unknown = || Self { digest: String::new(), at: 0, reason: Revocation::Unspecified };
        let noted: Self = serde_json::from_slice(bytes).unwrap_or_else(|_| unknown());
        Some(Self { digest: digest.to_owned(), ..noted })
    }

    /// That it was, for people.
    pub fn said(&self) -> String {
        match self.when() {
            None => "was revoked".to_owned(),
            Some(at) => format!("was revoked on {} ({})", day(at), self.reason.words()),
        }
    }

    /// When, where that is known, in seconds since 1970.
    pub fn when(&self) -> Option<i64> {
        Some(self.at).filter(|at| *at != 0)
    }
}
