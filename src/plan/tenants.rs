//! That a site passes requests on to what runs for another tenant. A reference says whose a stack is; an address, a
//! container's name and a port do not.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::docker::Protocol;
use super::endpoint::{Endpoint, NO_ENDPOINTS, Target};
use super::items::Item;
use super::node::Node;
use super::observation::{Answer, Observations, Query};
use super::taken::Thing;
use crate::address::Address;
use crate::diag::{Diagnostic, Span};
use crate::names::UpstreamAddress;
use crate::resource::Resource;
use crate::value::Value;

/// By what a container is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Way {
    /// A TCP port of the machine.
    Port(u16),
    /// Its own address.
    Ip(IpAddr),
    /// Its name, or that in a network.
    Name(String),
}

/// Whose a container is, and how it is called.
struct Holder {
    tenant: Arc<str>,
    what: String,
}

/// Reports each site of a node that names what another tenant runs: containers that are there, the names and ports of
/// stacks that are wanted, and the ports that services are given.
pub(super) fn findings<'a>(
    items: &[&'a Item<'a>],
    node: &Node,
    observed: &Observations,
    given: &BTreeMap<Endpoint, Vec<u16>>,
    now: i64,
) -> Vec<Diagnostic> {
    let holders = all(items, node, observed, given, now);
    let mut found = Vec::new();
    if holders.is_empty() {
        return found;
    }
    for item in items {
        let Some(resource) = item.desired else { continue };
        let Some(ours) = tenant(resource) else { continue };
        for (place, way) in ways(item, resource) {
            if let Some(holder) = holders.get(&way).filter(|holder| holder.tenant != ours) {
                found.push(refused(&way, holder, &ours, place, item.address));
            }
        }
    }
    found
}

fn refused(way: &Way, holder: &Holder, ours: &str, place: Option<Span>, site: &Address) -> Diagnostic {
    let named = match way {
        Way::Port(port) => format!("port {port} of this machine"),
        Way::Ip(address) => format!("`{address}`"),
        Way::Name(name) => format!("`{name}`"),
    };
    let Holder { tenant, what } = holder;
    Diagnostic::error(format!("{named} belongs to the tenant `{tenant}`, and this domain to `{ours}`"))
        .code("other_tenant")
        .detail(format!("{what} answers there"))
        .help(format!("pass requests on to a stack of the tenant `{ours}`"))
        .at(place)
        .on(site)
}

fn tenant(resource: &Resource) -> Option<Arc<str>> {
    resource.get("tenant").get("name").and_then(Value::as_str).map(Arc::from)
}

/// By what a site names containers, but for services of stacks.
fn ways<'a>(item: &Item<'a>, resource: &'a Resource) -> Vec<(Option<Span>, Way)> {
    let targets = item.kind.endpoints(resource).into_iter().filter_map(|(path, target)| match target {
        Target::Service(_) => None,
        Target::Container { name, .. } => Some((path, Way::Name(name.to_string()))),
        Target::Published { port } => Some((path, Way::Port(port))),
    });
    let addresses = item.kind.addresses(resource).into_iter();
    let addresses = addresses.filter_map(|(path, address)| Some((path, way(&address)?)));
    targets.chain(addresses).map(|(path, way)| (resource.span(&path), way)).collect()
}

fn way(address: &UpstreamAddress) -> Option<Way> {
    let host = address.host();
    if address.is_name() {
        return Some(Way::Name(host.to_owned()));
    }
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    match ip {
        Some(ip) if !ip.is_loopback() && !ip.is_unspecified() => Some(Way::Ip(ip)),
        None if host != "localhost" => None,
        _ => address.port().map(Way::Port),
    }
}

fn all<'a>(
    items: &[&'a Item<'a>],
    node: &Node,
    observed: &Observations,
    given: &BTreeMap<Endpoint, Vec<u16>>,
    now: i64,
) -> HashMap<Way, Holder> {
    let spec = &node.spec;
    let mut holders = HashMap::new();
    let socket = spec.docker.socket.clone();
    if let Some(Answer::Containers(all)) = observed.get(&Query::Containers { socket }) {
        for container in all {
            let labels = container.compose.as_ref();
            let below =
                labels.and_then(|labels| labels.working_dir.as_ref()?.strip_prefix(&spec.srv_root).ok());
            let Some(tenant) = below.and_then(|below| below.iter().next()?.to_str()) else { continue };
            let mut holds = |way| {
                let what = format!("the container `{}`", container.name);
                holders.insert(way, Holder { tenant: tenant.into(), what });
            };
            holds(Way::Name(container.name.clone()));
            for (network, attachment) in &container.networks {
                holds(Way::Name(format!("{}.{network}", container.name)));
                attachment.addresses.iter().for_each(|address| holds(Way::Ip(*address)));
            }
            let tcp = container.published.iter().filter(|published| published.protocol == Protocol::Tcp);
            tcp.for_each(|published| holds(Way::Port(published.host_port)));
        }
    }
    // What is wanted goes before what is there.
    for item in items {
        let Some(tenant) = item.desired.and_then(tenant) else { continue };
        for taken in item.kind.takes(item.subject(node, observed, &NO_ENDPOINTS, now)) {
            let way = match taken.thing {
                Thing::Name(name) => Way::Name(name.to_string()),
                Thing::Port { port, protocol: Protocol::Tcp, .. } => Way::Port(port),
                Thing::Port { .. } => continue,
            };
            holders.insert(way, Holder { tenant: tenant.clone(), what: format!("`{}`", item.address) });
        }
    }
    for (endpoint, ports) in given {
        let at = items.binary_search_by(|item| item.address.cmp(&endpoint.target));
        let Some(tenant) = at.ok().and_then(|at| items[at].desired).and_then(tenant) else { continue };
        for port in ports {
            let what = format!("`{}` of `{}`", endpoint.service, endpoint.target);
            holders.insert(Way::Port(*port), Holder { tenant: tenant.clone(), what });
        }
    }
    holders
}
