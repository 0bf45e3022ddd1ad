//! What the node's swarm says of a stack.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;
use std::sync::Arc;

use super::is_on;
use crate::compose::swarm::OWNER;
use crate::compose::{Project, swarm};
use crate::diag::{Diagnostic, Diagnostics};
use crate::kinds::stack::attributes::Engine;
use crate::kinds::stack::observe::{Known, known};
use crate::kinds::stack::wanted::Wanted;
use crate::kinds::stack::{files, joined, models, wanted};
use crate::plan::docker::{Container, Service, SwarmMembership, UpdateState};
use crate::plan::{Answer, Drift, Query, Subject};
use crate::resource::{Path, Resource};
use crate::state::Status;
use crate::value::Value;

/// What must be known of a swarm.
pub(in crate::kinds::stack) fn queries(socket: &FilePath) -> [Query; 3] {
    let socket = || socket.to_owned();
    [
        Query::Engine { socket: socket() },
        Query::Services { socket: socket() },
        Query::Networks { socket: socket() },
    ]
}

/// The services of a stack; `None` where the swarm cannot be seen.
pub(super) fn services<'a>(subject: Subject<'a>, wanted: &Wanted) -> Option<Vec<&'a Service>> {
    let query = Query::Services { socket: subject.node.spec.docker.socket.clone() };
    let Some(Answer::Services(all)) = subject.observed.get(&query) else { return None };
    let name = &wanted.stack.project.name;
    Some(all.iter().filter(|service| service.stack.as_ref() == Some(name)).collect())
}

/// What a swarm does not take of the Compose files.
pub(in crate::kinds::stack) fn lint(subject: Subject<'_>, wanted: &Wanted) -> Diagnostics {
    let mut said = Diagnostics::new();
    let Some(project) = wanted.project.as_ref().filter(|_| is_on(wanted)) else { return said };
    said.extend(swarm::lint(project, super::setup(wanted)));
    let placed = files::placed(subject).unwrap_or_default();
    let placed: BTreeMap<_, _> = placed.into_iter().map(|file| (file.path.clone(), file)).collect();
    for (blob, place) in super::deployment(subject, wanted, project, &placed).unknown {
        let what = blob.kind.word();
        said.push(
            Diagnostic::error(format!(
                "nobody knows what the {what} `{}` holds",
                crate::diag::visible(&blob.name)
            ))
            .code("swarm_content")
            .detail("its name in the swarm ends in a digest of what it holds, which has to be known before")
            .at(place)
            .help("give the file with `files` or in `source`, the variable with `env`"),
        );
    }
    said
}

/// What stands in the way of a stack in a swarm.
pub(in crate::kinds::stack) fn findings(
    subject: Subject<'_>,
    resource: &Resource,
    wanted: &Wanted,
) -> Option<Diagnostic> {
    let place = resource.span(&Path::root().name("engine"));
    let engine = wanted.attributes.engine;
    let other = subject.prior.filter(|prior| Engine::of(prior) != engine);
    // One that has not been brought up yet may be anything.
    let told = if other.is_some_and(|prior| prior.status == Status::Live || is_there(subject, wanted)) {
        changed(subject)
    } else if !is_on(wanted) {
        return None;
    } else if joined::is_proxy(subject) {
        Diagnostic::error(format!("the proxy of `{}` cannot run in a swarm", subject.node.spec.address))
            .code("swarm_proxy")
            .detail("it is one container of the node's, by a name that stays")
            .help("leave `engine` away: Compose runs it")
    } else {
        membership(subject).or_else(|| local_network(subject, wanted))?
    };
    Some(told.at(place).on(subject.address))
}

/// Whether anything of a stack is known or seen, by either engine.
fn is_there(subject: Subject<'_>, wanted: &Wanted) -> bool {
    let socket = subject.node.spec.docker.socket.clone();
    let name = &wanted.stack.project.name;
    let of_stack = |container: &Container| container.belongs_to(name) || container.is_task_of(name);
    let containers = match subject.observed.get(&Query::Containers { socket }) {
        Some(Answer::Containers(all)) => all.iter().any(of_stack),
        _ => false,
    };
    let services = services(subject, wanted).is_some_and(|services| !services.is_empty());
    containers || services || !known(subject).is_empty()
}

