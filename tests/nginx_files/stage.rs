//! A node with domains on a stage, and the real nginx that reads their files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};

use serde_json::{Value as Json, json};
use vsa::address::Address;
use vsa::diag::Diagnostics;
use vsa::kinds::registry;
use vsa::nginx::{NginxMessage, marker_file, parse_error};
use vsa::plan::kind::Base;
use vsa::plan::{Aside, File, FileBody, Nginx, Node, NodeSpec, Observations, Subject};
use vsa::resource::Resource;
use vsa::schema::{Block, Default, Nesting, Ty, Vocabulary as _};
use vsa::value::{Object, Value};

use crate::support::{self, Request, fetch};

/// A resource of these attributes, completed by its schema's defaults, in canonical form.
fn resource(kind: &str, name: &str, attributes: &Json) -> Resource {
    let schema = registry().schema(kind).unwrap();
    let mut resource = Resource {
        address: Address::new(kind, name),
        name: (schema.label.canonical)(name).unwrap().into(),
        attributes: block(&schema.body, attributes),
        depends_on: std::collections::BTreeSet::default(),
        source: None,
        implied_by: None,
        exports: Arc::default(),
        trees: BTreeMap::default(),
    };
    resource.exports = Arc::new(registry().exports(&resource).of_resource(resource.address.clone()));
    resource
}

fn block(body: &Block, given: &Json) -> Object {
    let names = body.attributes.iter().map(|attribute| &attribute.name);
    let names: Vec<_> = names.chain(body.blocks.iter().map(|block| &block.name)).collect();
    for name in given.as_object().unwrap().keys() {
        assert!(names.iter().any(|known| ***known == *name), "no attribute or block {name}");
    }
    let mut object = Object::new();
    for attribute in &body.attributes {
        let value = match (&given[&*attribute.name], &attribute.default) {
            (Json::Null, Default::Value(value)) => value.clone(),
            (Json::Null, _) => Value::NULL,
            (given, _) => value(&attribute.ty, given),
        };
        object.insert(attribute.name.clone(), value);
    }
    for nested in &body.blocks {
        let given = &given[&*nested.name];
        let value = match (nested.nesting, given) {
            (Nesting::Labelled(ty), given) => {
                let given = given.as_object().into_iter().flatten();
                let canonical = |label: &str| (ty.canonical)(label).unwrap();
                Value::object(
                    given.map(|(label, given)| (canonical(label), block(&nested.body, given))).collect(),
                )
            }
            (Nesting::Optional, Json::Null) => Value::NULL,
            (_, Json::Null) => Value::object(block(&nested.body, &json!({}))),
            (_, given) => Value::object(block(&nested.body, given)),
        };
        object.insert(nested.name.clone(), value);
    }
    object
}

fn value(ty: &Ty, given: &Json) -> Value {
    match ty {
        Ty::Bool => given.as_bool().unwrap().into(),
        Ty::Integer(_) => given.as_i64().unwrap().into(),
        Ty::Text(ty) => match (ty.canonical)(given.as_str().unwrap()) {
            Ok(text) => text.into(),
            Err(invalid) => panic!("{given} {invalid}"),
        },
        Ty::Enum(words) => {
            let word = given.as_str().unwrap();
            assert!(words.iter().any(|(known, _)| *known == word), "{word}");
            word.into()
        }
        Ty::List(ty) => Value::tuple(given.as_array().unwrap().iter().map(|given| value(ty, given))),
        Ty::Map(names, ty) => {
            let entries = given.as_object().unwrap().iter();
            let entry =
                |(name, given): (&String, &Json)| ((names.canonical)(name).unwrap(), value(ty, given));
            Value::object(entries.map(entry).collect())
        }
        Ty::Ref(_) => plain(given),
    }
}

fn plain(given: &Json) -> Value {
    match given {
        Json::Null => Value::NULL,
        Json::Bool(bool) => (*bool).into(),
        Json::Number(number) => number.as_i64().unwrap().into(),
        Json::String(text) => text.as_str().into(),
        Json::Array(elements) => Value::tuple(elements.iter().map(plain)),
        Json::Object(object) => {
            Value::object(object.iter().map(|(name, given)| (name.as_str(), plain(given))).collect())
        }
    }
}

/// A node with domains, in a directory of its own.
pub(super) struct Stage {
    directory: tempfile::TempDir,
    pub(super) node: Node,
    node_resource: Resource,
    domains: Vec<Resource>,
    pub(super) endpoints: vsa::plan::Endpoints,
}

