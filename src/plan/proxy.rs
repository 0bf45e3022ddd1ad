//! The proxy that runs in a container, in a plan: whether it is there and sees what it must, and the networks that it
//! joins.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::brought::BroughtProxy;
use super::build::NodeWork;
use super::docker::{Container, ContainerState, Mount, Network};
use super::endpoint::{Endpoints, Reach, Target};
use super::kind::{Drift, Kind, Subject};
use super::node::{MASTER, Node, NodeSpec};
use super::observation::{Answer, Observations, Query};
use crate::address::Address;
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
pub(super) fn containers<'a>(spec: &NodeSpec, observed: &'a Observations) -> Option<&'a [Container]> {
    match observed.get(&Query::Containers { socket: spec.docker.socket.clone() })? {
        Answer::Containers(all) => Some(all),
        _ => None,
    }
}

/// The one that nginx runs in.
pub(super) fn own<'a>(spec: &NodeSpec, all: &'a [Container]) -> Option<&'a Container> {
    all.iter().find(|container| Some(&*container.name) == spec.container.as_deref())
}

/// The networks that there are; `None` where the engine could not be asked.
fn networks<'a>(spec: &NodeSpec, observed: &'a Observations) -> Option<&'a [Network]> {
    match observed.get(&Query::Networks { socket: spec.docker.socket.clone() })? {
        Answer::Networks(all) => Some(all),
        _ => None,
    }
}

/// Why the container cannot be the node's proxy. `comes`: a resource of the plan brings it, and says more of it.
pub(super) fn finding(node: &Node, observed: &Observations, comes: bool) -> Option<Diagnostic> {
    let spec = &node.spec;
    let name = spec.container.as_ref()?;
    let Some(found) = own(spec, containers(spec, observed)?) else {
        return (!comes).then(|| {
            Diagnostic::error(format!("there is no container `{name}` for the proxy of `{}`", spec.address))
                .code("no_proxy_container")
                .help(format!(
                    "declare a `stack \"{name}\"` with `source = \"vsa://reverse-proxy\"`, which comes with vsa"
                ))
                .help("or start the container, or name another one with `proxy { container }`")
                .on(&spec.address)
        });
    };
    if comes {
        return None;
    }
    let finding = blind(spec, &found.name, &found.mounts)
        .or_else(|| without_nginx(spec, found, observed))
        .or_else(|| {
            let Some(Answer::Processes(processes)) = observed.get(&spec.running_query()) else { return None };
            let is_other = |line: &&String| line.starts_with(MASTER) && !line.contains(&spec.prefix());
            let other = processes.values().find(is_other)?;
            Some(
                Diagnostic::error(format!(
                    "the nginx in the container `{name}` does not read what vsa writes"
                ))
                .code("proxy_command")
                .detail(format!("it runs as `{other}`"))
                .help(format!(
                    "start it with `nginx -p {0} -c {0}nginx.conf -g \"daemon off;\"`",
                    spec.prefix()
                )),
            )
        });
    finding.map(|finding| finding.on(&spec.address))
}

/// What of the node's directory a container does not see as it must.
pub(super) fn blind(spec: &NodeSpec, name: &str, mounts: &[Mount]) -> Option<Diagnostic> {
    let root = spec.root.display();
    let sees = |path: &PathBuf, writable| Mount::show(mounts, path, writable);
    let finding = |summary: String, detail: String| {
        let mount = format!("-v {root}:{root}:ro -v {root}/run:{root}/run -v {root}/logs:{root}/logs");
        Diagnostic::error(summary)
            .code("proxy_mounts")
            .detail(detail)
            .help(format!("mount the node's directory under the same path: `{mount}`"))
    };
    let current = spec.current();
    if mounts.iter().any(|mount| mount.destination.starts_with(&current)) {
        let summary = format!("the container `{name}` has `{}` mounted by itself", current.display());
        let why =
            "a mount follows a link once: the container would go on reading the generation of its start";
        return Some(finding(summary, why.to_owned()));
    }
    let seen_from = |path: &PathBuf| {
        let elsewhere = mounts.iter().find(|mount| path.starts_with(&mount.source));
        let elsewhere = elsewhere.filter(|mount| mount.source != mount.destination);
        elsewhere.map_or_else(String::new, |mount| {
            let below = path.strip_prefix(&mount.source).unwrap_or(path);
            format!("; it sees it as {}", mount.destination.join(below).display())
        })
    };
    let read = ["generations", "certificates", "acme"].map(|name| spec.root.join(name));
    if let Some(path) = read.iter().find(|path| !sees(path, false)) {
        let summary = format!("the container `{name}` does not see the directory of `{}`", spec.address);
        let detail = format!("nginx reads {} by that path{}", path.display(), seen_from(path));
        return Some(finding(summary, detail));
    }
    let written = ["run", "logs"].map(|name| spec.root.join(name));
    let path = written.iter().find(|path| !sees(path, true))?;
    let summary = format!("the nginx in the container `{name}` cannot write what it has to");
    let detail = format!("{} is read-only in there, or not mounted{}", path.display(), seen_from(path));
    Some(finding(summary, detail))
}

