//! What is wrong with how the last issue is laid out for other programs.

use super::facts::Facts;
use super::issue::{IssueDrift, another_owner, said_exposed};
use super::known::Known;
use crate::diag::Diagnostic;
use crate::plan::Subject;
use crate::plan::issuance::lineage::{KEY_MODE, is_open};
use crate::plan::issuance::{Damage, PublishedLineage};
use crate::plan::observation::{Answer, Observations, Query};
use crate::resource::Resource;

/// One question for all certificates of the node.
pub(super) fn query(subject: Subject<'_>, known: &Known) -> Option<Query> {
    let is_there = known.facts.published > 0 && !known.is_unpublished();
    is_there.then(|| Query::Published(subject.node.spec.root.clone()))
}

/// How it is laid out, or what is wrong with that; `None` where it is not there at all.
type Found<'a> = Option<&'a Result<PublishedLineage, Damage>>;

fn found<'a>(subject: Subject<'a>, resource: &Resource, known: &Known) -> Option<Found<'a>> {
    match subject.observed.get(&query(subject, known)?)? {
        Answer::Published(all) => Some(all.get(&*resource.name)),
        Answer::Absent => Some(None),
        _ => None,
    }
}

/// That others may have read the key where it is laid out: it is the one that is served.
pub(super) fn exposed(subject: Subject<'_>, resource: &Resource, known: &Known) -> Option<IssueDrift> {
    let is_asked_for = known.settings.is_some() && known.facts.issue > 0;
    let Ok(found) = found(subject, resource, known).filter(|_| is_asked_for)?? else { return None };
    let why = why_exposed(subject.observed, &known.facts, found)?;
    let (file, what) = (archived(resource, found, "privkey"), said_exposed(&why));
    Some(IssueDrift { file, what, is_exposed: true, is_usable: true })
}

/// Why others may have read the key where it is laid out.
pub(super) fn why_exposed(
    observed: &Observations,
    facts: &Facts,
    found: &PublishedLineage,
) -> Option<String> {
    let mode = found.key_mode;
    if is_open(mode) {
        return Some(format!("its mode is {mode:04o}, not {KEY_MODE:04o}"));
    }
    another_owner(observed, facts, found.key_owner)
}

/// That something stands where it is laid out, which only its owner may move away.
pub(super) fn obstacle(subject: Subject<'_>, resource: &Resource, known: &Known) -> Option<Diagnostic> {
    let damage = found(subject, resource, known)??.as_ref().err().filter(|damage| damage.is_in_the_way)?;
    let path = subject.node.spec.root.join(&damage.path);
    let error = Diagnostic::error(format!("`{}` {}", path.display(), damage.what)).code("obstructed");
    Some(
        error.help("move it away: vsa lays the certificate out there for other programs").on(subject.address),
    )
}

fn archived(resource: &Resource, found: &PublishedLineage, piece: &str) -> String {
    format!("archive/{}/{piece}{}.pem", resource.name, found.number)
}

/// What is wrong, with the path before it.
pub(super) fn drift(subject: Subject<'_>, resource: &Resource, known: &Known) -> Option<(String, String)> {
    let name = &resource.name;
    let found = match found(subject, resource, known)? {
        Some(Ok(found)) => found,
        Some(Err(damage)) => return Some((damage.path.clone(), damage.what.clone())),
        None => return Some((format!("live/{name}"), "was deleted".to_owned())),
    };
    if found.digest != known.facts.digest {
        return Some((archived(resource, found, "fullchain"), "was edited".to_owned()));
    }
    let mode = found.key_mode;
    // Of an authority's, that is more than a wrong mode.
    let wrong = known.settings.is_none() && is_open(mode);
    let what = || format!("its mode is {mode:04o}, not {KEY_MODE:04o}");
    wrong.then(|| (archived(resource, found, "privkey"), what()))
}
