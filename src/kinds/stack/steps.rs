//! What a change of a stack lowers to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::attributes::{Directory, Engine, Stack, Status as Run};
use super::containers::Fate;
use super::wanted::Wanted;
use super::{files, networks, observe, rolling, swarm};
use crate::plan::action::Access;
use crate::plan::{Operation, Phase, Step, Subject, Undo};
use crate::state::Status;

/// How long containers may take to end whose service nobody describes any more, in seconds: as long as Docker gives.
const LEAVE: u32 = 10;

pub(super) fn steps(subject: Subject<'_>) -> Vec<Step> {
    let Some(stack) = Stack::of(subject) else { return Vec::new() };
    match subject.desired {
        None => removal(subject, &stack),
        Some(_) => Wanted::of(subject).map(|wanted| change(subject, wanted)).unwrap_or_default(),
    }
}

fn change(subject: Subject<'_>, wanted: &Wanted) -> Vec<Step> {
    let Wanted { attributes, stack, .. } = wanted;
    let files = files::placed(subject).unwrap_or_default();
    let mut steps: Vec<Step> = stack
        .layout
        .directories(files.iter().map(|file| &*file.path))
        .into_iter()
        .filter(|directory| is_due(subject, directory))
        .map(|directory| make(subject, directory))
        .collect();
    if swarm::is_on(wanted) {
        let files = files.into_iter().map(|file| (file.path.clone(), file)).collect();
        steps.extend(swarm::steps(subject, wanted, &files));
        return steps;
    }
    let project = stack.project.clone();
    let was_up = !observe::known(subject).is_empty();
    let leaving = leaving(subject, wanted);
    let retire = |containers: BTreeMap<String, u32>| {
        let operation = Operation::RetireContainers { project: stack.project.clone(), containers };
        Step { phase: Phase::CleanUp, operation, undo: Undo::Nothing }
    };
    let by_path: BTreeMap<_, _> = files.into_iter().map(|file| (file.path.clone(), file)).collect();
    let changed = networks::changed(subject, stack, &by_path);
    let anew = !changed.is_empty();
    if attributes.status == Run::Stopped {
        let operation = if anew {
            Operation::ComposeDown { project, volumes: false }
        } else {
            Operation::ComposeStop { project }
        };
        steps.push(Step { phase: Phase::CleanUp, operation, undo: Undo::Nothing });
        steps.extend((!leaving.is_empty()).then(|| retire(leaving)));
        return steps;
    }
    steps.push(Step {
        phase: Phase::Prepare,
        operation: Operation::ComposePrepare {
            project: project.clone(),
            ports: new_ports(subject, &project.name),
            was_up,
            anew,
        },
        undo: Undo::FormerProject,
    });
    let replaced = rolling::replaced(subject, wanted, &by_path, &changed);
    let others = rolling::others(subject, wanted, &by_path, &replaced);
    let again = if anew { Vec::new() } else { rolling::again(subject, wanted, &by_path, &replaced) };
    steps.push(Step {
        phase: Phase::Prepare,
        operation: Operation::ComposeUp {
            project,
            pull: attributes.pull,
            wait: u32::try_from(attributes.wait.timeout.seconds()).unwrap_or(u32::MAX),
            rolling: replaced.iter().map(|(name, fate)| rolling::service(name, fate)).collect(),
            others,
            leaving: leaving.keys().cloned().collect(),
            anew,
            again,
            networks: networks::reported(subject, stack, &by_path),
        },
        // Of one that was up before, the action that made it ready brings the former back, once its files are back.
        undo: if was_up && replaced.is_empty() { Undo::Nothing } else { Undo::RemoveMade },
    });
    let mut containers = retired(wanted, &replaced);
    containers.extend(leaving);
    steps.extend((!containers.is_empty()).then(|| retire(containers)));
    steps
}

