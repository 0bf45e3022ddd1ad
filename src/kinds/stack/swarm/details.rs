//! What a change of a stack does to the tasks of a swarm, service by service, for people.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::observe::services;
use super::{deployment, former, setup};
use crate::compose::diff::{self, ServiceChange};
use crate::compose::swarm::{Deployment, Order, Updating};
use crate::compose::{Project, Service};
use crate::diag::visible;
use crate::kinds::stack::details::{attributes, changed_files};
use crate::kinds::stack::observe::known;
use crate::kinds::stack::serving::replicas;
use crate::kinds::stack::wanted::Wanted;
use crate::plan::{ChangeKind, Details, Effect, PartAttribute, PartChange, PlacedFile, Subject, docker};
use crate::state;

/// The projects of before and after.
#[derive(Clone, Copy)]
pub(in crate::kinds::stack) struct Both<'a> {
    pub(in crate::kinds::stack) before: Option<&'a Project>,
    pub(in crate::kinds::stack) after: &'a Project,
}

/// A stack whose tasks shall run.
pub(in crate::kinds::stack) fn running(
    subject: Subject<'_>,
    wanted: &Wanted,
    both: Both<'_>,
    changes: &[ServiceChange],
    files: &BTreeMap<PathBuf, PlacedFile>,
    details: &mut Details,
) {
    let here = services(subject, wanted);
    if here.is_none() && subject.prior.is_some() {
        details.remarks.push(
            "which tasks are replaced is not known, for the swarm cannot be seen; the files are compared alone"
                .to_owned(),
        );
    }
    let before = both.before.map(|project| former(subject, wanted, project));
    let after = deployment(subject, wanted, both.after, files);
    let mut effect = Effect::Additive;
    for service in both.after.active() {
        let change = changes.iter().find(|change| change.service == service.name);
        let found = here.iter().flatten().find(|found| found.short_name() == &*service.name).copied();
        let mounted = changed_files(subject, files, &both.after.mounted(service));
        let tasks = Tasks {
            found,
            same: before.as_ref().is_none_or(|before| before.same_tasks(&after, &service.name)),
            edited: found.is_some_and(|found| edited(subject, found)),
            updating: Updating::of(service, setup(wanted).start_first),
            wanted: replicas(service).map_or(1, u64::from),
        };
        let attributes = change.map(attributes).unwrap_or_default();
        let (kind, why, gap) = outcome(service, &tasks, &attributes, &mounted);
        if kind == ChangeKind::Replace {
            effect = effect.max(if gap { Effect::Interrupting } else { Effect::Rolling });
            details.interrupted.extend(gap.then(|| service.name.to_string()));
        }
        details.parts.push(PartChange { part: format!("service {}", service.name), kind, why, attributes });
    }
    for change in changes.iter().filter(|change| change.change == diff::Change::Removed) {
        effect = Effect::Interrupting;
        details.parts.push(PartChange {
            part: format!("service {}", change.service),
            kind: ChangeKind::Delete,
            why: "it is removed once no site passes requests on to it".to_owned(),
            attributes: Vec::new(),
        });
    }
    for found in here.iter().flatten().filter(|found| is_strange(found, both, changes)) {
        effect = Effect::Interrupting;
        details.parts.push(PartChange {
            part: format!("service {}", found.short_name()),
            kind: ChangeKind::Delete,
            why: "the stack has no such service".to_owned(),
            attributes: Vec::new(),
        });
    }
    details.remarks.extend(kept(before.as_ref(), &after));
    details.remarks.extend(before.iter().filter_map(|before| fixed(before, &after)));
    details.effect = Some(effect);
}

/// What becomes of the tasks of a service.
struct Tasks<'a> {
    found: Option<&'a docker::Service>,
    /// Whether they are made from the same as before.
    same: bool,
    /// Whether somebody has changed what the swarm was given.
    edited: bool,
    updating: Updating,
    wanted: u64,
}

/// Whether somebody has changed a service since the last apply.
fn edited(subject: Subject<'_>, found: &docker::Service) -> bool {
    let is_known = subject.prior.is_some_and(|prior| prior.status == state::Status::Live);
    let known = known(subject).remove(found.short_name()).filter(|_| is_known);
    known.and_then(|known| known.hash).is_some_and(|hash| !found.is_as(&hash))
}

/// Whether a service is there that neither the files of before nor those of now have.
fn is_strange(found: &docker::Service, both: Both<'_>, changes: &[ServiceChange]) -> bool {
    let name = found.short_name();
    let has = both.after.active().any(|service| &*service.name == name);
    !has && !changes.iter().any(|change| &*change.service == name)
}