fn changed(subject: Subject<'_>) -> Diagnostic {
    Diagnostic::error(format!("`{}` runs elsewhere: `engine` cannot be changed while it is there", subject.address))
        .code("engine_changed")
        .detail("two programs on one volume would spoil its data, and networks of both kinds have one name")
        .help("take the stack away first (its data and volumes stay), apply, and declare it again with the other `engine`")
}

/// That the engine manages no swarm. Where it cannot be seen, that is said elsewhere.
fn membership(subject: Subject<'_>) -> Option<Diagnostic> {
    let socket = subject.node.spec.docker.socket.clone();
    let Some(Answer::Engine(engine)) = subject.observed.get(&Query::Engine { socket }) else { return None };
    let node = &subject.node.spec.address;
    let error = |what: String| Diagnostic::error(what).code("no_swarm");
    match &engine.swarm {
        SwarmMembership::Active { manager: true, .. } => None,
        SwarmMembership::Active { manager: false, .. } => Some(
            error(format!("`{node}` is a worker of its swarm, and only managers deploy stacks"))
                .help("run vsa on a manager, or make the node one: `docker node promote` on a manager"),
        ),
        SwarmMembership::Inactive => {
            let told = error(format!("`{node}` is in no swarm"))
                .help("`docker swarm init` makes it a swarm of its own; with several addresses, say which one: `--advertise-addr`");
            // The engine of what is known cannot be changed.
            Some(told.help(if subject.prior.is_some() {
                "or take the stack away, apply, and declare it again without `engine`: Compose then runs it"
            } else {
                "or let Compose run the stack: leave `engine` away"
            }))
        }
        SwarmMembership::Unusable { state, reason } => {
            let told = error(format!("the swarm of `{node}` cannot be used: it is {state}"));
            let told = reason.iter().fold(told, |told, reason| told.detail(reason.clone()));
            Some(if state == "locked" {
                told.help("`docker swarm unlock` unlocks it")
            } else {
                told.help("`docker info` and the engine's log say more")
            })
        }
    }
}

/// That services of a swarm would be in a network of the node alone.
fn local_network(subject: Subject<'_>, wanted: &Wanted) -> Option<Diagnostic> {
    let project = wanted.project.as_ref()?;
    let known_as = |name: &Arc<str>| {
        let network = project.networks.get(name).filter(|network| network.is_external())?;
        Some(network.given_name().map_or_else(|| Arc::clone(name), |given| Arc::clone(&given.text)))
    };
    let mut joined = project.active().flat_map(|service| service.networks.keys()).filter_map(known_as);
    joined.find_map(|name| apart(subject, &name))
}

/// That a network is of the node alone, and services of a swarm cannot be in it.
pub(in crate::kinds::stack) fn apart(subject: Subject<'_>, name: &str) -> Option<Diagnostic> {
    let driver = local_driver(subject, name)?;
    let told = Diagnostic::error(format!("services of a swarm cannot be in the network `{name}`"))
        .code("swarm_network")
        .detail(format!("it is of this node alone (`{driver}`), and a swarm's networks are of all its nodes"))
        .help("give it `driver = \"overlay\"`");
    Some(if subject.node.spec.network.as_deref() == Some(name) {
        told.help("or leave `network` of the node away: the proxy then joins the network of each stack")
    } else {
        told
    })
}

/// What carries a network that no swarm knows; `None` of all others, and where nobody knows.
fn local_driver(subject: Subject<'_>, name: &str) -> Option<String> {
    // Docker's own two that services may be in.
    if matches!(name, "host" | "none") {
        return None;
    }
    let networks = subject.desired.into_iter().flat_map(wanted::networks);
    let mut declared = networks.filter(|network| network.get("id").and_then(Value::as_str) == Some(name));
    if let Some(driver) = declared.find_map(|network| network.get("driver")?.as_str()) {
        return (driver != "overlay").then(|| driver.to_owned());
    }
    if let Some(driver) = subject.node.networks.get(name) {
        return (&**driver != "overlay").then(|| driver.to_string());
    }
    let query = Query::Networks { socket: subject.node.spec.docker.socket.clone() };
    let Some(Answer::Networks(all)) = subject.observed.get(&query) else { return None };
    let found = all.iter().find(|network| network.name == name)?;
    (found.scope == "local").then(|| found.driver.clone())
}

