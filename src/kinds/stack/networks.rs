//! Networks of a stack's own that change. Docker cannot change a network, and of the Compose tools one makes it anew with
//! all that is in it, others refuse or see nothing: so the stack is taken down before it comes up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::attributes::Stack;
use super::{models, observe};
use crate::compose::diff::{Diff, NetworkChange};
use crate::plan::docker::Container;
use crate::plan::docker::ContainerState;
use crate::plan::{PlacedFile, Subject};

/// The networks that change under containers that are there.
pub(super) fn changed(
    subject: Subject<'_>,
    stack: &Stack,
    files: &BTreeMap<PathBuf, PlacedFile>,
) -> Vec<NetworkChange> {
    let here = observe::containers(subject, &stack.project.name);
    if observe::known(subject).is_empty() || here.is_some_and(|here| here.is_empty()) {
        return Vec::new();
    }
    let (before, after) = (models::before(subject, stack), models::after(subject, stack, files));
    Diff::between(before.as_ref(), after.as_ref()).networks
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
