//! Containers that are replaced while they go on: no request is lost, whatever becomes of the new ones.

use std::collections::BTreeSet;

use insta::assert_snapshot;

use super::Ground;
use crate::support::{Connections, Load, Request, images};

/// Requests a second of each load.
const RATE: u32 = 100;

/// Loads on a site, with connections of both kinds.
pub fn loads(port: u16, host: &str) -> [Load; 2] {
    let requests = vec![Request::http(port, host, "/")];
    [Connections::Fresh, Connections::KeptAlive]
        .map(|connections| Load::start(RATE, connections, requests.clone()))
}

/// Checks that every request of the loads was answered by one of these versions.
pub fn assert_none_lost(loads: [Load; 2], versions: &[&str]) {
    for load in loads {
        load.wait_for(u64::from(RATE) / 2);
        let report = load.stop();
        report.assert_all_answered();
        assert_eq!(report.statuses.get(&200), Some(&report.sent), "{report:#?}");
        let answers: BTreeSet<&str> = report.first_lines.keys().map(String::as_str).collect();
        assert_eq!(answers, versions.iter().copied().collect(), "{report:#?}");
    }
}

impl Ground {
    /// A stack that is replaced so, with a site that may be asked as often as anybody likes.
    fn rolling(&self, more: &str) -> &Self {
        self.stack(&format!("  update = \"rolling\"\n{more}"));
        let text = self.workspace.read("main.hcl");
        let site = "  rate_limit {\n    enabled = false\n  }\n\n  tls {";
        self.workspace.write("main.hcl", text.replacen("  tls {", site, 1));
        self
    }

    fn loads(&self) -> [Load; 2] {
        loads(self.workspace.http_port(), "shop.example.com")
    }
}

