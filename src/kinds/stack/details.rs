//! What a change of a stack does, service by service, for people.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::attributes::{Engine, Stack, Status};
use super::containers::{self, Fate};
use super::wanted::Wanted;
use super::{models, networks, observe, rolling, swarm};
use crate::compose::diff::{self, Diff, NetworkChange, ServiceChange};
use crate::compose::{FILES_LABEL, Project};
use crate::diag::visible;
use crate::plan::docker::{Container, ContainerState, Volume};
use crate::plan::{
    Answer, ChangeKind, Details, Effect, PartAttribute, PartChange, PlacedBody, PlacedFile, PullPolicy,
    Query, Shown, Subject,
};
use crate::value::Value;

/// What must be known of a stack that changes.
pub(super) fn inquiries(subject: Subject<'_>, files: &BTreeMap<PathBuf, PlacedFile>) -> Vec<Query> {
    let mut queries = models::queries(subject);
    if subject.desired.is_none() {
        queries.push(volumes_query(subject));
    }
    if let (Some(wanted), Some(stack)) = (Wanted::of(subject), Stack::of(subject))
        && wanted.attributes.status == Status::Running
        && !swarm::is_on(wanted)
        && let Some(project) = models::after(subject, &stack, files)
    {
        queries.extend(containers::queries(subject, &stack, &project, files));
    }
    queries
}

/// What a change does.
pub(super) fn details(subject: Subject<'_>, files: &BTreeMap<PathBuf, PlacedFile>) -> Option<Details> {
    let stack = Stack::of(subject)?;
    let before = models::before(subject, &stack);
    let after = models::after(subject, &stack, files);
    let mut details = Details::default();
    if subject.prior.is_some() && before.is_none() {
        let remark = "the Compose files that are there cannot be read: what differs from them is not known";
        details.remarks.push(remark.to_owned());
    }
    let diff = Diff::between(before.as_ref(), after.as_ref());
    match (subject.desired, Wanted::of(subject), &after) {
        (Some(_), Some(wanted), Some(after)) if wanted.attributes.status == Status::Running => {
            let known = subject.prior.is_none() || before.is_some();
            let changes = if known { diff.services.as_slice() } else { &[] };
            if swarm::is_on(wanted) {
                let both = swarm::Both { before: before.as_ref(), after };
                swarm::running(subject, wanted, both, changes, files, &mut details);
            } else {
                running(subject, &stack, wanted, after, changes, files, &mut details);
            }
        }
        (Some(_), Some(wanted), _) if swarm::is_on(wanted) => swarm::still(subject, wanted, &mut details),
        (Some(_), ..) => still(subject, &stack, files, &mut details),
        (None, ..) => gone(&diff, &mut details),
    }
    data(subject, &stack, before.as_ref(), &diff, &mut details);
    Some(details)
}

