//! Endpoints: ports of services that sites pass requests on to, and where the node's nginx reaches them.
//!
//! A site names a service and the port inside its containers. nginx on the host reaches it on loopback ports that the
//! containers publish; which ones follows from the state alone, so that a plan can say it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::address::Address;

use super::build::{Ask, Inputs};
use super::foreign;
use super::items::{Item, answers};
use super::kind::Refreshed;
use super::node::{Docker, Node, ProxyMode};
use super::observation::Observations;
use super::placed::Placement;
use super::{taken, tenants};
use crate::diag::{Diagnostic, Diagnostics, Severity, Span};
use crate::state::Status;

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The resource that runs the service.
    pub target: Address,
    /// The service.
    pub service: Arc<str>,
    /// The port inside its containers.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}", self.target, self.service, self.port)
    }
}

/// What a site passes requests on to, where it gives no address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A service that a resource runs.
    Service(Endpoint),
    /// A container that is not vsa's.
    Container {
        /// Its name.
        name: Arc<str>,
        /// The port inside it.
        port: u16,
    },
    /// Whatever container publishes a port on the node.
    Published {
        /// The node's port.
        port: u16,
    },
}

impl Target {
    /// From the text that the state names it by.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (what, rest) = text.split_once(' ')?;
        if what == "port" {
            return Some(Self::Published { port: rest.parse().ok()? });
        }
        // A name in an address may have a space in it, that of a service not.
        let (what, rest) = text.rsplit_once(' ')?;
        let (name, port) = rest.rsplit_once(':')?;
        let (name, port) = (name.into(), port.parse().ok()?);
        Some(match what {
            "container" => Self::Container { name, port },
            address => Self::Service(Endpoint { target: address.parse().ok()?, service: name, port }),
        })
    }

    /// The service, where a resource runs it.
    pub fn service(&self) -> Option<&Endpoint> {
        match self {
            Self::Service(endpoint) => Some(endpoint),
            Self::Container { .. } | Self::Published { .. } => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(endpoint) => endpoint.fmt(f),
            Self::Container { name, port } => write!(f, "container {name}:{port}"),
            Self::Published { port } => write!(f, "port {port}"),
        }
    }
}

/// Where a node's nginx reaches a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// On loopback ports, one for each replica of the service: nginx runs on the host.
    Ports(Vec<u16>),
    /// By a name in a network of Docker's: nginx runs in a container.
    Name(NetworkName),
}

impl Reach {
    /// Its loopback ports; none where it is reached by a name.
    pub fn ports(&self) -> &[u16] {
        match self {
            Self::Ports(ports) => ports,
            Self::Name(_) => &[],
        }
    }
}

/// A name in a network of Docker's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkName {
    /// The name, unique on the node.
    pub host: Arc<str>,
    /// The port.
    pub port: u16,
    /// The network that it is looked up in.
    pub network: Arc<str>,
}

/// Where each target of a node's sites is reached.
pub type Endpoints = BTreeMap<Target, Reach>;

/// Those of a node whose sites name no service, or of one that is still asked how things are.
pub static NO_ENDPOINTS: Endpoints = Endpoints::new();

/// How a resource runs a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serving {
    /// How many containers it has.
    pub replicas: u16,
    /// Whether new containers run beside the old ones for a while, and so need other ports, or another name.
    pub fresh: bool,
}

