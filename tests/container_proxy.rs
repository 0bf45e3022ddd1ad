//! nginx in a container, on a real Docker engine: brought up with all that it serves in one apply, and held to what
//! an nginx on the host is held to.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::docker::Engine;
use crate::support::images;
use crate::support::workspace::{Run, Workspace};

/// A node whose proxy is the shipped stack, with a stand-in for its image.
struct Ground {
    engine: Engine,
    workspace: Workspace,
    nginx: String,
}

impl Ground {
    fn new() -> Option<Self> {
        let workspace = Workspace::managed()?;
        let engine = Engine::shared()?;
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

#[test]
fn a_proxy_and_what_it_serves_come_up_in_one_apply() {
    let Some(ground) = Ground::new() else { return };
    ground.shop("shop", "1", "");
    let applied = ground.workspace.apply();
    assert_eq!(ground.get("shop"), "1 shop", "{}", said(&applied));
    let network = format!("{}_default", ground.project("shop", "shop"));
    assert!(ground.networks(&ground.container()).contains(&network));
    drop(ground.workspace.assert_nothing_to_do());
}
