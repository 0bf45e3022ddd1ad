//! What state and ledger know of a certificate, for those who look at it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::attributes::applied_names;
use super::due::due_from;
use super::facts::Facts;
use crate::names::{AuthorityDirectory, Duration, Text as _};
use crate::plan::NodeSpec;
use crate::plan::issuance::{
    Authority, Lineage, Maker, Remembered, Revoked, Window, asked_authority, asked_key_type, asked_names,
};
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
    /// What it was asked for with.
    pub request: String,
    /// The directory of its files.
    pub directory: PathBuf,
    /// SHA-256 of `fullchain.pem` in hexadecimal.
    pub digest: String,
    /// When it is renewed, in seconds since 1970: as the authority wants it, else by what is left of its lifetime; nothing
    /// where vsa does not renew it.
    pub renews: Option<i64>,
    /// From when on the end of one is near that vsa does not renew, in seconds since 1970: where it comes from files.
    pub ends_soon_from: Option<i64>,
    /// When the authority wants it renewed, where it says so.
    pub window: Option<Window>,
    /// When and why it was revoked, where it was.
    pub revoked: Option<Revoked>,
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
    let known = attributes::decode(&stored.attributes).ok()?;
    let source = match Maker::of(&facts.request)? {
        // An order's address was not written down of one that was taken over.
        Maker::Acme if order.is_none() && facts.certbot.is_some() => Source::Certbot,
        Maker::Acme => Source::Acme,
        Maker::Files => Source::Files,
        Maker::StandIn => Source::StandIn,
        Maker::SelfSigned => Source::SelfSigned,
    };
    let before = match known.get("renew_before") {
        Some(Tree::String(text)) => Duration::parse(text).ok(),
        _ => None,
    };
    let due = || Some(due_from(&facts, before.as_ref(), remembered).0);
    let (renews, ends_soon_from) = match source {
        Source::Files => (None, due()),
        Source::StandIn => (None, None),
        _ => (due(), None),
    };
    let own = (facts.published > 0).then(|| Lineage::new(spec.root.clone(), &*stored.name).ok()).flatten();
    let renewal = remembered.and_then(|remembered| remembered.renewal.as_ref());
    let window = renewal.filter(|renewal| renewal.digest == facts.digest).and_then(|renewal| renewal.window);
    Some(Held {
        source,
        number: facts.issue,
        directory: spec.certificate(&stored.name, facts.issue),
        revoked: remembered.and_then(|remembered| remembered.revoked(&facts.digest)).cloned(),
        window,
        renews,
        ends_soon_from,
        authority: facts.directory().map(str::to_owned),
        request: facts.request,
        digest: facts.digest,
        account: account.filter(|account| !account.is_empty()),
        order,
        lineages: own.into_iter().chain(facts.certbot).collect(),
    })
}

/// The names that the state has a certificate for, where that is said.
pub fn wanted_names(stored: &Stored) -> Vec<Arc<str>> {
    applied_names(stored).unwrap_or_default()
}

/// Whether the state wants a certificate that an authority was asked for, as far as its names and its key tell.
pub fn wants(stored: &Stored, request: &str) -> bool {
    let names = applied_names(stored).unwrap_or_else(|| vec![Arc::clone(&stored.name)]);
    let key_type = match attributes::decode(&stored.attributes) {
        Ok(Tree::Object(attributes)) => text(&attributes, "key_type"),
        _ => None,
    };
    let is_its_key = key_type.is_some_and(|key_type| asked_key_type(request) == Some(&*key_type));
    is_its_key && asked_names(request) == names.iter().map(|name| &**name).collect()
}

/// The authority that made the last issue, as it was configured then: by the block of the certificate or of its node, as
/// the state knows them. `None` where no authority has.
pub fn issuer(stored: &Stored, node: Option<&Stored>) -> Option<Authority> {
    issuer_of(&Facts::deserialize(&stored.facts).ok()?.request, stored, node)
}

/// The authority that an issue was requested from.
pub fn issuer_of(request: &str, stored: &Stored, node: Option<&Stored>) -> Option<Authority> {
    let directory = asked_authority(request)?.to_owned();
    let blocks = [Some(stored), node].into_iter().flatten().filter_map(|stored| {
        match attributes::decode(&stored.attributes).ok()?.get("acme")? {
            Tree::Object(block) => Some(block.clone()),
            _ => None,
        }
    });
    let is_it = |block: &Block| {
        let said = text(block, "directory").and_then(|said| AuthorityDirectory::parse(&said).ok());
        said.is_some_and(|said| said.url() == directory)
    };
    let block = blocks.into_iter().find(is_it).unwrap_or_default();
    let key_id = match block.get("eab") {
        Some(Tree::Object(eab)) => text(eab, "key_id"),
        _ => None,
    };
    let ca = text(&block, "ca").map(PathBuf::from);
    Some(Authority { directory, email: text(&block, "email"), ca, key_id })
}

/// The roots of private authorities that certificates, or a node, name: one of them may be that of a former authority.
pub fn roots<'a>(stored: impl Iterator<Item = &'a Stored>) -> BTreeSet<PathBuf> {
    let root = |stored: &Stored| match attributes::decode(&stored.attributes).ok()?.get("acme")? {
        Tree::Object(block) => text(block, "ca").map(PathBuf::from),
        _ => None,
    };
    stored.filter_map(root).collect()
}

/// A block as the state keeps it.
type Block = BTreeMap<Arc<str>, Tree>;

fn text(block: &Block, name: &str) -> Option<String> {
    match block.get(name)? {
        Tree::String(text) => Some(text.to_string()),
        _ => None,
    }
}
