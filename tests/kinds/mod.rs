//! Tenants, password files and certificates: what a plan makes of them, without any node.

mod auth;
mod certificate;
mod exposed_key;
mod staying;
mod tenant;

use std::sync::Arc;

use semver::Version;
use serde_json::json;
use vsa::address::Address;
use vsa::diag::{Diagnostics, Severity};
use vsa::kinds::registry;
use vsa::plan::observation::{CertificateFacts, FileType, Ids, Leaf, Stat};
use vsa::plan::{
    Answer, FileBody, Kind, Nginx, Node, NodeSpec, Observations, Operation, Piece, ProxyMode, Query,
    Refreshed, Step, Subject,
};
use vsa::resource::Resource;
use vsa::schema::{Block, Default as Absent, Nesting};
use vsa::state::{Key, Status, Stored, attributes};
use vsa::value::{Object, Value};

const NOW: i64 = 1_767_225_600;
const DAY: i64 = 86_400;

fn node_address() -> Address {
    Address::new("node", "local")
}

fn node() -> Node {
    let spec = NodeSpec {
        address: node_address(),
        name: "local".into(),
        mode: ProxyMode::Managed,
        root: "/node".into(),
        srv_root: "/srv".into(),
        nginx: "/usr/sbin/nginx".into(),
        nginx_conf: "/etc/nginx/nginx.conf".into(),
        include_file: "/etc/nginx/conf.d/vsa.conf".into(),
        pid_file: "/node/run/nginx.pid".into(),
        http_port: 8080,
        https_port: 8443,
        worker_user: None,
        default_server: true,
        drain_seconds: 30,
        docker: vsa::plan::Docker::default(),
        container: None,
        network: None,
    };
    let nginx = Nginx { version: Version::new(1, 22, 1), openssl: None, modules: Vec::new() };
    Node {
        spec,
        configuration: std::path::PathBuf::from("/"),
        nginx,
        networks: std::collections::BTreeMap::new(),
        distrusted: Arc::default(),
        overspent: std::sync::Arc::default(),
    }
}

fn object(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::NULL,
        serde_json::Value::Bool(bool) => Value::from(*bool),
        serde_json::Value::Number(number) => Value::from(number.as_i64().unwrap()),
        serde_json::Value::String(text) => match text.strip_prefix("secret:") {
            Some(secret) => Value::from(secret).with_sensitive(true),
            None => Value::from(text.as_str()),
        },
        serde_json::Value::Array(elements) => Value::tuple(elements.iter().map(object)),
        serde_json::Value::Object(entries) => {
            Value::object(entries.iter().map(|(name, value)| (name.as_str(), object(value))).collect())
        }
    }
}

/// Fills in what a schema says of absent attributes.
fn complete(block: &Block, given: &Object) -> Object {
    let mut whole = Object::new();
    for attribute in &block.attributes {
        let value = given.get(&attribute.name).cloned().unwrap_or_else(|| match &attribute.default {
            Absent::Value(value) => value.clone(),
            _ => Value::NULL,
        });
        whole.insert(Arc::clone(&attribute.name), value);
    }
    for nested in &block.blocks {
        let given = given.get(&nested.name).and_then(Value::as_object);
        if matches!(nested.nesting, Nesting::Optional) {
            let value = given.map_or(Value::NULL, |given| Value::object(complete(&nested.body, given)));
            whole.insert(Arc::clone(&nested.name), value);
            continue;
        }
        if matches!(nested.nesting, Nesting::Defaulted) {
            let value = complete(&nested.body, given.unwrap_or(&Object::new()));
            whole.insert(Arc::clone(&nested.name), Value::object(value));
            continue;
        }
        assert!(matches!(nested.nesting, Nesting::Labelled(_)), "another nesting");
        let entries = given.into_iter().flatten();
        let entries = entries.map(|(label, value)| {
            (Arc::clone(label), Value::object(complete(&nested.body, value.as_object().unwrap())))
        });
        whole.insert(Arc::clone(&nested.name), Value::object(entries.collect()));
    }
    whole
}

