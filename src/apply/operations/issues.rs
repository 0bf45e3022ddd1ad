//! Which issues of certificates generations name. Manifests are large: each is read once a run, however many issues go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::Context;
use crate::address::Address;
use crate::apply::generation::read_manifest;
use crate::diag::Diagnostic;
use crate::plan::{Answer, Query};
use crate::state::link_target;

/// The issues that a node's generations name; `None` where one of them cannot be read, and may name any.
type Named = Option<Arc<BTreeSet<PathBuf>>>;

/// What the generations of each node name, as far as it was asked for. Generations must not change meanwhile: they are
/// pruned after all issues.
#[derive(Debug, Default)]
pub(in crate::apply) struct Issues(Mutex<BTreeMap<Address, Named>>);

impl Issues {
    /// Whether a generation names an issue, or may.
    pub(super) async fn names(&self, context: Context<'_>, directory: &Path) -> bool {
        let mut known = self.0.lock().await;
        let node = &context.spec.address;
        if !known.contains_key(node) {
            known.insert(node.clone(), all(context).await.ok().map(Arc::new));
        }
        let named = known.get(node).cloned().flatten();
        drop(known);
        named.is_none_or(|named| named.contains(directory))
    }
}

async fn all(context: Context<'_>) -> Result<BTreeSet<PathBuf>, Diagnostic> {
    let generations = context.spec.root.join("generations");
    let answer = context.host.observe(&[Query::Entries(generations.clone())]).await.pop();
    let entries = match answer {
        Some(Answer::Entries(entries)) => entries,
        Some(Answer::Failed(reason)) => {
            return Err(Diagnostic::error(format!("cannot read `{}`: {reason}", generations.display())));
        }
        _ => return Ok(BTreeSet::new()),
    };
    let mut all = BTreeSet::new();
    for name in entries.keys() {
        all.extend(named(context, &generations.join(name)).await?);
    }
    Ok(all)
}

/// The issues of certificates that a generation's links name.
pub(super) async fn named(context: Context<'_>, generation: &Path) -> Result<BTreeSet<PathBuf>, Diagnostic> {
    let inside = context.spec.certificates();
    let manifest = read_manifest(context.host, generation).await?;
    let digests = manifest.into_iter().flat_map(|manifest| manifest.files.into_values());
    let links = digests.filter_map(|digest| link_target(&digest).map(PathBuf::from));
    Ok(links.filter(|target| target.starts_with(&inside)).collect())
}
