//! The container of a node's proxy where a resource brings it, as that describes it: it has to see what vsa writes, and
//! stays while it serves sites.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::docker::{Container, Mount, same_reference};
use super::endpoint::NO_ENDPOINTS;
use super::items::Item;
use super::kind::Subject;
use super::node::{Node, NodeSpec};
use super::observation::{Answer, Observations};
use super::proxy;
use super::targets::Targets;
use crate::diag::{Diagnostic, Span};
use crate::state::StoredNode;

/// What a resource says of the container of its node's proxy, which it brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroughtProxy {
    /// The Compose project that the container is of.
    pub project: Arc<str>,
    /// Whether the container shall run.
    pub runs: bool,
    /// Where it is said that it shall not run.
    pub stopped_by: Option<Span>,
    /// The container; `None` where the resource goes, or its files cannot be read.
    pub container: Option<BroughtContainer>,
}

impl BroughtProxy {
    /// Whether the container runs one of these services.
    pub(super) fn is_one_of(&self, services: &[String]) -> bool {
        self.container
            .as_ref()
            .is_some_and(|container| services.iter().any(|name| **name == *container.service))
    }
}

/// A container that is to come, as its files describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroughtContainer {
    /// The service that it runs.
    pub service: Arc<str>,
    /// Its image, where that is known.
    pub image: Option<Arc<str>>,
    /// What it mounts of the node, where all of that is known.
    pub mounts: Option<Vec<Mount>>,
    /// The TCP ports of the container that it publishes; `None` where it has no network of its own.
    pub ports: Option<BTreeSet<u16>>,
    /// Where it is described.
    pub place: Option<Span>,
}

/// Why the container that is to come cannot be the node's proxy, or cannot take the place of the one that is there.
pub(super) fn findings(
    node: &Node,
    observed: &Observations,
    subject: Subject<'_>,
    brought: &BroughtProxy,
) -> Vec<Diagnostic> {
    let spec = &node.spec;
    let told = |finding: Diagnostic| finding.on(subject.address);
    let mut found: Vec<Diagnostic> = renamed(spec, observed, brought).map(told).into_iter().collect();
    let Some(container) = brought.container.as_ref().filter(|_| brought.runs) else { return found };
    let place = |finding: Diagnostic| finding.at(container.place).on(subject.address);
    if let (Some(mounts), Some(name)) = (&container.mounts, &spec.container) {
        let whose = "the stack that comes with vsa mounts what its variable `VSA_ROOT` names";
        found.extend(proxy::blind(spec, name, mounts).map(|finding| place(finding.help(whose))));
    }
    let listens = |port: &u16| [spec.http_port, spec.https_port].contains(port);
    let Some(ports) = &container.ports else { return found };
    found.extend(ports.iter().find(|port| !listens(port)).map(|port| {
        let error = format!("`{}` publishes port {port} of the proxy, where nginx does not listen", subject.address);
        let ports = format!("nginx listens on {} and {}", spec.http_port, spec.https_port);
        let help = "publish the node's `http_port` and `https_port`: the stack that comes with vsa has `HTTP_PORT` and \
                    `HTTPS_PORT` for them";
        place(Diagnostic::error(error).code("proxy_ports").detail(ports).help(help))
    }));
    let now = proxy::containers(spec, observed).and_then(|all| proxy::own(spec, all));
    let published =
        |port: &u16| now.is_some_and(|now| now.published.iter().any(|one| one.container_port == *port));
    let lost =
        [spec.http_port, spec.https_port].into_iter().find(|port| published(port) && !ports.contains(port));
    found.extend(lost.map(|port| {
        let warning = format!("`{}` does not publish port {port} of the proxy any more", subject.address);
        place(
            Diagnostic::warning(warning)
                .code("proxy_ports")
                .detail("nginx listens there, and nobody from outside reaches it"),
        )
    }));
    found
}

