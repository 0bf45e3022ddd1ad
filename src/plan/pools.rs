//! Whether an engine has addresses for all networks that a plan makes, and leads from one to the other: found out before
//! anything starts.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::docker::free_subnets;
use super::node::NodeSpec;
use super::observation::{Answer, Observations, Query};
use crate::diag::Diagnostic;

/// A network that a resource needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeededNetwork {
    /// How Docker knows it.
    pub name: String,
    /// Whether it has addresses of its own, or is somebody else's to make: it takes none of the engine's.
    pub numbered: bool,
    /// What carries it, where the resource says so.
    pub driver: Option<Arc<str>>,
}

/// That the network which a node shares is not there, and nothing makes it.
pub(super) fn missing(
    spec: &NodeSpec,
    needed: &[NeededNetwork],
    observed: &Observations,
) -> Option<Diagnostic> {
    let name = spec.network.as_ref()?;
    let socket = spec.docker.socket.clone();
    let Some(Answer::Networks(there)) = observed.get(&Query::Networks { socket }) else { return None };
    let known = there.iter().map(|network| &network.name).chain(needed.iter().map(|network| &network.name));
    let is_known = known.into_iter().any(|known| **known == **name);
    (!is_known).then(|| {
        Diagnostic::error(format!("there is no network `{name}` for `{}`", spec.address))
            .code("no_such_network")
            .help(format!("declare it: `network \"proxy\" {{ name = \"{name}\" }}`"))
            .help("or leave `network` of the node away: the proxy then joins the network of each stack")
            .on(&spec.address)
    })
}

/// That the engine's addresses do not last for the networks that are not there yet.
pub(super) fn finding(
    spec: &NodeSpec,
    needed: &[NeededNetwork],
    observed: &Observations,
) -> Option<Diagnostic> {
    let socket = spec.docker.socket.clone();
    let Some(Answer::Networks(there)) = observed.get(&Query::Networks { socket: socket.clone() }) else {
        return None;
    };
    let Some(Answer::Engine(engine)) = observed.get(&Query::Engine { socket }) else { return None };
    let is_there = |name: &str| there.iter().any(|network| network.name == name);
    let new: BTreeSet<&str> = needed
        .iter()
        .filter(|network| !network.numbered && !is_there(&network.name))
        .map(|network| network.name.as_str())
        .collect();
    let free = free_subnets(&engine.address_pools, there, new.len());
    (free < new.len()).then(|| {
        Diagnostic::error(format!(
            "the Docker engine of `{}` has too few addresses for its networks",
            spec.address
        ))
        .code("address_pools")
        .detail(format!(
            "{} would be made, and there is room for {free}: {}",
            new.len(),
            new.iter().copied().collect::<Vec<_>>().join(", ")
        ))
        .help(
            "enlarge the pools in `/etc/docker/daemon.json`, and restart Docker: `\"default-address-pools\": \
                 [{ \"base\": \"10.201.0.0/16\", \"size\": 24 }]` has room for 256 networks",
        )
        .help("or remove networks that nobody uses: `docker network prune`")
        .on(&spec.address)
    })
}

/// That the machine passes nothing on to and from the containers that would be made.
pub(super) fn unforwarded(
    spec: &NodeSpec,
    needed: &[NeededNetwork],
    observed: &Observations,
) -> Option<Diagnostic> {
    let query = Query::Engine { socket: spec.docker.socket.clone() };
    let Some(Answer::Engine(engine)) = observed.get(&query) else { return None };
    (!needed.is_empty() && !engine.forwards).then(|| {
        Diagnostic::warning(format!("the machine of `{}` passes no packets on to containers", spec.address))
            .code("ip_forward")
            .detail(
                "`net.ipv4.ip_forward` is 0: containers reach nothing outside, and what they publish is out of reach \
                 from other machines",
            )
            .help("`sysctl -w net.ipv4.ip_forward=1`, and the same in a file of `/etc/sysctl.d`")
            .on(&spec.address)
    })
}
