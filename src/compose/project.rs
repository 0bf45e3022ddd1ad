//! A project: all files merged, every value with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::interpolate::{hushed, telling};
use super::load::{Loader, profiles};
use super::node::{Entry, Map, Node, Text};
use super::path::normal;
use super::service::Service;
use super::volume::MountKind;
use super::{Directories, Input, Place, rules};
use crate::diag::{self, Diagnostic, Diagnostics, Span};

/// A network, volume, config or secret of a project.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Where its name stands.
    pub key: Span,
    /// What is said of it.
    pub node: Node,
}

impl Resource {
    /// Whether something else makes it: the project only uses it.
    pub fn is_external(&self) -> bool {
        match self.node.get("external") {
            None => false,
            Some(node) => node.text().is_none_or(Text::is_on),
        }
    }

    /// The name that Docker knows it by, where one is given.
    pub fn given_name(&self) -> Option<&Text> {
        let external = self.node.get("external").and_then(|external| external.text_of("name"));
        self.node.text_of("name").or(external)
    }
}

/// What the compose files of a stack come to.
#[derive(Clone, Debug)]
pub struct Project {
    /// The name that the files give it.
    pub name: Option<Text>,
    /// The name that it is started under.
    pub started_as: Arc<str>,
    /// The services, those of profiles that are off too.
    pub services: BTreeMap<Arc<str>, Service>,
    /// The networks.
    pub networks: BTreeMap<Arc<str>, Resource>,
    /// The volumes.
    pub volumes: BTreeMap<Arc<str>, Resource>,
    /// The configs.
    pub configs: BTreeMap<Arc<str>, Resource>,
    /// The secrets.
    pub secrets: BTreeMap<Arc<str>, Resource>,
    /// Everything, as merged.
    pub tree: Node,
    /// Where it stands on its node.
    pub directories: Directories,
    /// The names, as Docker knows them, of networks and volumes that it may use without making them.
    pub(super) owned: Vec<Arc<str>>,
    /// The paths of the files that are written beside it, and before each start of it.
    pub(super) written: BTreeSet<String>,
    /// The variables it was read with: those that Compose itself obeys matter to the rules.
    pub(super) variables: Vec<Arc<str>>,
    /// What no diagnostic may show.
    pub(super) hidden: Vec<Arc<str>>,
    /// Where paths of the node lead, where links lead elsewhere.
    links: BTreeMap<String, String>,
}

