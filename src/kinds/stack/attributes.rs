//! What a `stack` block says, and where its things lie.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::wanted::Wanted;
use crate::names::{Duration, ImageReference, ServiceName, Size};
use crate::plan::observation::Stat;
use crate::plan::{Blob, ComposeProject, NodeSpec, PullPolicy, Subject, SwarmStack};
use crate::resource::Resource;
use crate::state::{Stored, attributes};
use crate::value::DecodeError;

#[derive(Debug, Deserialize)]
pub(super) struct Attributes {
    pub(super) tenant: Tenant,
    pub(super) source: Option<String>,
    pub(super) compose: Option<String>,
    pub(super) profiles: Vec<String>,
    pub(super) status: Status,
    pub(super) engine: Engine,
    #[serde(default)]
    pub(super) images: Option<BTreeMap<ServiceName, ImageReference>>,
    pub(super) pull: PullPolicy,
    pub(super) update: Update,
    pub(super) allow: Vec<String>,
    pub(super) wait: Wait,
    pub(super) limits: BTreeMap<ServiceName, Limits>,
}

impl Attributes {
    pub(super) fn of(resource: &Resource) -> Result<Self, DecodeError> {
        resource.decode()
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Tenant {
    pub(super) name: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Running,
    Stopped,
}

/// What runs a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Engine {
    Compose,
    Swarm,
}

impl Engine {
    /// What runs a stack that the state knows.
    pub(super) fn of(prior: &Stored) -> Self {
        let known = attributes::decode(&prior.attributes).ok();
        match known.as_ref().and_then(|known| known.get("engine")) {
            Some(attributes::Tree::String(text)) if &**text == "swarm" => Self::Swarm,
            _ => Self::Compose,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Update {
    Recreate,
    Rolling,
}

#[derive(Debug, Deserialize)]
pub(super) struct Wait {
    pub(super) timeout: Duration,
}

#[derive(Debug, Deserialize)]
pub(super) struct Limits {
    pub(super) memory: Option<Size>,
    pub(super) cpus: Option<u32>,
}

/// A directory of a stack.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    /// Permission bits.
    pub(super) mode: u32,
    /// It is for its containers, which may give it another mode.
    containers: bool,
}

impl Directory {
    /// Whether vsa alone writes there.
    pub(super) fn is_ours(&self) -> bool {
        !self.containers
    }

    /// Whether what stands there is not as it shall be.
    pub(super) fn differs(&self, stat: &Stat) -> bool {
        !self.containers && stat.mode != self.mode
    }
}

/// Where a stack's things lie on its node.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// `<srv_root>/<tenant>/<stack>`.
    pub(super) root: PathBuf,
}

impl Layout {
    fn new(spec: &NodeSpec, tenant: &str, stack: &str) -> Self {
        Self { root: spec.tenant(tenant).join(stack) }
    }

    pub(super) fn compose(&self) -> PathBuf {
        self.root.join("compose")
    }

    pub(super) fn env(&self) -> PathBuf {
        self.root.join("env")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Its directories, the outer ones first, with those that `files` lie in.
    pub(super) fn directories<'a>(&self, files: impl Iterator<Item = &'a Path>) -> Vec<Directory> {
        let ours = |path, mode| Directory { path, mode, containers: false };
        let theirs = |path| Directory { path, mode: 0o755, containers: true };
        let mut directories = vec![
            ours(self.root.clone(), 0o751),
            ours(self.compose(), 0o755),
            theirs(self.data()),
            ours(self.env(), 0o750),
            theirs(self.logs()),
        ];
        let compose = self.compose();
        let below: BTreeSet<&Path> = files
            .flat_map(|path| path.ancestors().skip(1))
            .filter(|path| path.starts_with(&compose) && *path != compose)
            .collect();
        directories.extend(below.into_iter().map(|path| ours(path.to_owned(), 0o755)));
        directories
    }