/// That the container was given another name: nobody would find it.
fn renamed(spec: &NodeSpec, observed: &Observations, brought: &BroughtProxy) -> Option<Diagnostic> {
    let (name, service) = (spec.container.as_deref()?, &brought.container.as_ref()?.service);
    let all = proxy::containers(spec, observed)?;
    if proxy::own(spec, all).is_some() {
        return None;
    }
    // One that a Compose tool has put aside for its successor is that tool's to bring back.
    let aside = |container: &Container| container.name.ends_with(&format!("_{name}"));
    let other =
        all.iter().find(|container| container.serves(&brought.project, service) && !aside(container))?;
    Some(
        Diagnostic::error(format!("the container of the proxy of `{}` was renamed", spec.address))
            .code("proxy_renamed")
            .detail(format!("it is called `{}`, and vsa finds it as `{name}`", other.name))
            .help(format!("give it its name back: `docker rename {} {name}`", other.name)),
    )
}

/// Why the container that is there cannot say whether nginx takes the next generation, where the plan makes it anew: it
/// does not serve by now, or another nginx takes its place.
pub(super) fn judges_nothing(
    spec: &NodeSpec,
    stored: Option<&StoredNode>,
    observed: &Observations,
    brought: &BroughtProxy,
) -> Option<String> {
    let found = proxy::own(spec, proxy::containers(spec, observed)?)?;
    let serves = match stored.filter(|stored| stored.generation > 0) {
        Some(stored) => matches!(
            observed.get(&stored.spec.marker_query()),
            Some(Answer::Text(text)) if text.trim() == stored.marker_answer()
        ),
        None => proxy::blind(spec, &found.name, &found.mounts).is_none(),
    };
    let image = brought.container.as_ref().and_then(|container| container.image.as_deref());
    let why = if !serves {
        "what runs there now does not serve"
    } else if image.is_some_and(|image| !same_reference(image, &found.image)) {
        "another image takes the place of its own"
    } else {
        return None;
    };
    let name = &found.name;
    Some(format!(
        "{why} in the container `{name}`, which is made anew; the apply tests it there before the switch"
    ))
}

/// How many sites are named.
const NAMED: usize = 5;

/// Refuses to take the proxy of a node away, or to stop it, while it serves sites that stay.
pub(super) fn kept<'a>(
    node: &'a Node,
    items: &'a [Item<'a>],
    observed: &'a Observations,
    targets: &Targets,
    now: i64,
) -> Option<Diagnostic> {
    let here = || items.iter().filter(|item| item.node == node.spec.address);
    let goes = |item: &'a Item<'a>| {
        let subject = item.subject(node, observed, &NO_ENDPOINTS, now);
        let brought = item.kind.proxy(subject).filter(|_| targets.contains(item.address))?;
        (item.desired.is_none() || !brought.runs).then_some((item, brought))
    };
    let (proxy, brought) = here().find_map(goes)?;
    let stays = |item: &&Item<'_>| {
        let is_there =
            if targets.contains(item.address) { item.desired.is_some() } else { item.prior.is_some() };
        is_there && item.kind.is_site()
    };
    let sites: Vec<String> = here().filter(stays).map(|item| format!("`{}`", item.address)).collect();
    let first = sites.first()?;
    let named = match sites.len() {
        1 => first.clone(),
        count if count > NAMED => format!("{} and {} more", sites[..NAMED].join(", "), count - NAMED),
        _ => sites.join(", "),
    };
    let (spec, does) = (&node.spec, if proxy.desired.is_some() { "be stopped" } else { "go" });
    Some(
        Diagnostic::error(format!("the proxy of `{}` cannot {does} while it serves sites", spec.address))
            .code("proxy_in_use")
            .detail(format!("`{}` runs it, and nobody would answer for {named}", proxy.address))
            .help("remove these sites first, or move them to another node; `vsa destroy` takes all away, the proxy last")
            .at(brought.stopped_by)
            .on(proxy.address),
    )
}