impl Project {
    /// The services that run and depend on one (`depends_on`), themselves or through others.
    pub fn dependents<'a>(&'a self, name: &str) -> BTreeSet<&'a str> {
        let of = |name: &str| -> Vec<&'a str> {
            let depends =
                |service: &&Service| service.section("depends_on").any(|(needed, _)| **needed == *name);
            self.active().filter(depends).map(|service| &*service.name).collect()
        };
        let mut found = BTreeSet::new();
        let mut next = of(name);
        while let Some(one) = next.pop() {
            if found.insert(one) {
                next.extend(of(one));
            }
        }
        found
    }

    /// Reads a project; with it come warnings. The files go into `sources`, so that diagnostics can show them.
    pub fn load(input: &Input, sources: &mut diag::Sources) -> Result<(Self, Diagnostics), Diagnostics> {
        let mut loader = Loader::new(input, sources);
        let root = loader.root();
        let (mut said, hidden) = (loader.said, loader.hidden);
        let project = root.and_then(|root| Self::of(root, input, &mut said));
        said.sort();
        let said = hushed(said, &hidden);
        match project {
            Some(project) => said.into_result(project),
            None if said.has_errors() => Err(said),
            None => Err(Diagnostic::error("the compose files hold no project").code("compose_yaml").into()),
        }
    }

    fn of(root: Node, input: &Input, said: &mut Diagnostics) -> Option<Self> {
        let sections = root.map()?;
        let on = profiles(input);
        let mut services = BTreeMap::new();
        for (name, Entry { key, node }) in section(sections, "services", said) {
            if !is_name(&name) {
                said.push(
                    Diagnostic::error(format!("`{}` is no name of a service", diag::visible(&name)))
                        .code("compose_service")
                        .at(key)
                        .help("letters, digits, `.`, `_` and `-`"),
                );
                continue;
            }
            if node.map().is_none() {
                let told =
                    Diagnostic::error(format!("the service `{name}` is a mapping, not {}", node.kind()));
                said.push(told.code("compose_service").at(key));
                continue;
            }
            let service = Service::read(Arc::clone(&name), key, node, input, &on, said);
            services.insert(name, service);
        }
        let mut resources = |kind: &str| {
            let section = section(sections, kind, said).into_iter();
            section
                .map(|(name, Entry { key, node })| (name, Resource { key, node }))
                .collect::<BTreeMap<_, _>>()
        };
        let (networks, volumes) = (resources("networks"), resources("volumes"));
        let (configs, secrets) = (resources("configs"), resources("secrets"));
        let project = Self {
            name: root.text_of("name").cloned(),
            started_as: Arc::clone(&input.name),
            services,
            networks,
            volumes,
            configs,
            secrets,
            directories: input.directories.clone(),
            owned: input.owned.clone(),
            written: input
                .files
                .keys()
                .chain(&input.others)
                .map(|path| normal(&input.directories.project, path))
                .collect(),
            variables: input.environment.keys().cloned().collect(),
            hidden: telling(&input.environment),
            links: BTreeMap::new(),
            tree: root,
        };
        project.references(said);
        Some(project)
    }

    /// The services that run with the profiles that are on.
    pub fn active(&self) -> impl Iterator<Item = &Service> {
        self.services.values().filter(|service| service.active)
    }

    /// The networks that it makes: those that services are in which run, with what is said of each.
    pub(super) fn own_networks(&self) -> BTreeMap<Arc<str>, Option<&Resource>> {
        let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
        for service in self.active().filter(|service| service.text("network_mode").is_none()) {
            names.extend(service.networks.keys().cloned());
            names.extend(service.networks.is_empty().then(|| Arc::from("default")));
        }
        let said = names.into_iter().map(|name| (Arc::clone(&name), self.networks.get(&name)));
        said.filter(|(_, said)| said.is_none_or(|said| !said.is_external())).collect()
    }

    /// The paths of the node that it has mounted or read, as texts. Whoever starts the project finds out where links
    /// among them lead, and says so with [`Project::with_links`]: the rules hold for that too.
    pub fn paths(&self) -> BTreeSet<String> {
        let mounted = self.services.values().flat_map(|service| &service.mounts);
        let sources = mounted.filter(|mount| mount.kind == MountKind::Bind);
        let sources = sources.filter_map(|mount| mount.source.as_ref()).map(|source| self.place(source));
        let bound = self.volumes.values().filter_map(|volume| rules::bound(volume, &self.directories));
        let read = rules::files(self).into_iter().map(|text| self.place(&text));
        let places = sources.chain(bound.map(|(_, place)| place)).chain(read);
        places.filter_map(|place| if let Place::Local(path) = place { Some(path) } else { None }).collect()
    }

    /// The paths of the node that a service's containers see: what it mounts, and the files of its configs and secrets.
    pub fn mounted(&self, service: &Service) -> BTreeSet<String> {
        let binds = service.mounts.iter().filter(|mount| mount.kind == MountKind::Bind);
        let sources = binds.filter_map(|mount| mount.source.as_ref());
        let named = [("configs", &self.configs), ("secrets", &self.secrets)];
        let files = named.into_iter().flat_map(|(kind, known)| {
            let names =
                service.list(kind).iter().filter_map(|node| node.text().or_else(|| node.text_of("source")));
            names.filter_map(|name| known.get(&name.text)?.node.text_of("file"))
        });
        let places = sources.chain(files).map(|text| self.place(text));
        places.filter_map(|place| if let Place::Local(path) = place { Some(path) } else { None }).collect()
    }

    /// The path of the node that a mount names; `None` of one whose place is not known.
    pub fn bound(&self, source: &Text) -> Option<String> {
        if let Place::Local(path) = self.place(source) { Some(path) } else { None }
    }

    /// With what links make of its paths: each that leads elsewhere, with where.
    #[must_use]
    pub fn with_links(mut self, links: BTreeMap<String, String>) -> Self {
        self.links = links;
        self
    }

    fn place(&self, text: &Text) -> Place {
        Place::of(text, &self.directories)
    }

    /// Where a path really leads, where a link leads elsewhere.
    pub(super) fn leads(&self, place: &Place) -> Option<Place> {
        let Place::Local(path) = place else { return None };
        self.links.get(path).cloned().map(Place::Local)
    }

    /// Says what services name and nobody defines.
    fn references(&self, said: &mut Diagnostics) {
        for service in self.services.values() {
            let unknown = |what: &str, name: &str, at: Span, known: Vec<&Arc<str>>| {
                let shown = diag::visible(name);
                let told = Diagnostic::error(format!("there is no {what} `{shown}`"))
                    .code("compose_undefined")
                    .label(at, format!("named by the service `{}`", service.name));
                match diag::nearest(name, known.into_iter().map(|name| &**name)) {
                    Some(near) => told.help(format!("did you mean `{near}`?")),
                    None => told,
                }
            };
            for (name, attachment) in &service.networks {
                if &**name != "default" && !self.networks.contains_key(name) {
                    said.push(unknown("network", name, attachment.key, self.networks.keys().collect()));
                }
            }
            for source in service.mounts.iter().filter(|mount| mount.kind == MountKind::Volume) {
                if let Some(source) = &source.source
                    && !self.volumes.contains_key(&source.text)
                {
                    said.push(unknown("volume", &source.shown(), source.span, self.volumes.keys().collect()));
                }
            }
            for (name, entry) in service.section("depends_on") {
                let required = entry.node.text_of("required").is_none_or(Text::is_on);
                if required && !self.services.contains_key(name) {
                    said.push(unknown("service", name, entry.key, self.services.keys().collect()));
                }
            }
            for (kind, known) in [("configs", &self.configs), ("secrets", &self.secrets)] {
                for node in service.list(kind) {
                    let Some(source) = node.text().or_else(|| node.text_of("source")) else { continue };
                    if !known.contains_key(&source.text) {
                        let what = kind.trim_end_matches('s');
                        said.push(unknown(what, &source.shown(), source.span, known.keys().collect()));
                    }
                }
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 128 && name.chars().all(allowed)
}

fn section(sections: &Map, name: &str, said: &mut Diagnostics) -> Map {
    match sections.get(name) {
        None => Map::new(),
        Some(entry) => match (&entry.node.value, entry.node.map()) {
            (_, Some(map)) => map.clone(),
            (super::Value::Null, _) => Map::new(),
            _ => {
                let told = Diagnostic::error(format!("`{name}` is a mapping, not {}", entry.node.kind()));
                said.push(told.code("compose_service").at(entry.key));
                Map::new()
            }
        },
    }
}
