//! `domain`: a site under a host name.

mod attributes;
mod check;
mod files;
mod headers;
mod locations;
mod place;
mod roots;
mod schema;
mod served;

use std::path::PathBuf;
use std::sync::Arc;

pub use served::served_with;

use attributes::{Attributes, UntilIssued};

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::names::{Text as _, UpstreamAddress};
use crate::plan::{Claim, ClaimScope, Distrust, File, Kind, ProxyMode, Query, Refreshed, Subject, Target};
use crate::resource::{Implied, Path, Resource};
use crate::schema::Schema;
use crate::value::{Number, Object, Value};

/// What the kind is called.
const KIND: &str = "domain";

/// The kind.
#[derive(Debug)]
pub struct Domain {
    schema: Schema,
}

impl Domain {
    /// With its schema.
    #[expect(clippy::new_without_default, reason = "built once, by the registry")]
    pub fn new() -> Self {
        Self { schema: schema::schema() }
    }
}

/// The texts of a list of names.
fn aliases(resource: &Resource) -> impl Iterator<Item = &str> {
    resource.get("aliases").as_elements().unwrap_or_default().iter().filter_map(Value::as_str)
}

fn speaks_tls(resource: &Resource) -> bool {
    resource.get("tls").get("enabled").and_then(Value::as_bool).unwrap_or(true)
}

/// The certificate of a site: the one that it names, else the one that it brings along.
fn certificate(resource: &Resource) -> Option<Address> {
    if !speaks_tls(resource) {
        return None;
    }
    match resource.get("tls").get("certificate").and_then(Value::as_object) {
        Some(named) => named.resource().cloned(),
        None => Some(own_certificate(&resource.address, Arc::clone(&resource.name))),
    }
}

/// The certificate that a site of this name brings along, where it names none.
fn own_certificate(site: &Address, name: Arc<str>) -> Address {
    Address::in_module(site.module().to_vec(), "certificate", name, None)
}

/// Whether an upstream of a domain, or of one of its locations, has one of these.
fn names(resource: &Resource, attributes: &[&str]) -> bool {
    let has = |upstream: &Value| {
        attributes.iter().any(|name| upstream.get(name).is_some_and(|value| !value.is_null()))
    };
    let mut locations = resource.get("location").as_object().into_iter().flatten();
    has(resource.get("upstream")) || locations.any(|(_, place)| place.get("upstream").is_some_and(has))
}

/// That connections to containers, which nginx looks up by name, are not kept as a site would have it.
fn unkept(subject: Subject<'_>) -> Vec<Diagnostic> {
    let Some(resource) = subject.desired.filter(|_| subject.node.spec.mode == ProxyMode::Container) else {
        return Vec::new();
    };
    if !names(resource, &["keepalive"]) {
        return Vec::new();
    }
    let Ok(attributes) = Attributes::of(resource) else { return Vec::new() };
    let whole = std::iter::once((None, &attributes.place));
    let places = whole.chain(attributes.locations.iter().map(|location| (Some(location), &location.place)));
    let warnings = places.filter_map(|(location, place)| {
        let upstream = place.upstream.as_ref()?;
        let named = upstream.keepalive.is_some() && upstream.target.is_some();
        let why = upstream.unkept(&subject.node.nginx).filter(|_| named)?;
        let warning = Diagnostic::warning("connections to containers are not kept").code("keepalive");
        let at = place::path(location, "upstream").name("keepalive");
        Some(
            warning
                .detail(format!("{why}; the nginx of the node is {}", subject.node.nginx.version))
                .help("leave `keepalive` away: each request then has a connection of its own")
                .at(resource.span(&at))
                .on(subject.address),
        )
    });
    warnings.collect()
}

impl Kind for Domain {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn exports(&self, resource: &Resource) -> Object {
        let (scheme, attribute, usual) =
            if speaks_tls(resource) { ("https", "https_port", 443) } else { ("http", "http_port", 80) };
        let port = resource.get("node").get(attribute).and_then(Value::as_number).and_then(Number::as_i64);
        let port = port.filter(|port| *port != usual).map_or_else(String::new, |port| format!(":{port}"));
        let url = |name: &str| Value::from(format!("{scheme}://{name}{port}"));
        let urls = std::iter::once(&*resource.name).chain(aliases(resource)).map(url);
        let tenant = resource.get("tenant").get("name").cloned().unwrap_or(Value::NULL);
        Object::from_iter([
            ("name", Value::string(resource.name.clone())),
            ("url", url(&resource.name)),
            ("urls", Value::tuple(urls)),
            ("aliases", Value::tuple(aliases(resource).map(Value::from))),
            ("tenant", tenant),
        ])
    }