#[test]
fn no_request_is_lost_while_containers_are_replaced() {
    let Some(ground) = Ground::new() else { return };
    ground.rolling("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    let db = ground.container("db");
    let loads = ground.loads();
    ground.compose(&images::app(&ground.engine, "2"));
    assert_snapshot!(ground.services(), @r#"
        service db: 1 container stays
    -/+ service web: 1 container is replaced by new ones beside the old (image, ports)
          ~ image = "vsa-test/app:1" -> "vsa-test/app:2"
          - ports = "127.0.0.1:PORT:3000/tcp"
          + ports = "127.0.0.1:NEXT:3000/tcp"
        # data that stays: volume TENANT-shop_data
        # rolling: what runs goes once what takes its place is healthy and serves
    "#);
    drop(ground.workspace.apply());
    drop(ground.workspace.assert_nothing_to_do());
    ground.compose(&images::app(&ground.engine, "3"));
    drop(ground.workspace.apply());
    drop(ground.workspace.assert_nothing_to_do());
    assert_none_lost(loads, &["1 hush-1", "2 hush-1", "3 hush-1"]);
    assert_eq!(ground.container("web").lines().count(), 1, "the old ones are gone");
    assert_eq!(ground.container("db"), db, "what no site names is not replaced");
}

#[test]
fn new_containers_that_are_ill_go_and_the_old_ones_never_stop() {
    let Some(ground) = Ground::new() else { return };
    ground.rolling("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    let web = ground.container("web");
    let loads = ground.loads();
    ground.compose(&images::app(&ground.engine, "crash"));
    drop(
        ground
            .workspace
            .vsa(["apply", "-auto-approve"])
            .code(5)
            .says("version crash cannot start: no database"),
    );
    assert_none_lost(loads, &["1 hush-1"]);
    assert_eq!(ground.container("web"), web);
    ground.compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn a_killed_run_is_finished_without_losing_a_request() {
    let Some(ground) = Ground::new() else { return };
    ground.rolling("  wait {\n    timeout = \"20s\"\n  }").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    let mut versions = vec!["1 hush-1"];
    let loads = ground.loads();
    // Before anything is switched, and when all that is left is to remove the old container.
    let instants = [("switch:2", "2", "2 hush-1"), ("clean_up:1", "3", "3 hush-1")];
    for (instant, version, answer) in instants {
        ground.compose(&images::app(&ground.engine, version));
        let mut child = ground.workspace.stopped_at(&format!("phase:{instant}")).unwrap();
        assert_eq!(ground.container("web").lines().count(), 2, "both are there at {instant}");
        child.kill().unwrap();
        child.wait().unwrap();
        drop(ground.workspace.apply());
        assert_eq!(ground.get(), answer);
        assert_eq!(ground.container("web").lines().count(), 1, "after a kill at {instant}");
        drop(ground.workspace.assert_nothing_to_do());
        versions.push(answer);
    }
    assert_none_lost(loads, &versions);
}

#[test]
fn several_containers_are_replaced_together() {
    let Some(ground) = Ground::new() else { return };
    ground.rolling("");
    let scaled = |version: &str| {
        let image = images::app(&ground.engine, version);
        let text = format!(
            "services:\n  web:\n    image: {image}\n    environment: [GREETING]\n    deploy: {{replicas: 3}}\n"
        );
        ground.workspace.write("shop/compose.yml", text);
    };
    scaled("1");
    drop(ground.workspace.apply());
    let before: BTreeSet<String> = ground.container("web").lines().map(str::to_owned).collect();
    let loads = ground.loads();
    scaled("2");
    drop(ground.workspace.apply());
    let after: BTreeSet<String> = ground.container("web").lines().map(str::to_owned).collect();
    assert_eq!((before.len(), after.len()), (3, 3));
    assert!(before.is_disjoint(&after));
    assert_none_lost(loads, &["1 hush-1", "2 hush-1"]);
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn what_cannot_stand_beside_itself_is_made_anew_and_the_plan_says_so() {
    let Some(ground) = Ground::new() else { return };
    ground.rolling("  allow = [\"container_name\", \"published_port\"]");
    let named = |version: &str| {
        let image = images::app(&ground.engine, version);
        let name = format!("{}-web", ground.tenant());
        let text = format!("services:\n  web:\n    image: {image}\n    container_name: {name}\n");
        ground.workspace.write("shop/compose.yml", text);
    };
    named("1");
    drop(ground.workspace.apply());
    named("2");
    let plan = ground.workspace.vsa(["plan"]).code(0).says("service web: 1 container is made anew (image)");
    let plan = plan.says("service web cannot come up beside itself: `container_name` gives it one container");
    drop(plan.says("interrupting: domain[\"shop.example.com\"]"));
    drop(ground.workspace.apply());
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn a_service_goes_with_its_site_and_not_before_it() {
    let Some(ground) = Ground::new() else { return };
    let one = images::app(&ground.engine, "1");
    ground.stack("");
    let services = |more: &str| {
        let text = format!("services:\n  web:\n    image: {one}\n    environment: [GREETING]\n{more}");
        ground.workspace.write("shop/compose.yml", text);
    };
    let text = ground.workspace.read("main.hcl");
    let (_, site) = text.split_once("domain \"shop.example.com\"").unwrap();
    let second = format!("domain \"mail.example.com\"{}", site.replace("\"web\"", "\"mailer\""));
    services(&format!("  mailer:\n    image: {one}\n    environment: [GREETING]\n"));
    ground.workspace.write("second.hcl", &second);
    drop(ground.workspace.apply());
    assert_eq!(ground.workspace.http("mail.example.com", "/").text().trim(), "1 hush-1");
    let web = ground.container("web");

    services("");
    ground.workspace.write("second.hcl", "");
    let mut child = ground.workspace.stopped_at("phase:switch:1").unwrap();
    assert_eq!(ground.workspace.http("mail.example.com", "/").text().trim(), "1 hush-1", "until the switch");
    child.kill().unwrap();
    child.wait().unwrap();
    drop(ground.workspace.apply());
    assert_eq!(ground.container("mailer"), "");
    assert_eq!(ground.container("web"), web, "it goes on");
    drop(ground.workspace.assert_nothing_to_do());

    // One that somebody else has added is not the stack's.
    let network = format!("{}_default", ground.project());
    let label = |name: &str, value: &str| format!("--label=com.docker.compose.{name}={value}");
    let (project, directory) = (ground.project(), ground.data().with_file_name("compose"));
    let labels = [
        label("project", &project),
        label("service", "stranger"),
        label("oneoff", "False"),
        label("container-number", "1"),
        label("project.working_dir", &directory.display().to_string()),
    ];
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    ground.engine.ask(&[&["run", "--detach", "--network", &network], &labels[..], &[&one]].concat());
    let plan = ground.workspace.vsa(["plan"]).code(0);
    drop(plan.says("service stranger has containers, and the stack has no such service"));
    drop(ground.workspace.apply());
    assert_eq!(ground.container("stranger"), "");
    drop(ground.workspace.assert_nothing_to_do());
}

/// The second Compose counts what a service depends on as a part of its configuration.
#[test]
fn what_depends_on_others_is_replaced_beside_itself_too() {
    let Some(ground) = Ground::new() else { return };
    let compose = |version: &str, more: &str| {
        ground.compose(&images::app(&ground.engine, version));
        let text = ground.workspace.read("shop/compose.yml");
        let text = text.replacen("    environment:", "    depends_on: [db]\n    environment:", 1);
        ground.workspace.write("shop/compose.yml", format!("{text}{more}"));
    };
    ground.rolling("");
    compose("1", "");
    drop(ground.workspace.apply());
    let db = ground.container("db");
    let loads = ground.loads();
    compose("2", "");
    let mut child = ground.workspace.stopped_at("phase:switch:2").unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(ground.workspace.apply());
    drop(ground.workspace.assert_nothing_to_do());
    compose("2", "# A remark changes nothing.\n");
    drop(ground.workspace.vsa(["plan"]).code(0).says("service web: 1 container stays"));
    let web = ground.container("web");
    compose("crash", "");
    drop(ground.workspace.vsa(["apply", "-auto-approve"]).code(5));
    assert_eq!(ground.container("web"), web, "the old one never stopped");
    assert_none_lost(loads, &["1 hush-1", "2 hush-1"]);
    assert_eq!(ground.container("db"), db);
}
