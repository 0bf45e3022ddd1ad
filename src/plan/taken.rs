//! What containers take of their node: names of the engine's, ports of the machine's. Each is there once, whichever
//! resource brings the container.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::build::Inputs;
use super::docker::Protocol;
use super::endpoint::NO_ENDPOINTS;
use super::items::Item;
use super::node::{Node, NodeSpec};
use super::observation::Observations;
use crate::address::Address;
use crate::diag::{Diagnostic, Quote, Span};

/// A thing that only one container can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A container's name.
    Name(Arc<str>),
    /// A port of the machine.
    Port {
        /// The machine's address; `None` for all of them.
        address: Option<IpAddr>,
        /// The port.
        port: u16,
        /// The protocol.
        protocol: Protocol,
    },
}

impl Thing {
    /// Whether two containers cannot have one each.
    pub fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => one == other,
            (
                Self::Port { address: one, port, protocol },
                Self::Port { address: other, port: other_port, protocol: other_protocol },
            ) => {
                let all = |address: &Option<IpAddr>| address.is_none_or(|address| address.is_unspecified());
                let meet = all(one) || all(other) || one == other;
                meet && port == other_port && protocol == other_protocol
            }
            _ => false,
        }
    }

    /// What it has in common with all that excludes it.
    fn number(&self) -> Number<'_> {
        match self {
            Self::Name(name) => Number::Name(name),
            Self::Port { port, .. } => Number::Port(*port),
        }
    }

    /// Whether a TCP port that is taken on loopback is this one.
    fn is_loopback(&self, number: u16) -> bool {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        self.excludes(&Self::Port { address: Some(loopback), port: number, protocol: Protocol::Tcp })
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "container name `{name}`"),
            Self::Port { port, protocol, .. } => write!(f, "port {port}/{protocol}"),
        }
    }
}

/// What things may exclude each other by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Number<'a> {
    Name(&'a str),
    Port(u16),
}

/// A thing that a resource's containers take.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The thing.
    pub thing: Thing,
    /// Where the resource says where that is said.
    pub place: Option<Span>,
    /// Where that is said.
    pub quote: Option<Quote>,
    /// How to do without.
    pub help: &'static str,
}

/// Who takes something.
struct Taker<'a> {
    /// The engine, for names: each has its own.
    socket: &'a PathBuf,
    address: &'a Address,
    /// The node whose nginx has it.
    collides: Option<&'a NodeSpec>,
    taken: Taken,
}

/// Reports what is taken twice: by two resources, by one twice, or by one although it is the node's own.
pub(super) fn findings(
    items: &[Item<'_>],
    known: &BTreeMap<Address, (Node, Observations)>,
    inputs: &Inputs<'_>,
) -> Vec<Diagnostic> {
    let all = all(items, known, inputs);
    let mut seen: BTreeMap<Number<'_>, Vec<&Taker<'_>>> = BTreeMap::new();
    let mut found = Vec::new();
    for taker in &all {
        let Taker { address, taken, .. } = taker;
        if let Some(spec) = taker.collides {
            let summary = format!("the {} is one of `{}`", taken.thing, spec.address);
            let help = "publish another one: nginx listens there";
            found.push(told(Diagnostic::error(summary), taken, "published here", address).help(help));
        }
        let before = seen.entry(taken.thing.number()).or_default();
        let first = before.iter().find(|first| {
            let shared = matches!(taken.thing, Thing::Port { .. }) || first.socket == taker.socket;
            shared && first.taken.thing.excludes(&taken.thing)
        });
        found.extend(first.map(|first| twice(first, taken, address)));
        before.push(taker);
    }
    found
}

/// All that is taken, in the order of who takes it.
fn all<'a>(
    items: &'a [Item<'a>],
    known: &'a BTreeMap<Address, (Node, Observations)>,
    inputs: &Inputs<'_>,
) -> Vec<Taker<'a>> {
    let mut takers = Vec::new();
    for item in items.iter().filter(|item| item.desired.is_some()) {
        let Some((node, observed)) = known.get(&item.node) else { continue };
        let subject = item.subject(node, observed, &NO_ENDPOINTS, inputs.now);
        let taken = item.kind.takes(subject);
        if taken.is_empty() {
            continue;
        }
        let brings_proxy = item.kind.proxy(subject).is_some();
        for taken in taken {
            let own = |spec: &NodeSpec| spec.address == item.node && brings_proxy;
            let mut nodes = known.values().map(|(node, _)| &node.spec).filter(|spec| !own(spec));
            let collides = nodes.find(|spec| is_own(spec, &taken.thing));
            let socket = &node.spec.docker.socket;
            takers.push(Taker { socket, address: item.address, collides, taken });
        }
    }
    takers
}

