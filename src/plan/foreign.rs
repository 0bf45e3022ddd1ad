//! Containers that are not vsa's and that sites pass requests on to: how the node's nginx reaches them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::docker::{Attachment, Container, ContainerState, Protocol};
use super::endpoint::{NetworkName, Reach, Target};
use super::node::{Node, NodeSpec, ProxyMode};
use super::observation::{Answer, Observations, Query};
use crate::diag::{self, Diagnostic};
use crate::state::StoredNode;

/// The networks of Docker's own, in which no container is found by a name.
const NAMELESS: [&str; 3] = ["bridge", "host", "none"];

/// Where a node's nginx reaches a container: as the engine says, else as the state last knew it.
///
/// # Errors
/// There is no such container, or nginx cannot get to it.
pub(super) fn reach(
    target: &Target,
    node: &Node,
    stored: Option<&StoredNode>,
    observed: &Observations,
) -> Result<Reach, Diagnostic> {
    let spec = &node.spec;
    let query = Query::Containers { socket: spec.docker.socket.clone() };
    let Some(Answer::Containers(all)) = observed.get(&query) else {
        return known(target, stored).ok_or_else(|| {
            Diagnostic::error(format!("the {} cannot be looked for", words(target)))
                .code("docker_unseen")
                .detail(format!("nobody answers at `{}`", spec.docker.socket.display()))
                .help("start Docker, or name its socket with `docker { socket }` of the node")
        });
    };
    let (container, port) = find(target, all)?;
    if spec.mode != ProxyMode::Container {
        return published(target, container, port).map(|port| Reach::Ports(vec![port]));
    }
    let known = stored.and_then(|stored| stored.names.get(&target.to_string())).map(|name| &*name.network);
    let network = network(spec, container, all, known)?;
    // The name alone could be an alias in a network of somebody else's that the proxy is in too.
    let host = format!("{}.{network}", container.name).into();
    Ok(Reach::Name(NetworkName { host, port, network }))
}

/// Where a container was reached by the last apply.
fn known(target: &Target, stored: Option<&StoredNode>) -> Option<Reach> {
    let (stored, key) = (stored?, target.to_string());
    let name = stored.names.get(&key).cloned().map(Reach::Name);
    name.or_else(|| stored.endpoints.get(&key).cloned().map(Reach::Ports))
}

/// Where a site goes on to pass requests on to while its container is down: nothing else of the node waits for that. Not
/// where another container has its port by now.
pub(super) fn as_before(
    target: &Target,
    node: &Node,
    stored: Option<&StoredNode>,
    observed: &Observations,
) -> Option<Reach> {
    let reach = known(target, stored)?;
    let query = Query::Containers { socket: node.spec.docker.socket.clone() };
    let Answer::Containers(all) = observed.get(&query)? else { return None };
    let mut published = all.iter().flat_map(|container| &container.published);
    let taken = match &reach {
        Reach::Ports(ports) => published.any(|at| ports.contains(&at.host_port)),
        Reach::Name(_) => false,
    };
    (!taken).then_some(reach)
}

fn words(target: &Target) -> String {
    match target {
        Target::Published { port } => format!("container that serves port {port}"),
        other => other.to_string(),
    }
}

/// The container, and the port inside it.
fn find<'a>(target: &Target, all: &'a [Container]) -> Result<(&'a Container, u16), Diagnostic> {
    match target {
        Target::Published { port } => {
            let serves = all.iter().find_map(|container| {
                let mut published = container.published.iter();
                let found = published.find(|at| at.host_port == *port && at.protocol == Protocol::Tcp)?;
                Some((container, found.container_port))
            });
            serves.ok_or_else(|| {
                Diagnostic::error(format!("no container serves port {port}")).code("no_such_container").help(
                    "start the container that publishes it: `docker ps` shows the ports of those that run",
                )
            })
        }
        Target::Container { name, port } => {
            let found = all.iter().find(|container| *container.name == **name);
            found.map(|container| (container, *port)).ok_or_else(|| {
                let mut error =
                    Diagnostic::error(format!("there is no container `{name}`")).code("no_such_container");
                // A likeness may be chance: the other way out is said too.
                if let Some(near) = diag::nearest(name, all.iter().map(|container| container.name.as_str())) {
                    error = error.help(format!("did you mean `{near}`?"));
                }
                error.help("start it first: vsa does not own it")
            })
        }
        Target::Service(endpoint) => {
            Err(Diagnostic::error(format!("`{}` is no container by itself", endpoint.target)))
        }
    }
}

/// The port of the node that leads to a port of a container.
fn published(target: &Target, container: &Container, port: u16) -> Result<u16, Diagnostic> {
    let mut reachable = container.published.iter().filter(|at| {
        at.container_port == port
            && at.protocol == Protocol::Tcp
            && at.host_ip.is_ipv4()
            && (at.host_ip.is_loopback() || at.host_ip.is_unspecified())
    });
    let wanted = match target {
        Target::Published { port } => reachable.find(|at| at.host_port == *port),
        _ => reachable.min_by_key(|at| (!at.host_ip.is_loopback(), at.host_port)),
    };
    wanted.map(|at| at.host_port).ok_or_else(|| {
        let name = &container.name;
        let error = Diagnostic::error(format!("nginx on the host cannot reach port {port} of `{name}`"))
            .code("not_published")
            .help(format!(
                "publish it on loopback: `127.0.0.1:8085:{port}` under `ports`, or with `docker run -p`"
            ));
        match container.state {
            ContainerState::Running => error.detail("the container does not publish it on 127.0.0.1"),
            state => error.detail(format!("the container is {state}: its ports are published while it runs")),
        }
    })
}

/// The network in which nginx, in a container, finds a container by its name: the one that it was found in before, one
/// that both are in, or the first.
fn network(
    spec: &NodeSpec,
    container: &Container,
    all: &[Container],
    known: Option<&str>,
) -> Result<Arc<str>, Diagnostic> {
    let places: BTreeMap<&str, &Attachment> = container
        .networks
        .iter()
        .map(|(name, place)| (name.as_str(), place))
        .filter(|(name, _)| !NAMELESS.contains(name))
        .collect();
    let proxy = all.iter().find(|proxy| Some(&*proxy.name) == spec.container.as_deref());
    let shared = |name: &&&str| proxy.is_some_and(|proxy| proxy.networks.contains_key(**name));
    let known = known.filter(|known| places.contains_key(known));
    let own = spec.network.as_deref().filter(|own| places.contains_key(own));
    let chosen = known.or(own).or_else(|| places.keys().find(shared).copied());
    let chosen = chosen.or_else(|| places.keys().next().copied()).map(Arc::from);
    chosen.ok_or_else(|| {
        let name = &container.name;
        Diagnostic::error(format!("the container `{name}` is in no network where it has a name"))
            .code("no_network")
            .detail("in the networks `bridge`, `host` and `none`, Docker finds no container by its name")
            .help(format!(
                "make one and take it in: `docker network create apps`, `docker network connect apps {name}`"
            ))
    })
}