/// That there is no nginx in a container that runs, or nothing that nginx can be asked with.
fn without_nginx(spec: &NodeSpec, found: &Container, observed: &Observations) -> Option<Diagnostic> {
    let (program, name) = (spec.nginx.display(), &found.name);
    if found.state != ContainerState::Running || observed.get(&spec.version_query()) != Some(&Answer::Absent)
    {
        return None;
    }
    Some(
        Diagnostic::error(format!("there is no nginx in the container `{name}`"))
            .code("no_nginx")
            .detail(format!("`{program} -V` cannot be run in there; its image is {}", found.image))
            .help("start the container from an image with nginx, such as `nginx`")
            .help("or say where the program is in there, with `proxy { nginx }` of the node"),
    )
}

/// That the container does not see what resources of the node name. Where one of them brings it, what that says of it
/// counts.
pub(super) fn hidden(
    node: &Node,
    here: &[(&dyn Kind, Subject<'_>)],
    brought: Option<&BroughtProxy>,
) -> Vec<Diagnostic> {
    let Some((_, first)) = here.first() else { return Vec::new() };
    let found = || Some(&own(&node.spec, containers(&node.spec, first.observed)?)?.mounts);
    let mounts = match brought {
        Some(brought) => brought.container.as_ref().and_then(|container| container.mounts.as_ref()),
        None => found(),
    };
    let (Some(mounts), Some(name)) = (mounts, &node.spec.container) else { return Vec::new() };
    let named = here.iter().flat_map(|(kind, subject)| {
        kind.reads(*subject).into_iter().map(move |(at, path)| (subject, at, path))
    });
    let unseen = named.filter(|(.., path)| !Mount::show(mounts, path, false)).map(|(subject, at, path)| {
        let shown = path.display();
        let finding = Diagnostic::error(format!("the container `{name}` does not see `{shown}`"))
            .code("proxy_mounts")
            .detail("nginx runs in there, and would answer 404 for all that is in it")
            .at(subject.desired.and_then(|resource| resource.span(&at)))
            .on(subject.address);
        finding.help(if brought.is_some() {
            format!("mount it where the container comes from: `{shown}:{shown}:ro`")
        } else {
            format!("mount it under the same path: `-v {shown}:{shown}:ro`")
        })
    });
    unseen.collect()
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

/// Whether a network can be joined: it is there, or comes with those resources of the plan that bring containers up
/// (`come`). One that went with a stopped stack comes with that again.
pub(super) fn can_be_joined(work: &NodeWork, network: &str, come: &BTreeSet<&Address>) -> bool {
    let spec = &work.node.spec;
    let brings = |(target, reach): (&Target, &Reach)| {
        let is_in = matches!(reach, Reach::Name(name) if *name.network == *network);
        is_in && target.service().is_some_and(|endpoint| come.contains(&endpoint.target))
    };
    let Some(all) = networks(spec, &work.observed) else { return true };
    // The one that is shared is made by itself.
    spec.network.as_deref() == Some(network)
        || all.iter().any(|found| found.name == network)
        || work.endpoints.iter().any(brings)
}

/// All networks that a node's proxy must be in, for one whose container is made anew.
pub(super) fn needed(work: &NodeWork) -> BTreeSet<Arc<str>> {
    wanted(&work.endpoints)
}