/// Gives each endpoint its ports: those that it had, or the lowest in a row that nobody has or had (containers of one
/// service publish a range), and that nobody else publishes. `None` where the node's range is too small.
pub(super) fn allocate<'a>(
    wanted: impl IntoIterator<Item = (&'a Endpoint, Serving)>,
    prior: &BTreeMap<String, Vec<u16>>,
    published: &BTreeSet<u16>,
    docker: &Docker,
) -> Option<BTreeMap<Endpoint, Vec<u16>>> {
    let wanted: Vec<_> = wanted.into_iter().collect();
    let mut taken: BTreeSet<u16> = prior.values().flatten().chain(published).copied().collect();
    let mut endpoints = BTreeMap::new();
    let mut lowest = docker.first_port;
    for (endpoint, serving) in wanted {
        let former = prior.get(&endpoint.to_string());
        let replicas = usize::from(serving.replicas.max(1));
        let ports = match former {
            Some(ports) if !serving.fresh && ports.len() == replicas => ports.clone(),
            _ => {
                while lowest < docker.last_port && taken.contains(&lowest) {
                    lowest += 1;
                }
                let mut row = Vec::new();
                for port in lowest..=docker.last_port {
                    if taken.contains(&port) {
                        row.clear();
                    } else {
                        row.push(port);
                    }
                    if row.len() == replicas {
                        break;
                    }
                }
                if row.len() < replicas {
                    return None;
                }
                row
            }
        };
        taken.extend(&ports);
        endpoints.insert(endpoint.clone(), ports);
    }
    Some(endpoints)
}

/// A service that a site names, with the place that does.
struct Named<'a> {
    place: Option<Span>,
    site: &'a Address,
    endpoint: Endpoint,
    target: Option<(&'a Item<'a>, &'a Refreshed)>,
}

