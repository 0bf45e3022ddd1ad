//! A service: what its merged keys mean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::environment;
use super::node::{Entry, Map, Node, Text, Value};
use super::path::{find, join, normal};
use super::port::{self, Port};
use super::volume::{self, Mount};
use super::{EnvValue, Input};
use crate::diag::{Diagnostic, Diagnostics, Span};

/// Where the value of a container's variable comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It stands in the compose file.
    Written,
    /// It comes from a file of `env_file`.
    File,
    /// `environment` names it alone: it is handed on from the variables of the stack.
    Inherited,
}

/// A variable of a service's containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its value.
    pub value: Text,
    /// Where that comes from.
    pub origin: Origin,
}

/// What a service says of a network that it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Where the network's name stands.
    pub key: Span,
    /// The names that the service has there, besides its own.
    pub aliases: Vec<Text>,
}

/// A service of a project.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: Arc<str>,
    /// Where its name stands.
    pub key: Span,
    /// All its keys, as merged, in their long forms; those that have no field here too.
    pub node: Node,
    /// Whether it runs with the profiles that are on.
    pub active: bool,
    /// The variables of its containers.
    pub environment: BTreeMap<Arc<str>, Variable>,
    /// The ports it publishes.
    pub ports: Vec<Port>,
    /// What it mounts.
    pub mounts: Vec<Mount>,
    /// The networks it joins by name; none means the default one.
    pub networks: BTreeMap<Arc<str>, Attachment>,
}

impl Service {
    pub(super) fn read(
        name: Arc<str>,
        key: Span,
        node: Node,
        input: &Input,
        profiles: &BTreeSet<Arc<str>>,
        said: &mut Diagnostics,
    ) -> Self {
        let mut service = Self {
            name,
            key,
            node,
            active: true,
            environment: BTreeMap::new(),
            ports: Vec::new(),
            mounts: Vec::new(),
            networks: BTreeMap::new(),
        };
        let own = service.texts("profiles");
        service.active =
            own.is_empty() || profiles.contains("*") || own.iter().any(|name| profiles.contains(&name.text));
        service.shapes(said);
        let mut ports = Vec::new();
        for node in service.list("ports") {
            match port::read(node) {
                Ok(port) => ports.push(port),
                Err(told) => said.push(told),
            }
        }
        let mut mounts = Vec::new();
        for node in service.list("volumes") {
            match volume::read(node) {
                Ok(mount) => mounts.push(mount),
                Err(told) => said.push(told),
            }
        }
        let attachment = |(name, entry): (&Arc<str>, &Entry)| {
            let aliases = entry.node.get("aliases").and_then(Node::list).unwrap_or_default();
            let aliases = aliases.iter().filter_map(Node::text).cloned().collect();
            (Arc::clone(name), Attachment { key: entry.key, aliases })
        };
        service.networks = service.section("networks").map(attachment).collect();
        service.environment = service.variables(input, said);
        (service.ports, service.mounts) = (ports, mounts);
        service
    }

    /// What has another shape than Compose takes.
    fn shapes(&self, said: &mut Diagnostics) {
        const LISTS: [&str; 17] = [
            "ports",
            "volumes",
            "devices",
            "cap_add",
            "cap_drop",
            "security_opt",
            "expose",
            "configs",
            "secrets",
            "profiles",
            "volumes_from",
            "group_add",
            "links",
            "external_links",
            "device_cgroup_rules",
            "post_start",
            "pre_stop",
        ];
        const MAPS: [&str; 8] =
            ["environment", "labels", "networks", "depends_on", "build", "deploy", "healthcheck", "logging"];
        const TEXTS: [&str; 14] = [
            "image",
            "privileged",
            "network_mode",
            "pid",
            "ipc",
            "uts",
            "userns_mode",
            "cgroup",
            "cgroup_parent",
            "runtime",
            "container_name",
            "restart",
            "use_api_socket",
            "mem_limit",
        ];
        let lists = LISTS.map(|key| (key, "a sequence"));
        let shapes = lists
            .into_iter()
            .chain(MAPS.map(|key| (key, "a mapping")))
            .chain(TEXTS.map(|key| (key, "a text")));
        for (key, shape) in shapes {
            let Some(node) = self.get(key) else { continue };
            if node.kind() != shape && !matches!(node.value, Value::Null) {
                let told = Diagnostic::error(format!("`{key}` is {shape}, not {}", node.kind()));
                said.push(told.code("compose_service").at(node.span));
            }
        }
    }

    fn variables(&self, input: &Input, said: &mut Diagnostics) -> BTreeMap<Arc<str>, Variable> {
        let mut found = BTreeMap::new();
        for node in self.list("env_file") {
            let Some(path) = node.text().or_else(|| node.text_of("path")) else { continue };
            let required = node.text_of("required").is_none_or(Text::is_on);
            let place = normal("", &join(&path.directory, &path.text));
            let Some((_, text)) = find(&input.files, &input.directories, &place) else {
                if required {
                    said.push(
                        Diagnostic::warning(format!(
                            "the file of variables `{}` is not among the stack's",
                            path.shown()
                        ))
                        .code("compose_no_env_file")
                        .at(path.span),
                    );
                }
                continue;
            };
            match environment::read(text, &input.environment) {
                Ok(read) => found.extend(read.into_iter().map(|(name, value)| {
                    let value = Text { sensitive: true, ..path.with(value.text) };
                    (name, Variable { value, origin: Origin::File })
                })),
                Err((line, why)) => said.push(
                    Diagnostic::error(format!("line {line} of the file of variables {why}"))
                        .code("compose_env_file")
                        .at(path.span),
                ),
            }
        }
        for (name, entry) in self.section("environment") {
            let variable = match &entry.node.value {
                Value::Text(value) => Some(Variable { value: value.clone(), origin: Origin::Written }),
                Value::Null => input.environment.get(name).map(|EnvValue { text, sensitive }| {
                    let (text, sensitive, directory) = (Arc::clone(text), *sensitive, Arc::from(""));
                    let value = Text { text, span: entry.key, sensitive, plain: false, directory };
                    Variable { value, origin: Origin::Inherited }
                }),
                _ => {
                    let told = Diagnostic::error("the value of a variable is a text").code("compose_service");
                    said.push(told.at(entry.node.span));
                    None
                }
            };
            match variable {
                Some(variable) => found.insert(Arc::clone(name), variable),
                None => found.remove(name),
            };
        }
        found
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.node.get(key)
    }

