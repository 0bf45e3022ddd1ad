//! `network`: a network of Docker's that outlives the stacks in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::names::{AddressRange, LabelName, LabelValue, NetworkLabel, Slug, Text as _};
use crate::plan::docker::{Network as Found, attached};
use crate::plan::{
    Answer, Claim, ClaimScope, Drift, Kind, NeededNetwork, NetworkSettings, Operation, Phase, Query,
    Refreshed, Step, Subject, Undo,
};
use crate::resource::{Path, Resource};
use crate::schema::{Block, Export, Schema, Ty, attribute};
use crate::state::{Status, Stored, UNMADE, attributes};
use crate::value::{Object, Value};

const DRIVERS: &[(&str, &str)] = &[
    ("bridge", "containers of this node, through a bridge of its own"),
    ("macvlan", "containers with addresses of the node's own network"),
    ("ipvlan", "as `macvlan`, with the node's hardware address"),
    ("overlay", "containers of a swarm's nodes"),
];

/// The label that names the resource, on a network that vsa made.
const LABEL: &str = "vsa.network";

/// The kind.
#[derive(Debug)]
pub struct Network {
    schema: Schema,
}

impl Network {
    /// With its schema.
    #[expect(clippy::new_without_default, reason = "built once, by the registry")]
    pub fn new() -> Self {
        Self { schema: schema() }
    }
}

fn schema() -> Schema {
    let range = || Ty::Text(&AddressRange::TYPE);
    Schema {
        kind: "network",
        doc: "A network of Docker's that stacks share.\n\nA stack has a network of its own without any `network`. One of \
              these is for what several stacks of a tenant need together, or for the proxy and all that it serves (see \
              `network` of `node`). It is made before what is in it, and goes after it.",
        label: &Slug::TYPE,
        instance_name: None,
        implied_label: None,
        body: Block {
            attributes: vec![
                attribute("tenant", Ty::Ref("tenant"), "Whose network it is: the node's unless set.")
                    .forces_replacement(),
                attribute(
                    "name",
                    Ty::Text(&NetworkLabel::TYPE),
                    "How Docker knows it: `<tenant>-<label>` unless set, or the label where it is the node's.",
                )
                .forces_replacement(),
                attribute("driver", Ty::Enum(DRIVERS), "What carries it.").default(Value::from("bridge")),
                attribute("internal", Ty::Bool, "Whether there is no way out of it.").default(false),
                attribute(
                    "subnet",
                    range(),
                    "Its addresses: the next that Docker has left unless set.",
                ),
                attribute("gateway", range(), "With `subnet`: the node's address in it."),
                attribute("ip_range", range(), "With `subnet`: the part of it that containers get addresses from."),
                attribute(
                    "labels",
                    Ty::Map(&LabelName::TYPE, Box::new(Ty::Text(&LabelValue::TYPE))),
                    "Labels for other programs.",
                )
                .default(Value::from(Object::new())),
                attribute(
                    "external",
                    Ty::Bool,
                    "Whether somebody else makes it: it must be there, and stays.",
                )
                .default(false)
                .forces_replacement(),
                attribute("node", Ty::Ref("node"), "Where it is.").only_one(),
            ],
            blocks: Vec::new(),
        },
        exports: vec![
            Export { name: "id", doc: "How Docker knows it." },
            Export { name: "tenant", doc: "The label of its tenant; null of a node's." },
            Export { name: "driver", doc: "What carries it." },
        ],
    }
}

#[derive(Debug, Deserialize)]
struct Attributes {
    tenant: Option<Tenant>,
    name: Option<NetworkLabel>,
    driver: Arc<str>,
    internal: bool,
    subnet: Option<AddressRange>,
    gateway: Option<AddressRange>,
    ip_range: Option<AddressRange>,
    labels: BTreeMap<LabelName, LabelValue>,
    external: bool,
}

#[derive(Debug, Deserialize)]
struct Tenant {
    name: Arc<str>,
}

fn known_as(name: Option<&str>, tenant: Option<&str>, label: &str) -> String {
    match (name, tenant) {
        (Some(name), _) => name.to_owned(),
        (None, Some(tenant)) => format!("{tenant}-{label}"),
        (None, None) => label.to_owned(),
    }
}

impl Attributes {
    fn known_as(&self, label: &str) -> String {
        let name = self.name.as_ref().map(NetworkLabel::as_str);
        known_as(name, self.tenant.as_ref().map(|tenant| &*tenant.name), label)
    }

    fn settings(&self, resource: &Resource) -> NetworkSettings {
        let text = |range: &AddressRange| range.as_str().to_owned();
        let labels =
            self.labels.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_str().to_owned()));
        NetworkSettings {
            name: self.known_as(&resource.name),
            driver: self.driver.to_string(),
            internal: self.internal,
            subnet: self.subnet.as_ref().map(text),
            gateway: self.gateway.as_ref().map(text),
            ip_range: self.ip_range.as_ref().map(text),
            labels: labels.chain([(LABEL.to_owned(), resource.address.to_string())]).collect(),
        }
    }
}

