//! The services of a deployment.

use std::sync::Arc;

use super::deployment::{Deployment, Setup};
use super::tree::{insert, map, map_of, only_keys, replace, text};
use crate::compose::node::{Entry, Map, Node, Value};
use crate::compose::{MountKind, Place, Project, Service};

/// The keys of a service that the file may have (Docker manual, "Compose file version 3 reference").
const TAKEN: [&str; 30] = [
    "cap_add",
    "cap_drop",
    "command",
    "configs",
    "credential_spec",
    "deploy",
    "dns",
    "dns_search",
    "entrypoint",
    "environment",
    "extra_hosts",
    "healthcheck",
    "hostname",
    "image",
    "init",
    "isolation",
    "labels",
    "logging",
    "networks",
    "ports",
    "read_only",
    "secrets",
    "stdin_open",
    "stop_grace_period",
    "stop_signal",
    "sysctls",
    "tmpfs",
    "tty",
    "ulimits",
    "user",
];

/// The label of a service that says which stack's it is: the stack's directory.
pub const OWNER: &str = "vsa.directory";

/// Whether a swarm takes a key of a service.
pub(super) fn is_taken(key: &str) -> bool {
    TAKEN.contains(&key) || matches!(key, "volumes" | "working_dir")
}

impl Deployment {
    pub(super) fn service(&mut self, project: &Project, service: &Service, setup: Setup) -> Node {
        let mut map: Map = Map::new();
        for (key, entry) in
            service.node.map().into_iter().flatten().filter(|(key, _)| TAKEN.contains(&&***key))
        {
            map.insert(Arc::clone(key), entry.clone());
        }
        let span = service.key;
        let variables = service.environment.iter().map(|(name, variable)| {
            let node = Node::new(Value::Text(variable.value.clone()), variable.value.span);
            (Arc::clone(name), Entry { key: span, node })
        });
        replace(&mut map, span, "environment", Value::Map(variables.collect()));
        replace(&mut map, span, "ports", Value::List(ports(service)));
        let mounts = service.list("volumes").iter().zip(&service.mounts);
        let mounts: Vec<Node> = mounts.map(|(node, mount)| self.mount(project, node, mount)).collect();
        replace(&mut map, span, "volumes", Value::List(mounts));
        for kind in ["secrets", "configs"] {
            let named = |node: &Node| match &node.value {
                Value::Text(name) => Node::new(
                    Value::Map(map_of(node.span, [("source", Value::Text(name.clone()))])),
                    node.span,
                ),
                _ => node.clone(),
            };
            let list: Vec<Node> = service.list(kind).iter().map(named).collect();
            replace(&mut map, span, kind, Value::List(list));
        }
        if let Some(entry) = map.get_mut("healthcheck") {
            entry.node = only_keys(
                &entry.node,
                &["disable", "interval", "retries", "start_period", "test", "timeout"],
            );
        }
        let deploy = deploy(project, service, setup);
        replace(&mut map, span, "deploy", Value::Map(deploy));
        Node::new(Value::Map(map), service.node.span)
    }

    fn mount(&mut self, project: &Project, node: &Node, mount: &crate::compose::Mount) -> Node {
        let span = mount.span;
        let kind = match mount.kind {
            MountKind::Bind => "bind",
            MountKind::Volume => "volume",
            MountKind::Tmpfs => "tmpfs",
            MountKind::Other => return node.clone(),
        };
        let mut map = map(span, [("type", text(span, kind))]);
        if let Some(source) = &mount.source {
            let source = match (mount.kind, Place::of(source, &project.directories)) {
                (MountKind::Bind, Place::Local(path)) => {
                    if Place::Local(path.clone()).is_below(&project.directories.stack) {
                        self.mounted.push(path.as_str().into());
                    }
                    source.with(path)
                }
                _ => source.clone(),
            };
            insert(&mut map, span, "source", Node::new(Value::Text(source), span));
        }
        insert(&mut map, span, "target", Node::new(Value::Text(mount.target.clone()), span));
        if mount.read_only {
            insert(&mut map, span, "read_only", text(span, "true"));
        }
        if let Some(propagation) = &mount.propagation {
            let said = map_of(span, [("propagation", Value::Text(propagation.clone()))]);
            insert(&mut map, span, "bind", Node::new(Value::Map(said), span));
        }
        for (key, known) in [("volume", "nocopy"), ("tmpfs", "size")] {
            if let Some(said) = node.get(key) {
                insert(&mut map, span, key, only_keys(said, &[known]));
            }
        }
        Node::new(Value::Map(map), span)
    }
}

/// The ports of a service, one entry each.
fn ports(service: &Service) -> Vec<Node> {
    let mut all = Vec::new();
    for (node, port) in service.list("ports").iter().zip(&service.ports) {
        // Several ports of the node may lead to one of the containers.
        let count = port.published.as_ref().map_or(0, ExactSizeIterator::len).max(port.target.len());
        let targets = port.target.clone().cycle().take(count);
        let mut published = port.published.clone().into_iter().flatten();
        for target in targets {
            let span = port.span;
            let mut map = map(
                span,
                [("target", text(span, &target.to_string())), ("protocol", text(span, &port.protocol))],
            );
            if let Some(published) = published.next() {
                insert(&mut map, span, "published", text(span, &published.to_string()));
            }
            if let Some(mode) = node.text_of("mode") {
                insert(&mut map, span, "mode", Node::new(Value::Text(mode.clone()), span));
            }
            all.push(Node::new(Value::Map(map), span));
        }
    }
    all
}

fn deploy(project: &Project, service: &Service, setup: Setup) -> Map {
    let mut deploy = service.get("deploy").and_then(Node::map).cloned().unwrap_or_default();
    let span = service.key;
    let inner = |deploy: &mut Map, key: &str| {
        let found = deploy.get(key).and_then(|entry| entry.node.map()).cloned();
        found.unwrap_or_default()
    };
    let mut labels = inner(&mut deploy, "labels");
    insert(&mut labels, span, OWNER, text(span, &project.directories.stack));
    insert(&mut deploy, span, "labels", Node::new(Value::Map(labels), span));
    let mut update = inner(&mut deploy, "update_config");
    if setup.start_first && !update.contains_key("order") {
        insert(&mut update, span, "order", text(span, "start-first"));
    }
    // A swarm would leave a failed update half done, for somebody to look at.
    if !update.contains_key("failure_action") {
        insert(&mut update, span, "failure_action", text(span, "rollback"));
    }
    insert(&mut deploy, span, "update_config", Node::new(Value::Map(update), span));
    if setup.stopped {
        if deploy.get("mode").and_then(|entry| entry.node.text()).is_some_and(|mode| &*mode.text == "global")
        {
            let mut placement = inner(&mut deploy, "placement");
            let nowhere = Node::new(Value::List(vec![text(span, "node.id == stopped")]), span);
            insert(&mut placement, span, "constraints", nowhere);
            insert(&mut deploy, span, "placement", Node::new(Value::Map(placement), span));
        } else {
            insert(&mut deploy, span, "replicas", text(span, "0"));
        }
    }
    deploy
}
