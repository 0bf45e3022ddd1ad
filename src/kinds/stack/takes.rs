//! What a stack's containers take of their node, by their Compose files: names and published ports.

use super::attributes::Status;
use super::swarm;
use super::wanted::Wanted;
use crate::compose::{Port, Service};
use crate::diag::{Diagnostic, Quote, Span};
use crate::plan::docker::{Container, Protocol};
use crate::plan::{Answer, Query, Subject, Taken, Thing};
use crate::resource::{Path, Resource};

/// All of it. One that is stopped keeps its names alone.
pub(super) fn takes(subject: Subject<'_>) -> Vec<Taken> {
    let (Some(resource), Some(wanted)) = (subject.desired, Wanted::of(subject)) else { return Vec::new() };
    let Some(project) = &wanted.project else { return Vec::new() };
    let place = resource.span(&Path::root().name(attribute(wanted)));
    let taken = |(thing, span): (Thing, Span)| {
        let file = wanted.sources.get(span.file).cloned();
        let help = match thing {
            Thing::Name(_) => "leave `container_name` away: Compose names containers after their project",
            Thing::Port { .. } => "publish another port, or none: a site reaches the service by `upstream`",
        };
        let quote = file.map(|file| Quote { file, range: span.range(), text: String::new() });
        Taken { thing, place, quote, help }
    };
    let runs = wanted.attributes.status == Status::Running;
    // A swarm gives its tasks names of their own.
    let named = |service| name(service).filter(|_| !swarm::is_on(wanted));
    let things = project.active().flat_map(|service| named(service).into_iter().chain(ports(service, runs)));
    things.map(taken).collect()
}

fn name(service: &Service) -> Option<(Thing, Span)> {
    let name = service.text("container_name").filter(|name| !name.sensitive)?;
    Some((Thing::Name(name.text.clone()), name.span))
}

/// Ports that a service names; of a range for one port of the container the engine takes whichever is free.
fn ports(service: &Service, runs: bool) -> impl Iterator<Item = (Thing, Span)> {
    let fixed = service.fixed_ports().filter(move |port| runs && is_exact(port));
    fixed.flat_map(|published| {
        let address = published.address.as_ref().and_then(|address| address.text.parse().ok());
        let protocol = match published.protocol.as_str() {
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            _ => Protocol::Tcp,
        };
        let numbers = published.published.clone().into_iter().flatten();
        numbers.map(move |port| (Thing::Port { address, port, protocol }, published.span))
    })
}

fn is_exact(port: &Port) -> bool {
    port.published.as_ref().is_some_and(|published| published.len() == port.target.len())
}

/// That a service has one name for several containers: the Compose tool would refuse it in the middle of an apply.
pub(super) fn shared(subject: Subject<'_>, resource: &Resource, wanted: &Wanted) -> Vec<Diagnostic> {
    let services = wanted.project.iter().flat_map(crate::compose::Project::active);
    let error = |service: &Service| {
        let name = service.text("container_name")?;
        let replicas = service.replicas().filter(|replicas| *replicas > 1)?;
        let summary = format!("the service `{}` cannot have {replicas} containers", service.name);
        Some(
            Diagnostic::error(summary)
                .code("taken")
                .label(name.span, "this name is there once")
                .quoting(&wanted.sources)
                .at(resource.span(&Path::root().name(attribute(wanted))))
                .help("leave `container_name` away: Compose numbers containers by itself")
                .on(subject.address),
        )
    };
    services.filter_map(error).collect()
}

/// The attribute that says where the Compose file is.
fn attribute(wanted: &Wanted) -> &'static str {
    if wanted.attributes.compose.is_some() { "compose" } else { "source" }
}

/// That another container has what the stack's containers would take: one that is not vsa's, or one of another stack, which
/// would go only after this one has come up.
pub(super) fn held(subject: Subject<'_>, resource: &Resource, wanted: &Wanted) -> Vec<Diagnostic> {
    let taken = takes(subject);
    let docker = &subject.node.spec.docker;
    let query = Query::Containers { socket: docker.socket.clone() };
    let Some(Answer::Containers(all)) = subject.observed.get(&query).filter(|_| !taken.is_empty()) else {
        return Vec::new();
    };
    let name = &wanted.stack.project.name;
    let is_own = |container: &&Container| container.belongs_to(name) || container.is_task_of(name);
    let others: Vec<&Container> = all.iter().filter(|container| !is_own(container)).collect();
    let is_stacks = |container: &Container| {
        let directory = container.compose.as_ref().and_then(|labels| labels.working_dir.as_ref());
        directory.is_some_and(|directory| directory.starts_with(&subject.node.spec.srv_root))
    };
    let error = |taken: Taken| {
        let holder = others.iter().find(|container| has(container, &taken.thing))?;
        // Whose it is in there is vsa's to say, and is said where it is given.
        let is_given = |port: u16| (docker.first_port..=docker.last_port).contains(&port);
        if is_stacks(holder) && matches!(taken.thing, Thing::Port { port, .. } if is_given(port)) {
            return None;
        }
        let error = if is_stacks(holder) {
            Diagnostic::error(format!("the {} is taken by another stack", taken.thing))
                .detail(format!("the container `{}` has it until this stack is up", holder.name))
                .help("apply in two steps: first without it here, or without the other stack; then with it")
        } else {
            Diagnostic::error(format!("the {} is taken by somebody else", taken.thing))
                .detail(format!("the container `{}`, which is not vsa's, has it on the node", holder.name))
                .help("remove that container, or take another name or port for this one")
        };
        let mut error = error.code("taken").at(taken.place).on(&resource.address);
        error.quotes.extend(taken.quote);
        Some(error)
    };
    taken.into_iter().filter_map(error).collect()
}

fn has(container: &Container, thing: &Thing) -> bool {
    match thing {
        Thing::Name(name) => container.name == **name,
        port @ Thing::Port { .. } => container.published.iter().any(|published| {
            port.excludes(&Thing::Port {
                address: Some(published.host_ip),
                port: published.host_port,
                protocol: published.protocol,
            })
        }),
    }
}