/// A stack whose containers shall run.
fn running(
    subject: Subject<'_>,
    stack: &Stack,
    wanted: &Wanted,
    after: &Project,
    changes: &[ServiceChange],
    files: &BTreeMap<PathBuf, PlacedFile>,
    details: &mut Details,
) {
    let hashes = containers::hashes(subject, stack, files);
    let mut fates = containers::fates(subject, stack, after, hashes.as_ref().copied());
    let networks = networks::changed(subject, stack, files);
    if !networks.is_empty() {
        // All that is there goes for them.
        for fate in fates.iter_mut().flat_map(BTreeMap::values_mut) {
            fate.stale = Some(fate.here.iter().map(|container| container.id.as_str()).collect());
        }
    }
    details.parts.extend(networks.iter().map(anew));
    let down = (!networks.is_empty()).then(|| networks::named(&networks));
    let mut effect = Some(Effect::Additive);
    match (&fates, &hashes) {
        (None, _) if subject.prior.is_some() => {
            effect = None;
            details.remarks.push(unknown("Docker cannot be seen"));
        }
        (Some(fates), Err(why)) if fates.values().any(|fate| fate.stale.is_none()) => {
            effect = None;
            details.remarks.push(unknown(&masked(subject, why)));
        }
        _ => {}
    }
    let none =
        Fate { here: Vec::new(), stale: Some(BTreeSet::new()), left: None, image_moved: false, wanted: 1 };
    let replaced = rolling::replaced(subject, wanted, files, &networks);
    for service in after.active() {
        let fate = fates.as_ref().map_or(Some(&none), |fates| fates.get(&service.name));
        let change = changes.iter().find(|change| change.service == service.name);
        let attributes = change.map(attributes).unwrap_or_default();
        let mounted = changed_files(subject, files, &after.mounted(service));
        let (kind, why) = match fate {
            Some(fate) if fates.is_some() => outcome(service, fate, &attributes, &mounted, down.as_deref()),
            _ if subject.prior.is_none() => (ChangeKind::Create, "its containers are made".to_owned()),
            _ if attributes.is_empty() && mounted.is_empty() => continue,
            _ => (ChangeKind::Update, "it changes".to_owned()),
        };
        let mut why = why;
        if replaced.contains_key(&*service.name) {
            why = why.replacen("made anew", "replaced by new ones beside the old", 1);
            effect = effect.map(|effect| if effect == Effect::Additive { Effect::Rolling } else { effect });
        } else if kind == ChangeKind::Replace {
            effect = Some(Effect::Interrupting);
            details.interrupted.push(service.name.to_string());
            details.remarks.extend(rolling::hindered(subject, wanted, files, &networks, &service.name));
        }
        details.parts.push(PartChange { part: format!("service {}", service.name), kind, why, attributes });
    }
    for change in changes.iter().filter(|change| change.change == diff::Change::Removed) {
        effect = effect.map(|_| Effect::Interrupting);
        details.parts.push(PartChange {
            why: "its containers are removed once no site passes requests on to them".to_owned(),
            ..removed(&change.service)
        });
    }
    if wanted.attributes.pull == PullPolicy::Always && subject.prior.is_some() {
        let remark = "images are pulled first: a service whose image is a newer one then is made anew too";
        details.remarks.push(remark.to_owned());
    }
    details.effect = effect;
}

fn unknown(why: &str) -> String {
    format!(
        "which containers are made anew is not known, and so not what that interrupts: {why}; the files are compared alone"
    )
}

/// What happens to a service that stays or is new.
fn outcome(
    service: &crate::compose::Service,
    fate: &Fate<'_>,
    attributes: &[PartAttribute],
    mounted: &[String],
    down: Option<&str>,
) -> (ChangeKind, String) {
    let count = |count: usize| match count {
        1 => "1 container".to_owned(),
        count => format!("{count} containers"),
    };
    if fate.here.is_empty() {
        return (ChangeKind::Create, format!("{} made", is(fate.wanted, &count(fate.wanted))));
    }
    let mut names: Vec<&str> = attributes.iter().map(|attribute| attribute.name.as_str()).collect();
    names.dedup();
    let gone = fate.left.as_ref().map(|network| format!("it is not in `{network}` any more"));
    let Some(stale) = &fate.stale else {
        if let Some(gone) = gone {
            let here = fate.here.len();
            return (ChangeKind::Replace, format!("{} made anew ({gone})", is(here, &count(here))));
        }
        let kind =
            if attributes.is_empty() && mounted.is_empty() { ChangeKind::NoOp } else { ChangeKind::Update };
        return (kind, "what becomes of its containers is not known".to_owned());
    };
    if !stale.is_empty() {
        let mut reasons: Vec<String> = Vec::new();
        if !names.is_empty() {
            reasons.push(names.join(", "));
        }
        if !mounted.is_empty() {
            reasons.push(format!("files that it mounts: {}", mounted.join(", ")));
        }
        if fate.image_moved && !names.contains(&"image") {
            let image = service.image().map(crate::compose::Text::shown).unwrap_or_default();
            reasons.push(format!("`{image}` is another image now"));
        }
        reasons.extend(gone);
        reasons.extend(down.map(str::to_owned));
        if reasons.is_empty() {
            reasons.push("the Compose tool takes its configuration for another one".to_owned());
        }
        let why = format!("{} made anew ({})", is(stale.len(), &count(stale.len())), reasons.join("; "));
        return (ChangeKind::Replace, why);
    }
    let here = fate.here.len();
    match here.cmp(&fate.wanted) {
        std::cmp::Ordering::Less => {
            let more = fate.wanted - here;
            (
                ChangeKind::Update,
                format!("{} made beside the {here} that {}", is(more, &count(more)), stay(here)),
            )
        }
        std::cmp::Ordering::Greater => {
            let less = here - fate.wanted;
            (ChangeKind::Update, format!("{} removed", is(less, &count(less))))
        }
        std::cmp::Ordering::Equal if fate.stands_still() => {
            let is_in = |state| fate.here.iter().any(|container| container.state == state);
            let done = |container: &&Container| container.exit_code.is_none_or(|code| code == 0);
            let what = if is_in(ContainerState::Paused) {
                "unpaused"
            } else if !service.runs_on() && fate.here.iter().all(done) {
                // The Compose tool starts whatever does not run.
                "started once more, as a job whose work is done"
            } else {
                "started"
            };
            (ChangeKind::Update, format!("{} {what}", is(here, &count(here))))
        }
        std::cmp::Ordering::Equal => (ChangeKind::NoOp, format!("{} {}", count(here), stay(here))),
    }
}

