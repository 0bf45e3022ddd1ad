//! What the node's Docker engine says of a stack.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;

use super::attributes::{Directory, Engine, Stack, Status};
use super::wanted::Wanted;
use super::{containers, joined, links, networks, rules, swarm, takes};
use crate::compose::Service;
use crate::diag::Diagnostic;
use crate::plan::docker::{Container, ContainerState, Health};
use crate::plan::{Answer, Drift, PullPolicy, Query, Refreshed, Subject};
use crate::resource::{Path, Resource};
use crate::state;

/// What an apply reported of a service.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Known {
    /// Compose's hash of its configuration.
    pub(super) hash: Option<String>,
    /// The image that it runs: an id, or a swarm's name for it.
    pub(super) image: Option<String>,
    /// How many containers it has.
    pub(super) count: usize,
    /// Whether they had done their work by then. A state of before this was recorded does not say.
    #[serde(default)]
    ended: Option<bool>,
    /// The networks that its containers were in, as Docker knows them; likewise.
    #[serde(default)]
    pub(super) networks: Option<BTreeSet<String>>,
}

/// The services that the state knows, each with what the last apply reported.
pub(super) fn known(subject: Subject<'_>) -> BTreeMap<String, Known> {
    let services = subject.prior.and_then(|prior| prior.facts.get("services"));
    let mut services: BTreeMap<String, Known> =
        services.and_then(|services| serde_json::from_value(services.clone()).ok()).unwrap_or_default();
    if joined::is_proxy(subject) {
        // The proxy's networks come and go with those whom it serves.
        for known in services.values_mut() {
            known.networks = None;
        }
    }
    services
}

pub(super) fn queries(subject: Subject<'_>) -> Vec<Query> {
    let socket = subject.node.spec.docker.socket.clone();
    let directories = Stack::of(subject).map(|stack| known_directories(subject, &stack)).unwrap_or_default();
    let stats = directories.into_iter().map(|directory| Query::Stat(directory.path));
    let wanted = Wanted::of(subject);
    // Which image a name means matters to containers that are there, and where none is pulled.
    let asks = |wanted: &&Wanted| subject.prior.is_some() || wanted.attributes.pull == PullPolicy::Never;
    let images = wanted.filter(asks).map(|wanted| containers::images(subject, wanted.images().into_values()));
    let links = wanted.map(|wanted| links::queries(subject, wanted)).unwrap_or_default();
    // Whether the engine has room for its networks is asked before they are there.
    let room = subject
        .prior
        .is_none()
        .then(|| [Query::Networks { socket: socket.clone() }, Query::Engine { socket: socket.clone() }]);
    let was_in_swarm = subject.prior.is_some_and(|prior| Engine::of(prior) == Engine::Swarm);
    let in_swarm = was_in_swarm || wanted.is_some_and(swarm::is_on);
    let in_swarm = in_swarm.then(|| swarm::queries(&socket));
    let asked = std::iter::once(Query::Containers { socket }).chain(room.into_iter().flatten());
    let asked = asked.chain(in_swarm.into_iter().flatten());
    asked.chain(stats).chain(links).chain(images).collect()
}

/// The directories that the state knows.
pub(super) fn known_directories(subject: Subject<'_>, stack: &Stack) -> Vec<Directory> {
    let known = subject.prior.into_iter().flat_map(|prior| prior.placed.keys());
    stack.layout.directories(known.map(PathBuf::as_path))
}

/// The containers of a project, one-off runs left away; `None` where the engine cannot be seen.
pub(super) fn containers<'a>(subject: Subject<'a>, project: &str) -> Option<Vec<&'a Container>> {
    let query = Query::Containers { socket: subject.node.spec.docker.socket.clone() };
    let Some(Answer::Containers(all)) = subject.observed.get(&query) else { return None };
    Some(all.iter().filter(|container| container.belongs_to(project)).collect())
}

/// Whether a swarm runs a stack of this name here.
fn in_a_swarm(subject: Subject<'_>, stack: &str) -> bool {
    let query = Query::Containers { socket: subject.node.spec.docker.socket.clone() };
    let Some(Answer::Containers(all)) = subject.observed.get(&query) else { return false };
    all.iter().any(|container| container.is_task_of(stack))
}

/// Whether the state knows a stack as another project, which this one takes the place of.
pub(super) fn is_another(subject: Subject<'_>, prior: &state::Stored, stack: &Stack) -> bool {
    Stack::known(prior, &subject.node.spec).is_some_and(|former| former.project.name != stack.project.name)
}