/// What the state knows of a network.
fn settings(prior: &Stored, address: &Address) -> Option<(NetworkSettings, bool)> {
    let known = attributes::decode(&prior.attributes).ok()?;
    let text = |name: &str| match known.get(name) {
        Some(attributes::Tree::String(text)) => Some(text.to_string()),
        _ => None,
    };
    let flag = |name: &str| matches!(known.get(name), Some(attributes::Tree::Bool(true)));
    let tenant = match known.get("tenant") {
        Some(attributes::Tree::Reference(tenant)) => Some(tenant.own_name().into_owned()),
        _ => None,
    };
    let mut labels = BTreeMap::from([(LABEL.to_owned(), address.to_string())]);
    if let Some(attributes::Tree::Object(known)) = known.get("labels") {
        labels.extend(known.iter().filter_map(|(name, value)| match value {
            attributes::Tree::String(text) => Some((name.to_string(), text.to_string())),
            _ => None,
        }));
    }
    let settings = NetworkSettings {
        name: known_as(text("name").as_deref(), tenant.as_deref(), &prior.name),
        driver: text("driver").unwrap_or_else(|| "bridge".to_owned()),
        internal: flag("internal"),
        subnet: text("subnet"),
        gateway: text("gateway"),
        ip_range: text("ip_range"),
        labels,
    };
    Some((settings, flag("external")))
}

fn networks(subject: Subject<'_>) -> Option<&[Found]> {
    match subject.observed.get(&Query::Networks { socket: subject.node.spec.docker.socket.clone() })? {
        Answer::Networks(all) => Some(all),
        _ => None,
    }
}

impl Kind for Network {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn exports(&self, resource: &Resource) -> Object {
        let Ok(attributes) = resource.decode::<Attributes>() else { return Object::new() };
        let tenant =
            attributes.tenant.as_ref().map_or(Value::NULL, |tenant| Value::string(tenant.name.clone()));
        Object::from_iter([
            ("name", Value::string(resource.name.clone())),
            ("id", Value::from(attributes.known_as(&resource.name).as_str())),
            ("tenant", tenant),
            ("driver", resource.get("driver").clone()),
        ])
    }

    fn check(&self, resource: &Resource, diagnostics: &mut Diagnostics) {
        let Ok(attributes) = resource.decode::<Attributes>() else { return };
        let mut report = |path: Path, diagnostic: Diagnostic| {
            diagnostics.push(diagnostic.at(resource.span(&path)).on(&resource.address));
        };
        let root = Path::root();
        if let Err(invalid) = NetworkLabel::parse(&attributes.known_as(&resource.name)) {
            report(
                root.clone(),
                Diagnostic::error(format!("the network's name {invalid}")).help("set `name`"),
            );
        }
        if matches!(&*attributes.known_as(&resource.name), "bridge" | "host" | "none") {
            report(
                root.name("name"),
                Diagnostic::error("Docker has a network of that name by itself")
                    .help("choose another `name`"),
            );
        }
        let parts = [("gateway", &attributes.gateway), ("ip_range", &attributes.ip_range)];
        for (name, value) in parts {
            let Some(value) = value else { continue };
            let Some(subnet) = &attributes.subnet else {
                let error = Diagnostic::error(format!("`{name}` is part of a `subnet`"));
                report(root.name(name), error.help("set `subnet` too"));
                continue;
            };
            if !subnet.contains(value) {
                report(
                    root.name(name),
                    Diagnostic::error(format!("`{value}` is not in the subnet `{subnet}`")),
                );
            }
        }
        if attributes.external
            && (attributes.subnet.is_some() || attributes.internal || !attributes.labels.is_empty())
        {
            report(
                root.name("external"),
                Diagnostic::error("what is said of the network is somebody else's to set")
                    .help("keep `name` and `external` alone, or remove `external`"),
            );
        }
    }

    fn claims(&self, resource: &Resource, node: &Address) -> Vec<Claim> {
        let Ok(attributes) = resource.decode::<Attributes>() else { return Vec::new() };
        vec![Claim {
            scope: ClaimScope::Node(node.clone()),
            what: "network",
            name: attributes.known_as(&resource.name).into(),
            path: Path::root().name("name"),
        }]
    }

    fn queries(&self, subject: Subject<'_>) -> Vec<Query> {
        let socket = subject.node.spec.docker.socket.clone();
        let mut queries =
            vec![Query::Networks { socket: socket.clone() }, Query::Containers { socket: socket.clone() }];
        queries.extend(subject.prior.is_none().then_some(Query::Engine { socket }));
        queries
    }

