//! Certificates that no authority issues, for the commands that are about them: vsa makes them itself, or copies them.

use std::sync::Arc;

use serde::Deserialize as _;

use super::DAY;
use super::attributes::{Attributes, Issuer};
use super::facts::Facts;
use super::source::{Kept, Unusable};
use crate::plan::NodeSpec;
use crate::plan::issuance::asks_the_same;
use crate::plan::observation::{Observations, Query};
use crate::resource::Resource;
use crate::state::Stored;

/// A certificate that vsa makes itself, or copies from files: as the configuration wants it and the state knows it.
#[derive(Debug)]
pub struct Local {
    /// Its name.
    pub name: Arc<str>,
    /// The files that it is copied from, where it is.
    pub kept: Option<Kept>,
    facts: Facts,
    attributes: Attributes,
    /// Whether it is what the state has.
    is_applied: bool,
}

/// When another one takes its place.
#[derive(Debug)]
pub enum When {
    /// Now.
    Now,
    /// From this moment on, in seconds since 1970.
    From(i64),
    /// Once somebody has changed what it comes from.
    Changed,
    /// Never as it is: what it comes from cannot be used.
    Unusable(Unusable),
}

/// What is known of a certificate; `None` of one that an authority issues.
pub fn local(resource: &Resource, stored: &Stored, spec: &NodeSpec) -> Option<Local> {
    let attributes: Attributes = resource.decode().ok()?;
    let is_local = matches!(attributes.issuer(), Issuer::SelfSigned | Issuer::Files);
    let facts = Facts::deserialize(&stored.facts).ok().filter(|_| is_local)?;
    let is_applied = asks_the_same(&facts.request, &attributes.request(resource, &spec.address));
    let kept = Kept::said(resource, &attributes);
    Some(Local { name: Arc::clone(&resource.name), kept, facts, attributes, is_applied })
}

impl Local {
    /// What is asked about its files.
    pub fn queries(&self) -> Vec<Query> {
        self.kept.iter().flat_map(Kept::queries).collect()
    }

    /// When another one takes its place. What was not applied yet is left to an apply.
    pub fn when(&self, observed: &Observations) -> When {
        if !self.is_applied {
            return When::Changed;
        }
        let Some(kept) = &self.kept else {
            let margin = self.attributes.margin(i64::from(self.attributes.days) * DAY);
            return When::From(self.facts.not_after.saturating_sub(margin).saturating_add(1));
        };
        match kept.seen(observed) {
            Some(Err(unusable)) => When::Unusable(unusable),
            Some(Ok(_)) if kept.differs(&self.facts.digest, observed) => When::Now,
            _ => When::Changed,
        }
    }
}