    /// The value behind several keys, one in the other.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(&self.node, |node, key| node.get(key))
    }

    /// The text of a key.
    pub fn text(&self, key: &str) -> Option<&Text> {
        self.node.text_of(key)
    }

    /// Whether a switch is on, and where.
    pub fn on(&self, key: &str) -> Option<&Text> {
        self.text(key).filter(|text| text.is_on())
    }

    /// The items of a sequence; none where it is none.
    pub fn list(&self, key: &str) -> &[Node] {
        self.get(key).and_then(Node::list).unwrap_or_default()
    }

    /// The texts of a sequence, or the one text.
    pub fn texts(&self, key: &str) -> Vec<&Text> {
        match self.get(key) {
            Some(Node { value: Value::Text(text), .. }) => vec![text],
            Some(node) => node.list().unwrap_or_default().iter().filter_map(Node::text).collect(),
            None => Vec::new(),
        }
    }

    /// The entries of a mapping; none where it is none.
    pub fn section(&self, key: &str) -> std::collections::btree_map::Iter<'_, Arc<str>, Entry> {
        static NONE: Map = Map::new();
        self.get(key).and_then(Node::map).unwrap_or(&NONE).iter()
    }

    /// The image that it runs.
    pub fn image(&self) -> Option<&Text> {
        self.text("image")
    }

    /// The most memory that a container of it may have, where it is limited.
    pub fn memory_limit(&self) -> Option<&Text> {
        let deploy = self.at(&["deploy", "resources", "limits", "memory"]).and_then(Node::text);
        deploy.or_else(|| self.text("mem_limit"))
    }

    /// How many containers it has; 1 where nothing is said, none where it cannot be read.
    pub fn replicas(&self) -> Option<u32> {
        let said = self.at(&["deploy", "replicas"]).and_then(Node::text).or_else(|| self.text("scale"));
        said.map_or(Some(1), |text| text.text.parse().ok())
    }

    /// How long its containers may take to end by themselves (compose-spec, `stop_grace_period`: ten seconds unless it
    /// says otherwise).
    pub fn stop_grace_period(&self) -> Duration {
        let said = self.text("stop_grace_period").and_then(|text| duration(&text.text));
        said.unwrap_or(Duration::from_secs(10))
    }

    /// Whether it says that its containers are to run on: one that has ended, in good order too, was stopped by
    /// somebody. What says nothing of the kind may be a job that is done once.
    pub fn runs_on(&self) -> bool {
        let is_kept = |restart: &Text| matches!(&*restart.text, "always" | "unless-stopped");
        self.text("restart").is_some_and(is_kept)
            || self.has_healthcheck()
            || !self.ports.is_empty()
            || !self.list("expose").is_empty()
    }

    /// Whether it says that its containers are started once: one that has ended in good order is done.
    pub fn is_job(&self) -> bool {
        let is_no = |text: &Text| matches!(&*text.text, "no" | "none" | "false");
        let policy = self.get("deploy").and_then(|deploy| deploy.get("restart_policy")?.text_of("condition"));
        self.text("restart").or(policy).is_some_and(is_no) && !self.runs_on()
    }

    /// The ports of the node that it takes for itself, so that no second container can have them.
    pub fn fixed_ports(&self) -> impl Iterator<Item = &Port> {
        self.ports.iter().filter(|port| port.published.is_some())
    }

    /// Whether it says how its health is found out.
    pub fn has_healthcheck(&self) -> bool {
        let Some(check) = self.get("healthcheck").filter(|check| check.map().is_some()) else { return false };
        let none = check.get("test").is_some_and(|test| {
            let first = test.text().or_else(|| test.list()?.first()?.text());
            first.is_some_and(|first| &*first.text == "NONE")
        });
        !none && !check.text_of("disable").is_some_and(Text::is_on)
    }
}

/// A duration as Compose writes it: `1m30s`, `500ms`, `1.5h`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut whole = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|char: char| char.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "us" => 1e-6,
            "ms" => 1e-3,
            "" | "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        rest = &rest[letters..];
        whole = whole.checked_add(Duration::try_from_secs_f64(number * unit).ok()?)?;
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_read_as_compose_writes_them() {
        let read = |text| duration(text).map(|duration| duration.as_millis());
        let cases = [("10s", 10_000), ("1m30s", 90_000), ("500ms", 500), ("1.5h", 5_400_000), ("5", 5_000)];
        for (text, milliseconds) in cases {
            assert_eq!(read(text), Some(milliseconds), "{text}");
        }
        assert_eq!(read("soon"), None);
        assert_eq!(read("1 day"), None);
    }
}
