//! What changes between two projects, service by service, attribute by attribute.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::node::{Node, Text, Value};
use super::{Directories, Mount, MountKind, Place, Project, Service};
use crate::diag::visible;
use crate::digest::sha256;

/// What happens to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new, or its profile is on now.
    Added,
    /// It is the same service, with other attributes.
    Changed,
    /// It goes, or its profile is off now.
    Removed,
}

/// What a plan shows of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// It is not there.
    Absent,
    /// It is there, and must not be seen.
    Hidden,
    /// This.
    Text(String),
}

/// An attribute of a service, before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttributeChange {
    /// Its name: `image`, `environment.LOG_LEVEL`, `ports`, `volumes./data`, `healthcheck.interval`.
    pub attribute: String,
    /// What it was.
    pub before: Shown,
    /// What it becomes.
    pub after: Shown,
}

/// A service that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceChange {
    /// Its name.
    pub service: Arc<str>,
    /// What happens to it.
    pub change: Change,
    /// Its attributes that differ, by name.
    pub attributes: Vec<AttributeChange>,
}

/// A network of the project's own that is there before and after, and differs: Docker cannot change one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NetworkChange {
    /// Its name in the files.
    pub network: Arc<str>,
    /// What differs.
    pub attributes: Vec<AttributeChange>,
}

/// What becomes of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is there before and after.
    Stays,
    /// It is made.
    Made,
    /// It stays where it is, and no service uses it any more.
    NoLongerUsed,
}

/// A volume, or a path of the node, that holds a service's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Data {
    /// The volume's name at Docker, or the path.
    pub name: String,
    /// Whether it is a path.
    pub is_path: bool,
    /// What becomes of it.
    pub fate: Fate,
}

/// What changes between two projects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The services that change, by name.
    pub services: Vec<ServiceChange>,
    /// The networks that change, by name.
    pub networks: Vec<NetworkChange>,
    /// The data of both, by name.
    pub data: Vec<Data>,
}

impl Diff {
    /// From one project to another; none stands for a stack that is not there.
    pub fn between(before: Option<&Project>, after: Option<&Project>) -> Self {
        let (old, new) = (services(before), services(after));
        let facets = |side: Option<&&Service>, project: Option<&Project>| {
            side.zip(project)
                .map(|(service, project)| facets(service, &project.directories))
                .unwrap_or_default()
        };
        let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        let change = |name: &&Arc<str>| {
            let (one, two) = (old.get(name), new.get(name));
            let attributes = differing(&facets(one, before), &facets(two, after));
            let change = match (one, two) {
                (None, _) => Change::Added,
                (_, None) => Change::Removed,
                _ if attributes.is_empty() => return None,
                _ => Change::Changed,
            };
            Some(ServiceChange { service: Arc::clone(name), change, attributes })
        };
        let services = names.into_iter().filter_map(change).collect();
        let (one, two) = (held(before), held(after));
        let all: BTreeSet<_> =
            one.iter().chain(&two).filter(|(_, writes)| **writes).map(|(held, _)| held).collect();
        let data = all.into_iter().map(|held| {
            let fate = match (one.contains_key(held), two.contains_key(held)) {
                (true, true) => Fate::Stays,
                (false, _) => Fate::Made,
                (_, false) => Fate::NoLongerUsed,
            };
            Data { name: held.0.clone(), is_path: held.1, fate }
        });
        Self { services, networks: networks(before, after), data: data.collect() }
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
            && self.networks.is_empty()
            && self.data.iter().all(|data| data.fate == Fate::Stays)
    }
}

fn services(project: Option<&Project>) -> BTreeMap<&Arc<str>, &Service> {
    project.into_iter().flat_map(Project::active).map(|service| (&service.name, service)).collect()
}

/// The networks that services are in before and after, and that differ.
fn networks(before: Option<&Project>, after: Option<&Project>) -> Vec<NetworkChange> {
    let (Some(before), Some(after)) = (before, after) else { return Vec::new() };
    let (one, two) = (before.own_networks(), after.own_networks());
    let both = one.iter().filter_map(|(name, before)| Some((name, before, two.get(name)?)));
    let changed = both.filter_map(|(name, before, after)| {
        let attributes = differing(&network_facets(*before), &network_facets(*after));
        (!attributes.is_empty()).then(|| NetworkChange { network: Arc::clone(name), attributes })
    });
    changed.collect()
}

