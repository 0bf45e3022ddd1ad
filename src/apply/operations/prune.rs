//! Old generations, and the certificates that only they name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::certificates::remove_issue;
use super::issues::named;
use super::{Context, Facts, fact};
use crate::apply::certificate::CHAIN;
use crate::apply::generation;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host};
use crate::names;
use crate::plan::issuance::{Ledger, ORDER_KEY, REQUEST, asked_authority};
use crate::plan::{Answer, NodeSpec, Query};

/// Removes generations beyond those that are kept, what interrupted runs left above the live one, and the issues of
/// certificates that neither the state nor a generation that is kept names, and that nobody will take either.
pub(super) async fn prune(context: Context<'_>, live: u64, keep: u32) -> Result<Facts, Diagnostic> {
    let Context { host, spec, .. } = context;
    let generations = spec.root.join("generations");
    // Whatever the state says: what `current` names may be what nginx reads.
    let current = generation::current(host, spec).await;
    let entries = entries(host, [generations.clone()]).await.pop().unwrap_or_default();
    let numbers: BTreeSet<u64> = entries.iter().filter_map(|name| names::number(name)).collect();
    let older = numbers.range(..live).rev().copied();
    let kept: BTreeSet<u64> =
        older.take(usize::try_from(keep).unwrap_or(usize::MAX)).chain([live]).chain(current).collect();
    let gone: Vec<u64> = numbers.difference(&kept).copied().collect();
    let trees = gone.iter().map(|number| FileOperation::RemoveTree {
        root: generations.clone(),
        path: spec.generation(*number),
    });
    host.files(trees.collect()).await?;

    let (mut unnamed, keys) = certificates(context).await;
    for directory in known(context) {
        unnamed.remove(&directory);
    }
    // Manifests are large: most often nothing is left to look for in them.
    for number in &kept {
        if unnamed.is_empty() {
            break;
        }
        match named(context, &spec.generation(*number)).await {
            Ok(issues) => unnamed.retain(|directory| !issues.contains(directory)),
            // It may name any of them.
            Err(_) => unnamed.clear(),
        }
    }
    if !unnamed.is_empty() || !keys.is_empty() {
        let ledger = context.issuance.look(spec, Ledger::clone).await;
        for wanted in to_be_taken(context, &unnamed, ledger.as_ref().ok()).await {
            unnamed.remove(&wanted);
        }
        if let Ok(ledger) = ledger {
            let is_lost = |key: &PathBuf| {
                let known = ledger.certificates.get(NodeSpec::certificate_name(key));
                known.is_none_or(|known| known.order.is_none())
            };
            let lost = keys.into_iter().filter(is_lost).map(|path| FileOperation::Remove { path });
            host.files(lost.collect()).await?;
        }
    }
    for directory in &unnamed {
        remove_issue(context, directory).await?;
    }
    Ok(fact("removed", gone.len()))
}

/// The names in directories, none where one is not there. One question for all.
async fn entries(host: &dyn Host, directories: impl IntoIterator<Item = PathBuf>) -> Vec<Vec<String>> {
    let queries: Vec<Query> = directories.into_iter().map(Query::Entries).collect();
    let answers = host.observe(&queries).await.into_iter();
    let names = answers.map(|answer| match answer {
        Answer::Entries(entries) => entries.into_keys().collect(),
        _ => Vec::new(),
    });
    names.collect()
}

/// The issues of certificates that are there, and what is left of one that was never whole; and the keys of orders.
async fn certificates(context: Context<'_>) -> (BTreeSet<PathBuf>, Vec<PathBuf>) {
    let certificates = context.spec.certificates();
    let names = entries(context.host, [certificates.clone()]).await.pop().unwrap_or_default();
    let directories: Vec<PathBuf> = names.into_iter().map(|name| certificates.join(name)).collect();
    let inside = entries(context.host, directories.iter().cloned()).await;
    let is_issue = |name: &str| names::number(name.strip_suffix(".new").unwrap_or(name)).is_some();
    let (mut issues, mut keys) = (BTreeSet::new(), Vec::new());
    for (directory, name) in directories
        .iter()
        .zip(inside)
        .flat_map(|(directory, names)| names.into_iter().map(move |name| (directory, name)))
    {
        if is_issue(&name) {
            issues.insert(directory.join(name));
        } else if name == ORDER_KEY {
            keys.push(directory.join(name));
        }
    }
    (issues, keys)
}

/// What authorities issued for runs that were taken back: it is still valid and later than what the state knows, and the
/// next plan takes it. What the node remembers of a certificate goes with it: an issue that only an old generation kept
/// is none of these.
async fn to_be_taken(
    context: Context<'_>,
    issues: &BTreeSet<PathBuf>,
    ledger: Option<&Ledger>,
) -> Vec<PathBuf> {
    let now = context.host.now().await;
    let mut known: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, issue) in facts(context) {
        let last = known.entry(name).or_default();
        *last = issue.max(*last);
    }
    let is_later = |directory: &&PathBuf| {
        let Some(number) = number_of(directory) else { return false };
        let name = NodeSpec::certificate_name(directory);
        match known.get(name) {
            Some(last) => number > *last,
            None => {
                let is_known =
                    |ledger: &Ledger| ledger.certificates.get(name).is_some_and(|known| !known.is_gone);
                number > 0 && ledger.is_none_or(is_known)
            }
        }
    };
    let later: Vec<&PathBuf> = issues.iter().filter(is_later).collect();
    let queries: Vec<Query> = later
        .iter()
        .flat_map(|issue| [Query::Read(issue.join(REQUEST)), Query::Certificate(issue.join(CHAIN))])
        .collect();
    let answers = context.host.observe(&queries).await;
    let is_wanted = |answers: &[Answer]| match answers {
        [Answer::Bytes(request), Answer::Certificate(certificate)] => {
            std::str::from_utf8(request).is_ok_and(|request| asked_authority(request).is_some())
                && certificate.not_after > now
        }
        _ => false,
    };
    let wanted = later.into_iter().zip(answers.chunks(2)).filter(|(_, answers)| is_wanted(answers));
    wanted.map(|(issue, _)| issue.clone()).collect()
}

fn number_of(issue: &Path) -> Option<u64> {
    names::number(issue.file_name()?.to_str()?)
}

/// The issues of this node that the state knows, served or not, with the names of their certificates.
fn facts(context: Context<'_>) -> impl Iterator<Item = (&str, u64)> {
    let known = context.state.on(&context.spec.address);
    known.filter_map(|stored| Some((&*stored.name, stored.facts.get("issue")?.as_u64()?)))
}

/// The directories of all issues of this node that the state knows.
fn known(context: Context<'_>) -> impl Iterator<Item = PathBuf> {
    facts(context).map(move |(name, issue)| context.spec.certificate(name, issue))
}
