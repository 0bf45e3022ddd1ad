//! What is to be done about a certificate.

use std::borrow::Cow;

use super::attributes::Issuer;
use super::known::Known;
use super::published::Home;
use super::{DAY, acme, first, issue, name, published, source};
use crate::diag::{Diagnostics, day};
use crate::names;
use crate::plan::{Answer, Attempt, Query, Subject};
use crate::resource::Resource;

/// Why another issue is due that somebody asks for.
pub(super) const ASKED_FOR: &str = "asked for";

/// Where the issue that is wanted comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is there.
    #[default]
    Before,
    /// It is made on the node.
    New,
    /// An authority is asked for it.
    Order,
    /// It is taken over from certbot.
    Certbot,
    /// It is on the disk, and the state does not know it.
    Disk,
    /// A copy of the last issue is in the archive of a home, under this number.
    Archive(Home, u64),
}

/// What is to be done about a certificate.
#[derive(Clone, Debug, Default)]
pub(super) struct Judgement {
    /// What is wrong with the issue that there is.
    pub(super) drift: Option<issue::IssueDrift>,
    /// Why another issue is due.
    pub(super) due: Option<String>,
    /// Remarks.
    pub(super) findings: Diagnostics,
    /// The number of the issue that is wanted.
    pub(super) issue: u64,
    /// Where it comes from.
    pub(super) from: Origin,
    /// Whether something stands for it, because it cannot be issued now.
    pub(super) is_pending: bool,
    /// What is wrong with how the issue that there is is laid out for other programs.
    pub(super) laid_out: Option<(String, String)>,
    /// The same, in certbot's directory.
    pub(super) imported: Option<(String, String)>,
    /// Whether something stands there, so that nothing can be laid out.
    pub(super) is_kept_out: bool,
}

impl Judgement {
    /// Has an issue made.
    pub(super) fn make(&mut self, issue: u64, from: Origin) {
        self.issue = issue;
        self.from = from;
    }

    /// Sees whether the issue that there is is laid out for other programs.
    pub(super) fn see_laid_out(&mut self, subject: Subject<'_>, resource: &Resource, known: &Known) {
        let unpublished =
            || known.is_unpublished().then(|| "it is not laid out for other programs yet".to_owned());
        self.due = self.due.take().or_else(unpublished);
        self.laid_out = published::drift(subject, resource, known, Home::Own);
        let imported = || published::drift(subject, resource, known, Home::Certbot);
        self.imported = (!self.is_kept_out).then(imported).flatten();
    }
}

/// Judges a certificate: once a plan, but for what the limits of its authority do not leave.
pub(super) fn judge<'a>(subject: Subject<'a>, resource: &Resource, known: &'a Known) -> Cow<'a, Judgement> {
    let judgement = if subject.prior.is_some() == known.has_prior {
        Cow::Borrowed(known.judgement.get_or_init(|| work_out(subject, resource, known)))
    } else {
        Cow::Owned(work_out(subject, resource, known))
    };
    match subject.node.overspent.get(subject.address).filter(|_| judgement.from == Origin::Order) {
        Some(spent) => Cow::Owned(acme::postponed(subject, resource, known, spent, judgement.into_owned())),
        None => judgement,
    }
}

fn work_out(subject: Subject<'_>, resource: &Resource, known: &Known) -> Judgement {
    let Known { attributes, facts, .. } = known;
    let last = if facts.issue == 0 { last_kept(subject) } else { facts.issue };
    let mut judgement = Judgement { issue: last, ..Judgement::default() };
    judgement.findings.extend(first::no_place(subject));
    judgement.findings.extend(published::obstacle(subject, resource, known, Home::Own));
    let obstacle = published::obstacle(subject, resource, known, Home::Certbot);
    judgement.is_kept_out = obstacle.is_some();
    judgement.findings.extend(obstacle);
    let asked_anew = known.asked_anew(subject);
    if !asked_anew || known.stands_in() {
        judgement.drift = issue::drift(subject, resource, known);
    }
    match attributes.issuer() {
        Issuer::Files => source::judge(subject, resource, attributes, facts, asked_anew, &mut judgement),
        Issuer::SelfSigned => {
            let margin = attributes.margin(i64::from(attributes.days) * DAY);
            if subject.attempt == Attempt::Anew {
                judgement.due = Some(ASKED_FOR.to_owned());
            } else if !asked_anew && facts.not_after.saturating_sub(subject.now) < margin {
                judgement.due = Some(format!("renewal is due: it ends on {}", day(facts.not_after)));
            }
        }
        Issuer::Acme | Issuer::LetsEncrypt | Issuer::LetsEncryptStaging => {
            acme::judge(subject, resource, known, &mut judgement);
            return judgement;
        }
    }
    if asked_anew || judgement.drift.is_some() || judgement.due.is_some() {
        judgement.make(judgement.issue.saturating_add(1), Origin::New);
    } else {
        // What was laid out once, as long as an authority issued it, stays so.
        judgement.see_laid_out(subject, resource, known);
    }
    judgement
}

/// The last issue of a former certificate of this name that old generations keep; 0 where there is none. Issues are
/// never changed, so a new one needs a number of its own.
pub(super) fn last_kept(subject: Subject<'_>) -> u64 {
    match former(subject).and_then(|query| subject.observed.get(&query)) {
        Some(Answer::Entries(issues)) => {
            issues.keys().filter_map(|issue| names::number(issue)).max().unwrap_or(0)
        }
        _ => 0,
    }
}

/// What there is of former certificates of this name.
pub(super) fn former(subject: Subject<'_>) -> Option<Query> {
    Some(Query::Entries(subject.node.spec.certificates().join(&*name(subject)?)))
}