/// Whether nginx listens there.
fn is_own(spec: &NodeSpec, thing: &Thing) -> bool {
    let port = |port| Thing::Port { address: None, port, protocol: Protocol::Tcp };
    [spec.http_port, spec.https_port].into_iter().any(|number| port(number).excludes(thing))
}

fn told(error: Diagnostic, taken: &Taken, text: &str, address: &Address) -> Diagnostic {
    let mut error = error.code("taken").at(taken.place).on(address);
    error.quotes.extend(taken.quote.clone().map(|quote| Quote { text: text.to_owned(), ..quote }));
    error
}

fn twice(first: &Taker<'_>, taken: &Taken, address: &Address) -> Diagnostic {
    let summary = if first.address == address {
        format!("the {} stands twice in `{address}`", taken.thing)
    } else {
        format!("the {} is taken by `{}` and `{address}`", taken.thing, first.address)
    };
    let mut error = told(Diagnostic::error(summary), taken, "taken again here", address);
    let quote = first.taken.quote.clone();
    error.quotes.extend(quote.map(|quote| Quote { text: "first taken here".to_owned(), ..quote }));
    error.also(first.taken.place, "the other one comes from here").help(taken.help)
}

/// The ports that the containers of a node's resources take on loopback for themselves, each with whose it is. They are
/// given to no service.
pub(super) fn loopback<'a>(
    items: impl Iterator<Item = &'a Item<'a>>,
    node: &Node,
    observed: &Observations,
    now: i64,
) -> BTreeMap<u16, &'a Address> {
    let mut ports = BTreeMap::new();
    for item in items.filter(|item| item.desired.is_some()) {
        for taken in item.kind.takes(item.subject(node, observed, &NO_ENDPOINTS, now)) {
            if let Thing::Port { port, .. } = taken.thing
                && taken.thing.is_loopback(port)
            {
                ports.insert(port, item.address);
            }
        }
    }
    ports
}

/// That ports which services have are published by Compose files now.
pub(super) fn given(
    allocated: &BTreeMap<super::Endpoint, Vec<u16>>,
    published: &BTreeMap<u16, &Address>,
    node: &Address,
) -> Vec<Diagnostic> {
    let given = allocated.iter().flat_map(|(endpoint, ports)| ports.iter().map(move |port| (endpoint, port)));
    let both = given.filter_map(|(endpoint, port)| Some((endpoint, port, published.get(port)?)));
    let mut seen = BTreeSet::new();
    let both = both.filter(|(_, port, _)| seen.insert(**port));
    let error = |(endpoint, port, address): (&super::Endpoint, &u16, &&Address)| {
        Diagnostic::error(format!("the port {port} is the one by which nginx reaches `{endpoint}`"))
            .code("taken")
            .detail(format!(
                "`{address}` publishes it, and it is in the range that `{node}` gives to services"
            ))
            .help("publish a port outside of that range, or none")
            .on(address)
    };
    both.map(error).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(address: &str, port: u16, protocol: Protocol) -> Thing {
        Thing::Port { address: address.parse().ok(), port, protocol }
    }

    #[test]
    fn ports_meet_where_their_addresses_do() {
        let all = port("", 80, Protocol::Tcp);
        for other in ["", "0.0.0.0", "127.0.0.1", "::"] {
            assert!(all.excludes(&port(other, 80, Protocol::Tcp)), "{other}");
        }
        let loopback = port("127.0.0.1", 80, Protocol::Tcp);
        assert!(loopback.excludes(&port("0.0.0.0", 80, Protocol::Tcp)));
        assert!(!loopback.excludes(&port("192.0.2.1", 80, Protocol::Tcp)));
        assert!(!all.excludes(&port("", 81, Protocol::Tcp)) && !all.excludes(&port("", 80, Protocol::Udp)));
        assert!(!all.excludes(&Thing::Name("80".into())));
    }
}
