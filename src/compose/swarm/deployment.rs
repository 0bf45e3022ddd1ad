//! What a swarm is given of a project: one file in which nothing is left to fill in, and the secrets and configs that it
//! names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::tree::{insert, map, only_keys, text};
use crate::compose::node::{Entry, Map, Node, Text, Value};
use crate::compose::{Place, Project, Resource, Service};
use crate::diag::Span;
use crate::digest::sha256;
use crate::plan::{Blob, BlobKind, BlobSource};

/// The keys of a network that the file may have.
const OF_NETWORK: [&str; 8] =
    ["attachable", "driver", "driver_opts", "external", "internal", "ipam", "labels", "name"];

/// What of a deployment follows from elsewhere than the project.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Whether updates start new tasks before old ones end, where the file does not say.
    pub start_first: bool,
    /// Whether nothing shall run.
    pub stopped: bool,
}

/// Knows the content of a secret or config, and whether nobody may guess it.
pub type Contents<'a> = dyn Fn(&Blob) -> Option<(Vec<u8>, bool)> + 'a;

/// A project as a swarm is given it.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The whole.
    pub(super) root: Map,
    /// What the swarm has to be given before.
    pub blobs: Vec<Blob>,
    /// Those of them whose content nobody knows, with the place that names it.
    pub unknown: Vec<(Blob, Span)>,
    /// The paths below the stack's directory that services mount.
    pub mounted: Vec<PathBuf>,
}

/// The name that the swarm knows a secret or config by. Nothing in a swarm changes its content, so another content has
/// another name.
pub fn blob_name(stack: &str, name: &str, content: &[u8]) -> String {
    const DIGITS: usize = 12;
    // A swarm takes 64 characters; of a longer name the digest tells the rest.
    const STEM: usize = 64 - DIGITS - 1;
    let mut hashed = format!("{stack}/{name}\n").into_bytes();
    hashed.extend_from_slice(content);
    let stem: String = format!("{stack}_{name}").chars().take(STEM).collect();
    format!("{stem}_{}", &sha256(&hashed)[..DIGITS])
}

impl Deployment {
    /// Of a project, vsa's own file over it included.
    pub fn of(project: &Project, setup: Setup, content: &Contents<'_>) -> Self {
        let mut made = Self { root: Map::new(), blobs: Vec::new(), unknown: Vec::new(), mounted: Vec::new() };
        let span = project.tree.span;
        let mut services = Map::new();
        for service in project.active() {
            let node = made.service(project, service, setup);
            services.insert(Arc::clone(&service.name), Entry { key: service.key, node });
        }
        let networks = networks(project);
        let volumes = section(&project.volumes, |volume| {
            only(volume, &["driver", "driver_opts", "external", "labels", "name"])
        });
        let secrets = made.keep(project, BlobKind::Secret, &project.secrets, content);
        let configs = made.keep(project, BlobKind::Config, &project.configs, content);
        made.root =
            map(span, [("version", text(span, "3.9")), ("services", Node::new(Value::Map(services), span))]);
        for (key, section) in
            [("networks", networks), ("volumes", volumes), ("secrets", secrets), ("configs", configs)]
        {
            if !section.is_empty() {
                insert(&mut made.root, span, key, Node::new(Value::Map(section), span));
            }
        }
        made.mounted.sort();
        made.mounted.dedup();
        made
    }

    /// What a service's tasks are made from: a task is replaced where that differs. How many there are, how they are
    /// updated and where they may run is no part of it: one on a node that still fits stays.
    pub fn tasks_of(&self, service: &str) -> Option<Map> {
        let mut map = self.root.get("services")?.node.get(service)?.map()?.clone();
        if let Some(Entry { node: Node { value: Value::Map(deploy), .. }, .. }) = map.get_mut("deploy") {
            let unlike = ["labels", "replicas", "mode", "placement", "update_config", "rollback_config"];
            deploy.retain(|key, _| !unlike.contains(&&**key));
        }
        // A name of the project's own stands for what the swarm knows it by.
        for (kind, section) in [("secrets", "secrets"), ("configs", "configs")] {
            let names = map.get(kind).and_then(|entry| entry.node.list()).unwrap_or_default();
            let names: Vec<Node> = names
                .iter()
                .filter_map(|node| {
                    self.root.get(section)?.node.get(&node.text_of("source")?.text)?.get("name")
                })
                .cloned()
                .collect();
            if let Some(entry) = map.get(kind).cloned() {
                let node = Node::new(Value::List(names), entry.node.span);
                map.insert(format!("{kind} known as").into(), Entry { key: entry.key, node });
            }
        }
        Some(map)
    }

    /// The name that the swarm knows a secret or config by.
    pub fn known_as(&self, blob: &Blob) -> Option<&str> {
        let section = match blob.kind {
            BlobKind::Secret => "secrets",
            BlobKind::Config => "configs",
        };
        let entry = self.root.get(section)?.node.get(&blob.name)?;
        entry.text_of("name").map(|name| &*name.text)
    }

