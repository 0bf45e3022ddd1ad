//! Replacing containers while they go on: the new ones come up beside the old, on ports of their own, and the old ones go
//! once nginx passes requests on to the new.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::attributes::{Attributes, Engine, Status, Update};
use super::containers::{self, Fate};
use super::wanted::Wanted;
use super::{files, models, networks};
use crate::compose::diff::NetworkChange;
use crate::compose::{Project, Service};
use crate::plan::{PlacedFile, RollingService, Subject};

/// Whether a stack's services may be replaced so.
pub(super) fn is_on(wanted: &Wanted) -> bool {
    let Attributes { update, status, engine, .. } = &wanted.attributes;
    (*update, *status, *engine) == (Update::Rolling, Status::Running, Engine::Compose)
}

/// Why a service's containers cannot stand beside each other.
fn hindrance(service: &Service) -> Option<String> {
    if let Some(name) = service.text("container_name") {
        return Some(format!("`container_name` gives it one container, `{}`", name.shown()));
    }
    if service.text("network_mode").is_some_and(|mode| &*mode.text == "host") {
        return Some("it is in the node's own network".to_owned());
    }
    service.fixed_ports().next().map(|port| format!("it takes the port {} for itself", port.short()))
}

/// The services that are replaced so: those that sites name.
fn services<'a>(subject: Subject<'_>, project: &'a Project) -> impl Iterator<Item = &'a Service> {
    let named: BTreeSet<String> =
        files::endpoints(subject).map(|(endpoint, _)| endpoint.service.to_string()).collect();
    project.active().filter(move |service| named.contains(&*service.name) && hindrance(service).is_none())
}

/// Those that are, with what becomes of their containers; none where that is not known.
pub(super) fn replaced<'a>(
    subject: Subject<'a>,
    wanted: &Wanted,
    files: &BTreeMap<PathBuf, PlacedFile>,
    networks: &[NetworkChange],
) -> BTreeMap<String, Fate<'a>> {
    // The stack is taken down for networks.
    let project = wanted.project.as_ref().filter(|_| is_on(wanted) && networks.is_empty());
    let Some(own) = project else { return BTreeMap::new() };
    let rolling: BTreeSet<&str> = services(subject, own).map(|service| &*service.name).collect();
    let Some(fates) = (if rolling.is_empty() { None } else { fates(subject, wanted, files) }) else {
        return BTreeMap::new();
    };
    let stale = |fate: &Fate<'_>| fate.stale.as_ref().is_some_and(|stale| !stale.is_empty());
    let own = |(name, fate): &(&Arc<str>, &Fate<'_>)| {
        rolling.contains(&***name) && stale(fate) && dependent(own, &rolling, &fates, name).is_none()
    };
    fates.iter().filter(own).map(|(name, fate)| (name.to_string(), fate.clone())).collect()
}

/// A service that changes, depends on this one, and is not replaced so itself: the Compose tool makes it anew with what it
/// depends on, in its place.
fn dependent<'a>(
    project: &'a Project,
    rolling: &BTreeSet<&str>,
    fates: &BTreeMap<Arc<str>, Fate<'_>>,
    name: &str,
) -> Option<&'a str> {
    let mut dependents = project.dependents(name).into_iter();
    dependents.find(|one| !rolling.contains(one) && fates.get(*one).is_some_and(Fate::changes))
}

/// The services beside those that are replaced so whose containers the Compose tool has to look at.
pub(super) fn others(
    subject: Subject<'_>,
    wanted: &Wanted,
    files: &BTreeMap<PathBuf, PlacedFile>,
    replaced: &BTreeMap<String, Fate<'_>>,
) -> Vec<String> {
    if replaced.is_empty() {
        return Vec::new();
    }
    let fates = fates(subject, wanted, files).unwrap_or_default();
    let others = fates.iter().filter(|(name, fate)| !replaced.contains_key(&***name) && fate.changes());
    others.map(|(name, _)| name.to_string()).collect()
}

/// The services, beside those that are replaced so, that the Compose tool sees no reason to make anew.
pub(super) fn again(
    subject: Subject<'_>,
    wanted: &Wanted,
    files: &BTreeMap<PathBuf, PlacedFile>,
    replaced: &BTreeMap<String, Fate<'_>>,
) -> Vec<String> {
    let fates = fates(subject, wanted, files).unwrap_or_default();
    let again = fates.iter().filter(|(name, fate)| fate.left.is_some() && !replaced.contains_key(&***name));
    again.map(|(name, _)| name.to_string()).collect()
}

/// What becomes of the containers of all services, as far as that is known; `None` where the engine cannot be seen.
fn fates<'a>(
    subject: Subject<'a>,
    wanted: &Wanted,
    files: &BTreeMap<PathBuf, PlacedFile>,
) -> Option<BTreeMap<Arc<str>, Fate<'a>>> {
    let project = models::after(subject, &wanted.stack, files)?;
    let hashes = containers::hashes(subject, &wanted.stack, files);
    containers::fates(subject, &wanted.stack, &project, hashes.as_ref().copied())
}

/// Whether a service gets new ports: its containers are replaced, and no new ones are there yet. `subject` has the ports
/// of before.
pub(super) fn is_due(subject: Subject<'_>, wanted: &Wanted, service: &str, replicas: u16) -> bool {
    if !is_on(wanted) || subject.prior.is_none() {
        return false;
    }
    let placed = files::placed(subject).unwrap_or_default();
    let files = placed.into_iter().map(|file| (file.path.clone(), file)).collect();
    let networks = networks::changed(subject, &wanted.stack, &files);
    let replaced = replaced(subject, wanted, &files, &networks);
    replaced.get(service).is_some_and(|fate| {
        let stale = fate.stale.as_ref().map_or(0, BTreeSet::len);
        fate.here.len() - stale < usize::from(replicas)
    })
}

/// What the Compose tool is told of a service that is replaced so.
pub(super) fn service(name: &str, fate: &Fate<'_>) -> RollingService {
    let ids = fate.here.iter().map(|container| container.id.clone());
    let old: Vec<String> = fate.stale.iter().flatten().map(|id| (*id).to_owned()).collect();
    let new = fate.here.len() - old.len();
    let scale = fate.here.len() + fate.wanted.saturating_sub(new);
    RollingService { name: name.to_owned(), here: ids.collect(), old, scale }
}

/// Why a service that sites name is made anew in its place, although its stack would have it otherwise.
pub(super) fn hindered(
    subject: Subject<'_>,
    wanted: &Wanted,
    files: &BTreeMap<PathBuf, PlacedFile>,
    networks: &[NetworkChange],
    name: &str,
) -> Option<String> {
    let project = wanted.project.as_ref().filter(|_| is_on(wanted))?;
    let service = project.services.get(name)?;
    files::endpoints(subject).find(|(endpoint, _)| &*endpoint.service == name)?;
    let rolling = services(subject, project).map(|service| &*service.name).collect();
    let dependent = || {
        let dependent = dependent(project, &rolling, &fates(subject, wanted, files)?, name)?;
        Some(format!("`{dependent}` depends on it, and changes too"))
    };
    let networks = || (!networks.is_empty()).then(|| networks::named(networks));
    let why = hindrance(service).or_else(networks).or_else(dependent)?;
    Some(format!("service {name} cannot come up beside itself: {why}"))
}
