//! What is wanted of a certificate, and what is known of it.

use std::path::PathBuf;
use std::sync::OnceLock;

use super::attributes::Attributes;
use super::facts::Facts;
use super::judgement::Judgement;
use crate::plan::Subject;
use crate::plan::issuance::{Settings, asks_the_same};

/// What is wanted and what the state knows of it, worked out once.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) attributes: Attributes,
    pub(super) facts: Facts,
    /// Which authority issues it, where one does.
    pub(super) settings: Option<Settings>,
    /// What an issue is asked for with.
    pub(super) request: String,
    /// What stands for it meanwhile is asked for with.
    pub(super) stand_in: String,
    /// The directory of the last issue.
    pub(super) last: PathBuf,
    /// Whether the state knows it.
    pub(super) has_prior: bool,
    /// What is to be done, once all has been asked.
    pub(super) judgement: OnceLock<Judgement>,
}

impl Known {
    pub(super) fn of(subject: Subject<'_>) -> Option<&Self> {
        let make = || {
            let resource = subject.desired?;
            let attributes = resource.decode::<Attributes>().ok()?;
            let facts = Facts::of(subject);
            let request = attributes.request(resource, &subject.node.spec.address);
            let stand_in = attributes.stand_in(resource, &subject.node.spec.address);
            let last = subject.node.spec.certificate(&resource.name, facts.issue);
            let settings = attributes.settings();
            let (has_prior, judgement) = (subject.prior.is_some(), OnceLock::new());
            Some(Self { attributes, facts, settings, request, stand_in, last, has_prior, judgement })
        };
        subject.memo.get_or(make)?.as_ref()
    }

    /// Whether what is asked for is not what was asked for before.
    pub(super) fn asked_anew(&self, subject: Subject<'_>) -> bool {
        self.facts.issue == 0 || subject.prior.is_none() || !asks_the_same(&self.facts.request, &self.request)
    }

    /// Whether the next issue renews the last one in the eyes of the authority: that issued it, to the node's account.
    pub(super) fn renews(&self) -> bool {
        let directory = self.facts.directory();
        let same = self.settings.as_ref().is_some_and(|settings| directory == Some(settings.directory.url()));
        self.facts.issue > 0 && !self.facts.account.is_empty() && same
    }

    /// Whether it is laid out for other programs: where an authority issues it, and where one did, for who reads it there.
    pub(super) fn is_laid_out(&self) -> bool {
        self.settings.is_some() || self.facts.published > 0
    }

    /// Whether the last issue is not laid out for other programs: a run was ended before it was.
    pub(super) fn is_unpublished(&self) -> bool {
        let Facts { issue, published_issue, .. } = self.facts;
        self.is_laid_out() && issue > 0 && published_issue != Some(issue)
    }

    /// Whether what stands for it is there, as far as the state knows.
    pub(super) fn stands_in(&self) -> bool {
        self.facts.issue == 0 && self.facts.request == self.stand_in
    }
}
