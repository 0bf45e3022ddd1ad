//! Certificates that authorities issue, for the commands that are about them.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize as _;

use super::acme::order_of;
use super::attributes::{Attributes, names};
use super::due::{By, due_from};
use super::facts::Facts;
use super::held::issuer;
use super::waiting::Wanted;
use super::{CHAIN, KEY, issue, published};
use crate::diag::Diagnostic;
use crate::plan::NodeSpec;
use crate::plan::issuance::{Authority, Failed, REVOKED, Remembered, Revoked, asks_the_same};
use crate::plan::observation::{FileType, Observations, Query};
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
    /// The names that it is to be for.
    names: Vec<String>,
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
        names: names(resource, &attributes),
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
        let files = [Query::Read(beside(REVOKED)), Query::Stat(beside(KEY)), Query::Myself];
        files.into_iter().chain(self.laid_out().map(Query::Stat)).collect()
    }

    /// A file beside its chain.
    fn beside(&self) -> Option<impl Fn(&str) -> PathBuf> {
        let chain = self.chain.as_ref()?;
        Some(|file: &str| chain.with_file_name(file))
    }

    /// Its key where it is laid out for other programs.
    fn laid_out(&self) -> Option<PathBuf> {
        published::archived_key(&self.root, &self.name, &self.facts)
    }

    /// Whether others may have read its key.
    fn is_exposed(&self, remembered: Option<&Remembered>, observed: &Observations) -> bool {
        let Some(beside) = self.beside() else { return false };
        let facts = &self.facts;
        let key = |path: PathBuf| {
            let key = observed.stat(path).filter(|key| key.file_type == FileType::File)?;
            Some((key.mode, key.uid))
        };
        let [own, laid_out] = [Some(beside(KEY)), self.laid_out()].map(|path| path.and_then(key));
        remembered.is_some_and(|known| known.is_exposed(&facts.digest))
            || own.is_some_and(|key| issue::exposed(observed, facts, key).is_some())
            || laid_out.is_some_and(|key| published::why_exposed(observed, facts, key).is_some())
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

    /// Whether it was asked for in vain since it was issued last, in whatever circumstances.
    pub fn was_tried(&self, remembered: Option<&Remembered>) -> bool {
        let failed = remembered.and_then(|remembered| remembered.failed.as_ref());
        failed.is_some_and(|failed| asks_the_same(&failed.request, &self.request))
    }

    /// Says that it is not tried now, because it failed before.
    pub fn waits(&self, failed: &Failed, now: i64) -> Diagnostic {
        let Self { name, names, request, facts, .. } = self;
        Wanted { name, names, request, facts, now }.waits(failed)
    }

    /// The failures of what is asked for.
    pub fn failed<'a>(&self, remembered: Option<&'a Remembered>) -> Option<&'a Failed> {
        remembered?.failed(|former| asks_the_same(former, &self.request), &self.with)
    }
}
