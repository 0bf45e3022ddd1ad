//! What a plan says of a stack: service by service, what is made anew and why, and who feels it.

use insta::assert_snapshot;

use super::{Ground, said};
use crate::support::images;

impl Ground {
    /// What a plan says of the services of the stack.
    pub(super) fn services(&self) -> String {
        let plan = self.workspace.vsa(["plan"]).code(0);
        let change = plan.stdout.split("stack \"shop\" {").nth(1).unwrap_or_else(|| panic!("{plan}"));
        let (_, details) = change.split_once("\n    }\n\n").unwrap();
        let (details, _) = details.split_once("\n\n").unwrap();
        details
            .replace(&self.tenant(), "TENANT")
            .replace(&self.workspace.node_root().display().to_string(), "ROOT")
            .replace(&self.ports.first.to_string(), "PORT")
            .replace(&(self.ports.first + 1).to_string(), "NEXT")
    }

    /// Three services: two with the same image, and a site for the first.
    fn three(&self, web: &str, more: &str) -> &Self {
        let (one, database) = (images::app(&self.engine, "1"), images::database(&self.engine));
        let text = format!(
            "services:
  web:
    image: {web}
    environment: {{GREETING: \"${{GREETING}}\", LEVEL: info}}
    volumes: [\"../data/web:/var/web\"]
{more}
  worker:
    image: {one}
    volumes: [\"./conf:/conf:ro\"]
  db:
    image: {database}
    volumes: [\"data:/data\"]
volumes:
  data: {{}}
"
        );
        self.workspace.write("shop/compose.yml", text).write("shop/conf/a", "one");
        self
    }
}

#[test]
fn each_service_is_told_with_what_changes_and_whether_it_is_made_anew() {
    let Some(ground) = Ground::new() else { return };
    let (one, two) = (images::app(&ground.engine, "1"), images::app(&ground.engine, "2"));
    ground.stack("").three(&one, "");
    assert_snapshot!(ground.services(), @r#"
    + service db: 1 container is made
        + image         = "vsa-test/database:1"
        + volumes./data = "data"
    + service web: 1 container is made
        + environment.GREETING = (not shown)
        + environment.LEVEL    = (not shown)
        + image                = "vsa-test/app:1"
        + ports                = "127.0.0.1:PORT:3000/tcp"
        + volumes./var/web     = "../data/web"
    + service worker: 1 container is made
        + image         = "vsa-test/app:1"
        + volumes./conf = "./conf:ro"
      # data that is new: ROOT/srv/TENANT/shop/data/web, volume TENANT-shop_data
      # additive: what runs goes on as it is
    "#);
    drop(ground.workspace.apply());
    let before = ["web", "worker", "db"].map(|service| ground.container(service));

    ground.three(
        &two,
        "    ports: [\"127.0.0.1::9000\"]\n    healthcheck: {test: [CMD, \"true\"], interval: 1s}",
    );
    assert_snapshot!(ground.services(), @r#"
        service db: 1 container stays
    -/+ service web: 1 container is made anew (healthcheck.interval, healthcheck.test, image, ports)
          + healthcheck.interval = "1s"
          + healthcheck.test     = "[CMD, true]"
          ~ image                = "vsa-test/app:1" -> "vsa-test/app:2"
          + ports                = "127.0.0.1:9000/tcp"
        service worker: 1 container stays
        # data that stays: ROOT/srv/TENANT/shop/data/web, volume TENANT-shop_data
        # interrupting: domain["shop.example.com"] cannot be answered for a while
    "#);
    drop(ground.workspace.vsa(["plan"]).code(0));
    drop(ground.workspace.apply());
    let after = ["web", "worker", "db"].map(|service| ground.container(service));
    let same: Vec<bool> = before.iter().zip(&after).map(|(before, after)| before == after).collect();
    assert_eq!(same, [false, true, true], "as the plan says");

    // A secret variable is told by its name, a mounted file by its own.
    ground.workspace.write("shop/conf/a", "two");
    let plan = ground.workspace.vsa(["plan", "-var", "greeting=hush-2"]).code(0);
    assert!(!said(&plan).contains("hush-"), "{plan}");
    let plan = plan.says("service web: 1 container is made anew (environment.GREETING)");
    let plan = plan.says("service worker: 1 container is made anew (files that it mounts: `a`)");
    let json = ground.workspace.plan();
    let changes = json["resource_changes"].as_array().unwrap();
    let stack = changes.iter().find(|change| change["type"] == "stack").unwrap_or_else(|| panic!("{plan}"));
    let details = &stack["vsa"]["details"];
    assert_eq!(details["effect"], "interrupting");
    assert_eq!(details["interrupted"], serde_json::json!(["worker"]));
    assert_eq!(details["felt_by"], serde_json::json!([]), "the site names another service");
    drop(ground.workspace.apply());

    // Nothing of what runs is touched by a service that is new.
    let text = ground.workspace.read("shop/compose.yml");
    let more = format!("  mailer:\n    image: {one}\nvolumes:");
    ground
        .workspace
        .write("shop/compose.yml", text.replace("volumes:\n  data: {}", &format!("{more}\n  data: {{}}")));
    assert_snapshot!(ground.services(), @r#"
      service db: 1 container stays
    + service mailer: 1 container is made
        + image = "vsa-test/app:1"
      service web: 1 container stays
      service worker: 1 container stays
      # data that stays: ROOT/srv/TENANT/shop/data/web, volume TENANT-shop_data
      # additive: what runs goes on as it is
    "#);
    drop(ground.workspace.apply());

    ground.workspace.write("shop/compose.yml", text);
    assert_snapshot!(ground.services(), @r"
      service db: 1 container stays
      service web: 1 container stays
      service worker: 1 container stays
    - service mailer: its containers are removed once no site passes requests on to them
      # data that stays: ROOT/srv/TENANT/shop/data/web, volume TENANT-shop_data
      # interrupting: no site feels it
    ");
    ground.workspace.write("main.hcl", format!("tenant \"{}\" {{}}\n", ground.tenant()));
    assert_snapshot!(ground.services(), @r"
    - service db: its containers are removed
    - service mailer: its containers are removed
    - service web: its containers are removed
    - service worker: its containers are removed
      # data that stays: ROOT/srv/TENANT/shop/data/web, volume TENANT-shop_data
      # to remove it later: the directory ROOT/srv/TENANT/shop, and the volumes that `docker volume ls --filter label=com.docker.compose.project=TENANT-shop` lists
      # interrupting: no site feels it
    ");
}

#[test]
fn an_image_that_its_name_has_left_is_drift() {
    let Some(ground) = Ground::new() else { return };
    let name = format!("{}/app:latest", ground.tenant());
    let tag = |version: &str| {
        let image = images::app(&ground.engine, version);
        ground.engine.ask(&["tag", &image, &name]);
    };
    tag("1");
    ground.stack("").compose(&name);
    drop(ground.workspace.apply());
    let (web, db) = (ground.container("web"), ground.container("db"));
    drop(ground.workspace.assert_nothing_to_do());
    tag("2");
    let plan = ground.workspace.vsa(["plan"]).code(0).says("service web runs the image ");
    drop(plan.says(&format!("service web: 1 container is made anew (`{name}` is another image now)")));
    drop(ground.workspace.apply());
    assert_ne!(ground.container("web"), web);
    assert_eq!(ground.container("db"), db);
    assert_eq!(ground.get(), "2 hush-1");
    drop(ground.workspace.assert_nothing_to_do());
    ground.engine.ask(&["rmi", &name]);
}

#[test]
fn where_no_image_is_pulled_it_must_be_there() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("  pull = \"never\"").compose("vsa-test/none:1");
    let refused = ground.workspace.vsa(["plan"]).code(1);
    drop(refused.says("the image `vsa-test/none:1` of the service `web` is not on the node"));
    ground.compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    assert_eq!(ground.get(), "1 hush-1");
}

#[test]
fn what_cannot_be_seen_is_said_and_not_guessed() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    let node = ground.workspace.read("node.hcl");
    let blind = node.replace(&ground.engine.socket().display().to_string(), "/nonexistent/docker.sock");
    ground.workspace.write("node.hcl", blind);
    ground.compose(&images::app(&ground.engine, "2"));
    assert_snapshot!(ground.services(), @r#"
    ~ service web: it changes
        ~ image = "vsa-test/app:1" -> "vsa-test/app:2"
      # which containers are made anew is not known, and so not what that interrupts: Docker cannot be seen; the files are compared alone
      # data that stays: volume TENANT-shop_data
    "#);
    ground.workspace.write("node.hcl", node);
}

#[test]
fn the_compose_tool_is_started_for_what_changes_alone() {
    let Some(mut ground) = Ground::new() else { return };
    ground.workspace.env("VSA_LOG", "trace");
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.vsa(["apply", "-auto-approve"]).code(0));
    let nothing = ground.workspace.vsa(["plan", "-detailed-exitcode"]).code(0);
    assert!(nothing.stderr.contains("Containers {"), "the log tells what is asked: {nothing}");
    assert!(
        !nothing.stderr.contains("ComposeHashes") && !nothing.stderr.contains("ComposeTool"),
        "{nothing}"
    );
    ground.compose(&images::app(&ground.engine, "2"));
    let change = ground.workspace.vsa(["plan"]).code(0);
    assert!(change.stderr.contains("ComposeHashes"), "{change}");
    assert!(!change.stderr.contains("hush-"), "{change}");
}
