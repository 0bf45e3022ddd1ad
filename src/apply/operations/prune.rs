//! Old generations, and the certificates that only they name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::certificates::remove_issue;
use super::{Context, Facts, fact};
use crate::apply::generation::read_manifest;
use crate::diag::Diagnostic;
use crate::host::FileOperation;
use crate::plan::observation::{FileType, Stat};
use crate::plan::{Answer, Query};

/// Removes generations beyond those that are kept, and what interrupted runs left above the live one.
pub(super) async fn prune(context: Context<'_>, live: u64, keep: u32) -> Result<Facts, Diagnostic> {
    let Context { host, spec, .. } = context;
    let generations = spec.root.join("generations");
    let queries = [Query::Entries(generations.clone()), Query::Stat(spec.current())];
    let answers = host.observe(&queries).await;
    let Some(Answer::Entries(entries)) = answers.first() else { return Ok(Facts::new()) };
    // Whatever the state says: what `current` names may be what nginx reads.
    let current = match answers.get(1) {
        Some(Answer::Stat(Stat { file_type: FileType::Link(target), .. })) => {
            target.file_name().and_then(|name| name.to_str()?.parse::<u64>().ok())
        }
        _ => None,
    };
    let numbers: BTreeSet<u64> = entries.keys().filter_map(|name| name.parse().ok()).collect();
    let older: Vec<u64> = numbers.range(..live).rev().copied().collect();
    let kept: BTreeSet<u64> = older
        .iter()
        .take(usize::try_from(keep).unwrap_or(usize::MAX))
        .copied()
        .chain([live])
        .chain(current)
        .collect();
    let gone: Vec<u64> = numbers.difference(&kept).copied().collect();

    let mut named_by_gone = BTreeSet::new();
    for number in &gone {
        named_by_gone.extend(certificates(context, &spec.generation(*number)).await.unwrap_or_default());
    }
    let mut named = live_certificates(context);
    if !named_by_gone.is_empty() {
        for number in &kept {
            match certificates(context, &spec.generation(*number)).await {
                Ok(issues) => named.extend(issues),
                // It may name any of them.
                Err(_) => named.extend(named_by_gone.iter().cloned()),
            }
        }
    }
    let trees = gone.iter().map(|number| FileOperation::RemoveTree {
        root: generations.clone(),
        path: spec.generation(*number),
    });
    host.files(trees.collect()).await?;
    for directory in named_by_gone.difference(&named) {
        remove_issue(context, directory).await?;
    }
    Ok(fact("removed", gone.len()))
}

/// The issues of certificates that a generation's links name.
async fn certificates(context: Context<'_>, generation: &Path) -> Result<BTreeSet<PathBuf>, Diagnostic> {
    let inside = context.spec.root.join("certificates");
    let manifest = read_manifest(context.host, generation).await?;
    let digests = manifest.into_iter().flat_map(|manifest| manifest.files.into_values());
    let links = digests.filter_map(|digest| digest.strip_prefix("link:").map(PathBuf::from));
    Ok(links.filter(|target| target.starts_with(&inside)).collect())
}

/// The issues that the state knows, served or not.
fn live_certificates(context: Context<'_>) -> BTreeSet<PathBuf> {
    let issues = context.state.resources.values().filter_map(|stored| {
        let issue = stored.facts.get("issue")?.as_u64()?;
        Some(context.spec.certificate(&stored.name, issue))
    });
    issues.collect()
}