/// The settings of a network of a project's own, as a later run can be told of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSettings {
    /// A digest of those that may be seen.
    pub digest: String,
    /// Whether others must not be seen.
    pub hidden: bool,
}

/// The settings of the networks that a project's services are in, by the names in its files.
pub fn network_settings(project: &Project) -> BTreeMap<Arc<str>, NetworkSettings> {
    let settings = |resource: Option<&super::Resource>| {
        let facets = network_facets(resource);
        let is_hidden = |facet: &Facet| facet.shown == Shown::Hidden;
        let told = facets.iter().filter(|(_, facet)| !is_hidden(facet));
        let told: BTreeMap<&str, &str> = told.map(|(key, facet)| (&**key, &*facet.raw)).collect();
        NetworkSettings {
            digest: sha256(format!("{told:?}").as_bytes()),
            hidden: facets.values().any(is_hidden),
        }
    };
    project.own_networks().into_iter().map(|(name, resource)| (name, settings(resource))).collect()
}

fn network_facets(resource: Option<&super::Resource>) -> Facets {
    let mut facets = Facets::new();
    let mut add = |key: String, attribute: String, raw: String, shown: Shown| {
        facets.insert(key, Facet { attribute, raw, shown });
    };
    for (key, entry) in resource.and_then(|resource| resource.node.map()).into_iter().flatten() {
        // What is told as a list or as a mapping means the same.
        match (&**key, entry.node.list()) {
            ("external", _) => {}
            ("labels", Some(list)) => {
                for label in list.iter().filter_map(Node::text) {
                    let (name, value) = label.text.split_once('=').unwrap_or((&label.text, ""));
                    let name = format!("labels.{}", visible(name));
                    let shown = if label.sensitive {
                        Shown::Hidden
                    } else {
                        Shown::Text(visible(value).into_owned())
                    };
                    add(name.clone(), name, value.to_owned(), shown);
                }
            }
            _ => leaves(&entry.node, visible(key).into_owned(), &mut add),
        }
    }
    facets
}

/// A value as it is compared, and as it is shown.
struct Facet {
    /// The name for people; several facets may share one.
    attribute: String,
    raw: String,
    shown: Shown,
}

type Facets = BTreeMap<String, Facet>;

fn differing(before: &Facets, after: &Facets) -> Vec<AttributeChange> {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let change = |key: &String| {
        let (one, two) = (before.get(key), after.get(key));
        if one.map(|facet| &facet.raw) == two.map(|facet| &facet.raw) {
            return None;
        }
        let shown = |facet: Option<&Facet>| facet.map_or(Shown::Absent, |facet| facet.shown.clone());
        let attribute = one.or(two).map(|facet| facet.attribute.clone())?;
        Some(AttributeChange { attribute, before: shown(one), after: shown(two) })
    };
    keys.into_iter().filter_map(change).collect()
}

/// A service taken apart. Lists of things that have a name of their own are taken by that name.
fn facets(service: &Service, directories: &Directories) -> Facets {
    let mut facets = Facets::new();
    let mut add = |key: String, attribute: String, raw: String, shown: Shown| {
        facets.insert(key, Facet { attribute, raw, shown });
    };
    for (name, variable) in &service.environment {
        let name = format!("environment.{}", visible(name));
        add(name.clone(), name, variable.value.text.to_string(), Shown::Hidden);
    }
    for port in &service.ports {
        let text = port.short();
        add(format!("ports.{text}"), "ports".to_owned(), text.clone(), Shown::Text(text));
    }
    for mount in &service.mounts {
        let name = format!("volumes.{}", mount.target.shown());
        let (raw, shown) = mounted(mount, directories);
        add(name.clone(), name, raw, shown);
    }
    for (name, attachment) in &service.networks {
        let name = format!("networks.{}", visible(name));
        let aliases: Vec<_> = attachment.aliases.iter().map(Text::shown).collect();
        let text = if aliases.is_empty() {
            "joined".to_owned()
        } else {
            format!("joined as {}", aliases.join(", "))
        };
        add(name.clone(), name, text.clone(), Shown::Text(text));
    }
    let apart = ["environment", "env_file", "ports", "volumes", "networks", "profiles", "extends"];
    for (key, entry) in service.node.map().into_iter().flatten().filter(|(key, _)| !apart.contains(&&***key))
    {
        leaves(&entry.node, visible(key).into_owned(), &mut add);
    }
    facets
}

