//! nginx in a container, on a real Docker engine: brought up with all that it serves in one apply, and held to what
//! an nginx on the host is held to.

mod brought;
mod engine;
mod foreign;
mod mended;
mod partial;
mod rolling;
mod shared;
mod swarm;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::client::Request;
use crate::support::docker::{Engine, Pool};
use crate::support::images;
use crate::support::ports::Port;
use crate::support::processes::wait_until;
use crate::support::{Run, Workspace};

/// A node whose proxy is the shipped stack, with a stand-in for its image.
struct Ground {
    engine: Engine,
    workspace: Workspace,
    nginx: String,
}

impl Ground {
    fn new() -> Option<Self> {
        Self::with(Engine::shared()?)
    }

    fn with(engine: Engine) -> Option<Self> {
        let workspace = Workspace::managed()?;
        let nginx = images::nginx(&engine)?;
        engine.enter();
        let ground = Self { engine, workspace, nginx };
        ground.node("").proxy("");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks/reverse-proxy"), &ground.source("proxy"));
        Some(ground)
    }

    fn source(&self, name: &str) -> PathBuf {
        self.workspace.configuration().join(name)
    }

    /// The name of the proxy's container, and of the stack that runs it. One engine serves all tests.
    fn container(&self) -> String {
        format!("proxy-{}", self.workspace.http_port())
    }

    fn root(&self) -> PathBuf {
        self.workspace.path().join("node")
    }

    fn tenant(&self, name: &str) -> String {
        format!("{name}{}", self.workspace.http_port())
    }

    fn project(&self, tenant: &str, stack: &str) -> String {
        format!("{}-{stack}", self.tenant(tenant))
    }

    fn node(&self, more: &str) -> &Self {
        self.workspace.write(
            "node.hcl",
            format!(
                "node \"local\" {{\n  root     = \"{}\"\n  srv_root = \"{}\"\n  {more}\n\n  proxy {{\n    mode       = \
                 \"container\"\n    container  = \"{}\"\n    http_port  = {}\n    https_port = {}\n  }}\n\n  docker \
                 {{\n    socket = \"{}\"\n  }}\n}}\n",
                self.root().display(),
                self.workspace.path().join("srv").display(),
                self.container(),
                self.workspace.http_port(),
                self.workspace.https_port(),
                self.engine.socket().display(),
            ),
        );
        self
    }

    fn proxy(&self, env: &str) -> &Self {
        let tenant = self.tenant("infra");
        self.workspace.write(
            "proxy.hcl",
            format!(
                "tenant \"{tenant}\" {{}}\n\nstack \"{}\" {{\n  tenant = tenant.{tenant}\n  source = \"./proxy\"\n  \
                 images = {{ nginx = \"{}\" }}\n  allow  = [\"bind:nginx\", \"published_port:nginx\"]\n\n  env = {{\n    \
                 VSA_ROOT   = \"{}\"\n    SRV_ROOT   = \"{}\"\n    HTTP_PORT  = \"{}\"\n    HTTPS_PORT = \"{}\"\n    \
                 {env}\n  }}\n}}\n",
                self.container(),
                self.nginx,
                self.root().display(),
                self.workspace.path().join("srv").display(),
                self.workspace.http_port(),
                self.workspace.https_port(),
            ),
        );
        self
    }

    /// A tenant with a stack of an application and a database, and a site for it.
    fn shop(&self, tenant: &str, version: &str, more: &str) -> &Self {
        let label = self.tenant(tenant);
        self.workspace.write(
            &format!("{tenant}.hcl"),
            format!(
                "tenant \"{label}\" {{}}\n\nstack \"{tenant}\" {{\n  tenant = tenant.{label}\n  source = \
                 \"./{tenant}\"\n}}\n\ndomain \"{tenant}.example.com\" {{\n  tenant = tenant.{label}\n\n  tls {{\n    \
                 enabled = false\n  }}\n\n  upstream {{\n    stack   = stack.{tenant}\n    service = \"web\"\n    \
                 port    = 3000\n  }}\n{more}\n}}\n"
            ),
        );
        let (app, database) = (images::app(&self.engine, version), images::database(&self.engine));
        self.workspace.write(
            &format!("{tenant}/compose.yml"),
            format!(
                "services:\n  web:\n    image: {app}\n    environment: {{ GREETING: {tenant} }}\n  db:\n    image: \
                 {database}\n"
            ),
        );
        self
    }

