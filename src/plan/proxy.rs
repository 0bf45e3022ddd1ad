//! The proxy that runs in a container, in a plan: whether it is there and sees what it must, and the networks that it
//! joins.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::build::NodeWork;
use super::docker::{Container, ContainerState, Network};
use super::endpoint::{Endpoints, Reach};
use super::kind::Drift;
use super::node::{MASTER, Node, NodeSpec};
use super::observation::{Answer, Observations, Query};
use crate::diag::Diagnostic;
use crate::state::StoredNode;

/// What has to be known of it, besides whether nginx runs.
pub(super) fn queries(spec: &NodeSpec) -> Vec<Query> {
    let Some(container) = spec.in_container() else { return Vec::new() };
    let socket = container.socket.clone();
    vec![
        Query::ContainerProcesses(container),
        Query::Containers { socket: socket.clone() },
        Query::Networks { socket },
    ]
}

/// Whether nginx runs, by the answer to [`NodeSpec::running_query`]; `None` where that is not known.
pub(super) fn runs(spec: &NodeSpec, answer: &Answer) -> Option<bool> {
    match answer {
        Answer::Absent => Some(false),
        Answer::Process(_) | Answer::Processes(_) => Some(spec.master(answer).is_some()),
        _ => None,
    }
}

/// The containers that there are; `None` where the engine could not be asked.
fn containers<'a>(spec: &NodeSpec, observed: &'a Observations) -> Option<&'a [Container]> {
    match observed.get(&Query::Containers { socket: spec.docker.socket.clone() })? {
        Answer::Containers(all) => Some(all),
        _ => None,
    }
}

/// The one that nginx runs in.
fn own<'a>(spec: &NodeSpec, all: &'a [Container]) -> Option<&'a Container> {
    all.iter().find(|container| Some(&*container.name) == spec.container.as_deref())
}

/// The networks that there are; `None` where the engine could not be asked.
fn networks<'a>(spec: &NodeSpec, observed: &'a Observations) -> Option<&'a [Network]> {
    match observed.get(&Query::Networks { socket: spec.docker.socket.clone() })? {
        Answer::Networks(all) => Some(all),
        _ => None,
    }
}

/// Why the container cannot be the node's proxy. `comes`: a resource of the plan brings it.
pub(super) fn finding(node: &Node, observed: &Observations, comes: bool) -> Option<Diagnostic> {
    let spec = &node.spec;
    let name = spec.container.as_ref()?;
    let Some(found) = own(spec, containers(spec, observed)?) else {
        return (!comes).then(|| {
            Diagnostic::error(format!("there is no container `{name}` for the proxy of `{}`", spec.address))
                .code("no_proxy_container")
                .help(format!("declare a `stack \"{name}\"`: one comes with vsa (`stacks/reverse-proxy`)"))
                .help("or start the container, or name another one with `proxy { container }`")
                .on(&spec.address)
        });
    };
    if comes {
        return None;
    }
    let root = spec.root.display();
    let sees = |writable: bool, path: std::path::PathBuf| {
        found.mounts.iter().any(|mount| {
            path.starts_with(&mount.source)
                && mount.source == mount.destination
                && (!writable || mount.writable)
        })
    };
    let below = |name: &str| spec.root.join(name);
    if !sees(false, below("generations")) || !sees(true, below("run")) || !sees(true, below("logs")) {
        return Some(
            Diagnostic::error(format!(
                "the container `{name}` does not see the directory of `{}`",
                spec.address
            ))
            .code("proxy_mounts")
            .detail(format!("what nginx reads is in {root}, and what it writes in its `run` and `logs`"))
            .help(format!(
                "mount it under the same path: `-v {root}:{root}:ro -v {root}/run:{root}/run -v \
                     {root}/logs:{root}/logs`"
            ))
            .on(&spec.address),
        );
    }
    let processes = observed.get(&spec.running_query());
    let Some(Answer::Processes(processes)) = processes else { return None };
    let other = processes.values().find(|line| line.starts_with(MASTER) && !line.contains(&spec.prefix()))?;
    Some(
        Diagnostic::error(format!("the nginx in the container `{name}` does not read what vsa writes"))
            .code("proxy_command")
            .detail(format!("it runs as `{other}`"))
            .help(format!("start it with `nginx -p {0} -c {0}nginx.conf -g \"daemon off;\"`", spec.prefix()))
            .on(&spec.address),
    )
}

/// The networks that the container has lost: somebody took it out, or made it anew.
pub(super) fn drift(stored: &StoredNode, observed: &Observations) -> Option<Drift> {
    let spec = &stored.spec;
    let (found, networks) = (own(spec, containers(spec, observed)?)?, networks(spec, observed)?);
    if found.state != ContainerState::Running {
        return None;
    }
    let is_there = |name: &&Arc<str>| networks.iter().any(|network| *network.name == ***name);
    let lost: Vec<&str> = stored
        .networks
        .iter()
        .filter(|name| !found.networks.contains_key(&***name))
        .filter(is_there)
        .map(|name| &**name)
        .collect();
    (!lost.is_empty()).then(|| Drift {
        address: spec.address.clone(),
        subject: format!("container {}", found.name),
        what: format!("is not in the network {}", lost.join(", ")),
        repaired: true,
        diff: None,
    })
}

/// The networks that the sites of a node need its proxy in.
fn wanted(endpoints: &Endpoints) -> BTreeSet<Arc<str>> {
    let names = endpoints.values().filter_map(|reach| match reach {
        Reach::Name(name) => Some(Arc::clone(&name.network)),
        Reach::Ports(_) => None,
    });
    names.collect()
}

/// What becomes of a proxy's networks.
#[derive(Clone, Debug, Default)]
pub struct Membership {
    /// Those that it is in for the sites of the node, once all is done.
    pub networks: BTreeSet<Arc<str>>,
    /// Those of them that it has to join.
    pub joins: BTreeSet<Arc<str>>,
    /// Those that no site needs any more.
    pub leaves: BTreeSet<Arc<str>>,
}

impl Membership {
    /// Of a node with these endpoints.
    pub(super) fn of(
        spec: &NodeSpec,
        endpoints: &Endpoints,
        stored: Option<&StoredNode>,
        observed: &Observations,
    ) -> Self {
        let ours = stored.map(|stored| stored.networks.clone()).unwrap_or_default();
        let wanted = wanted(endpoints);
        let container = containers(spec, observed).and_then(|all| own(spec, all));
        let is_in = |name: &Arc<str>| match container {
            Some(container) => container.networks.contains_key(&**name),
            None => ours.contains(name),
        };
        let joins: BTreeSet<_> = wanted.iter().filter(|name| !is_in(name)).cloned().collect();
        // What it is in without vsa is not vsa's to take it from.
        let networks = wanted.iter().filter(|name| joins.contains(*name) || ours.contains(*name));
        Self {
            networks: networks.cloned().collect(),
            joins,
            leaves: ours.difference(&wanted).cloned().collect(),
        }
    }
}

/// All networks that a node's proxy must be in, for one whose container is made anew.
pub(super) fn needed(work: &NodeWork) -> BTreeSet<Arc<str>> {
    wanted(&work.endpoints)
}
