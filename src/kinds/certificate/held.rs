//! What state and ledger know of a certificate, for those who look at it.

use std::path::PathBuf;

use serde::Deserialize;

use super::acme::due_from;
use super::facts::Facts;
use crate::names::{Duration, Text as _};
use crate::plan::NodeSpec;
use crate::plan::issuance::{Lineage, Remembered};
use crate::state::Stored;
use crate::state::attributes::{self, Tree};

/// Who made the last issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An authority, by ACME.
    Acme,
    /// certbot, from which it was taken over.
    Certbot,
    /// Somebody else, who keeps it in files.
    Files,
    /// vsa itself.
    SelfSigned,
    /// vsa itself, for as long as the authority does not issue it.
    StandIn,
}

impl Source {
    /// What it is called.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Acme => "acme",
            Self::Certbot => "certbot",
            Self::Files => "files",
            Self::SelfSigned => "self_signed",
            Self::StandIn => "stand-in",
        }
    }
}

/// The last issue of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who made it.
    pub source: Source,
    /// Its number; 0 of what stands for one that is not issued yet.
    pub number: u64,
    /// The directory of its files.
    pub directory: PathBuf,
    /// SHA-256 of `fullchain.pem` in hexadecimal.
    pub digest: String,
    /// When it is renewed, in seconds since 1970: as the authority wants it, else by what is left of its lifetime; nothing
    /// where vsa does not renew it.
    pub renews: Option<i64>,
    /// The directory of the authority that it was asked from.
    pub authority: Option<String>,
    /// The account's address.
    pub account: Option<String>,
    /// The order's address.
    pub order: Option<String>,
    /// Where it stands in certbot's layout.
    pub lineages: Vec<Lineage>,
}

/// What only those who look at it read.
#[derive(Debug, Default, Deserialize)]
struct Issuance {
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    order: Option<String>,
}

/// What the state knows of a certificate on a node, and what the node remembers of it; `None` where nothing was made yet.
pub fn held(stored: &Stored, spec: &NodeSpec, remembered: Option<&Remembered>) -> Option<Held> {
    let facts = Facts::deserialize(&stored.facts).ok()?;
    let Issuance { account, order } = Issuance::deserialize(&stored.facts).ok()?;
    let mut words = facts.request.split(' ').skip(1);
    let asked = words.next()?;
    let known = attributes::decode(&stored.attributes).ok()?;
    let source = match asked {
        // An order's address was not written down of one that was taken over.
        "acme" if order.is_none() && facts.certbot.is_some() => Source::Certbot,
        "acme" => Source::Acme,
        "files" => Source::Files,
        "stand_in" => Source::StandIn,
        _ => Source::SelfSigned,
    };
    let before = match known.get("renew_before") {
        Some(Tree::String(text)) => Duration::parse(text).ok(),
        _ => None,
    };
    let renews = match source {
        Source::Files | Source::StandIn => None,
        _ => Some(due_from(&facts, before.as_ref(), remembered).0),
    };
    let own = (facts.published > 0).then(|| Lineage::new(spec.root.clone(), &*stored.name).ok()).flatten();
    let by_acme = matches!(source, Source::Acme | Source::Certbot);
    Some(Held {
        source,
        number: facts.issue,
        directory: spec.certificate(&stored.name, facts.issue),
        digest: facts.digest,
        renews,
        authority: by_acme.then(|| words.next().map(str::to_owned)).flatten(),
        account,
        order,
        lineages: own.into_iter().chain(facts.certbot).collect(),
    })
}
