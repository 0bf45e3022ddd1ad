//! Stacks on a real Docker engine: brought up, changed, repaired, rolled back, stopped and taken away.

use crate::support::docker::Engine;
use crate::support::images;
use crate::support::workspace::{Run, Workspace};

/// A workspace whose node has the engine of the tests.
struct Ground {
    engine: Engine,
    workspace: Workspace,
}

impl Ground {
    fn new() -> Option<Self> {
        let workspace = Workspace::managed()?;
        let engine = Engine::shared()?;
        engine.enter();
        let (http, https) = (workspace.http_port(), workspace.https_port());
        // Tests share the engine's loopback addresses: the ports of each follow from its own HTTP port.
        let first = 2_000 + http % 1_000 * 8;
        workspace.write(
            "node.hcl",
            format!(
                "node \"local\" {{\n  proxy {{\n    http_port  = {http}\n    https_port = {https}\n  }}\n\n  \
                 docker {{\n    socket     = \"{}\"\n    first_port = {first}\n    last_port  = {}\n  }}\n}}\n",
                engine.socket().display(),
                first + 7
            ),
        );
        Some(Self { engine, workspace })
    }

    /// A tenant of a name of its own, with a stack `shop` behind `shop.example.com`.
    fn stack(&self, more: &str) -> &Self {
        let tenant = self.tenant();
        self.workspace.write(
            "main.hcl",
            format!(
                r#"
variable "greeting" {{
  type      = string
  sensitive = true
  default   = "hush-1"
}}

tenant "{tenant}" {{}}

stack "shop" {{
  tenant = tenant.{tenant}
  source = "./shop"
  env    = {{ GREETING = var.greeting }}
{more}
}}

domain "shop.example.com" {{
  tenant = tenant.{tenant}

  tls {{
    enabled = false
  }}

  upstream {{
    stack   = stack.shop
    service = "web"
    port    = 3000
  }}
}}
"#
            ),
        );
        self
    }

    /// The label of the tenant: projects of tests must not meet in the engine.
    fn tenant(&self) -> String {
        format!("t{}", self.workspace.http_port())
    }

    fn project(&self) -> String {
        format!("{}-shop", self.tenant())
    }

    /// A web service of this image, and a database beside it.
    fn compose(&self, image: &str) -> &Self {
        let database = images::database(&self.engine);
        let text = format!(
            "services:\n  web:\n    image: {image}\n    environment:\n      GREETING: ${{GREETING}}\n    \
             healthcheck:\n      test: [\"CMD\", \"wget\", \"-q\", \"-O\", \"/dev/null\", \
             \"http://127.0.0.1:3000/health\"]\n      interval: 1s\n      timeout: 2s\n      retries: 2\n  \
             db:\n    image: {database}\n    volumes:\n      - data:/data\nvolumes:\n  data: {{}}\n"
        );
        self.workspace.write("shop/compose.yml", text);
        self
    }

    fn get(&self) -> String {
        self.workspace.http("shop.example.com", "/").text().trim().to_owned()
    }

    fn get_status(&self) -> u16 {
        self.workspace.http("shop.example.com", "/").status
    }

    /// The id of a service's container; empty where there is none.
    fn container(&self, service: &str) -> String {
        let project = format!("label=com.docker.compose.project={}", self.project());
        let service = format!("label=com.docker.compose.service={service}");
        self.engine.ask(&["ps", "--all", "--quiet", "--filter", &project, "--filter", &service])
    }
}

/// What a command printed.
fn said(run: &Run) -> String {
    format!("{}{}", run.stdout, run.stderr)
}

impl Drop for Ground {
    fn drop(&mut self) {
        // Whatever became of the test, the engine is shared.
        let project = format!("label=com.docker.compose.project={}", self.project());
        let containers = self.engine.ask(&["ps", "--all", "--quiet", "--filter", &project]);
        for container in containers.lines() {
            self.engine.ask(&["rm", "--force", "--volumes", container]);
        }
    }
}

#[test]
fn a_stack_is_served_and_only_what_changes_is_made_anew() {
    let Some(ground) = Ground::new() else { return };
    let one = images::app(&ground.engine, "1");
    ground.stack("").compose(&one);
    let applied = ground.workspace.apply();
    assert!(!said(&applied).contains("hush-1"), "{}", said(&applied));
    assert_eq!(ground.get(), "1 hush-1");
    drop(ground.workspace.assert_nothing_to_do());
    let (web, db) = (ground.container("web"), ground.container("db"));

    ground.compose(&images::app(&ground.engine, "2"));
    drop(ground.workspace.apply());
    assert_eq!(ground.get(), "2 hush-1");
    assert_ne!(ground.container("web"), web, "it changed");
    assert_eq!(ground.container("db"), db, "it did not");
    drop(ground.workspace.assert_nothing_to_do());

    // A secret that changes is seen, and shown nowhere.
    let plan = ground.workspace.vsa(["plan", "-var", "greeting=hush-2"]).code(0);
    assert!(!said(&plan).contains("hush-"), "{}", said(&plan));
    let applied = ground.workspace.vsa(["apply", "-auto-approve", "-var", "greeting=hush-2"]).code(0);
    assert!(!said(&applied).contains("hush-"), "{}", said(&applied));
    assert_eq!(ground.get(), "2 hush-2");
    let state = ground.workspace.read("state/default.json");
    assert!(!state.contains("hush-"), "{state}");
}