/// A resource as the configuration would declare it; texts that begin with `secret:` are sensitive.
fn resource(kind: &str, name: &str, given: &serde_json::Value) -> Resource {
    let schema = registry().get(kind).unwrap().schema();
    let given = object(given);
    let mut attributes = complete(&schema.body, given.as_object().unwrap());
    let reference = |kind: &str, name: &str, more: &[(&str, &str)]| {
        let mut exports: Object = [("name", name)].into_iter().collect();
        for (name, value) in more {
            exports.insert(*name, *value);
        }
        Value::object(exports.of_resource(Address::new(kind, name)))
    };
    attributes.insert("node", reference("node", "local", &[]));
    if kind == "auth" {
        attributes.insert("tenant", reference("tenant", "acme", &[("node", "local")]));
    }
    Resource {
        address: Address::new(kind, name),
        name: name.into(),
        attributes,
        depends_on: [node_address()].into(),
        source: None,
        implied_by: None,
        exports: Arc::new(Object::new()),
        trees: std::collections::BTreeMap::new(),
    }
}

fn stored(resource: &Resource, facts: serde_json::Value) -> Stored {
    Stored {
        status: Status::Live,
        node: node_address(),
        name: resource.name.clone(),
        attributes: attributes::encode(resource, Some(&Key::new(&[1; 32]))),
        facts: serde_json::from_value(facts).unwrap(),
        placed: std::collections::BTreeMap::new(),
        depends_on: resource.depends_on.clone(),
        left: Vec::new(),
    }
}

/// One resource before its kind.
struct Case {
    node: Node,
    address: Address,
    desired: Option<Resource>,
    prior: Option<Stored>,
    observed: Observations,
    now: i64,
    memo: vsa::plan::Memo,
}

impl Case {
    fn new(desired: Resource) -> Self {
        let address = desired.address.clone();
        Self {
            node: node(),
            address,
            desired: Some(desired),
            prior: None,
            observed: Observations::default(),
            now: NOW,
            memo: vsa::plan::Memo::default(),
        }
    }

    fn known(mut self, facts: serde_json::Value) -> Self {
        self.prior = self.desired.as_ref().map(|resource| stored(resource, facts));
        self
    }

    fn gone(mut self) -> Self {
        self.desired = None;
        self
    }

    fn seen(mut self, query: Query, answer: Answer) -> Self {
        self.observed.extend([(query, answer)]);
        self
    }

    fn kind(&self) -> &dyn Kind {
        registry().get(self.address.kind()).unwrap()
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            address: &self.address,
            desired: self.desired.as_ref(),
            prior: self.prior.as_ref(),
            node: &self.node,
            moves_from: None,
            observed: &self.observed,
            endpoints: &vsa::plan::NO_ENDPOINTS,
            destroy_data: false,
            attempt: vsa::plan::Attempt::Usual,
            now: self.now,
            memo: &self.memo,
        }
    }

    fn steps(&self) -> Vec<Operation> {
        self.kind().steps(self.subject()).into_iter().map(|Step { operation, .. }| operation).collect()
    }

    fn refresh(&self) -> Refreshed {
        self.kind().refresh(self.subject())
    }

    fn drift(&self) -> Vec<String> {
        self.refresh().drift.iter().map(|drift| format!("{} {}", drift.subject, drift.what)).collect()
    }

    fn findings(&self) -> Vec<String> {
        shown(&self.refresh().findings)
    }

    fn link(&self) -> String {
        let files = self.kind().files(self.subject(), false).unwrap();
        match &files[0].body {
            FileBody::Link { target, .. } => target.to_string(),
            FileBody::Text(_) => panic!("no link"),
        }
    }
}

fn shown(diagnostics: &Diagnostics) -> Vec<String> {
    let severity = |severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    diagnostics.iter().map(|it| format!("{}: {}", severity(it.severity), it.summary)).collect()
}

fn check(resource: &Resource) -> Vec<String> {
    let mut diagnostics = Diagnostics::new();
    registry().get(resource.address.kind()).unwrap().check(resource, &mut diagnostics);
    shown(&diagnostics)
}

fn directory(mode: u32) -> Answer {
    Answer::Stat(Stat { file_type: FileType::Directory, mode, uid: 0, gid: 0, empty: true })
}

fn stat(path: &str) -> Query {
    Query::Stat(path.into())
}