/// Where the sites of a node reach the services that they name. What must be known of services before they get their
/// ports is asked here.
pub(super) fn endpoints<'a>(
    items: impl Iterator<Item = (&'a Item<'a>, &'a Refreshed)>,
    inputs: &Inputs<'_>,
    node: &Node,
    observed: &mut Observations,
    ask: &mut Ask<'_>,
    findings: &mut Diagnostics,
) -> Endpoints {
    let items: Vec<(&Item<'_>, &Refreshed)> = items.collect();
    let stored = inputs.state.nodes.get(&node.spec.address);
    let mut reached = Endpoints::new();
    let mut named = Vec::new();
    // Most sites name none.
    let targets: Vec<_> = items
        .par_iter()
        .filter_map(|(item, _)| Some((item.address, item.desired?, item.kind.endpoints(item.desired?))))
        .filter(|(_, _, targets)| !targets.is_empty())
        .collect();
    for (site, resource, targets) in targets {
        for (path, target) in targets {
            let place = resource.span(&path);
            let Target::Service(endpoint) = target else {
                match foreign::reach(&target, node, stored, observed) {
                    Ok(reach) => drop(reached.insert(target, reach)),
                    Err(mut error) => {
                        if let Some(reach) = foreign::as_before(&target, node, stored, observed) {
                            error.severity = Severity::Warning;
                            error = error.help("the site is left as it is until then");
                            reached.insert(target, reach);
                        }
                        findings.push(error.at(place).on(site));
                    }
                }
                continue;
            };
            // They are in the order of their addresses.
            let at = items.binary_search_by(|(item, _)| item.address.cmp(&endpoint.target));
            let target = at.ok().map(|at| items[at]);
            named.push(Named { place, site, endpoint, target });
        }
    }
    let empty = BTreeMap::new();
    let prior = stored.map_or(&empty, |stored| &stored.endpoints);
    let former = named.iter().filter_map(|named| {
        let key = named.endpoint.to_string();
        let ports = prior.get(&key).cloned().map(Reach::Ports);
        let name = || stored?.names.get(&key).cloned().map(Reach::Name);
        Some((Target::Service(named.endpoint.clone()), ports.or_else(name)?))
    });
    let former: Endpoints = former.collect();
    if inputs.refresh {
        ask_ahead(&named, &former, inputs, node, observed, ask);
    }
    let mut wanted: BTreeMap<Endpoint, Serving> = BTreeMap::new();
    let mut first = None;
    for Named { place, site, endpoint, target } in named {
        let Some((target, _)) = target else {
            findings.push(
                Diagnostic::error(format!("`{}` is on another node", endpoint.target))
                    .help("a site and what it passes requests on to live on one node")
                    .at(place)
                    .on(site),
            );
            continue;
        };
        let subject = target.subject(node, observed, &former, inputs.now);
        let serving = target.kind.serving(subject, &endpoint.service);
        let served = serving.and_then(|serving| {
            if node.spec.mode == ProxyMode::Container {
                let name = target.kind.network_name(subject, &endpoint.service, endpoint.port, serving)?;
                reached.insert(Target::Service(endpoint), Reach::Name(name));
            } else {
                first.get_or_insert((place, site));
                wanted.insert(endpoint, serving);
            }
            Ok(())
        });
        findings.extend(served.err().map(|error| error.at(place).on(site)));
    }
    let docker = &node.spec.docker;
    let published = if wanted.is_empty() {
        BTreeMap::new()
    } else {
        taken::loopback(items.iter().map(|(item, _)| *item), node, observed, inputs.now)
    };
    let each = wanted.iter().map(|(endpoint, serving)| (endpoint, *serving));
    let allocated = allocate(each, prior, &published.keys().copied().collect(), docker);
    let mut given = BTreeMap::new();
    if let Some(allocated) = allocated {
        findings.extend(taken::given(&allocated, &published, &node.spec.address));
        given = allocated.clone();
        let ports = |(endpoint, ports)| (Target::Service(endpoint), Reach::Ports(ports));
        reached.extend(allocated.into_iter().map(ports));
    } else {
        let (place, address) = first.unwrap_or((None, &node.spec.address));
        findings.push(
            Diagnostic::error(format!("`{}` has no ports left for its services", node.spec.address))
                .detail(format!("it publishes them on ports {} to {}", docker.first_port, docker.last_port))
                .help("widen the range with `docker { first_port, last_port }` of the node")
                .at(place)
                .on(address),
        );
    }
    let items: Vec<_> = items.iter().map(|(item, _)| *item).collect();
    findings.extend(tenants::findings(&items, node, observed, &given, inputs.now));
    reached
}

/// Asks what kinds have to know of resources that change and whose containers may be replaced side by side.
fn ask_ahead(
    named: &[Named<'_>],
    former: &Endpoints,
    inputs: &Inputs<'_>,
    node: &Node,
    observed: &mut Observations,
    ask: &mut Ask<'_>,
) {
    let mut seen = BTreeSet::new();
    let mut questions = Vec::new();
    for (item, refreshed) in named.iter().filter_map(|named| named.target) {
        let subject = item.subject(node, observed, former, inputs.now);
        let Some(prior) = item.prior.filter(|_| seen.insert(item.address)) else { continue };
        // What cannot be made is said where it is made.
        let (true, Ok(files)) = (item.kind.replaces_beside(subject), item.kind.placed(subject)) else {
            continue;
        };
        let placement = Placement::of(item.address, item.address, item.prior, files, inputs.key);
        let stays =
            prior.status == Status::Live && refreshed.drift.is_empty() && placement.changed.is_empty();
        if !stays {
            questions.extend(item.kind.inquiries(subject, &placement.files));
        }
    }
    questions.retain(|question| observed.get(question).is_none());
    if !questions.is_empty() {
        observed.extend(answers(&node.spec, questions, ask));
    }
}

/// The sites that pass requests on to services, by the resource that runs these.
pub(super) struct Sites<'a>(BTreeMap<Address, Vec<(Arc<str>, &'a Address)>>);

