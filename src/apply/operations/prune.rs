//! Old generations, and the certificates that only they name.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::certificates::remove_issue;
use super::issues::named;
use super::{Context, Facts, fact};
use crate::apply::generation;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host};
use crate::names;
use crate::plan::{Answer, Query};

/// Removes generations beyond those that are kept, what interrupted runs left above the live one, and the issues of
/// certificates that neither the state nor a generation that is kept names.
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

    let mut unnamed = issues(context).await;
    for directory in known(context) {
        unnamed.remove(&directory);
    }
    // Manifests are large: most often nothing is left to look for in them.
    for number in kept.iter().take_while(|_| !unnamed.is_empty()).collect::<Vec<_>>() {
        match named(context, &spec.generation(*number)).await {
            Ok(issues) => unnamed.retain(|directory| !issues.contains(directory)),
            // It may name any of them.
            Err(_) => unnamed.clear(),
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

/// The issues of certificates that are there, and what is left of one that was never whole.
async fn issues(context: Context<'_>) -> BTreeSet<PathBuf> {
    let certificates = context.spec.root.join("certificates");
    let names = entries(context.host, [certificates.clone()]).await.pop().unwrap_or_default();
    let directories: Vec<PathBuf> = names.into_iter().map(|name| certificates.join(name)).collect();
    let inside = entries(context.host, directories.iter().cloned()).await;
    let is_issue = |name: &str| names::number(name.strip_suffix(".new").unwrap_or(name)).is_some();
    let all = directories.iter().zip(inside).flat_map(|(directory, names)| {
        names.into_iter().filter(|name| is_issue(name)).map(|name| directory.join(name))
    });
    all.collect()
}

/// The issues that the state knows, served or not.
fn known(context: Context<'_>) -> impl Iterator<Item = PathBuf> {
    context.state.resources.values().filter_map(move |stored| {
        let issue = stored.facts.get("issue")?.as_u64()?;
        Some(context.spec.certificate(&stored.name, issue))
    })
}