/// The networks whose settings differ: they stay as they were made.
fn fixed(before: &Deployment, after: &Deployment) -> Option<String> {
    let names: Vec<String> = before.changed_networks(after).map(|name| visible(name).into_owned()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "networks that stay as they were made, for a swarm changes none: {}; under another name, one is made anew",
            names.join(", ")
        )
    })
}

/// What happens to a service, why, and whether nobody answers for a while.
fn outcome(
    service: &Service,
    tasks: &Tasks<'_>,
    attributes: &[PartAttribute],
    mounted: &[String],
) -> (ChangeKind, String, bool) {
    let wanted = tasks.wanted;
    let Some(found) = tasks.found else {
        return (ChangeKind::Create, format!("{} started", are(wanted)), false);
    };
    if found.wanted == 0 && wanted > 0 {
        return (ChangeKind::Update, format!("{} started", are(wanted)), false);
    }
    // Somebody may have given it another image.
    let image = service.image().filter(|image| !image.sensitive).map(|image| &*image.text);
    let other = image.is_some_and(|image| !found.runs(image));
    if !tasks.same || other || tasks.edited {
        let mut names: Vec<&str> = attributes.iter().map(|attribute| attribute.name.as_str()).collect();
        names.dedup();
        let mut reasons = names.join(", ");
        let mut add = |text: String| {
            if !reasons.is_empty() {
                reasons.push_str("; ");
            }
            reasons.push_str(&text);
        };
        if !mounted.is_empty() {
            add(format!("files that it sees: {}", mounted.join(", ")));
        }
        if names.is_empty() && mounted.is_empty() {
            add(match (other, tasks.same) {
                (true, _) => "its image".to_owned(),
                (false, true) => "what somebody changed in the swarm".to_owned(),
                (false, false) => "secrets or configs that it sees".to_owned(),
            });
        }
        let count = u32::try_from(found.running).unwrap_or(u32::MAX);
        let gap = !tasks.updating.is_gapless(count);
        let how = match (tasks.updating.order, gap) {
            (Order::StartFirst, _) => "an old one ends once a new one runs",
            (Order::StopFirst, false) => "the others go on meanwhile",
            (Order::StopFirst, true) if found.wanted == 1 => "the old one ends first",
            (Order::StopFirst, true) => "the old ones end first",
        };
        return (ChangeKind::Replace, format!("{} replaced, {how} ({reasons})", are(found.wanted)), gap);
    }
    match found.wanted.cmp(&wanted) {
        std::cmp::Ordering::Less => {
            let more = wanted - found.wanted;
            (ChangeKind::Update, format!("{} started beside the {} there", are(more), found.wanted), false)
        }
        std::cmp::Ordering::Greater if !service.at(&["deploy", "mode"]).is_some_and(is_global) => {
            (ChangeKind::Update, format!("{} ended", are(found.wanted - wanted)), false)
        }
        _ if attributes.iter().any(|attribute| attribute.name.starts_with("deploy.placement")) => {
            (ChangeKind::Update, "its tasks stay where their node still fits".to_owned(), false)
        }
        _ if !attributes.is_empty() => {
            (ChangeKind::Update, "its tasks stay; how the swarm looks after them changes".to_owned(), false)
        }
        _ => {
            let stay = if found.wanted == 1 { "stays" } else { "stay" };
            (ChangeKind::NoOp, format!("{} {stay}", count(found.wanted)), false)
        }
    }
}

fn is_global(mode: &crate::compose::Node) -> bool {
    mode.text().is_some_and(|mode| &*mode.text == "global")
}

fn count(count: u64) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }
}

fn are(tasks: u64) -> String {
    format!("{} {}", count(tasks), if tasks == 1 { "is" } else { "are" })
}

/// Which secrets and configs the swarm is given anew.
fn kept(before: Option<&Deployment>, after: &Deployment) -> Option<String> {
    let fresh: Vec<&str> = after
        .blobs
        .iter()
        .filter(|blob| before.is_none_or(|before| before.known_as(blob) != after.known_as(blob)))
        .map(|blob| blob.name.as_str())
        .collect();
    (!fresh.is_empty()).then(|| format!("secrets and configs that the swarm is given: {}", fresh.join(", ")))
}

/// A stack whose services shall have no tasks.
pub(in crate::kinds::stack) fn still(subject: Subject<'_>, wanted: &Wanted, details: &mut Details) {
    for found in services(subject, wanted).unwrap_or_default().iter().filter(|found| found.wanted > 0) {
        let name = found.short_name();
        details.interrupted.push(name.to_owned());
        details.parts.push(PartChange {
            part: format!("service {name}"),
            kind: ChangeKind::Update,
            why: format!("{} ended; the service stays, without any", are(found.wanted)),
            attributes: Vec::new(),
        });
    }
    details.effect = (!details.parts.is_empty()).then_some(Effect::Interrupting);
}
