//! A stack as its block wants it, worked out once for all that is asked of it.

use std::collections::BTreeMap;
use std::path::Path as FilePath;
use std::sync::Arc;

use super::attributes::{Attributes, OVERRIDE, Stack, entry, stays};
use super::files;
use crate::compose::{Directories, EnvValue, Environment, Input, Project};
use crate::diag::{Diagnostics, Sources};
use crate::names::Text as _;
use crate::plan::{NodeSpec, Subject};
use crate::resource::Resource;
use crate::value::Value;

/// The stack's variables, as its Compose files name them.
pub(super) const ENV_FILE: &str = "../env/.env";

/// What follows from a stack's block.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) attributes: Attributes,
    pub(super) stack: Stack,
    /// What its Compose files come to; `None` where they cannot be read.
    pub(super) project: Option<Project>,
    /// What reading them said.
    pub(super) said: Diagnostics,
    /// The Compose files as diagnostics may show them.
    pub(super) sources: Sources,
}

impl Wanted {
    pub(super) fn of(subject: Subject<'_>) -> Option<&Self> {
        let resource = subject.desired?;
        subject.memo.get_or(|| Self::new(resource, &subject.node.spec))?.as_ref()
    }

    /// The image of each service that runs: the block's, or else the Compose file's.
    pub(super) fn images(&self) -> BTreeMap<&str, &str> {
        let services = self.project.iter().flat_map(Project::active);
        let written = services.filter_map(|service| {
            let image = service.image().filter(|image| !image.sensitive)?;
            Some((&*service.name, &*image.text))
        });
        let mut images: BTreeMap<&str, &str> = written.collect();
        for (service, image) in self.attributes.images.iter().flatten() {
            if let Some(name) = images.get_mut(service.as_str()) {
                *name = image.as_str();
            }
        }
        images
    }

    fn new(resource: &Resource, spec: &NodeSpec) -> Option<Self> {
        let attributes = Attributes::of(resource).ok()?;
        let entry = entry(resource)?;
        let profiles = attributes.profiles.clone();
        let stack = Stack::new(spec, &attributes.tenant.name, &resource.name, &entry, profiles);
        let input = input(resource, spec, &attributes, &stack, entry);
        let mut sources = Sources::new();
        let (project, said) = match Project::load(&input, &mut sources) {
            Ok((project, said)) => (Some(project), said),
            Err(said) => (None, said),
        };
        Some(Self { attributes, stack, project, said, sources })
    }
}

fn input(
    resource: &Resource,
    spec: &NodeSpec,
    attributes: &Attributes,
    stack: &Stack,
    entry: String,
) -> Input {
    let mut texts: BTreeMap<String, Arc<str>> = BTreeMap::new();
    let mut others = vec![OVERRIDE.to_owned()];
    let source = resource.trees.get("source").into_iter().flat_map(|tree| tree.iter());
    for (path, leaf) in source.filter(|(path, _)| !stays(path)) {
        match std::str::from_utf8(&leaf.bytes) {
            Ok(text) => drop(texts.insert(path.to_string(), text.into())),
            Err(_) => others.push(path.to_string()),
        }
    }
    if let Some(text) = &attributes.compose {
        texts.insert(entry.clone(), text.as_str().into());
    }
    for (path, value) in resource.get("files").as_object().into_iter().flatten() {
        texts.insert(path.to_string(), value.as_str().unwrap_or_default().into());
    }
    if let Some(text) = files::environment(resource).exposed() {
        texts.insert(ENV_FILE.to_owned(), text.expose().into());
    }
    Input {
        files: texts,
        others,
        entries: vec![entry],
        environment: environment(resource),
        profiles: attributes.profiles.iter().map(|profile| profile.as_str().into()).collect(),
        directories: directories(spec, &attributes.tenant.name, stack),
        name: stack.project.name.as_str().into(),
        owned: networks(resource).filter_map(|network| network.get("id")?.as_str().map(Arc::from)).collect(),
        shown: attributes.source.as_deref().unwrap_or_default().into(),
    }
}

/// The variables of a stack.
pub(super) fn environment(resource: &Resource) -> Environment {
    let variable = |(name, value): (&Arc<str>, &Value)| {
        let text = value.as_str().unwrap_or_default();
        let value = if value.is_sensitive() { EnvValue::sensitive(text) } else { EnvValue::plain(text) };
        (Arc::clone(name), value)
    };
    resource.get("env").as_object().into_iter().flatten().map(variable).collect()
}

/// The networks that a stack refers to.
pub(super) fn networks(resource: &Resource) -> impl Iterator<Item = &Value> {
    resource.get("networks").as_elements().unwrap_or_default().iter()
}

/// Where a stack's Compose files, and what they name, may lie.
pub(super) fn directories(spec: &NodeSpec, tenant: &str, stack: &Stack) -> Directories {
    let text = |path: &FilePath| path.to_string_lossy().into_owned();
    Directories {
        project: text(&stack.layout.compose()),
        stack: text(&stack.layout.root),
        tenant: text(&spec.tenant(tenant)),
    }
}