/// Refuses a stack of this name that somebody else has deployed.
pub(in crate::kinds::stack) fn foreign(
    subject: Subject<'_>,
    resource: &Resource,
    wanted: &Wanted,
) -> Option<Diagnostic> {
    let stack = &wanted.stack;
    let ours = stack.layout.root.to_string_lossy();
    let all = services(subject, wanted).filter(|_| is_on(wanted))?;
    let other = all.iter().find(|service| service.labels.get(OWNER).map(String::as_str) != Some(&*ours))?;
    let place = other.labels.get(OWNER).map(|place| format!(" from `{place}`")).unwrap_or_default();
    Some(
        Diagnostic::error(format!("a stack `{}` is in the swarm already", stack.project.name))
            .code("obstructed")
            .detail(format!("somebody else deployed it{place}; it has the service `{}`", other.name))
            .at(resource.span(&Path::root()))
            .help("give the stack another label, or remove that one first")
            .on(subject.address),
    )
}

/// Where a swarm differs from what the last apply left.
pub(in crate::kinds::stack) fn drift(
    subject: Subject<'_>,
    resource: &Resource,
    wanted: &Wanted,
) -> (Vec<Drift>, Vec<Diagnostic>) {
    let (mut drift, mut findings) = (Vec::new(), Vec::new());
    let Some(all) = services(subject, wanted) else { return (drift, findings) };
    let mut add = |name: &str, what: String| {
        let (address, subject) = (subject.address.clone(), format!("service {name}"));
        drift.push(Drift { address, subject, what, repaired: true, diff: None });
    };
    let known = known(subject);
    for (name, known) in &known {
        let Some(found) = all.iter().find(|service| service.short_name() == name) else {
            add(name, "is not in the swarm any more".to_owned());
            continue;
        };
        if let Some(what) = differs(known, found) {
            add(name, what);
        } else if found.is_short() && found.update != Some(UpdateState::Updating) {
            // Why, a task may say with a secret in its words.
            let told = Diagnostic::warning(format!(
                "of the service `{name}` of `{}`, {} of {} tasks run",
                subject.address, found.running, found.wanted
            ));
            findings.push(
                told.code("unhealthy")
                    .at(resource.span(&Path::root()))
                    .help(format!("`docker service ps {}` says more", found.name))
                    .on(subject.address),
            );
        }
    }
    let own: BTreeSet<&str> =
        wanted.project.iter().flat_map(Project::active).map(|service| &*service.name).collect();
    for found in &all {
        let name = found.short_name();
        if !known.contains_key(name) && !own.contains(name) {
            add(name, "is in the swarm, and the stack has no such service".to_owned());
        }
    }
    (drift, findings)
}

/// How a service differs from what the last apply left.
fn differs(known: &Known, found: &Service) -> Option<String> {
    let count = u64::try_from(known.count).unwrap_or(u64::MAX);
    let image = known.image.as_ref().filter(|image| **image != found.image);
    if found.wanted != count && !is_global(found) {
        return Some(format!("was scaled to {}, not {count}", found.wanted));
    }
    if let Some(image) = image {
        return Some(format!("runs the image `{}`, not `{image}`", found.image));
    }
    let other = known.hash.as_ref().is_some_and(|hash| !found.is_as(hash));
    other.then(|| "was changed in the swarm by somebody else".to_owned())
}

/// Whether it runs once on each node: with these comes and goes how many there are.
fn is_global(service: &Service) -> bool {
    !service.tasks.is_empty() && service.tasks.iter().all(|task| task.slot.is_none())
}

/// The project of the files that shall be there, vsa's own among them.
pub(super) fn project(
    subject: Subject<'_>,
    wanted: &Wanted,
    files: &BTreeMap<std::path::PathBuf, crate::plan::PlacedFile>,
) -> Option<Project> {
    models::after(subject, &wanted.stack, files)
}