    pub(super) fn env_file(&self) -> PathBuf {
        self.env().join(".env")
    }

    /// What a swarm is given.
    pub(super) fn swarm_file(&self) -> PathBuf {
        self.env().join("stack.yml")
    }
}

/// The file of vsa's own that stands over the stack's Compose file.
pub(super) const OVERRIDE: &str = "vsa.override.yml";

/// The names that Compose looks for, in its order.
pub(super) const COMPOSE_FILES: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// Whether a file of a source would stand over its Compose file.
pub(super) fn is_override(name: &str) -> bool {
    let names = COMPOSE_FILES.iter().filter_map(|file| file.rsplit_once('.'));
    name == OVERRIDE || names.into_iter().any(|(stem, end)| name == format!("{stem}.override.{end}"))
}

/// Where a stack's things are.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    pub(super) layout: Layout,
    pub(super) project: ComposeProject,
}

impl Stack {
    /// By what is wanted of it, or else by what the state knows.
    pub(super) fn of(subject: Subject<'_>) -> Option<Cow<'_, Self>> {
        if subject.desired.is_some() {
            return Wanted::of(subject).map(|wanted| Cow::Borrowed(&wanted.stack));
        }
        Self::known(subject.prior?, &subject.node.spec).map(Cow::Owned)
    }

    /// By what the state knows.
    pub(super) fn known(prior: &Stored, spec: &NodeSpec) -> Option<Self> {
        let known = attributes::decode(&prior.attributes).ok()?;
        let attributes::Tree::Reference(tenant) = known.get("tenant")? else { return None };
        let tenant = tenant.own_name();
        let layout = Layout::new(spec, &tenant, &prior.name);
        let placed = |file: &&&str| prior.placed.contains_key(&layout.compose().join(file));
        let entry = COMPOSE_FILES.iter().find(placed).unwrap_or(&"compose.yml");
        let profiles = match known.get("profiles") {
            Some(attributes::Tree::List(names)) => names.iter().filter_map(text).collect(),
            _ => Vec::new(),
        };
        Some(Self::new(spec, &tenant, &prior.name, entry, profiles))
    }

    pub(super) fn new(spec: &NodeSpec, tenant: &str, name: &str, entry: &str, profiles: Vec<String>) -> Self {
        let layout = Layout::new(spec, tenant, name);
        let compose = layout.compose();
        let project = ComposeProject {
            socket: spec.docker.socket.clone(),
            name: project(tenant, name),
            files: vec![compose.join(entry), compose.join(OVERRIDE)],
            directory: compose,
            env_file: layout.env_file(),
            profiles,
        };
        Self { layout, project }
    }

    /// As a stack of a swarm that has these services, and has to be given this before.
    pub(super) fn in_swarm(&self, services: Vec<String>, blobs: Vec<Blob>) -> SwarmStack {
        SwarmStack {
            socket: self.project.socket.clone(),
            name: self.project.name.clone(),
            file: self.layout.swarm_file(),
            env_file: self.layout.env_file(),
            services,
            blobs,
        }
    }
}

fn text(tree: &attributes::Tree) -> Option<String> {
    if let attributes::Tree::String(text) = tree { Some(text.to_string()) } else { None }
}

/// The name of a stack's Compose project.
pub(super) fn project(tenant: &str, stack: &str) -> String {
    format!("{tenant}-{stack}")
}

/// The name of the Compose file that a stack gives; `None` where its source has none.
pub(super) fn entry(resource: &Resource) -> Option<String> {
    let Some(tree) = resource.trees.get("source") else { return Some("compose.yml".to_owned()) };
    COMPOSE_FILES.into_iter().find(|name| tree.contains_key(*name)).map(str::to_owned)
}

/// Whether a file of a source stays with the configuration: it is for people, or an example.
pub(super) fn stays(path: &str) -> bool {
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    path == "README.md" || name == ".env.example" || name == ".gitignore" || path.starts_with(".git/")
}
