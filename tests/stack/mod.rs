//! Stacks on a real Docker engine: brought up, changed, repaired, rolled back, stopped and taken away.

mod commands;
mod engine;
mod plans;
pub mod rolling;
mod safety;
mod swarm;
mod taken;
mod waiting;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::docker::{Engine, Pool};
use crate::support::images;
use crate::support::ports::Block;
use crate::support::processes::{self, wait_until};
use crate::support::{Run, Workspace};

/// A workspace whose node has the engine of the tests.
pub struct Ground {
    pub engine: Engine,
    pub workspace: Workspace,
    /// What the node gives to services: tests share the engine's loopback addresses.
    pub ports: Block,
}

impl Ground {
    pub fn new() -> Option<Self> {
        let workspace = Workspace::managed()?;
        Some(Self::with(workspace, Engine::shared()?))
    }

    /// With an engine that may be stopped and broken.
    fn on_own_engine() -> Option<Self> {
        let workspace = Workspace::managed()?;
        let engine = Engine::own(workspace.path(), Pool::LARGE)?;
        Some(Self::with(workspace, engine))
    }

    fn with(workspace: Workspace, engine: Engine) -> Self {
        engine.enter();
        let (http, https) = (workspace.http_port(), workspace.https_port());
        let ports = Block::reserve();
        workspace.write(
            "node.hcl",
            format!(
                "node \"local\" {{\n  proxy {{\n    http_port  = {http}\n    https_port = {https}\n  }}\n\n  \
                 docker {{\n    socket     = \"{}\"\n    first_port = {}\n    last_port  = {}\n  }}\n}}\n",
                engine.socket().display(),
                ports.first,
                ports.last()
            ),
        );
        Self { engine, workspace, ports }
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
    pub fn tenant(&self) -> String {
        format!("t{}", self.workspace.http_port())
    }

    /// The stack's directory for data.
    pub fn data(&self) -> PathBuf {
        self.workspace.node_root().join("srv").join(self.tenant()).join("shop/data")
    }

    fn project(&self) -> String {
        format!("{}-shop", self.tenant())
    }

    /// A web service of this image, and a database beside it.
    pub fn compose(&self, image: &str) -> &Self {
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

    pub fn get(&self) -> String {
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
    // What is waited for is told as it comes, line by line where there is no terminal.
    let told = |line: &str| applied.stderr.lines().position(|told| told == line);
    let (db, web) = (told("stack.shop: db is running"), told("stack.shop: web is running (healthy)"));
    assert!(db.is_some() && db < web, "{applied}");
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

    // The first Compose gives the old container another name before it finds that the new one cannot start.
    ground.compose(&images::app(&ground.engine, "1"));
    let text = ground.workspace.read("shop/compose.yml");
    let broken = text.replacen("    environment:", "    entrypoint: [\"/nonexistent\"]\n    environment:", 1);
    ground.workspace.write("shop/compose.yml", broken);
    drop(ground.workspace.vsa(["apply", "-auto-approve"]).code(5).says("/nonexistent"));
    assert_eq!(ground.get(), "1 hush-1");
    let project = format!("label=com.docker.compose.project={}", ground.project());
    let names = ground.engine.ask(&["ps", "--all", "--filter", &project, "--format", "{{.Names}}"]);
    let mut names: Vec<&str> = names.lines().collect();
    names.sort_unstable();
    assert_eq!(names, ["db", "web"].map(|service| ground.engine.container(&ground.project(), service)));
    ground.workspace.write("shop/compose.yml", text);
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
    ground.engine.ask(&["pause", &ground.container("web")]);
    let plan = ground.workspace.vsa(["plan"]).code(0).says("service web is paused");
    drop(plan.says("service web: 1 container is unpaused"));
    drop(ground.workspace.apply());
    assert_eq!(ground.get(), "1 hush-1");
    let (web, db) = (ground.container("web"), ground.container("db"));
    let network = format!("{}_default", ground.project());
    ground.engine.ask(&["network", "disconnect", &network, &db]);
    let plan = ground.workspace.vsa(["plan"]).code(0);
    let plan = plan.says(&format!("service db is not in its network `{network}` any more"));
    drop(plan.says(&format!("1 container is made anew (it is not in `{network}` any more)")));
    drop(ground.workspace.apply());
    assert_eq!(ground.container("web"), web);
    assert_ne!(ground.container("db"), db);
    drop(ground.workspace.assert_nothing_to_do());
}

/// Most programs end in good order when they are told to: that is no reason to take them for a job that is done.
#[test]
fn a_container_that_somebody_stopped_is_drift_unless_it_is_a_job() {
    let Some(ground) = Ground::new() else { return };
    let one = images::app(&ground.engine, "1");
    ground.stack("").compose(&one);
    let text = ground.workspace.read("shop/compose.yml");
    ground.workspace.write(
        "shop/compose.yml",
        text.replacen(
            "volumes:\n  data:",
            &format!(
                "  job:\n    image: {one}\n    command: [\"true\"]\n  late:\n    image: {one}\n    \
                 command: [sh, -c, \"trap 'exit 0' TERM; sleep 600 & wait\"]\n    restart: \"no\"\nvolumes:\n  data:"
            ),
            1,
        ),
    );
    drop(ground.workspace.apply());
    drop(ground.workspace.assert_nothing_to_do());
    // One whose work goes on beyond the apply.
    ground.engine.ask(&["stop", &ground.container("late")]);
    let format = "{{.State.Status}} {{.State.ExitCode}}";
    assert_eq!(ground.engine.ask(&["inspect", "--format", format, &ground.container("late")]), "exited 0");
    drop(ground.workspace.assert_nothing_to_do());
    ground.engine.ask(&["stop", &ground.container("web")]);
    let plan = ground.workspace.vsa(["plan"]).code(0).says("service web is exited (exit code 0)");
    drop(plan.says("service job: 1 container is started once more, as a job whose work is done"));
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
    // Without its files, it is known by its labels.
    fs::remove_dir_all(ground.data().parent().unwrap().join("compose")).unwrap();
    let destroyed = ground.workspace.vsa(["destroy", "-auto-approve"]).code(0);
    let destroyed = destroyed.says(&format!("data that stays: volume {volume}"));
    drop(destroyed.says(&format!("label=com.docker.compose.project={}", ground.project())));
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
    let plan = plan.says("Docker on `node.local` could not be seen").says("there is no Docker on the node");
    let plan = plan.says("Whether `stack.shop` is as the state says is not known");
    assert!(said(&plan).contains("0 to destroy"), "{}", said(&plan));
    ground.workspace.write("node.hcl", node);
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn a_service_whose_mounted_file_changes_is_made_anew() {
    let Some(ground) = Ground::new() else { return };
    let (one, database) = (images::app(&ground.engine, "1"), images::database(&ground.engine));
    let text = format!(
        "services:\n  web:\n    image: {one}\n    volumes: [\"./conf:/conf:ro\"]\n  db:\n    image: {database}\n"
    );
    ground.workspace.write("shop/compose.yml", text);
    let with = |greeting: &str, hidden: &str| {
        ground.stack(&format!(
            "  files = {{\n    \"conf/a\" = \"{greeting}\"\n    \"conf/b\" = sensitive(\"{hidden}\")\n  }}\n"
        ));
    };
    with("one", "hush-b1");
    drop(ground.workspace.apply());
    let (web, db) = (ground.container("web"), ground.container("db"));
    drop(ground.workspace.assert_nothing_to_do());
    with("two", "hush-b1");
    drop(ground.workspace.apply());
    assert_ne!(ground.container("web"), web, "its file changed");
    assert_eq!(ground.container("db"), db);
    let web = ground.container("web");
    with("two", "hush-b2");
    let applied = ground.workspace.apply();
    assert!(!said(&applied).contains("hush-b"), "{applied}");
    assert_ne!(ground.container("web"), web, "its sensitive file changed");
    drop(ground.workspace.assert_nothing_to_do());
    // What a guess of the text could be checked against stands nowhere that is not as guarded as the text.
    let digest = ground.engine.ask(&[
        "inspect",
        "--format",
        "{{index .Config.Labels \"vsa.files\"}}",
        &ground.container("web"),
    ]);
    assert_eq!(digest.len(), 64, "{digest}");
    let state = ground.workspace.read("state/default.json");
    assert!(!state.contains(&digest) && !said(&applied).contains(&digest));
}

#[test]
fn data_goes_with_a_stack_where_that_is_said() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    // One that the files name for a while, and one that somebody else made under a name that they come to.
    let text = ground.workspace.read("shop/compose.yml");
    let foreign = format!("{}_more", ground.project());
    ground.engine.ask(&["volume", "create", &foreign]);
    let more =
        text.replacen("      - data:/data", "      - data:/data\n      - old:/old\n      - more:/more", 1);
    ground.workspace.write("shop/compose.yml", format!("{more}  old: {{}}\n  more: {{}}\n"));
    drop(ground.workspace.apply());
    ground.workspace.write("shop/compose.yml", text);
    drop(ground.workspace.apply());
    let volume = format!("{}_data", ground.project());
    let old = format!("{}_old", ground.project());
    let volumes = || ground.engine.ask(&["volume", "ls", "--quiet", "--filter", &format!("name={volume}")]);
    fs::write(ground.data().join("kept"), "by the application").unwrap();
    // A plan says that there is no way back.
    let wanted = ground.workspace.read("main.hcl");
    ground.workspace.write("main.hcl", format!("tenant \"{}\" {{}}\n", ground.tenant()));
    let plan = ground.workspace.vsa(["plan", "-destroy-data"]).code(0);
    let plan = plan.says("the volumes' data is gone").says("the stack's data is gone");
    let plan = plan.says(&format!("volume {volume}, volume {old}"));
    assert!(ground.data().join("kept").exists() && volumes() == volume, "{plan}");
    ground.workspace.write("main.hcl", wanted);
    drop(ground.workspace.vsa(["destroy", "-auto-approve", "-destroy-data"]).code(0));
    assert_eq!(ground.container("web"), "");
    assert_eq!(volumes(), "");
    let project = format!("name={}_", ground.project());
    assert_eq!(ground.engine.ask(&["volume", "ls", "--quiet", "--filter", &project]), foreign);
    ground.engine.ask(&["volume", "rm", &foreign]);
    assert!(!ground.data().parent().unwrap().exists(), "the stack's directory is gone");
}

#[test]
fn a_site_names_a_service_that_its_stack_runs() {
    let Some(ground) = Ground::new() else { return };
    let one = images::app(&ground.engine, "1");
    ground.stack("");
    let others = format!("image: {one}\n  db: {{image: {one}}}\n");
    let cases = [
        format!("  webb:\n    {others}"),
        format!("  app:\n    {others}"),
        format!("  web:\n    profiles: [extra]\n    {others}"),
        format!("  web:\n    scale: 0\n    {others}"),
        format!("  web:\n    deploy: {{replicas: 1000}}\n    {others}"),
    ];
    let mut told = String::new();
    for services in cases {
        ground.workspace.write("shop/compose.yml", format!("services:\n{services}"));
        let refused = ground.workspace.vsa(["plan"]).code(1).says("main.hcl:26:15");
        let lines = refused.stderr.lines().filter(|line| line.contains("error") || line.contains("help"));
        told.extend(lines.map(|line| format!("{}\n", line.trim())));
    }
    assert_snapshot!(told, @r"
    error: `stack.shop` has no service `web`
    = help: did you mean `webb`?
    error: `stack.shop` has no service `web`
    = help: it has `app`, `db`
    error: `stack.shop` does not run the service `web`
    = help: it runs with the profile `extra`: name that in `profiles`
    error: `stack.shop` has no containers of the service `web`
    = help: its Compose file says `replicas: 0` or `scale: 0`: let it have one, or more
    error: `stack.shop` has too many containers of the service `web`
    = help: `replicas` or `scale` is a number up to 100
    ");
}

#[test]
fn the_containers_of_a_service_share_its_requests() {
    let Some(ground) = Ground::new() else { return };
    let one = images::app(&ground.engine, "1");
    ground.stack("");
    let scaled = |deploy: &str| {
        let text = format!("services:\n  web:\n    image: {one}\n    environment: [GREETING]\n{deploy}");
        ground.workspace.write("shop/compose.yml", text);
    };
    scaled("    deploy:\n      replicas: 3\n");
    drop(ground.workspace.apply());
    let containers = ground.container("web");
    assert_eq!(containers.lines().count(), 3, "{containers}");
    for container in containers.lines() {
        let told = format!("hostname >/www/index.html; echo told {container}");
        ground.engine.ask(&["exec", container, "sh", "-c", &told]);
    }
    let answers: BTreeSet<String> = (0..30).map(|_| ground.get()).collect();
    assert_eq!(answers.len(), 3, "{answers:?}");
    drop(ground.workspace.assert_nothing_to_do());
    scaled("    scale: 1\n");
    drop(ground.workspace.apply());
    assert_eq!(ground.container("web").lines().count(), 1);
    assert_eq!(ground.get_status(), 200);
    drop(ground.workspace.assert_nothing_to_do());
}
