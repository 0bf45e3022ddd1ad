//! Certificates that authorities issue, for the commands that are about them.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize as _;

use super::CHAIN;
use super::acme::due_from;
use super::attributes::Attributes;
use super::facts::Facts;
use super::held::issuer;
use crate::plan::NodeSpec;
use crate::plan::issuance::{Authority, Failed, Remembered, asks_the_same};
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
    facts: Facts,
    attributes: Attributes,
    request: String,
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
        facts,
        attributes,
    })
}

impl Issued {
    /// From when on it is to be renewed, in seconds since 1970; one that is not there yet is due at any time.
    pub fn due_from(&self, remembered: Option<&Remembered>) -> Option<i64> {
        self.chain.as_ref()?;
        Some(due_from(&self.facts, self.attributes.renew_before.as_ref(), remembered).0)
    }

    /// The failure because of which it is not tried now.
    pub fn waits<'a>(&self, remembered: Option<&'a Remembered>, now: i64) -> Option<&'a Failed> {
        remembered?.waits(now, |former| asks_the_same(former, &self.request))
    }
}
