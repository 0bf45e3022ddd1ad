//! A stack beside a proxy that runs in a container: the names that its services have in networks, and the proxy's own
//! container where the stack runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::compose::{NetworkOverride, Override, Project, Resource, Service};
use crate::diag::Diagnostic;
use crate::digest::sha256;
use crate::names::INTERNAL_DOMAIN;
use crate::plan::{NeededNetwork, NetworkName, Serving, Subject};

/// The network of the stack that runs the proxy sorts before all others by its name: Docker keeps the ports that a
/// container publishes at the first of its networks, and would move them with each network that sorts before it.
const FIRST: &str = "0-";

/// The service that is its node's proxy: the only one, or else the one that is called `nginx`.
pub(super) fn proxy<'a>(subject: Subject<'_>, project: &'a Project) -> Option<&'a Service> {
    if !is_proxy(subject) {
        return None;
    }
    let mut active = project.active();
    match (active.next(), active.next()) {
        (Some(only), None) => Some(only),
        _ => project.active().find(|service| &*service.name == "nginx"),
    }
}

/// Whether a stack runs its node's proxy.
pub(super) fn is_proxy(subject: Subject<'_>) -> bool {
    let name =
        subject.desired.map_or_else(|| subject.prior.map(|prior| &prior.name), |desired| Some(&desired.name));
    subject.node.spec.container.is_some() && subject.node.spec.container.as_ref() == name
}

/// The name of a service on its node: `web.shop.acme.vsa.internal`. Containers that run beside others of the service for
/// a while are told from them by a number, `web.shop.acme.2.vsa.internal`: no tenant's name begins with a digit.
/// Docker's name server does not tell upper case from lower.
fn host(service: &str, stack: &str, tenant: &str, number: u64) -> Arc<str> {
    let lower = service.to_ascii_lowercase();
    let unlike =
        if lower == service { String::new() } else { format!("-{}", &sha256(service.as_bytes())[..8]) };
    let number = if number == FIRST_NUMBER { String::new() } else { format!(".{number}") };
    format!("{lower}{unlike}.{stack}.{tenant}{number}.{INTERNAL_DOMAIN}").into()
}

/// The number of the containers that a service has at first, which their name leaves out.
const FIRST_NUMBER: u64 = 1;

/// The number in a name that [`host`] gave.
fn number(host: &str) -> u64 {
    let label =
        host.strip_suffix(INTERNAL_DOMAIN).and_then(|rest| rest.strip_suffix('.')?.rsplit('.').next());
    label.and_then(|label| label.parse().ok()).unwrap_or(FIRST_NUMBER)
}

/// The name of a service, with the network that another container joins to find it.
///
/// # Errors
/// There is no such service, or it is in no network.
pub(super) fn name(
    subject: Subject<'_>,
    project: &Project,
    service: &str,
    port: u16,
    serving: Serving,
) -> Result<NetworkName, Diagnostic> {
    let Some(found) = project.services.get(service) else {
        return Err(Diagnostic::error(format!("`{}` has no service `{service}`", subject.address)));
    };
    if let Some(mode) = found.text("network_mode") {
        return Err(Diagnostic::error(format!("the service `{service}` is in no network of its stack"))
            .detail(format!("it has `network_mode: {}`, and the proxy runs in a container", mode.shown()))
            .help("remove `network_mode`: the service is then in the stack's own network"));
    }
    let own = subject.address.own_name();
    let stack = subject.desired.map_or(&*own, |resource| &*resource.name);
    let network = match &subject.node.spec.network {
        Some(shared) => Arc::clone(shared),
        None => known_as(subject, project, home(project, found)),
    };
    let tenant = subject.desired.and_then(|resource| resource.get("tenant").get("name")?.as_str());
    let former = super::files::names(subject)
        .find(|(endpoint, _)| *endpoint.service == *service && endpoint.port == port)
        .map(|(_, name)| number(&name.host));
    let number = former.map_or(FIRST_NUMBER, |former| former.saturating_add(u64::from(serving.fresh)));
    Ok(NetworkName { host: host(service, stack, tenant.unwrap_or_default(), number), port, network })
}