/// A network that changes.
fn anew(change: &NetworkChange) -> PartChange {
    PartChange {
        part: format!("network {}", change.network),
        kind: ChangeKind::Replace,
        why: "it is made anew: the stack is taken down, and comes up with it".to_owned(),
        attributes: attribute_changes(&change.attributes),
    }
}

fn is(count: usize, what: &str) -> String {
    format!("{what} {}", if count == 1 { "is" } else { "are" })
}

fn stay(count: usize) -> &'static str {
    if count == 1 { "stays" } else { "stay" }
}

fn removed(service: &Arc<str>) -> PartChange {
    PartChange {
        part: format!("service {service}"),
        kind: ChangeKind::Delete,
        why: "its containers are removed".to_owned(),
        attributes: Vec::new(),
    }
}

/// A stack whose containers shall stand still.
fn still(subject: Subject<'_>, stack: &Stack, files: &BTreeMap<PathBuf, PlacedFile>, details: &mut Details) {
    let networks = networks::changed(subject, stack, files);
    let why = if networks.is_empty() {
        "its containers are stopped".to_owned()
    } else {
        format!("its containers are removed: {} when it runs again", networks::named(&networks))
    };
    let here = observe::containers(subject, &stack.project.name).unwrap_or_default();
    let services: BTreeSet<&str> = here.iter().filter_map(|container| container.service()).collect();
    for service in services {
        details.interrupted.push(service.to_owned());
        details.parts.push(PartChange {
            part: format!("service {service}"),
            kind: ChangeKind::Update,
            why: why.clone(),
            attributes: Vec::new(),
        });
    }
    details.effect = (!details.parts.is_empty()).then_some(Effect::Interrupting);
}

/// A stack that goes.
fn gone(diff: &Diff, details: &mut Details) {
    details.parts.extend(diff.services.iter().map(|change| removed(&change.service)));
    details.interrupted.extend(diff.services.iter().map(|change| change.service.to_string()));
    details.effect = Some(Effect::Interrupting);
}

/// The question for the volumes of the engine.
fn volumes_query(subject: Subject<'_>) -> Query {
    Query::Volumes { socket: subject.node.spec.docker.socket.clone() }
}

/// The volumes of the engine, for a stack that goes; `None` where they cannot be seen, or are a swarm's.
fn volumes(subject: Subject<'_>) -> Option<&[Volume]> {
    let prior = subject.prior.filter(|_| subject.desired.is_none())?;
    match subject.observed.get(&volumes_query(subject))? {
        Answer::Volumes(all) if Engine::of(prior) == Engine::Compose => Some(all),
        _ => None,
    }
}

