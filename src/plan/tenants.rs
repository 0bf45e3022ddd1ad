//! That a site passes requests on to what runs for another tenant. A reference says whose a stack is; an address, a
//! container's name and a port do not.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::docker::{Network, Protocol};
use super::endpoint::{Endpoint, NO_ENDPOINTS, Target};
use super::items::Item;
use super::node::{Node, ProxyMode};
use super::observation::{Answer, Observations, Query};
use super::taken::Thing;
use crate::address::Address;
use crate::diag::{Diagnostic, Span};
use crate::names::UpstreamAddress;
use crate::resource::Resource;

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
    let spec = &node.spec;
    let networks = match observed.get(&Query::Networks { socket: spec.docker.socket.clone() }) {
        Some(Answer::Networks(all)) => all.as_slice(),
        _ => &[],
    };
    let holders = all(items, node, observed, given, now);
    let mut found = Vec::new();
    if holders.is_empty() && networks.is_empty() && spec.mode != ProxyMode::Container {
        return found;
    }
    for item in items {
        let Some(resource) = item.desired else { continue };
        let Some(ours) = item.kind.tenant(resource) else { continue };
        for (place, way) in ways(item, resource, spec.mode, networks) {
            match (holders.get(&way), &way) {
                (Some(holder), _) if holder.tenant != ours => {
                    found.push(refused(&way, holder, &ours, place, item.address));
                }
                (None, Way::Name(name)) => {
                    found.extend(by_name(name, node, networks).map(|error| error.at(place).on(item.address)));
                }
                (_, Way::Ip(ip)) => {
                    found.extend(by_address(*ip, networks).map(|error| error.at(place).on(item.address)));
                }
                _ => {}
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
    Diagnostic::error(format!("{named} belongs to the tenant `{tenant}`, and `{site}` to `{ours}`"))
        .code("other_tenant")
        .detail(format!("{what} answers there"))
        .help(format!("pass requests on to a stack of the tenant `{ours}`"))
        .at(place)
        .on(site)
}

/// What is refused because nobody knows whose it will be.
fn anybodys(named: impl std::fmt::Display, detail: String) -> Diagnostic {
    Diagnostic::error(format!("`{named}` may be a container of any tenant"))
        .code("other_tenant")
        .detail(detail)
        .help("name a stack's service with `stack`, `service` and `port`, or a container that vsa does not own with `container`")
}

/// Refuses a name by which Docker finds containers of whichever tenant: an alias in one of its networks, or the tasks
/// of a swarm's service. nginx on the host asks somebody else.
fn by_name(name: &str, node: &Node, networks: &[Network]) -> Option<Diagnostic> {
    if node.spec.mode != ProxyMode::Container {
        return None;
    }
    let is_in =
        |network: &&str| name.strip_suffix(&network.to_lowercase()).is_some_and(|rest| rest.ends_with('.'));
    let there = networks.iter().map(|network| network.name.as_str());
    let network = there.chain(node.networks.keys().map(String::as_str)).find(is_in);
    let asks = match network {
        Some(network) => format!("Docker looks it up among the containers in the network `{network}`"),
        None if name.starts_with("tasks.") => "Docker looks it up among the tasks of its swarm".to_owned(),
        None => return None,
    };
    Some(anybodys(name, asks))
}

/// Refuses an address that Docker gives to whichever container comes.
fn by_address(ip: IpAddr, networks: &[Network]) -> Option<Diagnostic> {
    let network =
        networks.iter().find(|network| network.subnets.iter().any(|subnet| subnet.contains(&ip)))?;
    Some(anybodys(
        ip,
        format!("Docker gives the addresses of its network `{}` to containers as they come", network.name),
    ))
}

/// Whether an address is the machine's own in one of Docker's networks: the first one, unless somebody has said otherwise.
fn is_gateway(ip: IpAddr, networks: &[Network]) -> bool {
    let mut subnets = networks.iter().flat_map(|network| &network.subnets);
    subnets.any(|subnet| subnet.hosts().next() == Some(ip))
}

/// By what a site names containers, but for services of stacks.
fn ways<'a>(
    item: &Item<'a>,
    resource: &'a Resource,
    mode: ProxyMode,
    networks: &[Network],
) -> Vec<(Option<Span>, Way)> {
    let targets = item.kind.endpoints(resource).into_iter().filter_map(|(path, target)| match target {
        Target::Service(_) => None,
        Target::Container { name, .. } => Some((path, Way::Name(name.to_lowercase()))),
        Target::Published { port } => Some((path, Way::Port(port))),
    });
    let addresses = item.kind.addresses(resource).into_iter();
    let addresses = addresses.filter_map(|(path, address)| Some((path, way(&address, mode, networks)?)));
    targets.chain(addresses).map(|(path, way)| (resource.span(&path), way)).collect()
}

fn way(address: &UpstreamAddress, mode: ProxyMode, networks: &[Network]) -> Option<Way> {
    let host = address.host();
    if address.is_name() {
        return Some(Way::Name(host.to_lowercase()));
    }
    // The kernel connects `::ffff:127.0.0.1` to 127.0.0.1.
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    match ip {
        Some(ip) if is_gateway(ip, networks) => address.port().map(Way::Port),
        Some(ip) if !ip.is_loopback() && !ip.is_unspecified() => Some(Way::Ip(ip)),
        None if host != "localhost" => None,
        // In a container that is nginx's own.
        _ if mode == ProxyMode::Container => None,
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
            holds(Way::Name(container.name.to_lowercase()));
            for (network, attachment) in &container.networks {
                holds(Way::Name(format!("{}.{network}", container.name).to_lowercase()));
                attachment.addresses.iter().for_each(|address| holds(Way::Ip(*address)));
            }
            let tcp = container.published.iter().filter(|published| published.protocol == Protocol::Tcp);
            tcp.for_each(|published| holds(Way::Port(published.host_port)));
        }
    }
    // What is wanted goes before what is there.
    for item in items {
        let Some(tenant) = item.desired.and_then(|resource| item.kind.tenant(resource)) else { continue };
        for taken in item.kind.takes(item.subject(node, observed, &NO_ENDPOINTS, now)) {
            let way = match taken.thing {
                Thing::Name(name) => Way::Name(name.to_lowercase()),
                Thing::Port { port, protocol: Protocol::Tcp, .. } => Way::Port(port),
                Thing::Port { .. } => continue,
            };
            holders.insert(way, Holder { tenant: tenant.clone(), what: format!("`{}`", item.address) });
        }
    }
    for (endpoint, ports) in given {
        let at = items.binary_search_by(|item| item.address.cmp(&endpoint.target));
        let Some(tenant) = at.ok().and_then(|at| items[at].kind.tenant(items[at].desired?)) else { continue };
        for port in ports {
            let what = format!("`{}` of `{}`", endpoint.service, endpoint.target);
            holders.insert(Way::Port(*port), Holder { tenant: tenant.clone(), what });
        }
    }
    holders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Text as _;

    fn way(address: &str, mode: ProxyMode) -> Option<Way> {
        let address = UpstreamAddress::parse(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        super::way(&address, mode, &[])
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        let (host, container) = (ProxyMode::Managed, ProxyMode::Container);
        for loopback in [
            "127.0.0.1:80",
            "localhost:80",
            "http://127.1.2.3:80",
            "[::1]:80",
            "[::ffff:127.0.0.1]:80",
            "0.0.0.0:80",
        ] {
            assert_eq!(way(loopback, host), Some(Way::Port(80)), "{loopback}");
            assert_eq!(way(loopback, container), None, "{loopback}: nginx's own");
        }
        let address = Some(Way::Ip(IpAddr::from([172, 18, 0, 3])));
        assert_eq!(way("172.18.0.3:5432", container), address);
        assert_eq!(way("[::ffff:172.18.0.3]:5432", container), address);
        assert_eq!(way("https://[2001:db8::1]", host), Some(Way::Ip("2001:db8::1".parse().unwrap())));
        assert_eq!(way("unix:/run/app.sock", host), None);
        let bridge = Network {
            id: "1".to_owned(),
            name: "shop_default".to_owned(),
            driver: "bridge".to_owned(),
            scope: "local".to_owned(),
            internal: false,
            labels: BTreeMap::new(),
            subnets: vec!["172.18.0.0/16".parse().unwrap()],
        };
        let networks = [bridge];
        let machine = UpstreamAddress::parse("172.18.0.1:3000").unwrap();
        assert_eq!(super::way(&machine, container, &networks), Some(Way::Port(3000)));
        assert!(by_address(IpAddr::from([172, 18, 0, 3]), &networks).is_some());
        assert!(by_address(IpAddr::from([172, 19, 0, 3]), &networks).is_none());
        assert_eq!(way("Blog.Apps:80", host), way("blog.apps:80", host));
    }
}