    fn refresh(&self, subject: Subject<'_>) -> Refreshed {
        let mut refreshed = Refreshed::default();
        let instead =
            "declare a network of another label there, let stacks there use it, then remove this one";
        if let Some(stays) = subject.stays("what is in it is", instead) {
            refreshed.findings.push(stays);
            return refreshed;
        }
        let (Some(resource), Some(networks)) = (subject.desired, networks(subject)) else { return refreshed };
        let Ok(attributes) = resource.decode::<Attributes>() else { return refreshed };
        let wanted = attributes.settings(resource);
        let known = subject.prior.and_then(|prior| settings(prior, subject.address));
        let found = networks.iter().find(|network| network.name == wanted.name);
        let ours = known.as_ref().is_some_and(|(known, external)| known.name == wanted.name && !external);
        let place = resource.span(&Path::root().name("name"));
        match found {
            None if attributes.external => refreshed.findings.push(
                Diagnostic::error(format!("there is no network `{}`", wanted.name))
                    .code("no_such_network")
                    .at(place)
                    .on(subject.address)
                    .help("make it (`docker network create`), or remove `external`: vsa then makes it"),
            ),
            None if ours => refreshed.drift.push(drift(subject, "was deleted".to_owned())),
            Some(_) if !ours && !attributes.external => refreshed.findings.push(
                Diagnostic::error(format!("there is a network `{}` already", wanted.name))
                    .code("obstructed")
                    .detail("it is there, and vsa did not make it")
                    .at(place)
                    .on(subject.address)
                    .help("use it as it is with `external = true`")
                    .help("or choose another `name`, or remove it with `docker network rm`"),
            ),
            Some(found) if ours => {
                if let Some(what) = differs(found, known.as_ref().map_or(&wanted, |(known, _)| known)) {
                    refreshed.drift.push(Drift { repaired: false, ..drift(subject, what) });
                }
                if known.as_ref().is_some_and(|(known, _)| *known != wanted) {
                    refreshed.findings.extend(in_use(subject, resource, found));
                }
            }
            _ => {}
        }
        refreshed
    }

    fn networks(&self, subject: Subject<'_>) -> Vec<NeededNetwork> {
        let Some(resource) = subject.desired else { return Vec::new() };
        let Ok(attributes) = resource.decode::<Attributes>() else { return Vec::new() };
        let name = attributes.known_as(&resource.name);
        let numbered = attributes.subnet.is_some() || attributes.external;
        vec![NeededNetwork {
            name,
            numbered,
            driver: Some(attributes.driver).filter(|_| !attributes.external),
        }]
    }

    fn steps(&self, subject: Subject<'_>) -> Vec<Step> {
        let known = subject.prior.and_then(|prior| settings(prior, subject.address));
        let former = known.filter(|(_, external)| !external).map(|(settings, _)| settings);
        let is_unmade = subject.prior.is_some_and(|prior| prior.facts.contains_key(UNMADE));
        let Some(resource) = subject.desired else {
            return former
                .filter(|_| !is_unmade)
                .map(|former| Step {
                    phase: Phase::CleanUp,
                    operation: Operation::RemoveNetwork { name: former.name },
                    undo: Undo::Nothing,
                })
                .into_iter()
                .collect();
        };
        let Ok(attributes) = resource.decode::<Attributes>() else { return Vec::new() };
        if attributes.external {
            return Vec::new();
        }
        let network = attributes.settings(resource);
        let live = subject.prior.is_some_and(|prior| prior.status == Status::Live);
        let replaces = former.filter(|former| live && former.name == network.name && *former != network);
        vec![Step {
            phase: Phase::Prepare,
            operation: Operation::CreateNetwork { network, replaces },
            undo: Undo::RemoveMade,
        }]
    }
}

fn drift(subject: Subject<'_>, what: String) -> Drift {
    Drift {
        address: subject.address.clone(),
        subject: "network".to_owned(),
        what,
        repaired: true,
        diff: None,
    }
}

/// How a network differs from what vsa made: somebody has made it anew.
fn differs(found: &Found, known: &NetworkSettings) -> Option<String> {
    if found.driver != known.driver {
        return Some(format!("has the driver `{}`, not `{}`", found.driver, known.driver));
    }
    (found.internal != known.internal)
        .then(|| if found.internal { "has no way out" } else { "has a way out" }.to_owned())
}

/// Refuses a change of a network that containers are in: Docker changes none, it has to be made anew.
fn in_use(subject: Subject<'_>, resource: &Resource, found: &Found) -> Option<Diagnostic> {
    let socket = subject.node.spec.docker.socket.clone();
    let Some(Answer::Containers(all)) = subject.observed.get(&Query::Containers { socket }) else {
        return None;
    };
    let inside: Vec<&str> = attached(found, all)
        .filter_map(|id| all.iter().find(|container| container.id == id))
        .map(|container| container.name.as_str())
        .collect();
    (!inside.is_empty()).then(|| {
        Diagnostic::error(format!("the network `{}` cannot change while containers are in it", found.name))
            .code("network_in_use")
            .detail(format!("Docker changes no network: it has to be made anew. In it: {}", inside.join(", ")))
            .at(resource.span(&Path::root()))
            .on(subject.address)
            .help("give it another `name`: vsa makes that one beside it, moves the stacks, and removes this one")
    })
}
