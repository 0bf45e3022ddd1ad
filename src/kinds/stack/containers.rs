//! What a change does to a stack's containers: by what the Compose tool itself says of the files to come, never guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::attributes::Stack;
use super::{networks, observe};
use crate::compose::{Project, Service, Text};
use crate::plan::docker::{Container, ContainerState};
use crate::plan::{Answer, ComposeCandidate, FileBytes, PlacedBody, PlacedFile, Query, Subject};

/// What becomes of the containers of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fate<'a> {
    /// Those that are there.
    pub(super) here: Vec<&'a Container>,
    /// Of those, the ones that are made anew, by id; `None` where that is not known.
    pub(super) stale: Option<BTreeSet<&'a str>>,
    /// A network that one of them is not in any more; the Compose tool does not look.
    pub(super) left: Option<String>,
    /// Whether its image's name means another image now.
    pub(super) image_moved: bool,
    /// How many there shall be.
    pub(super) wanted: usize,
}

impl Fate<'_> {
    /// Whether the Compose tool has something to do for it.
    pub(super) fn changes(&self) -> bool {
        let stale = self.stale.as_ref().is_none_or(|stale| !stale.is_empty());
        stale || self.stands_still() || self.here.len() != self.wanted
    }

    /// Whether some of them do not run.
    pub(super) fn stands_still(&self) -> bool {
        self.here.iter().any(|container| container.state != ContainerState::Running)
    }
}

/// What must be asked for that: nothing where there are no containers.
pub(super) fn queries(
    subject: Subject<'_>,
    stack: &Stack,
    project: &Project,
    files: &BTreeMap<PathBuf, PlacedFile>,
) -> Vec<Query> {
    if observe::containers(subject, &stack.project.name).is_none_or(|here| here.is_empty()) {
        return Vec::new();
    }
    vec![images(subject, names(project)), Query::ComposeHashes(candidate(stack, files))]
}

/// The question for images of these names.
pub(super) fn images<'a>(subject: Subject<'_>, names: impl Iterator<Item = &'a str>) -> Query {
    let names: BTreeSet<String> = names.map(str::to_owned).collect();
    let socket = subject.node.spec.docker.socket.clone();
    Query::Images { socket, references: names.into_iter().collect() }
}

/// The ids of images that the engine has, by the names that it was asked for; `None` where it did not answer.
pub(super) fn image_ids<'a, 'b>(
    subject: Subject<'a>,
    names: impl Iterator<Item = &'b str>,
) -> Option<BTreeMap<&'a str, &'a str>> {
    match subject.observed.get(&images(subject, names))? {
        Answer::Images(images) => {
            Some(images.iter().map(|image| (image.reference.as_str(), image.id.as_str())).collect())
        }
        _ => None,
    }
}

/// The names of the images that a project's services run.
fn names(project: &Project) -> impl Iterator<Item = &str> {
    let images = project.active().filter_map(Service::image);
    images.filter(|image| !image.sensitive).map(|image| &*image.text)
}

fn candidate(stack: &Stack, files: &BTreeMap<PathBuf, PlacedFile>) -> ComposeCandidate {
    let bytes = |file: &PlacedFile| match &file.body {
        PlacedBody::Bytes(bytes) => Some(FileBytes(Arc::clone(bytes))),
        PlacedBody::Text(content) => Some(FileBytes(content.exposed()?.expose().as_bytes().into())),
    };
    let files = files.iter().filter_map(|(path, file)| Some((path.clone(), bytes(file)?)));
    ComposeCandidate { project: stack.project.clone(), files: files.collect() }
}

/// The hashes that the tool gives to the services, or why it does not.
pub(super) fn hashes<'a>(
    subject: Subject<'a>,
    stack: &Stack,
    files: &BTreeMap<PathBuf, PlacedFile>,
) -> Result<&'a BTreeMap<String, String>, String> {
    match subject.observed.get(&Query::ComposeHashes(candidate(stack, files))) {
        Some(Answer::ComposeHashes(hashes)) => Ok(hashes),
        Some(Answer::Absent) => Err("there is no Docker Compose on the node".to_owned()),
        Some(Answer::Failed(reason)) => Err(format!("the Compose tool does not say: {reason}")),
        _ => Err("the node was not asked".to_owned()),
    }
}

/// What becomes of the containers of a project's services; `None` where the engine cannot be seen.
pub(super) fn fates<'a>(
    subject: Subject<'a>,
    stack: &Stack,
    project: &Project,
    hashes: Result<&BTreeMap<String, String>, &String>,
) -> Option<BTreeMap<Arc<str>, Fate<'a>>> {
    let all = observe::containers(subject, &stack.project.name)?;
    let ids = image_ids(subject, names(project)).unwrap_or_default();
    let known = observe::known(subject);
    let fate = |service: &Service| {
        let here: Vec<&Container> =
            all.iter().copied().filter(|container| container.service() == Some(&service.name)).collect();
        let id = service.image().and_then(|image: &Text| ids.get(&*image.text));
        let other_image = |container: &&&Container| id.is_some_and(|id| container.image_id != **id);
        let image_moved = here.iter().any(|container| other_image(&container));
        let left_by = |container: &Container| networks::left(known.get(&*service.name)?, container);
        let stale = |hash: &str| {
            let other = |container: &&&Container| {
                let labels = container.compose.as_ref();
                labels.and_then(|labels| labels.config_hash.as_deref()) != Some(hash)
            };
            let has_left = |container: &&&Container| left_by(container).is_some();
            let stale = here
                .iter()
                .filter(|container| other(container) || other_image(container) || has_left(container));
            stale.map(|container| container.id.as_str()).collect()
        };
        let hash = hashes.ok().and_then(|hashes| hashes.get(&*service.name));
        let stale = if here.is_empty() { Some(BTreeSet::new()) } else { hash.map(|hash| stale(hash)) };
        let wanted = super::serving::replicas(service).map_or(1, usize::from);
        let left = here.iter().find_map(|container| left_by(container)).map(str::to_owned);
        (Arc::clone(&service.name), Fate { here, stale, left, image_moved, wanted })
    };
    Some(project.active().map(fate).collect())
}