pub(super) fn refresh(subject: Subject<'_>) -> Refreshed {
    let mut refreshed = Refreshed::default();
    let instead = "declare a stack of another label there, move the data, then remove this one";
    if let Some(stays) = subject.stays("its containers and its data are", instead) {
        refreshed.findings.push(stays);
        return refreshed;
    }
    let (Some(resource), Some(wanted)) = (subject.desired, Wanted::of(subject)) else { return refreshed };
    let Wanted { attributes, stack, .. } = wanted;
    refreshed.findings.extend(rules::findings(subject, resource, wanted));
    refreshed.findings.extend(missing_images(subject, resource, wanted));
    refreshed.findings.extend(takes::shared(subject, resource, wanted));
    refreshed.findings.extend(takes::held(subject, resource, wanted));
    // One that is replaced by another project is not there yet.
    let prior = subject.prior.filter(|prior| !is_another(subject, prior, stack));
    if prior.is_some() {
        refreshed.findings.extend(links::in_the_way(subject, resource, stack));
        refreshed.drift.extend(directory_drift(subject, stack));
    }
    let Some(containers) = containers(subject, &stack.project.name) else { return refreshed };
    let Some(prior) = prior else {
        refreshed.findings.extend(foreign(subject, resource, stack, &containers));
        refreshed.findings.extend(swarm::foreign(subject, resource, wanted));
        return refreshed;
    };
    let was_running = state::attributes::decode(&prior.attributes)
        .ok()
        .and_then(|known| Some(known.get("status")? != &state::attributes::Tree::String("stopped".into())));
    if prior.status != state::Status::Live
        || was_running != Some(true)
        || attributes.status != Status::Running
    {
        return refreshed;
    }
    if swarm::is_on(wanted) {
        let (drift, findings) = swarm::drift(subject, resource, wanted);
        refreshed.drift.extend(drift);
        refreshed.findings.extend(findings);
        return refreshed;
    }
    refreshed.drift.extend(strangers(subject, wanted, &containers));
    let names = wanted.images();
    let ids = containers::image_ids(subject, names.values().copied()).unwrap_or_default();
    for (service, known) in known(subject) {
        let here: Vec<&&Container> =
            containers.iter().filter(|container| container.service() == Some(&service)).collect();
        let name = names.get(service.as_str()).copied();
        let image = name.and_then(|name| Some((name, *ids.get(name)?)));
        let project = wanted.project.as_ref();
        let written = project.and_then(|project| project.services.get(service.as_str()));
        let looks = || written.is_some_and(Service::runs_on);
        // A job may end after the apply.
        let is_job = written.is_some_and(Service::is_job);
        let runs_on = !is_job && known.ended.map_or_else(looks, |ended| !ended);
        if let Some(what) = differs(&known, &here, runs_on).or_else(|| moved(&here, image)) {
            refreshed.drift.push(Drift {
                address: subject.address.clone(),
                subject: format!("service {service}"),
                what,
                repaired: true,
                diff: None,
            });
        } else if here.iter().any(|container| container.health == Some(Health::Unhealthy)) {
            refreshed.findings.push(
                Diagnostic::warning(format!("service `{service}` of `{}` is unhealthy", subject.address))
                    .code("unhealthy")
                    .at(resource.span(&Path::root()))
                    .help("its log says why: `docker logs` with the container's name")
                    .on(subject.address),
            );
        }
    }
    refreshed
}

/// The services that run, although neither the state knows of them nor the stack has them: an apply that was killed has
/// left them, or somebody has started them from other files.
fn strangers(subject: Subject<'_>, wanted: &Wanted, containers: &[&Container]) -> Vec<Drift> {
    let Some(project) = &wanted.project else { return Vec::new() };
    let known = known(subject);
    let services: BTreeSet<&str> = containers.iter().filter_map(|container| container.service()).collect();
    let has = |name: &str| project.active().any(|service| &*service.name == name);
    let strange = services.into_iter().filter(|name| !known.contains_key(*name) && !has(name));
    let drift = strange.map(|name| Drift {
        address: subject.address.clone(),
        subject: format!("service {name}"),
        what: "has containers, and the stack has no such service".to_owned(),
        repaired: true,
        diff: None,
    });
    drift.collect()
}

/// The directories that are gone, or that somebody gave another mode; where the whole is gone, its parts need not be
/// said.
fn directory_drift(subject: Subject<'_>, stack: &Stack) -> Option<Drift> {
    let differs = |directory: &Directory| {
        if subject.observed.is_absent(&directory.path) {
            return Some("was deleted".to_owned());
        }
        let stat = subject.observed.stat(&directory.path)?;
        directory.differs(stat).then(|| format!("mode is {:04o}, not {:04o}", stat.mode, directory.mode))
    };
    let (path, what) = known_directories(subject, stack)
        .into_iter()
        .find_map(|directory| differs(&directory).map(|what| (directory.path, what)))?;
    Some(Drift {
        address: subject.address.clone(),
        subject: path.display().to_string(),
        what,
        repaired: true,
        diff: None,
    })
}