/// What becomes of data.
fn data(subject: Subject<'_>, stack: &Stack, before: Option<&Project>, diff: &Diff, details: &mut Details) {
    let goes = subject.desired.is_none() && subject.destroy_data;
    let mut told: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let volumes = volumes(subject);
    let names = before.map(diff::volume_names).unwrap_or_default();
    let is_own = |volume: &&Volume| volume.project.as_deref() == Some(&*stack.project.name);
    // Those of former files too, which no file names any more.
    for volume in volumes.into_iter().flatten().filter(is_own) {
        let fate = if goes { "goes with all that is in it" } else { "stays" };
        let shown = names.get(&volume.name).cloned().unwrap_or_else(|| visible(&volume.name).into_owned());
        told.entry(fate).or_default().push(format!("volume {shown}"));
    }
    let foreign = volumes.into_iter().flatten().filter(|volume| !is_own(volume));
    for shown in foreign.filter_map(|volume| names.get(&volume.name)) {
        told.entry("is not of the stack, and stays").or_default().push(format!("volume {shown}"));
    }
    for data in diff.data.iter().filter(|data| data.is_path || volumes.is_none()) {
        let name = if data.is_path { data.name.clone() } else { format!("volume {}", data.name) };
        let fate = match data.fate {
            _ if goes && (!data.is_path || PathBuf::from(&data.name).starts_with(&stack.layout.root)) => {
                "goes with all that is in it"
            }
            diff::Fate::NoLongerUsed if subject.desired.is_none() => "stays",
            diff::Fate::Stays => "stays",
            diff::Fate::Made => "is new",
            diff::Fate::NoLongerUsed => "stays, and is not used any more",
        };
        told.entry(fate).or_default().push(name);
    }
    told.retain(|_, names| !names.is_empty());
    for names in told.values_mut() {
        names.sort();
    }
    let kept = subject.desired.is_none() && told.contains_key("stays");
    details
        .remarks
        .extend(told.into_iter().map(|(fate, names)| format!("data that {fate}: {}", names.join(", "))));
    if kept {
        details.remarks.push(format!(
            "to remove it later: the directory {}, and the volumes that `docker volume ls --filter \
             label=com.docker.compose.project={}` lists",
            stack.layout.root.display(),
            stack.project.name
        ));
    }
}

pub(super) fn attributes(change: &ServiceChange) -> Vec<PartAttribute> {
    // That files changed is told by their names.
    let label = format!("labels.{FILES_LABEL}");
    attribute_changes(change.attributes.iter().filter(|attribute| attribute.attribute != label))
}

fn attribute_changes<'a>(changes: impl IntoIterator<Item = &'a diff::AttributeChange>) -> Vec<PartAttribute> {
    let shown = |shown: &diff::Shown| match shown {
        diff::Shown::Absent => Shown::Absent,
        diff::Shown::Hidden => Shown::Hidden,
        diff::Shown::Text(text) => Shown::Text(text.clone()),
    };
    changes
        .into_iter()
        .map(|attribute| PartAttribute {
            name: attribute.attribute.clone(),
            before: shown(&attribute.before),
            after: shown(&attribute.after),
        })
        .collect()
}

/// Those of the files below some paths that differ from what is there, by name.
pub(super) fn changed_files(
    subject: Subject<'_>,
    files: &BTreeMap<PathBuf, PlacedFile>,
    mounted: &BTreeSet<String>,
) -> Vec<String> {
    let Some(prior) = subject.prior else { return Vec::new() };
    let below = |path: &PathBuf| mounted.iter().any(|mount| path.starts_with(mount));
    let differs = |(path, file): &(&PathBuf, &PlacedFile)| {
        let wanted = match &file.body {
            PlacedBody::Bytes(bytes) => bytes.to_vec(),
            PlacedBody::Text(content) => {
                content.exposed().map(|text| text.expose().as_bytes().to_vec()).unwrap_or_default()
            }
        };
        match subject.observed.get(&Query::Read((*path).clone())) {
            Some(crate::plan::Answer::Bytes(bytes)) => *bytes != wanted,
            _ => true,
        }
    };
    let new = files.iter().filter(|(path, _)| below(path)).filter(differs).map(|(path, _)| path);
    let gone = prior.placed.keys().filter(|path| below(path) && !files.contains_key(*path));
    let name = |path: &PathBuf| path.file_name().map(|name| format!("`{}`", name.to_string_lossy()));
    new.chain(gone).filter_map(name).collect()
}

/// A text of the tool's without the stack's secrets.
fn masked(subject: Subject<'_>, text: &str) -> String {
    let of = |name: &str| subject.desired.and_then(|resource| resource.get(name).as_object());
    let values = of("env").into_iter().flatten().chain(of("files").into_iter().flatten());
    let secrets =
        values.filter(|(_, value)| value.is_sensitive()).filter_map(|(_, value)| Value::as_str(value));
    let lines = secrets.flat_map(|secret| std::iter::once(secret).chain(secret.lines()));
    lines.filter(|line| !line.is_empty()).fold(text.to_owned(), |text, line| text.replace(line, "********"))
}