impl<'a> Sites<'a> {
    /// Of all resources.
    pub(super) fn of(items: &'a [Item<'a>]) -> Self {
        let mut sites: BTreeMap<Address, Vec<(Arc<str>, &Address)>> = BTreeMap::new();
        for item in items {
            let named = item.desired.map(|resource| item.kind.endpoints(resource)).unwrap_or_default();
            for (_, target) in named {
                if let Target::Service(Endpoint { target, service, .. }) = target {
                    sites.entry(target).or_default().push((service, item.address));
                }
            }
        }
        Self(sites)
    }

    /// Those of some services of a resource, each once.
    pub(super) fn of_services(&self, target: &Address, services: &[String]) -> Vec<Address> {
        let named = self.0.get(target).into_iter().flatten();
        let theirs = named.filter(|(service, _)| services.iter().any(|name| **name == **service));
        let sites: BTreeSet<&Address> = theirs.map(|(_, site)| *site).collect();
        sites.into_iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(service: &str) -> Endpoint {
        Endpoint { target: Address::new("stack", "shop"), service: service.into(), port: 80 }
    }

    fn allocated(wanted: &[(&str, Serving)], prior: &BTreeMap<Endpoint, Vec<u16>>) -> Vec<Vec<u16>> {
        let docker = Docker { first_port: 20_000, last_port: 20_005, ..Docker::default() };
        let prior = prior.iter().map(|(endpoint, ports)| (endpoint.to_string(), ports.clone())).collect();
        let endpoints: Vec<_> = wanted.iter().map(|(name, serving)| (endpoint(name), *serving)).collect();
        let wanted = endpoints.iter().map(|(endpoint, serving)| (endpoint, *serving));
        allocate(wanted, &prior, &BTreeSet::new(), &docker)
            .map(|made| made.into_values().collect())
            .unwrap_or_default()
    }

    const ONE: Serving = Serving { replicas: 1, fresh: false };

    #[test]
    fn a_target_is_read_from_its_text() {
        let keyed = "stack.shop[\"a b\"]".parse::<Address>().unwrap();
        let name: Arc<str> = "web-1".into();
        for target in [
            Target::Service(endpoint("web")),
            Target::Service(Endpoint { target: keyed, service: Arc::clone(&name), port: 3000 }),
            Target::Container { name, port: 8080 },
            Target::Published { port: 8085 },
        ] {
            assert_eq!(Target::parse(&target.to_string()), Some(target));
        }
        for text in ["", "port x", "container web", "stack.shop web:x", "web:80"] {
            assert_eq!(Target::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ports_stay_until_containers_are_replaced_side_by_side() {
        assert_eq!(allocated(&[("a", ONE), ("b", ONE)], &BTreeMap::new()), [[20_000], [20_001]]);
        let prior = BTreeMap::from([(endpoint("a"), vec![20_000]), (endpoint("b"), vec![20_001])]);
        assert_eq!(allocated(&[("b", ONE)], &prior), [[20_001]], "one that goes moves nobody");
        let fresh = Serving { fresh: true, ..ONE };
        assert_eq!(allocated(&[("a", fresh), ("b", ONE)], &prior), [[20_002], [20_001]]);
    }

    #[test]
    fn ports_that_containers_publish_for_themselves_are_left_to_them() {
        let docker = Docker { first_port: 20_000, last_port: 20_001, ..Docker::default() };
        let wanted = endpoint("a");
        let made = allocate([(&wanted, ONE)], &BTreeMap::new(), &BTreeSet::from([20_000]), &docker);
        assert_eq!(made, Some(BTreeMap::from([(wanted.clone(), vec![20_001])])));
        let all = BTreeSet::from([20_000, 20_001]);
        assert_eq!(allocate([(&wanted, ONE)], &BTreeMap::new(), &all, &docker), None);
    }

    #[test]
    fn more_replicas_get_more_ports_while_there_are_some() {
        let prior = BTreeMap::from([(endpoint("a"), vec![20_001])]);
        let serving = Serving { replicas: 3, fresh: false };
        assert_eq!(allocated(&[("a", serving)], &prior), [[20_002, 20_003, 20_004]]);
        let many = Serving { replicas: 5, fresh: false };
        assert!(allocated(&[("a", many)], &prior).is_empty(), "the range is too small");
    }
}
