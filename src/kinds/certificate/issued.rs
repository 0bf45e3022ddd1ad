//! Certificates that authorities issue, for the commands that are about them.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize as _;

use super::acme::order_of;
use super::attributes::Attributes;
use super::due::{By, due_from};
use super::facts::Facts;
use super::held::issuer;
use super::{CHAIN, KEY, issue, published};
use crate::plan::NodeSpec;
use crate::plan::issuance::{Authority, Failed, REVOKED, Remembered, Revoked, asks_the_same};
use crate::plan::observation::{Answer, FileType, Observations, Query};
use crate::resource::Resource;
use crate::state::Stored;

/// A certificate that an authority issues: as the configuration wants it and the state knows it.
#[derive(Debug)]
pub struct Issued {
    /// Its name.
    pub name: Arc<str>,
    /// Who made the last issue; as long as there is none, who is asked for it.
    pub authority: Authority,
    /// The PEM file with the certificate and its chain; `None` as long as another one stands for it.
    pub chain: Option<PathBuf>,
    /// The digest of that file.
    pub digest: String,
    /// The directory of its node.
    root: PathBuf,
    facts: Facts,
    attributes: Attributes,
    request: String,
    /// What it is asked for with, as a digest.
    with: String,
    /// Whether the state has it for the names that it is wanted for.
    is_applied: bool,
}

/// What is known of a certificate; `None` of one that no authority issues.
pub fn issued(
    resource: &Resource,
    stored: &Stored,
    node: Option<&Stored>,
    spec: &NodeSpec,
) -> Option<Issued> {
    let attributes: Attributes = resource.decode().ok()?;
    let settings = attributes.settings()?;
    let facts = Facts::deserialize(&stored.facts).ok()?;
    let directory = spec.certificate(&resource.name, facts.issue);
    let configured = settings.authority();
    let former = issuer(stored, node).filter(|former| former.directory != configured.directory);
    let authority = former.unwrap_or(configured);
    Some(Issued {
        name: Arc::clone(&resource.name),
        authority,
        chain: (facts.issue > 0).then(|| directory.join(CHAIN)),
        digest: facts.digest.clone(),
        request: attributes.request(resource, &spec.address),
        with: order_of(resource, &attributes, &settings, None).circumstances(spec, &settings.secrets()),
        is_applied: attributes.is_applied(resource, stored),
        root: spec.root.clone(),
        facts,
        attributes,
    })
}

impl Issued {
    /// What is asked about its files.
    pub fn queries(&self) -> Vec<Query> {
        let Some(beside) = self.beside() else { return Vec::new() };
        let files = [Query::Read(beside(REVOKED)), Query::Stat(beside(KEY))];
        files.into_iter().chain([Query::Myself, self.published()]).collect()
    }

    /// A file beside its chain.
    fn beside(&self) -> Option<impl Fn(&str) -> PathBuf> {
        let chain = self.chain.as_ref()?;
        Some(|file: &str| chain.with_file_name(file))
    }

    fn published(&self) -> Query {
        Query::Published(self.root.clone())
    }

    /// Whether others may have read its key.
    fn is_exposed(&self, remembered: Option<&Remembered>, observed: &Observations) -> bool {
        let Some(beside) = self.beside() else { return false };
        let facts = &self.facts;
        let key = observed.stat(beside(KEY)).filter(|key| key.file_type == FileType::File);
        let laid_out = match observed.get(&self.published()) {
            Some(Answer::Published(all)) => all.get(&*self.name).and_then(|found| found.as_ref().ok()),
            _ => None,
        };
        let laid_out = laid_out.filter(|_| facts.published_issue == Some(facts.issue));
        remembered.is_some_and(|known| known.is_exposed(&facts.digest))
            || key.is_some_and(|key| issue::exposed(observed, facts, (key.mode, key.uid)).is_some())
            || laid_out.is_some_and(|found| published::why_exposed(observed, facts, found).is_some())
    }

    /// From when on it is to be had, in seconds since 1970; one that is not there yet, was revoked, or whose key others may
    /// have read is due at any time, and so is one that was applied without what it is wanted for, because that failed.
    pub fn due_from(&self, remembered: Option<&Remembered>, observed: &Observations) -> Option<i64> {
        let noted = Query::Read(self.beside()?(REVOKED));
        if self.is_exposed(remembered, observed) {
            return None;
        }
        let remembered = Remembered::with(remembered, Revoked::noted(observed.get(&noted), &self.digest));
        let remembered = remembered.as_deref();
        let is_owed = !asks_the_same(&self.facts.request, &self.request) && self.is_applied;
        if is_owed && self.failed(remembered).is_some() {
            return None;
        }
        let (from, by) = due_from(&self.facts, self.attributes.renew_before.as_ref(), remembered);
        (!matches!(by, By::Revoked(_))).then_some(from)
    }

    /// The failures of what is asked for.
    pub fn failed<'a>(&self, remembered: Option<&'a Remembered>) -> Option<&'a Failed> {
        remembered?.failed(|former| asks_the_same(former, &self.request), &self.with)
    }
}
