//! Issues that are there and that the state does not know as the last one: of runs that were taken back, of what was asked
//! for once before, of a state that was lost.

use super::acme::remembered;
use super::judgement::former;
use super::known::Known;
use super::{CHAIN, DAY, KEY};
use crate::names;
use crate::plan::issuance::lineage::is_open;
use crate::plan::issuance::{REQUEST, REVOKED, asks_the_same};
use crate::plan::observation::{Answer, CertificateFacts, FileType, Query};
use crate::plan::{Attempt, Subject};
use crate::resource::Resource;

/// What is asked of one: what was asked for, the certificate, its key, how that is kept, which certificate it is, and
/// whether it was revoked.
fn asked(subject: Subject<'_>, name: &str, issue: u64) -> [Query; 6] {
    let file = |file: &str| subject.node.spec.certificate(name, issue).join(file);
    [
        Query::Read(file(REQUEST)),
        Query::Certificate(file(CHAIN)),
        Query::PrivateKey { key: file(KEY), certificate: file(CHAIN) },
        Query::Stat(file(KEY)),
        Query::Digest(file(CHAIN)),
        Query::Stat(file(REVOKED)),
    ]
}

/// The numbers of those that may be taken, the last first. What takes the place of an issue, or renews it, is later.
fn numbers(subject: Subject<'_>, known: &Known) -> impl Iterator<Item = u64> {
    let first = if known.asked_anew(subject) { 1 } else { known.facts.issue.saturating_add(1) };
    let mut numbers = match former(subject).and_then(|query| subject.observed.get(&query)) {
        Some(Answer::Entries(issues)) => {
            issues.keys().filter_map(|issue| names::number(issue)).filter(|issue| *issue >= first).collect()
        }
        _ => Vec::new(),
    };
    numbers.sort_unstable();
    numbers.into_iter().rev()
}

pub(super) fn queries(subject: Subject<'_>, resource: &Resource, known: &Known) -> Vec<Query> {
    let asked = numbers(subject, known).flat_map(|issue| asked(subject, &resource.name, issue));
    let mut queries: Vec<Query> = asked.collect();
    if !queries.is_empty() {
        queries.push(Query::Myself);
    }
    queries
}

/// The last one that was asked for as it is now, where it is whole and not to be renewed. One before it had been given up.
pub(super) fn fitting(subject: Subject<'_>, resource: &Resource, known: &Known) -> Option<u64> {
    let answers = |issue| asked(subject, &resource.name, issue).map(|query| subject.observed.get(&query));
    let is_it = |request: Option<&Answer>| match request {
        Some(Answer::Bytes(request)) => {
            std::str::from_utf8(request).is_ok_and(|former| asks_the_same(former, &known.request))
        }
        _ => false,
    };
    let mut all = numbers(subject, known).map(|issue| (issue, answers(issue)));
    let (issue, [_, certificate, key, kept, digest, noted]) =
        all.find(|(_, [request, ..])| is_it(*request))?;
    let Some(Answer::Certificate(facts)) = certificate else { return None };
    // A key that may not be read now is judged by the apply, which may.
    let is_its_own = matches!(key, Some(Answer::PrivateKey { wrong: None } | Answer::Failed(_)));
    let is_private = match (kept, subject.observed.get(&Query::Myself)) {
        (Some(Answer::Stat(stat)), myself) => {
            let is_mine = !matches!(myself, Some(Answer::User { uid, .. }) if *uid != stat.uid && *uid == 0);
            stat.file_type == FileType::File && !is_open(stat.mode) && is_mine
        }
        _ => false,
    };
    // Where another one is asked for, that of a run that was taken back a moment ago is one.
    let is_new = subject.attempt != Attempt::Anew || subject.now.saturating_sub(facts.not_before) < DAY;
    let fits = is_its_own && is_private && is_new && !ends_soon(subject, known, facts);
    // It is said beside the issue, too: the ledger may have been lost.
    let is_spoilt = !matches!(noted, Some(Answer::Absent))
        || match digest {
            Some(Answer::Digest(digest)) => remembered(subject, &resource.name, known)
                .is_some_and(|known| known.revoked(digest).is_some() || known.is_exposed(digest)),
            _ => true,
        };
    (fits && !is_spoilt).then_some(issue)
}

fn ends_soon(subject: Subject<'_>, known: &Known, facts: &CertificateFacts) -> bool {
    let lifetime = facts.not_after.saturating_sub(facts.not_before);
    facts.not_after.saturating_sub(subject.now) < known.attributes.margin(lifetime)
}
