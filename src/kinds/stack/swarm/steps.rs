//! What a change of a stack in a swarm lowers to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::observe::{self, project};
use super::{deployment, former};
use crate::compose::Project;
use crate::compose::swarm::Deployment;
use crate::kinds::stack::attributes::Status;
use crate::kinds::stack::models;
use crate::kinds::stack::observe::known;
use crate::kinds::stack::wanted::Wanted;
use crate::plan::action::Access;
use crate::plan::{Operation, Phase, PlacedFile, Step, Subject, Undo};
use crate::state;

/// The steps of a change, its directories made.
pub(in crate::kinds::stack) fn steps(
    subject: Subject<'_>,
    wanted: &Wanted,
    files: &BTreeMap<PathBuf, PlacedFile>,
) -> Vec<Step> {
    // Without its files there is no document either, which is an error: no change gets here without them.
    let project = project(subject, wanted, files);
    let services = project.iter().flat_map(Project::active).map(|service| service.name.to_string()).collect();
    let deployed = project.as_ref().map(|project| deployment(subject, wanted, project, files));
    let prune = prune(subject, wanted, deployed.as_ref());
    let (blobs, mounted) = deployed.map(|made| (made.blobs, made.mounted)).unwrap_or_default();
    let stack = wanted.stack.in_swarm(services, blobs);
    // A swarm makes no directory that a service mounts, as Compose does.
    let is_there = |path: &PathBuf| {
        files.keys().any(|file| file.starts_with(path)) || subject.observed.stat(path).is_some()
    };
    let mounted = mounted.iter().filter(|path| !is_there(path)).map(|path| Step {
        phase: Phase::Prepare,
        operation: Operation::EnsureDirectory {
            path: path.clone(),
            access: Access { owner: None, group: None, mode: 0o755 },
            owned: false,
        },
        undo: Undo::RemoveMade,
    });
    let mut steps: Vec<Step> = mounted.collect();
    let was_up = !known(subject).is_empty();
    let attributes = &wanted.attributes;
    let deploy = Operation::SwarmDeploy {
        stack: stack.clone(),
        pull: attributes.pull,
        wait: u32::try_from(attributes.wait.timeout.seconds()).unwrap_or(u32::MAX),
    };
    let prune = prune.map(|goes| Operation::SwarmPrune { stack: stack.clone(), goes });
    let clean_up = |operation| Step { phase: Phase::CleanUp, operation, undo: Undo::Nothing };
    let prepare = |operation, undo| Step { phase: Phase::Prepare, operation, undo };
    let back = if was_up { Undo::Nothing } else { Undo::RemoveMade };
    let well = observe::services(subject, wanted).into_iter().flatten().filter(|service| service.is_well());
    let well = well.map(|service| service.short_name().to_owned()).collect();
    steps.push(prepare(Operation::SwarmPrepare { stack, was_up, well }, Undo::FormerProject));
    if attributes.status == Status::Stopped {
        // Sites pass requests on to it until the switch.
        steps.push(clean_up(deploy));
    } else {
        steps.push(prepare(deploy, back));
    }
    steps.extend(prune.map(clean_up));
    steps
}

/// What a stack leaves in the swarm that it has no more, for people: nothing named where nobody knows it; `None` where
/// there is nothing.
fn prune(subject: Subject<'_>, wanted: &Wanted, after: Option<&Deployment>) -> Option<Vec<String>> {
    let prior = subject.prior?;
    let before = models::before(subject, &wanted.stack);
    let (Some(before), Some(after)) = (before.filter(|_| prior.status == state::Status::Live), after) else {
        return Some(Vec::new());
    };
    let mut services: BTreeSet<&str> = before.active().map(|service| &*service.name).collect();
    let there = observe::services(subject, wanted).unwrap_or_default();
    services.extend(there.iter().map(|service| service.short_name()));
    services.retain(|service| after.tasks_of(service).is_none());
    let before = former(subject, wanted, &before);
    let blobs = before.blobs.iter().filter(|blob| before.known_as(blob) != after.known_as(blob));
    let blobs = blobs.map(|blob| {
        let stays = after.blobs.iter().any(|other| (other.kind, &other.name) == (blob.kind, &blob.name));
        format!("{}{} {}", if stays { "the former " } else { "" }, blob.kind.word(), blob.name)
    });
    let stay = after.made_networks();
    let networks = before.made_networks().into_iter().filter(|name| !stay.contains(name));
    let services = services.iter().map(|service| format!("service {service}"));
    let networks = networks.map(|name| format!("network {name}"));
    let goes: Vec<String> = services.chain(networks).chain(blobs).collect();
    (!goes.is_empty()).then_some(goes)
}