/// How the containers of a service differ from what the last apply left.
fn differs(known: &Known, here: &[&&Container], runs_on: bool) -> Option<String> {
    if here.is_empty() && known.count > 0 {
        return Some(
            if known.count == 1 { "has lost its container" } else { "has lost its containers" }.to_owned(),
        );
    }
    if let Some(stopped) = here.iter().find(|container| !runs(container, runs_on)) {
        let code = stopped.exit_code.map(|code| format!(" (exit code {code})")).unwrap_or_default();
        return Some(format!("is {}{code}", stopped.state));
    }
    if here.len() != known.count {
        return Some(format!("has {} containers, not {}", here.len(), known.count));
    }
    if let Some(network) = here.iter().find_map(|container| networks::left(known, container)) {
        return Some(format!("is not in its network `{network}` any more"));
    }
    let hashes: BTreeSet<_> =
        here.iter().filter_map(|container| container.compose.as_ref()?.config_hash.as_deref()).collect();
    (hashes.into_iter().any(|hash| known.hash.as_deref().is_some_and(|known| known != hash)))
        .then(|| "was made anew by somebody else, from another configuration".to_owned())
}

/// The services whose image is not there, where none is pulled.
fn missing_images(subject: Subject<'_>, resource: &Resource, wanted: &Wanted) -> Vec<Diagnostic> {
    let images = wanted.images();
    let ids = containers::image_ids(subject, images.values().copied());
    let (PullPolicy::Never, Some(ids)) = (wanted.attributes.pull, ids) else { return Vec::new() };
    let missing = images.into_iter().filter(|(_, name)| !ids.contains_key(name));
    let told = missing.map(|(service, name)| {
        Diagnostic::error(format!("the image `{name}` of the service `{service}` is not on the node"))
            .code("no_image")
            .detail("`pull = \"never\"` asks no registry for it")
            .at(resource.span(&Path::root().name("pull")))
            .help("load it with `docker load`, or let `pull` be `missing`")
            .on(subject.address)
    });
    told.collect()
}

/// How containers differ from what their image's name means by now. A listing shows the id of an image that has lost
/// its name; one that has another name was asked for by that.
fn moved(here: &[&&Container], image: Option<(&str, &str)>) -> Option<String> {
    let (name, id) = image?;
    let nameless = |one: &Container| !one.image.is_empty() && one.image_id.ends_with(one.image.as_str());
    let other = here.iter().find(|one| one.image_id != id && nameless(one))?;
    let short = |id: &str| id.trim_start_matches("sha256:").chars().take(12).collect::<String>();
    Some(format!("runs the image {}, and `{name}` is {} by now", short(&other.image_id), short(id)))
}

/// Whether a container runs, or has ended as one that does its work once does.
fn runs(container: &Container, runs_on: bool) -> bool {
    match container.state {
        ContainerState::Running | ContainerState::Restarting => true,
        ContainerState::Exited => container.exit_code == Some(0) && !runs_on,
        _ => false,
    }
}

/// Refuses a project of this name that somebody else has started.
fn foreign(
    subject: Subject<'_>,
    resource: &Resource,
    stack: &Stack,
    containers: &[&Container],
) -> Option<Diagnostic> {
    if in_a_swarm(subject, &stack.project.name) {
        return Some(
            Diagnostic::error(format!("a stack `{}` is in the swarm already", stack.project.name))
                .code("obstructed")
                .detail("it would share its networks, and others could not tell the two apart")
                .at(resource.span(&Path::root()))
                .help("give the stack another label, or remove that one first (`docker stack rm`)")
                .on(subject.address),
        );
    }
    let others = containers.iter().find_map(|container| {
        let labels = container.compose.as_ref()?;
        (labels.working_dir.as_deref() != Some(&*stack.project.directory)).then_some(labels)
    })?;
    let place = others.working_dir.as_ref().map(|path| format!(" from `{}`", path.display()));
    Some(
        Diagnostic::error(format!("a Compose project `{}` is there already", stack.project.name))
            .code("obstructed")
            .detail(format!("somebody else started it{}", place.unwrap_or_default()))
            .at(resource.span(&Path::root()))
            .help("give the stack another label, or bring that project down first")
            .on(subject.address),
    )
}