#[test]
fn an_update_that_fails_is_taken_back() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    let before = ground.workspace.read("state/default.json");
    ground.compose(&images::app(&ground.engine, "crash"));
    let failed = ground.workspace.vsa(["apply", "-auto-approve"]).code(5);
    drop(failed.says("version crash cannot start: no database"));
    assert_eq!(ground.get(), "1 hush-1");
    assert_eq!(ground.workspace.read("state/default.json"), before);
    ground.compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn what_somebody_did_to_it_is_drift_and_is_repaired() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    ground.engine.ask(&["kill", &ground.container("web")]);
    drop(ground.workspace.vsa(["plan"]).code(0).says("service web is exited (exit code 137)"));
    drop(ground.workspace.apply());
    assert_eq!(ground.get(), "1 hush-1");
    ground.engine.ask(&["rm", "--force", &ground.container("web")]);
    drop(ground.workspace.vsa(["plan"]).code(0).says("service web has lost its container"));
    drop(ground.workspace.apply());
    assert_eq!(ground.get(), "1 hush-1");
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn a_stack_that_goes_leaves_its_data() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    ground.stack("  status = \"stopped\"");
    drop(ground.workspace.apply());
    assert_eq!(ground.get_status(), 502, "it is stopped");
    drop(ground.workspace.assert_nothing_to_do());
    ground.stack("");
    drop(ground.workspace.apply());
    assert_eq!(ground.get(), "1 hush-1");
    let volume = format!("{}_data", ground.project());
    drop(ground.workspace.vsa(["destroy", "-auto-approve"]).code(0));
    assert_eq!((ground.container("web"), ground.container("db")), (String::new(), String::new()));
    assert_eq!(
        ground.engine.ask(&["volume", "ls", "--quiet", "--filter", &format!("name={volume}")]),
        volume
    );
    ground.engine.ask(&["volume", "rm", &volume]);
}

#[test]
fn a_project_of_somebody_else_is_not_touched() {
    let Some(ground) = Ground::new() else { return };
    let one = images::app(&ground.engine, "1");
    ground.stack("").compose(&one);
    let elsewhere = tempfile::tempdir().unwrap();
    let text = format!("services:\n  web:\n    image: {one}\n");
    std::fs::write(elsewhere.path().join("docker-compose.yml"), text).unwrap();
    ground.engine.compose(elsewhere.path(), &ground.project(), &["up", "--detach"]);
    let theirs = ground.container("web");
    drop(
        ground
            .workspace
            .vsa(["apply", "-auto-approve"])
            .code(1)
            .says("is there already")
            .says("somebody else started it"),
    );
    assert_eq!(ground.container("web"), theirs);
}

#[test]
fn without_docker_a_plan_says_what_it_could_not_see() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    let node = ground.workspace.read("node.hcl");
    let blind = node.replace(&ground.engine.socket().display().to_string(), "/nonexistent/docker.sock");
    ground.workspace.write("node.hcl", blind);
    let plan = ground.workspace.vsa(["plan"]).code(0);
    let plan =
        plan.says("the containers of `stack.shop` could not be seen").says("there is no Docker engine at");
    assert!(said(&plan).contains("0 to destroy"), "{}", said(&plan));
    ground.workspace.write("node.hcl", node);
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn a_compose_file_that_reaches_for_the_host_is_refused_unless_it_is_allowed() {
    let Some(ground) = Ground::new() else { return };
    let one = images::app(&ground.engine, "1");
    ground.stack("");
    ground.workspace.write(
        "shop/compose.yml",
        format!("x-all: &all\n  privileged: true\nservices:\n  web:\n    <<: *all\n    image: {one}\n"),
    );
    let refused = ground.workspace.vsa(["apply", "-auto-approve"]).code(1);
    let refused = refused
        .says("compose_privileged")
        .says("at shop/compose.yml:2:")
        .says("allow = [\"privileged:web\"]");
    assert_eq!(ground.container("web"), "", "{refused}");
    ground.stack("  allow = [\"privileged:web\"]");
    drop(ground.workspace.vsa(["plan"]).code(0));
}