impl Stage {
    pub(super) fn new(node: &Json) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = Base {
            configuration: directory.path().join("configuration"),
            data: directory.path().join("data"),
            system: directory.path().join("system"),
            privileged: nix::unistd::geteuid().is_root(),
        };
        let node_resource = resource("node", "local", node);
        let spec = registry().get("node").unwrap().node(&node_resource, &base).unwrap();
        let nginx =
            Nginx { version: "1.22.1".parse().unwrap(), openssl: "3.0.0".parse().ok(), modules: Vec::new() };
        let node = Node {
            spec,
            configuration: base.configuration,
            nginx,
            networks: BTreeMap::new(),
            distrusted: std::sync::Arc::default(),
            overspent: std::sync::Arc::default(),
        };
        Self { directory, node, node_resource, domains: Vec::new(), endpoints: vsa::plan::Endpoints::new() }
    }

    pub(super) fn domain(&mut self, name: &str, attributes: Json) -> &mut Self {
        let mut attributes = attributes;
        let tenant = attributes["tenant"].take();
        let tenant = if tenant.is_null() { json!({"name": "acme", "status": "active"}) } else { tenant };
        attributes["tenant"] = tenant;
        attributes["node"] = json!({});
        let mut resource = resource("domain", name, &attributes);
        resource.attributes.insert("node", (*self.node_resource.exports).clone());
        self.domains.push(resource);
        self
    }

    pub(super) fn check(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        for domain in &self.domains {
            registry().get("domain").unwrap().check(domain, &mut diagnostics);
        }
        diagnostics
    }

    pub(super) fn files(&self, trace: bool) -> BTreeMap<Arc<str>, (Address, File)> {
        let mut files = BTreeMap::new();
        for resource in std::iter::once(&self.node_resource).chain(&self.domains) {
            let subject = Subject {
                address: &resource.address,
                desired: Some(resource),
                prior: None,
                node: &self.node,
                moves_from: None,
                observed: &Observations::default(),
                endpoints: &self.endpoints,
                destroy_data: false,
                attempt: vsa::plan::Attempt::Usual,
                now: 0,
                memo: &vsa::plan::Memo::default(),
            };
            for file in registry().get(resource.address.kind()).unwrap().files(subject, trace).unwrap() {
                files.insert(file.path.clone(), (resource.address.clone(), file));
            }
        }
        files
    }

    pub(super) fn text(&self, path: &str) -> String {
        let files = self.files(false);
        let FileBody::Text(content) = &files[path].1.body else { panic!("{path} is a link") };
        content.as_text().unwrap().to_owned()
    }

    /// Writes everything as a generation that is current, and gives its directory.
    pub(super) fn write(&self) -> PathBuf {
        let spec = &self.node.spec;
        let generation = spec.generation(1);
        std::fs::create_dir_all(&generation).unwrap();
        for directory in ["logs", "run", "acme"] {
            std::fs::create_dir_all(spec.root.join(directory)).unwrap();
        }
        let marker = marker_file(spec, 1, "token");
        let marked = (spec.address.clone(), marker);
        let mut files = self.files(false);
        files.insert(marked.1.path.clone(), marked);
        for (path, (_, file)) in &files {
            let path = generation.join(&**path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            match &file.body {
                FileBody::Text(content) => std::fs::write(&path, content.as_text().unwrap()).unwrap(),
                FileBody::Link { target, aside } => {
                    assert_eq!(*aside, Aside::Directory);
                    std::os::unix::fs::symlink(&**target, &path).unwrap();
                }
            }
        }
        std::fs::create_dir_all(generation.join("auth")).unwrap();
        std::fs::write(generation.join("auth/staff.htpasswd"), "alice:x\n").unwrap();
        for domain in &self.domains {
            certificate(&generation.join("certificates").join(&*domain.name));
        }
        certificate(&generation.join("certificates/shared"));
        std::fs::create_dir_all(generation.join("sites")).unwrap();
        let current = spec.current();
        if !current.exists() {
            std::os::unix::fs::symlink(&generation, &current).unwrap();
        }
        current
    }

    /// What a real nginx says.
    pub(super) fn test(&self) -> Result<Vec<NginxMessage>, String> {
        let Some(nginx) = support::nginx() else { return Ok(Vec::new()) };
        let current = self.write();
        let mut configuration = current.join("nginx.conf");
        if !configuration.exists() {
            configuration = self.directory.path().join("host.conf");
            let body = current.join("vsa.conf");
            let text = format!(
                "pid {pid}; error_log {log}; events {{}} http {{ include {body}; }}",
                pid = self.directory.path().join("pid").display(),
                log = self.directory.path().join("log").display(),
                body = body.display()
            );
            std::fs::write(&configuration, text).unwrap();
        }
        let output = Command::new(nginx)
            .args(["-t", "-e", "stderr", "-p"])
            .arg(format!("{}/", current.display()))
            .arg("-c")
            .arg(&configuration)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(parse_error(&stderr)) } else { Err(stderr) }
    }

    #[track_caller]
    pub(super) fn accepted(&self) {
        let diagnostics = self.check();
        assert!(!diagnostics.has_errors(), "{diagnostics:?}");
        match self.test() {
            Ok(messages) => assert_eq!(messages, [], "{}", self.all()),
            Err(stderr) => panic!("{stderr}\n{}", self.all()),
        }
    }

    pub(super) fn all(&self) -> String {
        let mut all = String::new();
        for domain in &self.domains {
            let path = format!("sites/{}.conf", domain.name);
            for (number, line) in (1..).zip(self.text(&path).lines()) {
                let _ = writeln!(all, "{path}:{number}: {line}");
            }
        }
        all
    }
}

/// Writes the one certificate of all tests: nginx does not compare names.
fn certificate(directory: &Path) {
    static PEM: LazyLock<(String, String)> = LazyLock::new(|| {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    });
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(directory.join("fullchain.pem"), &PEM.0).unwrap();
    std::fs::write(directory.join("privkey.pem"), &PEM.1).unwrap();
}

/// A running nginx of a stage's own.
pub(super) struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.0.id().cast_signed()),
            nix::sys::signal::Signal::SIGTERM,
        );
        let _ = self.0.wait();
    }
}

impl Stage {
    pub(super) fn run(&self) -> Option<Running> {
        use std::os::unix::fs::PermissionsExt as _;
        let nginx = support::nginx()?;
        let current = self.write();
        // The workers of an nginx that root starts are another user.
        std::fs::set_permissions(self.directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let child = Command::new(nginx)
            .args(["-g", "daemon off;", "-e", "stderr", "-p"])
            .arg(format!("{}/", current.display()))
            .arg("-c")
            .arg(current.join("nginx.conf"))
            .spawn()
            .unwrap();
        let running = Running(child);
        let marker = Request::http(self.node.spec.http_port, &self.node.spec.marker_host(), "/");
        for _ in 0..500 {
            if fetch(&marker).is_ok_and(|response| response.body == b"1 token") {
                return Some(running);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("nginx does not serve its marker");
    }
}