/// The network of a service that the proxy joins: the default one where the service is in it.
fn home<'a>(project: &Project, service: &'a Service) -> &'a str {
    let own = |name: &&Arc<str>| project.networks.get(*name).is_none_or(|network| !network.is_external());
    let names = || service.networks.keys();
    if service.networks.is_empty() || service.networks.contains_key("default") {
        return "default";
    }
    names().find(own).or_else(|| names().next()).map_or("default", |name| name)
}

/// The name by which Docker knows a network of a project.
fn known_as(subject: Subject<'_>, project: &Project, network: &str) -> Arc<str> {
    let said = project.networks.get(network);
    let given = said.and_then(|said| said.given_name()).map(|name| Arc::clone(&name.text));
    let own = || match said {
        Some(said) if said.is_external() => Some(network.into()),
        Some(_) => None,
        None => renamed(subject, project).filter(|_| network == "default"),
    };
    given.or_else(own).unwrap_or_else(|| format!("{}_{network}", project.started_as).into())
}

/// The networks that a stack's services are in.
pub(super) fn needed(subject: Subject<'_>, project: &Project) -> Vec<NeededNetwork> {
    let apart = |service: &&Service| service.text("network_mode").is_none();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for service in project.active().filter(apart) {
        names.extend(service.networks.keys().map(|name| &**name));
        names.extend(service.networks.is_empty().then_some("default"));
    }
    let needed = names.into_iter().map(|name| {
        let said = project.networks.get(name);
        let is_external = said.is_some_and(Resource::is_external);
        let numbered = is_external || said.is_some_and(|said| said.node.get("ipam").is_some());
        let driver = said.and_then(|said| said.node.text_of("driver")).map(|driver| Arc::clone(&driver.text));
        let driver = (!is_external).then(|| driver.unwrap_or_else(|| "bridge".into()));
        NeededNetwork { name: known_as(subject, project, name).to_string(), numbered, driver }
    });
    needed.collect()
}

/// The name that the default network of the stack that runs the proxy gets.
fn renamed(subject: Subject<'_>, project: &Project) -> Option<Arc<str>> {
    let service = proxy(subject, project)?;
    let by_itself = home(project, service) == "default" && !project.networks.contains_key("default");
    by_itself.then(|| format!("{FIRST}{}", project.started_as).into())
}

/// How the network that a node shares is called in vsa's file over a stack's Compose file.
const SHARED: &str = "vsa-shared";

/// Says over a stack's services what a proxy in a container needs; nothing where the node has none. What it comes to of
/// the stack's networks is returned.
pub(super) fn over(
    subject: Subject<'_>,
    project: &Project,
    services: &mut BTreeMap<Arc<str>, Override>,
) -> BTreeMap<Arc<str>, NetworkOverride> {
    let mut networks = BTreeMap::new();
    let spec = &subject.node.spec;
    for (endpoint, name) in super::files::names(subject) {
        let Some(service) = project.services.get(&endpoint.service) else { continue };
        let home: Arc<str> = home(project, service).into();
        let places = &mut services.entry(Arc::clone(&service.name)).or_default().networks;
        let at: Arc<str> = if spec.network.is_some() { SHARED.into() } else { Arc::clone(&home) };
        // A service of which a network is named is no longer in the default one by itself.
        places.entry(home).or_default();
        let aliases = places.entry(at).or_default();
        if !aliases.contains(&name.host) {
            aliases.push(Arc::clone(&name.host));
        }
        if let Some(shared) = &spec.network {
            let shared = NetworkOverride { name: Arc::clone(shared), external: true };
            networks.insert(SHARED.into(), shared);
        }
    }
    if let (Some(service), Some(name)) = (proxy(subject, project), &spec.container) {
        services.entry(Arc::clone(&service.name)).or_default().container = Some(Arc::clone(name));
        let renamed = renamed(subject, project);
        networks.extend(renamed.map(|name| ("default".into(), NetworkOverride { name, external: false })));
    }
    networks
}

#[cfg(test)]
mod tests {
    use super::{host, number};

    #[test]
    fn a_name_has_the_number_that_it_was_given() {
        assert_eq!(&*host("web", "shop", "acme", 1), "web.shop.acme.vsa.internal");
        assert_eq!(&*host("web", "shop", "acme", 2), "web.shop.acme.2.vsa.internal");
        for given in [1, 2, 10, u64::MAX] {
            assert_eq!(number(&host("web.7", "shop", "acme", given)), given);
        }
        assert_eq!(number("somebody.else"), 1);
    }
}