    /// Whether a service's tasks are the same in both.
    pub fn same_tasks(&self, other: &Self, service: &str) -> bool {
        let whole = |deployment: &Self| {
            let map = deployment.tasks_of(service)?;
            Some(Node::new(Value::Map(map), self.root.get("version")?.key))
        };
        match (whole(self), whole(other)) {
            (Some(one), Some(two)) => one.same(&two),
            (one, two) => one.is_none() && two.is_none(),
        }
    }

    /// The networks that the swarm makes: those that a service is in.
    pub fn made_networks(&self) -> BTreeSet<&str> {
        let section = |key: &str| self.root.get(key).and_then(|entry| entry.node.map()).into_iter().flatten();
        let joined = section("services").flat_map(|(_, entry)| joined(&entry.node));
        let joined: BTreeSet<&str> = joined.collect();
        let is_external = |network: &Node| {
            network.get("external").is_some_and(|external| external.text().is_none_or(Text::is_on))
        };
        let own = section("networks");
        let own = own.filter(|(name, entry)| joined.contains(&***name) && !is_external(&entry.node));
        own.map(|(name, entry)| entry.node.text_of("name").map_or(&**name, |known| &*known.text)).collect()
    }

    /// The networks of both whose settings differ.
    pub fn changed_networks<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a str> {
        let networks =
            |deployment: &'a Self| deployment.root.get("networks").and_then(|entry| entry.node.map());
        let theirs = networks(other);
        networks(self).into_iter().flatten().filter_map(move |(name, entry)| {
            let other = theirs?.get(name)?;
            (!entry.node.same(&other.node)).then_some(&**name)
        })
    }

    /// A section of secrets or configs: all are there before, by names that end in a digest.
    fn keep(
        &mut self,
        project: &Project,
        kind: BlobKind,
        known: &BTreeMap<Arc<str>, Resource>,
        content: &Contents<'_>,
    ) -> Map {
        let mut kept = Map::new();
        for (name, resource) in known {
            let (key, span) = (resource.key, resource.node.span);
            if resource.is_external() {
                let node = only_keys(&resource.node, &["external", "name"]);
                kept.insert(Arc::clone(name), Entry { key, node });
                continue;
            }
            let file = resource.node.text_of("file").map(|file| Place::of(file, &project.directories));
            let variable = resource.node.text_of("environment").map(|name| name.text.to_string());
            let source = match (file, variable) {
                (Some(Place::Local(path)), _) => BlobSource::File(path.into()),
                (_, Some(variable)) => BlobSource::Variable(variable),
                // Said by the lint.
                _ => continue,
            };
            let found = Blob { kind, name: name.to_string(), source };
            let Some((content, sensitive)) = content(&found) else {
                self.unknown.push((found, key));
                continue;
            };
            let known_as: Arc<str> = blob_name(&project.started_as, name, &content).into();
            // Short contents could be guessed by their digests.
            let known_as = Text { text: known_as, span, sensitive, plain: false, directory: "".into() };
            let node = map(
                span,
                [("external", text(span, "true")), ("name", Node::new(Value::Text(known_as), span))],
            );
            kept.insert(Arc::clone(name), Entry { key, node: Node::new(Value::Map(node), span) });
            self.blobs.push(found);
        }
        kept
    }
}

/// The networks: containers by themselves may join them, the proxy's among them.
fn networks(project: &Project) -> Map {
    let mut networks = section(&project.networks, |network| only(network, &OF_NETWORK));
    let span = project.tree.span;
    let by_itself =
        |service: &Service| service.networks.is_empty() || service.networks.contains_key("default");
    if project.active().any(by_itself) {
        networks
            .entry("default".into())
            .or_insert_with(|| Entry { key: span, node: Node::new(Value::Map(Map::new()), span) });
    }
    for (name, entry) in &mut networks {
        let external = project.networks.get(name).is_some_and(Resource::is_external);
        if let Value::Map(map) = &mut entry.node.value
            && !external
            && !map.contains_key("attachable")
        {
            insert(map, entry.key, "attachable", text(entry.key, "true"));
        }
    }
    networks
}

/// The networks that a service is in, as the project calls them.
fn joined(service: &Node) -> Vec<&str> {
    let names: Vec<&str> = match service.get("networks").map(|networks| &networks.value) {
        Some(Value::Map(map)) => map.keys().map(|name| &**name).collect(),
        Some(Value::List(list)) => list.iter().filter_map(|node| Some(&*node.text()?.text)).collect(),
        _ => Vec::new(),
    };
    if names.is_empty() { vec!["default"] } else { names }
}

fn section(known: &BTreeMap<Arc<str>, Resource>, node: impl Fn(&Resource) -> Node) -> Map {
    let entry = |(name, resource): (&Arc<str>, &Resource)| {
        (Arc::clone(name), Entry { key: resource.key, node: node(resource) })
    };
    known.iter().map(entry).collect()
}

fn only(resource: &Resource, keys: &[&str]) -> Node {
    only_keys(&resource.node, keys)
}