/// The containers of services that the stack has no more, as [`retired`] has them: what runs now may still pass requests
/// on to them.
fn leaving(subject: Subject<'_>, wanted: &Wanted) -> BTreeMap<String, u32> {
    let Some(project) = &wanted.project else { return BTreeMap::new() };
    let here = observe::containers(subject, &wanted.stack.project.name).unwrap_or_default();
    let is_of = |name: &str| project.active().any(|service| &*service.name == name);
    let leaving = here.into_iter().filter(|container| !container.service().is_some_and(is_of));
    leaving.map(|container| (container.id.clone(), LEAVE)).collect()
}

/// The containers that go once others serve in their place, each with the seconds that it may take to end.
fn retired(wanted: &Wanted, replaced: &BTreeMap<String, Fate<'_>>) -> BTreeMap<String, u32> {
    let of = |(name, fate): (&String, &Fate<'_>)| {
        let service = wanted.project.as_ref().and_then(|project| project.services.get(name.as_str()));
        let patience = service.map_or(0, |service| service.stop_grace_period().as_secs());
        let patience = u32::try_from(patience).unwrap_or(u32::MAX);
        let old = fate.stale.iter().flatten().map(|id| ((*id).to_owned(), patience));
        old.collect::<Vec<_>>()
    };
    replaced.iter().flat_map(of).collect()
}

/// Loopback ports that the project does not publish yet.
fn new_ports(subject: Subject<'_>, project: &str) -> Vec<u16> {
    let containers = observe::containers(subject, project).unwrap_or_default();
    let published: Vec<u16> = containers
        .iter()
        .flat_map(|container| container.published.iter().map(|port| port.host_port))
        .collect();
    let ports = files::endpoints(subject).flat_map(|(_, ports)| ports.iter().copied());
    ports.filter(|port| !published.contains(port)).collect()
}

/// Whether a directory has to be made, or its access mended.
fn is_due(subject: Subject<'_>, directory: &Directory) -> bool {
    subject.prior.is_none_or(|prior| prior.status != Status::Live)
        || subject.observed.stat(&directory.path).is_none_or(|stat| directory.differs(stat))
}

fn make(subject: Subject<'_>, directory: Directory) -> Step {
    let Directory { path, mode, .. } = directory;
    Step {
        phase: Phase::Prepare,
        operation: Operation::EnsureDirectory {
            owned: subject.prior.is_some_and(|prior| prior.owns(&path)),
            path,
            access: Access { owner: None, group: None, mode },
        },
        undo: Undo::RemoveMade,
    }
}

fn removal(subject: Subject<'_>, stack: &Stack) -> Vec<Step> {
    let layout = &stack.layout;
    let step = |operation, undo| Step { phase: Phase::CleanUp, operation, undo };
    let irreversible = |reason: &str| Undo::Irreversible { reason: reason.to_owned() };
    let volumes = subject.destroy_data;
    let in_swarm = subject.prior.is_some_and(|prior| Engine::of(prior) == Engine::Swarm);
    let mut steps = vec![step(
        if in_swarm {
            Operation::SwarmRemove { stack: stack.in_swarm(Vec::new(), Vec::new()), volumes }
        } else {
            Operation::ComposeDown { project: stack.project.clone(), volumes }
        },
        if volumes { irreversible("the volumes' data is gone") } else { Undo::Nothing },
    )];
    if subject.destroy_data {
        let root = subject.node.spec.srv_root.clone();
        let operation = Operation::RemoveDirectory { root, path: layout.root.clone() };
        steps.push(step(operation, irreversible("the stack's data is gone")));
        return steps;
    }
    let known = subject.prior.into_iter().flat_map(|prior| prior.placed.keys());
    let mut directories = layout.directories(known.map(PathBuf::as_path));
    directories.sort_by(|a, b| b.path.cmp(&a.path));
    let remove = |Directory { path, .. }| step(Operation::RemoveEmptyDirectory { path }, Undo::Nothing);
    steps.extend(directories.into_iter().map(remove));
    steps
}