    fn implied(&self, resource: &Resource) -> Vec<Implied> {
        let own = resource.get("tls").get("certificate").is_none_or(Value::is_null);
        if !speaks_tls(resource) || !own {
            return Vec::new();
        }
        let names = std::iter::once(&*resource.name).chain(aliases(resource)).map(Value::from);
        let mut attributes = Object::new();
        attributes.insert("names", Value::tuple(names));
        if let Some(node) = resource.attributes.get("node") {
            attributes.insert("node", node.clone());
        }
        vec![Implied { kind: "certificate", name: resource.name.clone(), attributes }]
    }

    fn check(&self, resource: &Resource, diagnostics: &mut Diagnostics) {
        if let Ok(attributes) = Attributes::of(resource) {
            check::check(resource, &attributes, diagnostics);
        }
    }

    fn claims(&self, resource: &Resource, node: &Address) -> Vec<Claim> {
        let claim = |name: Arc<str>, path: Path| Claim {
            scope: ClaimScope::Node(node.clone()),
            what: "host name",
            name,
            path,
        };
        let aliases = aliases(resource)
            .enumerate()
            .map(|(index, alias)| claim(alias.into(), Path::root().name("aliases").index(index)));
        std::iter::once(claim(resource.name.clone(), Path::root())).chain(aliases).collect()
    }

    fn queries(&self, subject: Subject<'_>) -> Vec<Query> {
        let mut queries = roots::queries(subject);
        if subject.desired.is_some_and(|resource| names(resource, &["container", "detect"])) {
            queries.push(Query::Containers { socket: subject.node.spec.docker.socket.clone() });
        }
        queries
    }

    fn refresh(&self, subject: Subject<'_>) -> Refreshed {
        let mut findings = roots::findings(subject);
        findings.extend(unkept(subject));
        Refreshed { findings, ..Refreshed::default() }
    }

    fn reads(&self, subject: Subject<'_>) -> Vec<(Path, PathBuf)> {
        let resource = subject.desired.into_iter();
        resource
            .flat_map(|resource| roots::roots(resource, subject.node))
            .map(|(root, at)| (at, root))
            .collect()
    }

    fn is_site(&self) -> bool {
        true
    }

    fn endpoints(&self, resource: &Resource) -> Vec<(Path, Target)> {
        if !names(resource, &["stack", "container", "detect"]) {
            return Vec::new();
        }
        let Ok(attributes) = Attributes::of(resource) else { return Vec::new() };
        let whole = std::iter::once((None, &attributes.place));
        let locations = attributes.locations.iter().map(|location| (Some(location), &location.place));
        let target = |(location, place): (Option<&_>, &attributes::Place)| {
            let target = place.upstream.as_ref()?.target.clone()?;
            let attribute = match target {
                Target::Service(_) => "service",
                Target::Container { .. } => "container",
                Target::Published { .. } => "detect",
            };
            Some((place::path(location, "upstream").name(attribute), target))
        };
        whole.chain(locations).filter_map(target).collect()
    }

    fn tenant(&self, resource: &Resource) -> Option<Arc<str>> {
        resource.get("tenant").get("name").and_then(Value::as_str).map(Arc::from)
    }

    fn addresses(&self, resource: &Resource) -> Vec<(Path, UpstreamAddress)> {
        let root = Path::root();
        let whole = std::iter::once((root.clone(), Some(resource.get("upstream"))));
        let locations = resource.get("location").as_object().into_iter().flatten();
        let locations =
            locations.map(|(name, place)| (root.name("location").name(name.clone()), place.get("upstream")));
        let address = |(path, upstream): (Path, Option<&Value>)| {
            let address = UpstreamAddress::parse(upstream?.get("address")?.as_str()?).ok()?;
            Some((path.name("upstream").name("address"), address))
        };
        whole.chain(locations).filter_map(address).collect()
    }

    fn files(&self, subject: Subject<'_>, trace: bool) -> Result<Vec<File>, Diagnostics> {
        let Some(resource) = subject.desired else { return Ok(Vec::new()) };
        let failed = |reason: String| {
            Diagnostic::error(format!("the file of `{}` cannot be written", resource.address))
                .detail(reason)
                .at(resource.span(&Path::root()))
                .on(&resource.address)
        };
        let mut attributes = Attributes::of(resource).map_err(|error| failed(error.to_string()))?;
        let distrust = certificate(resource).and_then(|address| subject.node.distrusted.get(&address));
        if distrust == Some(&Distrust::Pending) {
            match attributes.site.tls.until_issued {
                UntilIssued::None => return Ok(Vec::new()),
                UntilIssued::Http => attributes.site.tls.enabled = false,
                UntilIssued::SelfSigned => {}
            }
        }
        let trusted = distrust.is_none();
        let file = files::site(&resource.name, &attributes, subject.node, subject.endpoints, trusted, trace)
            .map_err(|error| failed(error.to_string()))?;
        Ok(vec![file])
    }
}