    fn get(&self, tenant: &str) -> String {
        self.workspace.http(&format!("{tenant}.example.com"), "/").text().trim().to_owned()
    }

    /// The networks of a container, by name.
    fn networks(&self, container: &str) -> Vec<String> {
        let format = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
        let found = self.engine.ask(&["inspect", "--format", format, container]);
        found.split_whitespace().map(str::to_owned).collect()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // Whatever became of the test, the engine is shared.
        let port = self.workspace.http_port().to_string();
        let named = |what: &str, format: &str| {
            let all = self.engine.ask(&[what, "ls", "--format", format]);
            all.lines().filter(|name| name.contains(&port)).map(str::to_owned).collect::<Vec<_>>()
        };
        let containers = self.engine.ask(&["ps", "--all", "--format", "{{.Names}}"]);
        for container in containers.lines().filter(|name| name.contains(&port)) {
            self.engine.ask(&["rm", "--force", "--volumes", container]);
        }
        for network in named("network", "{{.Name}}") {
            self.engine.ask(&["network", "rm", &network]);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// What a command printed.
fn said(run: &Run) -> String {
    format!("{}{}", run.stdout, run.stderr)
}

/// What nginx answers where nobody is behind it: for a second it knows the address that a container had, and then waits for
/// an answer from there.
fn is_down(status: u16) -> bool {
    matches!(status, 502 | 504)
}

#[test]
fn a_proxy_and_what_it_serves_come_up_in_one_apply() {
    let Some(ground) = Ground::new() else { return };
    ground.shop("shop", "1", "");
    let applied = ground.workspace.apply();
    let applied = applied.says("no nginx runs in the container").says("the apply tests it there");
    assert!(!said(&applied).contains("before anything is touched"), "{}", said(&applied));
    assert_eq!(ground.get("shop"), "1 shop", "{}", said(&applied));
    let network = format!("{}_default", ground.project("shop", "shop"));
    assert!(ground.networks(&ground.container()).contains(&network));
    drop(ground.workspace.assert_nothing_to_do());

    // Another port is one of the node and of the stack: neither changes it alone.
    let port = Port::reserve();
    let (old, new) = (ground.workspace.http_port().to_string(), port.number.to_string());
    let node = ground.workspace.read("node.hcl");
    let moved = node.replace(&format!("http_port  = {old}"), &format!("http_port  = {new}"));
    ground.workspace.write("node.hcl", moved);
    let plan = ground.workspace.vsa(["plan"]).code(1);
    drop(plan.says(&format!("publishes port {old} of the proxy, where nginx does not listen")));
    let proxy = ground.workspace.read("proxy.hcl");
    let moved = proxy.replace(&format!("HTTP_PORT  = \"{old}\""), &format!("HTTP_PORT  = \"{new}\""));
    ground.workspace.write("proxy.hcl", moved);
    drop(ground.workspace.apply());
    let answer = ground.workspace.fetch(&Request::http(port.number, "shop.example.com", "/"));
    assert_eq!(answer.text().trim(), "1 shop");
    drop(ground.workspace.assert_nothing_to_do());
    ground.workspace.write("node.hcl", node);
    ground.workspace.write("proxy.hcl", proxy);
    drop(ground.workspace.apply());
    assert_eq!(ground.get("shop"), "1 shop");

    // Under another name nobody would find it.
    let (name, other) = (ground.container(), format!("{}-old", ground.container()));
    ground.engine.ask(&["rename", &name, &other]);
    let plan = ground.workspace.vsa(["plan"]).code(1).says("was renamed");
    drop(plan.says(&format!("`docker rename {other} {name}`")));
    ground.engine.ask(&["rename", &other, &name]);
    drop(ground.workspace.assert_nothing_to_do());

    // It stays as long as its sites.
    let shop = "nobody would answer for `domain[\"shop.example.com\"]`";
    let down = ground.workspace.vsa(["stack", "down", &name, "-auto-approve"]).code(1);
    drop(down.says("cannot be stopped while it serves sites").says(shop).says("remove these sites first"));
    let proxy = ground.workspace.read("proxy.hcl");
    let (tenant, _) = proxy.split_once("stack").unwrap();
    ground.workspace.write("proxy.hcl", tenant);
    drop(ground.workspace.vsa(["plan"]).code(1).says("cannot go while it serves sites").says(shop));
    ground.workspace.write("proxy.hcl", proxy);
    assert_eq!(ground.get("shop"), "1 shop");
    drop(ground.workspace.assert_nothing_to_do());
    drop(ground.workspace.vsa(["destroy", "-auto-approve"]).code(0));
    let left = ground.engine.ask(&["ps", "--all", "--format", "{{.Names}}"]);
    assert!(!left.lines().any(|left| left == name), "{left}");
}

#[test]
fn what_nginx_refuses_is_found_in_the_plan_and_reaches_nobody() {
    let Some(ground) = Ground::new() else { return };
    ground.shop("shop", "1", "");
    drop(ground.workspace.apply());
    // What an administrator adds is checked by its names alone: only nginx itself knows its values.
    ground.shop("shop", "1", "\n  extra_config = \"keepalive_timeout never;\"\n");
    let plan = ground.workspace.vsa(["plan"]).code(1);
    drop(plan.says("invalid value").says("shop.hcl:").says("extra_config"));
    drop(ground.workspace.vsa(["apply", "-auto-approve"]).code(1).says("invalid value"));
    assert_eq!(ground.get("shop"), "1 shop");
    ground.shop("shop", "1", "");
    drop(ground.workspace.assert_nothing_to_do());
    let left = fs::read_dir(ground.root()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut left: Vec<_> = left.map(|name| name.into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["acme", "current", "generations", "lock", "logs", "owner.json", "run"]);
}

#[test]
fn a_proxy_that_somebody_made_anew_is_joined_again() {
    let Some(ground) = Ground::new() else { return };
    ground.shop("shop", "1", "");
    drop(ground.workspace.apply());
    let container = ground.container();
    let compose = ground.workspace.path().join("srv").join(ground.tenant("infra")).join(&container);
    let network = format!("{}_default", ground.project("shop", "shop"));
    let again = |variables: &str| {
        let files = ["--env-file", variables, "-f", "compose.yml", "-f", "vsa.override.yml"];
        let up = [&files[..], &["up", "-d", "--force-recreate"]].concat();
        ground.engine.compose(&compose.join("compose"), &ground.project("infra", &container), &up)
    };
    again("../env/.env");
    assert!(!ground.networks(&container).contains(&network), "it has lost the stack's network");
    let plan = ground.workspace.vsa(["plan"]).code(0);
    drop(plan.says(&format!("is not in the network {network}")));
    drop(ground.workspace.apply());
    assert!(ground.networks(&container).contains(&network));
    assert_eq!(ground.get("shop"), "1 shop");
    drop(ground.workspace.assert_nothing_to_do());

    // One that sees another directory can test nothing; what the plan makes of it does.
    let root = ground.root().display().to_string();
    let variables = fs::read_to_string(compose.join("env/.env")).unwrap();
    let elsewhere = ground.workspace.path().join("elsewhere.env");
    fs::write(&elsewhere, variables.replace(&root, &format!("{root}-elsewhere"))).unwrap();
    again(&elsewhere.display().to_string());
    drop(ground.workspace.vsa(["plan"]).code(0).says("what runs there now does not serve"));
    drop(ground.workspace.apply());
    assert_eq!(ground.get("shop"), "1 shop");
    drop(ground.workspace.assert_nothing_to_do());

    // One that was stopped is started, and its sites are there again.
    ground.engine.ask(&["stop", "--time", "1", &container]);
    drop(ground.workspace.vsa(["plan"]).code(0).says("nginx is not running"));
    drop(ground.workspace.apply());
    assert_eq!(ground.get("shop"), "1 shop");

    // A file that somebody edited is put back.
    let site = ground.root().join("current/sites/shop.example.com.conf");
    fs::write(&site, "# nobody is at home").unwrap();
    drop(ground.workspace.vsa(["plan"]).code(0).says("was edited"));
    drop(ground.workspace.apply());
    assert_eq!(ground.get("shop"), "1 shop");
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn tenants_reach_nobody_elses_database_while_all_sites_answer() {
    // An engine that others make networks on takes its rules between networks away and puts them back meanwhile.
    let directory = tempfile::tempdir().unwrap();
    let Some(engine) = Engine::own(directory.path(), Pool::LARGE) else { return };
    let Some(ground) = Ground::with(engine) else { return };
    ground.shop("one", "1", "").shop("two", "2", "");
    drop(ground.workspace.apply());
    assert_eq!((ground.get("one"), ground.get("two")), ("1 one".to_owned(), "2 two".to_owned()));
    let container =
        |tenant: &str, service: &str| ground.engine.container(&ground.project(tenant, tenant), service);
    let address = |tenant: &str| {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        ground.engine.ask(&["inspect", "--format", format, &container(tenant, "db")])
    };
    let connects = |from: &str, to: &str| {
        let line = ["exec", &container(from, "web"), "nc", "-w", "2", to, "5432", "-e", "true"];
        ground.engine.docker(&line).status().unwrap().success()
    };
    assert!(connects("one", &address("one")), "its own database is there");
    assert!(!connects("one", &address("two")));
    assert!(!connects("two", &address("one")));
    assert!(!connects("one", &container("two", "db")), "nor by its name");
    assert!(connects("two", &address("two")));

    // Nor does a site of theirs lead there.
    let site = |upstream: &str| {
        ground.workspace.write(
            "spy.hcl",
            format!(
                "domain \"spy.example.com\" {{\n  tenant = tenant.{}\n\n  tls {{\n    enabled = false\n  }}\n\n  \
                 upstream {{\n    {upstream}\n  }}\n}}\n",
                ground.tenant("one")
            ),
        );
        ground.workspace.vsa(["plan"])
    };
    let (theirs, own) = (container("two", "db"), container("one", "db"));
    let network = ground.networks(&theirs).remove(0);
    for upstream in [
        format!("container = \"{theirs}\"\n    port = 5432"),
        format!("address = \"{}:5432\"", address("two").trim()),
        format!("address = \"[::ffff:{}]:5432\"", address("two").trim()),
        format!("address = \"{theirs}.{network}:5432\""),
    ] {
        let refused = site(&upstream).code(1).says("error[other_tenant]");
        let refused = refused.says(&format!("the container `{theirs}` answers there"));
        drop(refused.says(&format!("belongs to the tenant `{}`", ground.tenant("two"))));
    }
    let alias = site(&format!("address = \"db.{network}:5432\"")).code(1);
    let alias = alias.says("may be a container of any tenant");
    drop(alias.says(&format!("among the containers in the network `{network}`")));
    drop(
        site("address = \"db:5432\"")
            .code(1)
            .says("`db` would be looked up among the containers of all tenants"),
    );
    let name = format!("db.two.{}.vsa.internal", ground.tenant("two"));
    drop(
        site(&format!("address = \"{name}:5432\""))
            .code(1)
            .says("is one of the names that vsa gives to services"),
    );
    drop(site(&format!("container = \"{own}\"\n    port = 5432")).code(0));
    fs::remove_file(ground.source("spy.hcl")).unwrap();

    // A stack that goes leaves the others alone.
    fs::remove_file(ground.source("two.hcl")).unwrap();
    drop(ground.workspace.apply());
    assert_eq!(ground.get("one"), "1 one");
    let networks = ground.engine.ask(&["network", "ls", "--format", "{{.Name}}"]);
    assert!(!networks.contains(&ground.project("two", "two")), "{networks}");
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn a_container_that_moves_makes_no_site_answer_for_another() {
    let Some(ground) = Ground::new() else { return };
    ground.shop("one", "1", "").shop("two", "2", "");
    drop(ground.workspace.apply());
    let web = |tenant: &str| ground.engine.container(&ground.project(tenant, tenant), "web");
    // Both lose their addresses, and get others in another order.
    ground.engine.ask(&["stop", "--time", "1", &web("one"), &web("two")]);
    let status = ground.workspace.http("one.example.com", "/").status;
    assert!(is_down(status), "{status}");
    for tenant in ["two", "one"] {
        ground.engine.ask(&["start", &web(tenant)]);
        let answers = |name: &str| ground.workspace.http(&format!("{name}.example.com"), "/");
        let came = wait_until(Duration::from_secs(15), || {
            for name in ["one", "two"] {
                let answer = answers(name);
                let own = if name == "one" { "1 one" } else { "2 two" };
                assert!(answer.status != 200 || answer.text().trim() == own, "{name}: {answer:?}");
            }
            answers(tenant).status == 200
        });
        assert!(came, "{tenant} is back without an apply");
    }
    // A name that is not there any more is the affair of its own site.
    ground.engine.ask(&["rm", "--force", &web("two")]);
    assert_eq!(ground.get("one"), "1 one");
    ground.engine.ask(&["kill", "--signal", "HUP", &ground.container()]);
    let answered =
        wait_until(Duration::from_secs(15), || ground.workspace.http("two.example.com", "/").status == 502);
    assert!(answered, "the other site alone is gone");
    assert_eq!(ground.get("one"), "1 one");
}

#[test]
fn containers_that_are_not_vsas_are_reached_by_name_or_by_the_port_that_they_serve() {
    let Some(ground) = Ground::new() else { return };
    let app = images::app(&ground.engine, "1");
    let port = ground.workspace.http_port();
    let (blog, wiki, network) = (format!("blog-{port}"), format!("wiki-{port}"), format!("apps-{port}"));
    ground.engine.ask(&["network", "create", &network]);
    ground.engine.ask(&[
        "run",
        "--detach",
        "--name",
        &blog,
        "--network",
        &network,
        "-e",
        "GREETING=blog",
        &app,
    ]);
    let published = format!("{}:3000", ground.workspace.https.number);
    ground.proxy("").engine.ask(&[
        "run",
        "--detach",
        "--name",
        &wiki,
        "--network",
        &network,
        "-p",
        &published,
        "-e",
        "GREETING=wiki",
        &app,
    ]);
    let site = |name: &str, upstream: &str| {
        format!(
            "domain \"{name}.example.com\" {{\n  tenant = tenant.{}\n\n  tls {{\n    enabled = false\n  }}\n\n  \
             upstream {{\n    {upstream}\n  }}\n}}\n",
            ground.tenant("infra")
        )
    };
    let https = ground.workspace.https.number;
    ground.node("");
    let node = ground.workspace.read("node.hcl").replace(&format!("= {https}"), &format!("= {}", https + 1));
    ground.workspace.write("node.hcl", node);
    let proxy =
        ground.workspace.read("proxy.hcl").replace(&format!("\"{https}\""), &format!("\"{}\"", https + 1));
    ground.workspace.write("proxy.hcl", proxy);
    let detect = format!("detect {{\n      external_port = {https}\n    }}");
    let sites = [site("blog", &format!("container = \"{blog}\"\n    port = 3000")), site("wiki", &detect)];
    ground.workspace.write("sites.hcl", sites.concat());
    drop(ground.workspace.apply());
    assert_eq!((ground.get("blog"), ground.get("wiki")), ("1 blog".to_owned(), "1 wiki".to_owned()));
    drop(ground.workspace.assert_nothing_to_do());

    ground
        .workspace
        .write("sites.hcl", site("blog", &format!("container = \"blok-{port}\"\n    port = 3000")));
    let plan = ground.workspace.vsa(["plan"]).code(1);
    drop(plan.says(&format!("there is no container `blok-{port}`")).says(&format!("did you mean `{blog}`?")));
}
