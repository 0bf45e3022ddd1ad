//! The files of nodes and domains, read by a real nginx.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};

use serde_json::{Value as Json, json};
use vsa::address::Address;
use vsa::diag::Diagnostics;
use vsa::kinds::registry;
use vsa::nginx::{NginxMessage, marker_file, origin, parse_error};
use vsa::plan::kind::Base;
use vsa::plan::{Aside, File, FileBody, Nginx, Node, NodeSpec, Observations, Subject};
use vsa::resource::Resource;
use vsa::schema::{Block, Default, Nesting, Ty, Vocabulary as _};
use vsa::value::{Object, Value};

use crate::support::{self, Request, fetch, ports::Port};

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
struct Stage {
    directory: tempfile::TempDir,
    node: Node,
    node_resource: Resource,
    domains: Vec<Resource>,
}

impl Stage {
    fn new(node: &Json) -> Self {
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
        let node = Node { spec, configuration: base.configuration, nginx };
        Self { directory, node, node_resource, domains: Vec::new() }
    }

    fn domain(&mut self, name: &str, attributes: Json) -> &mut Self {
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

    fn check(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        for domain in &self.domains {
            registry().get("domain").unwrap().check(domain, &mut diagnostics);
        }
        diagnostics
    }

    fn files(&self, trace: bool) -> BTreeMap<Arc<str>, (Address, File)> {
        let mut files = BTreeMap::new();
        for resource in std::iter::once(&self.node_resource).chain(&self.domains) {
            let subject = Subject {
                address: &resource.address,
                desired: Some(resource),
                prior: None,
                node: &self.node,
                observed: &Observations::default(),
                endpoints: &vsa::plan::NO_ENDPOINTS,
                destroy_data: false,
                now: 0,
                memo: &vsa::plan::Memo::default(),
            };
            for file in registry().get(resource.address.kind()).unwrap().files(subject, trace).unwrap() {
                files.insert(file.path.clone(), (resource.address.clone(), file));
            }
        }
        files
    }

    fn text(&self, path: &str) -> String {
        let files = self.files(false);
        let FileBody::Text(content) = &files[path].1.body else { panic!("{path} is a link") };
        content.as_text().unwrap().to_owned()
    }

    /// Writes everything as a generation that is current, and gives its directory.
    fn write(&self) -> PathBuf {
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
    fn test(&self) -> Result<Vec<NginxMessage>, String> {
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
    fn accepted(&self) {
        let diagnostics = self.check();
        assert!(!diagnostics.has_errors(), "{diagnostics:?}");
        match self.test() {
            Ok(messages) => assert_eq!(messages, [], "{}", self.all()),
            Err(stderr) => panic!("{stderr}\n{}", self.all()),
        }
    }

    fn all(&self) -> String {
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

fn proxied() -> Json {
    json!({ "upstream": { "address": "127.0.0.1:3000" } })
}

fn merged(mut base: Json, more: Json) -> Json {
    let Json::Object(more) = more else { panic!("not an object") };
    for (name, value) in more {
        base[name] = value;
    }
    base
}

#[test]
fn an_empty_node_is_accepted_in_both_modes() {
    Stage::new(&json!({})).accepted();
    Stage::new(&json!({ "proxy": { "mode": "host" } })).accepted();
}

#[test]
fn plain_sites_are_accepted_in_both_modes() {
    for node in [json!({}), json!({ "proxy": { "mode": "host" } })] {
        let mut stage = Stage::new(&node);
        stage.domain("shop.example.com", proxied());
        stage.domain("static.example.com", json!({ "root": "www" }));
        stage.domain("old.example.com", json!({ "redirect": { "to": "https://shop.example.com" } }));
        stage.accepted();
    }
}

/// Options that must be accepted together with each of the ways to answer.
fn options() -> Vec<(&'static str, Json)> {
    let auth = json!({ "file": "auth/staff.htpasswd", "realm": "Staff \u{e4} only; {1}", "tenant": "acme" });
    vec![
        ("nothing", json!({})),
        ("no tls", json!({ "tls": { "enabled": false } })),
        ("no redirect to https", json!({ "https_redirect": false })),
        ("trusted", json!({ "tls": { "certificate": { "name": "shared", "trusted": true } } })),
        (
            "strict",
            json!({
                "tls": { "certificate": { "name": "shared", "trusted": true } },
                "hsts": { "max_age": "730d", "include_subdomains": true, "preload": true },
                "https_redirect": false,
            }),
        ),
        ("aliases", json!({ "aliases": ["www.a.example", "b.example"] })),
        (
            "served aliases",
            json!({ "aliases": ["www.a.example"], "alias_mode": "serve", "tls": { "enabled": false } }),
        ),
        ("password", json!({ "auth": auth })),
        (
            "addresses",
            json!({
                "auth": auth, "allow": ["10.0.0.0/8", "2001:db8::/32"], "deny": ["10.1.2.3"], "satisfy": "any"
            }),
        ),
        (
            "maintenance",
            json!({ "maintenance": true, "auth": auth, "location": { "/x/": { "public": true } } }),
        ),
        (
            "suspended",
            json!({ "tenant": { "name": "acme", "status": "suspended" }, "location": { "/x": {} } }),
        ),
        ("own rate", json!({ "rate_limit": { "rate": "5r/m", "burst": 0 }, "location": { "/x": {} } })),
        ("own burst", json!({ "rate_limit": { "burst": 7, "key": "site" } })),
        ("no rate", json!({ "rate_limit": { "enabled": false }, "auth": auth })),
        ("no csp", json!({ "csp": { "enabled": false } })),
        ("csp", json!({ "csp": { "policy": "default-src 'self'; img-src \"x\" *", "report_only": true } })),
        (
            "other headers",
            json!({
                "security_headers": {
                    "frame_options": "SAMEORIGIN", "content_type_options": false, "referrer_policy": "off",
                    "permissions_policy": "camera=(), microphone=()",
                },
            }),
        ),
        (
            "headers",
            json!({
                "headers": { "X-A": "b \"c\\", "x-frame-options": "ALLOWALL", "Server-Timing": "", "X-Id": "$request_id" },
                "proxy_headers": { "Authorization": "Basic eDp5; {}", "X-Empty": "" },
            }),
        ),
        (
            "logs",
            json!({
                "access_log": "own", "log_format": "json", "error_log": "own", "error_log_level": "info"
            }),
        ),
        ("no log", json!({ "access_log": "off", "error_log_level": "crit" })),
        (
            "limits",
            json!({
                "gzip": false, "body_size": "0", "websocket": true,
                "timeouts": { "connect": "500ms", "read": "1h", "send": "1d" },
            }),
        ),
        ("snippet", json!({ "extra_config": "keepalive_timeout 5s;\n  sub_filter 'a;b' \"}c\";" })),
        (
            "locations",
            json!({
                "auth": auth,
                "location": {
                    "/admin/": { "headers": { "X-Robots-Tag": "noindex" }, "allow": ["127.0.0.1"] },
                    "/api/": {
                        "upstream": { "address": "[::1]:4000", "keepalive": 8, "host_header": "api.example" },
                        "strip_prefix": true, "public": true, "body_size": "100m",
                        "rate_limit": { "rate": "1r/s", "burst": 5 },
                        "extra_config": "proxy_buffering off;\nproxy_request_buffering off;",
                    },
                    "/socket/": { "upstream": { "address": "unix:/run/app.sock" }, "strip_prefix": true },
                    "/socket2/": { "upstream": { "address": "unix:/run/app.sock" } },
                    "/tls/": { "upstream": { "address": "https://10.0.0.1", "tls_name": "api.example" } },
                    "/kept-tls/": { "upstream": { "address": "https://10.0.0.1", "keepalive": 1 } },
                    "/docs/": { "root": "/srv/acme/docs", "spa": true, "expires": "1h", "autoindex": true },
                    "/docs/raw": { "root": "/srv/acme/docs", "exact": true, "hidden_files": true },
                    "/old/": { "redirect": { "to": "/new/", "status": 307, "preserve_path": false } },
                    "/older/": { "redirect": { "to": "https://b.example/x;y" }, "public": true },
                    "/white~space": { "root": "with space" },
                    "/": { "index": ["a.html", "b.html"], "root": "www" },
                },
            }),
        ),
    ]
}

fn answers() -> Vec<(&'static str, Json)> {
    vec![
        ("proxied", proxied()),
        ("kept", json!({ "upstream": { "address": "127.0.0.1:3000", "keepalive": 16 } })),
        ("named", json!({ "upstream": { "address": "web_1:3000", "host_header": "$host" } })),
        ("named with tls", json!({ "upstream": { "address": "https://api.example.com" } })),
        ("static", json!({ "root": "a directory; {", "index": ["index.html", "index.htm"] })),
        ("redirected", json!({ "redirect": { "to": "https://b.example/" } })),
        (
            "found",
            json!({ "redirect": { "to": "https://b.example/?x=1", "status": 302, "preserve_path": false } }),
        ),
    ]
}

#[test]
fn every_option_is_accepted_with_every_answer() {
    for mode in ["managed", "host"] {
        let node = json!({
            "proxy": { "mode": mode, "resolver": ["127.0.0.53", "::1"], "ipv6": true, "log_format": "json" }
        });
        let mut stage = Stage::new(&node);
        for (answer, base) in answers() {
            for (option, more) in options() {
                let mut attributes = merged(base.clone(), more);
                let name = format!("{}.{}.example", option.replace(' ', "-"), answer.replace(' ', "-"));
                for (index, alias) in attributes["aliases"].as_array_mut().into_iter().flatten().enumerate() {
                    *alias = format!("alias{index}.{name}").into();
                }
                stage.domain(&name, attributes);
            }
        }
        stage.accepted();
    }
}

/// A running nginx of a stage's own.
struct Running(std::process::Child);

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
    fn run(&self) -> Option<Running> {
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

#[test]
fn what_visitors_see() {
    let (http, https) = (Port::reserve(), Port::reserve());
    let (http, https) = (http.number, https.number);
    let mut stage = Stage::new(&json!({ "proxy": { "http_port": http, "https_port": https } }));
    let auth = json!({ "file": "auth/staff.htpasswd", "realm": "Staff", "tenant": "acme" });
    let directory = stage.node.configuration.join("www");
    std::fs::create_dir_all(directory.join(".git")).unwrap();
    std::fs::write(directory.join("index.html"), "welcome").unwrap();
    std::fs::write(directory.join(".git/config"), "secret").unwrap();
    stage.domain("a.example", json!({ "root": "www", "aliases": ["www.a.example"] }));
    stage.domain(
        "shut.example",
        json!({
            "root": "www", "maintenance": true, "auth": auth, "location": { "/open/": { "public": true } }
        }),
    );
    stage.domain("moved.example", json!({ "redirect": { "to": "https://b.example" }, "auth": auth }));
    stage.domain(
        "slow.example",
        json!({ "root": "www", "tls": { "enabled": false }, "rate_limit": { "rate": "1r/m", "burst": 0 } }),
    );
    stage.domain(
        "dead.example",
        json!({ "upstream": { "address": "127.0.0.1:1" }, "tls": { "enabled": false }, "headers": { "X-Own": "yes" } }),
    );
    let Some(_running) = stage.run() else { return };
    let get = |host: &str, path: &str| fetch(&Request::https(https, host, path)).unwrap();
    let plain = |host: &str, path: &str| fetch(&Request::http(http, host, path));

    let to_https = plain("a.example", "/x?y=1").unwrap();
    assert_eq!(to_https.status, 301);
    assert_eq!(to_https.header("location").unwrap(), format!("https://a.example:{https}/x?y=1"));
    let mut post = Request::http(http, "a.example", "/");
    post.method = "POST".to_owned();
    assert_eq!(fetch(&post).unwrap().status, 308, "a method is kept");
    std::fs::create_dir_all(stage.node.spec.root.join("acme/.well-known/acme-challenge")).unwrap();
    std::fs::write(stage.node.spec.root.join("acme/.well-known/acme-challenge/t"), "proof").unwrap();
    for host in ["a.example", "www.a.example", "shut.example", "nobody.example"] {
        let challenge = plain(host, "/.well-known/acme-challenge/t").unwrap();
        assert_eq!(challenge.body, b"proof", "{host}");
    }

    let page = get("a.example", "/");
    assert_eq!((page.status, &*page.body), (200, &b"welcome"[..]));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(page.header("strict-transport-security"), None, "the certificate is self-signed");
    let missing = get("a.example", "/missing");
    assert_eq!(missing.status, 404);
    assert_eq!(missing.header("x-content-type-options"), Some("nosniff"), "errors have the headers too");
    assert_eq!(get("a.example", "/.git/config").status, 404);
    let alias = get("www.a.example", "/x");
    assert_eq!(alias.header("location").unwrap(), format!("https://a.example:{https}/x"));

    assert_eq!(get("shut.example", "/").status, 401, "the password is asked for in maintenance too");
    let shut = get("shut.example", "/open/");
    assert_eq!((shut.status, shut.header("retry-after")), (503, Some("300")));
    assert_eq!(get("moved.example", "/").status, 401, "no redirect without the password");

    assert_eq!(plain("slow.example", "/").unwrap().status, 200);
    assert_eq!(plain("slow.example", "/").unwrap().status, 429);
    let dead = plain("dead.example", "/").unwrap();
    assert_eq!((dead.status, dead.header("cache-control")), (502, Some("no-store")));
    assert_eq!((dead.header("x-own"), dead.header("x-frame-options")), (Some("yes"), Some("DENY")));
    assert_eq!((dead.header("retry-after"), page.header("cache-control")), (None, None));
    assert!(plain("nobody.example", "/").is_err(), "unknown names get no answer");
    let mut foreign = Request::https(https, "a.example", "/");
    foreign.host = "nobody.example".to_owned();
    assert!(fetch(&foreign).is_err(), "a known name in the handshake does not help");
}

#[test]
fn a_line_that_nginx_refuses_leads_back_to_its_attribute() {
    let mut stage = Stage::new(&json!({}));
    stage.domain(
        "a.example",
        merged(proxied(), json!({ "location": { "/x/": { "extra_config": "etag on;\nsendfile maybe;" } } })),
    );
    if support::nginx().is_none() {
        return;
    }
    let messages = parse_error(&stage.test().unwrap_err());
    let message = messages.iter().find(|message| !message.is_warning()).unwrap();
    let file = message.file.as_deref().unwrap().split("/current/").nth(1).unwrap();
    let (address, rendered) = stage.files(true).remove(file).unwrap();
    assert_eq!(address.to_string(), "domain[\"a.example\"]");
    let path = origin(&rendered, message.line.unwrap());
    assert_eq!(path.to_string(), "location[\"/x/\"].extra_config");
    let plain: Vec<_> =
        stage.files(false).into_values().map(|(_, file)| format!("{:?}", file.body)).collect();
    let traced: Vec<_> =
        stage.files(true).into_values().map(|(_, file)| format!("{:?}", file.body)).collect();
    assert_eq!(plain, traced, "a trace changes no file");
}

#[test]
fn a_proxied_site_as_an_administrator_reads_it() {
    let mut stage = Stage::new(&json!({ "proxy": { "http_port": 80, "https_port": 443 } }));
    stage.domain(
        "a.example",
        merged(proxied(), json!({ "websocket": true, "rate_limit": { "rate": "10r/s", "burst": 20 } })),
    );
    insta::assert_snapshot!(stage.text("sites/a.example.conf"), @r#"
# Written by vsa. A change made here is drift, and the next apply takes it back.
limit_req_zone $binary_remote_addr zone=vsa_a_example_0rwllghaotzx0:1m rate=10r/s;

server {
    listen 80;
    server_name a.example;

    include base/acme.conf;

    location / {
        if ($request_method !~ ^(GET|HEAD)$) {
            return 308 https://$host$request_uri;
        }
        return 301 https://$host$request_uri;
    }
}

server {
    listen 443 ssl http2;
    server_name a.example;

    ssl_certificate certificates/a.example/fullchain.pem;
    ssl_certificate_key certificates/a.example/privkey.pem;
    include base/tls.conf;

    include base/errors.conf;
    include base/gzip.conf;
    client_max_body_size 10m;
    include base/security_headers.conf;

    location / {
        limit_req zone=vsa_a_example_0rwllghaotzx0 burst=20 nodelay;
        proxy_pass http://127.0.0.1:3000;
        include base/proxy.conf;
        proxy_set_header Host $host$vsa_port;
        proxy_set_header Upgrade $vsa_upgrade;
        proxy_set_header Connection $vsa_connection;
        proxy_read_timeout 1h;
        proxy_send_timeout 1h;
    }
}
"#);
}