fn mounted(mount: &Mount, directories: &Directories) -> (String, Shown) {
    let mode = if mount.read_only { ":ro" } else { "" };
    let Some(source) = &mount.source else {
        let text = format!("{:?}{mode}", mount.kind).to_lowercase();
        return (text.clone(), Shown::Text(text));
    };
    let shown =
        if source.sensitive { Shown::Hidden } else { Shown::Text(format!("{}{mode}", source.shown())) };
    // A path is the same however it is written.
    let raw = match mount.kind {
        MountKind::Bind => format!("{:?}{mode}", Place::of(source, directories)),
        kind => format!("{kind:?} {}{mode}", source.text),
    };
    (raw, shown)
}

fn leaves(node: &Node, name: String, add: &mut impl FnMut(String, String, String, Shown)) {
    match &node.value {
        Value::Map(map) if !map.is_empty() => {
            for (key, entry) in map {
                leaves(&entry.node, format!("{name}.{}", visible(key)), add);
            }
        }
        _ => {
            let shown = if sensitive(node) { Shown::Hidden } else { Shown::Text(line(node, &Text::shown)) };
            let raw = line(node, &|text: &Text| text.text.to_string());
            add(name.clone(), name, raw, shown);
        }
    }
}

fn sensitive(node: &Node) -> bool {
    match &node.value {
        Value::Null => false,
        Value::Text(text) => text.sensitive,
        Value::List(list) => list.iter().any(sensitive),
        Value::Map(map) => map.values().any(|entry| sensitive(&entry.node)),
    }
}

/// A value on one line, as YAML's flow style writes it.
fn line(node: &Node, text_of: &dyn Fn(&Text) -> String) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Text(text) => text_of(text),
        Value::List(list) => {
            let items: Vec<_> = list.iter().map(|node| line(node, text_of)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let entry = |(key, entry): (&Arc<str>, &super::Entry)| {
                format!("{}: {}", visible(key), line(&entry.node, text_of))
            };
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

/// What holds a project's data: volumes, and paths of the node; and whether a service may write there.
fn held(project: Option<&Project>) -> BTreeMap<(String, bool), bool> {
    let mut held = BTreeMap::new();
    let Some(project) = project else { return held };
    for mount in project.active().flat_map(|service| &service.mounts) {
        let Some(source) = &mount.source else { continue };
        let name = match mount.kind {
            MountKind::Volume => volume_name(project, source).1,
            MountKind::Bind => match Place::of(source, &project.directories) {
                Place::Local(path) if !source.sensitive => visible(&path).into_owned(),
                _ => source.shown(),
            },
            _ => continue,
        };
        *held.entry((name, mount.kind == MountKind::Bind)).or_default() |= !mount.read_only;
    }
    held
}

/// The volumes that a project's services mount: by their names at Docker, each as it may be shown.
pub fn volume_names(project: &Project) -> BTreeMap<String, String> {
    let mounts = project.active().flat_map(|service| &service.mounts);
    let sources =
        mounts.filter(|mount| mount.kind == MountKind::Volume).filter_map(|mount| mount.source.as_ref());
    sources.map(|source| volume_name(project, source)).collect()
}

/// A volume's name at Docker, and as it may be shown.
fn volume_name(project: &Project, source: &Text) -> (String, String) {
    match project.volumes.get(&source.text).and_then(super::Resource::given_name) {
        Some(given) => (given.text.to_string(), given.shown()),
        None => {
            let named = |name: &str| format!("{}_{name}", project.started_as);
            (named(&source.text), named(&source.shown()))
        }
    }
}
