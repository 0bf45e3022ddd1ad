//! What is there before operations, so that their undo takes back no more than they did.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{networks, remade};
use crate::address::Address;
use crate::apply::journal::Before;
use crate::host::Host;
use crate::plan::observation::FileType;
use crate::plan::{Action, Answer, NodeSpec, Operation, Query};
use crate::state::State;

/// What an operation makes.
fn made_path(operation: &Operation) -> Option<Cow<'_, Path>> {
    match operation {
        Operation::EnsureDirectory { path, .. } | Operation::WriteFile { path, .. } => Some(path.into()),
        Operation::IssueSelfSigned { directory, .. } | Operation::CopyCertificate { directory, .. } => {
            Some(directory.into())
        }
        Operation::PublishCertificate { lineage, .. } => Some(lineage.live().into()),
        Operation::StopCertbot { lineage } | Operation::ResumeCertbot { lineage, .. } => {
            Some(lineage.renewal().into())
        }
        _ => None,
    }
}

/// What an operation replaces; beside it, the former file is kept for its undo.
pub(in crate::apply) fn replaced(operation: &Operation) -> Option<Cow<'_, Path>> {
    match operation {
        Operation::WriteFile { path, .. } => Some(path.into()),
        Operation::PublishCertificate { lineage, .. } => Some(lineage.live().into()),
        Operation::StopCertbot { lineage } => Some(lineage.renewal().into()),
        _ => None,
    }
}

/// What is there before operations, so that their undo takes back no more than they did. One question for all, and one
/// more for each proxy in a container that may be made anew, and each engine that is to make networks.
pub(in crate::apply) async fn before<'a>(
    host: &dyn Host,
    state: &State,
    spec: impl Fn(&Address) -> Option<&'a NodeSpec>,
    actions: &[&Action],
) -> Vec<Before> {
    let silent = silent(host, state, spec, actions).await;
    let path = |action: &Action| made_path(&action.operation).unwrap_or(Path::new("/").into()).into_owned();
    let mut queries = Vec::new();
    for action in actions {
        queries.extend(path(action).ancestors().map(|path| Query::Stat(path.to_owned())));
        if let Operation::PublishCertificate { lineage, .. } = &action.operation {
            queries.extend([Query::Entries(lineage.live()), Query::Stat(lineage.renewal())]);
        }
    }
    let mut answers = host.observe(&queries).await.into_iter();
    actions
        .iter()
        .map(|action| {
            let path = path(action);
            let mut before = Before { silent: silent.contains(&action.id), ..Before::default() };
            for (depth, (ancestor, answer)) in path.ancestors().zip(answers.by_ref()).enumerate() {
                match answer {
                    Answer::Stat(stat) if depth == 0 => {
                        before.existed = true;
                        before.access = Some((stat.mode, stat.uid, stat.gid));
                    }
                    Answer::Absent if depth > 0 => before.parents.insert(0, ancestor.to_owned()),
                    _ => {}
                }
            }
            if matches!(action.operation, Operation::PublishCertificate { .. }) {
                if let Some(Answer::Entries(entries)) = answers.next() {
                    let link = |(name, found)| match found {
                        FileType::Link(target) => Some((name, target)),
                        _ => None,
                    };
                    before.links = entries.into_iter().filter_map(link).collect();
                }
                before.unconfigured = answers.next() == Some(Answer::Absent);
            }
            before
        })
        .collect()
}

/// The actions to which nobody answers: the node's proxy, in a container, or the engine that is to make a network.
async fn silent<'a>(
    host: &dyn Host,
    state: &State,
    spec: impl Fn(&Address) -> Option<&'a NodeSpec>,
    actions: &[&Action],
) -> BTreeSet<u32> {
    let mut known: BTreeMap<(&Address, bool), bool> = BTreeMap::new();
    let mut silent = BTreeSet::new();
    for action in actions {
        let makes_network = match action.operation {
            Operation::CreateNetwork { .. } => true,
            Operation::ComposePrepare { .. } => false,
            _ => continue,
        };
        let (Some(spec), key) = (spec(&action.node), (&action.node, makes_network)) else { continue };
        let is_silent = match known.get(&key) {
            Some(known) => *known,
            None if makes_network => networks::is_unseen(host, &spec.docker.socket).await,
            None => spec.container.is_some() && remade::is_silent(host, spec, state).await,
        };
        known.insert(key, is_silent);
        silent.extend(is_silent.then_some(action.id));
    }
    silent
}
