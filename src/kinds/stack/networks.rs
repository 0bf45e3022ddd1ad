//! Networks of a stack's own that change. Docker cannot change a network, and of the Compose tools one makes it anew with
//! all that is in it, others refuse or see nothing: so the stack is taken down before it comes up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::attributes::Stack;
use super::{models, observe};
use crate::compose::diff::{self, Diff, NetworkChange, NetworkSettings};
use crate::plan::docker::Container;
use crate::plan::docker::ContainerState;
use crate::plan::{PlacedFile, Subject};
use crate::state::Status;

/// The networks that change under containers that are there: by the settings that the last apply brought them up with, for
/// the files that are there may be those of a run that was killed before its networks followed. Those are looked at where
/// no apply has reported the settings, where some of them are secret, and where a run may have got further than it reported.
pub(super) fn changed(
    subject: Subject<'_>,
    stack: &Stack,
    files: &BTreeMap<PathBuf, PlacedFile>,
) -> Vec<NetworkChange> {
    let here = observe::containers(subject, &stack.project.name);
    if observe::known(subject).is_empty() || here.is_some_and(|here| here.is_empty()) {
        return Vec::new();
    }
    let (Some(prior), Some(after)) = (subject.prior, models::after(subject, stack, files)) else {
        return Vec::new();
    };
    let before = models::before(subject, stack);
    let mut by_files: BTreeMap<Arc<str>, NetworkChange> = Diff::between(before.as_ref(), Some(&after))
        .networks
        .into_iter()
        .map(|change| (Arc::clone(&change.network), change))
        .collect();
    let reported = prior.facts.get("networks");
    let reported: BTreeMap<String, String> =
        reported.and_then(|fact| serde_json::from_value(fact.clone()).ok()).unwrap_or_default();
    let is_interrupted = prior.status == Status::Interrupted;
    let change = |(network, settings): (Arc<str>, NetworkSettings)| {
        let by_files = by_files.remove(&network);
        let Some(reported) = reported.get(&*network) else { return by_files };
        let differs = *reported != settings.digest || (is_interrupted && settings.hidden);
        let by_files = by_files.filter(|_| differs || is_interrupted || settings.hidden);
        by_files.or_else(|| differs.then(|| NetworkChange { network, attributes: Vec::new() }))
    };
    diff::network_settings(&after).into_iter().filter_map(change).collect()
}

/// What an apply reports of the networks that it brings a stack up with, by their names in the files.
pub(super) fn reported(
    subject: Subject<'_>,
    stack: &Stack,
    files: &BTreeMap<PathBuf, PlacedFile>,
) -> BTreeMap<String, String> {
    let after = models::after(subject, stack, files);
    let settings = after.as_ref().map(diff::network_settings).unwrap_or_default();
    settings.into_iter().map(|(network, settings)| (network.to_string(), settings.digest)).collect()
}

/// The networks, as people read them in a sentence.
pub(super) fn named(changes: &[NetworkChange]) -> String {
    let names: Vec<String> = changes.iter().map(|change| format!("`{}`", change.network)).collect();
    let (word, verb) = if names.len() == 1 { ("network", "is") } else { ("networks", "are") };
    format!("the {word} {} {verb} made anew", names.join(", "))
}

/// A network that a running container was in at the end of the last apply, and is not any more.
pub(super) fn left<'a>(known: &'a observe::Known, container: &Container) -> Option<&'a str> {
    let networks = known.networks.as_ref().filter(|_| container.state == ContainerState::Running)?;
    networks.iter().map(String::as_str).find(|network| !container.networks.contains_key(*network))
}
