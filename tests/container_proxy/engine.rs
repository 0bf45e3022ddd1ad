//! The engine goes away, and nginx with it: what a plan says meanwhile, and what an apply leaves.

use std::fs;
use std::time::Duration;

use super::Ground;
use crate::support::docker::{Engine, Pool};
use crate::support::processes::wait_until;

impl Ground {
    fn on_own_engine(directory: &tempfile::TempDir) -> Option<Self> {
        Self::with(Engine::own(directory.path(), Pool::LARGE)?)
    }

    fn answers(&self, tenant: &str, text: &str) -> bool {
        let answers = || self.workspace.http(&format!("{tenant}.example.com"), "/").text().trim() == text;
        wait_until(Duration::from_secs(20), answers)
    }
}

#[test]
fn without_its_engine_a_plan_says_what_it_could_not_see() {
    let Some(ground) = Ground::new() else { return };
    ground.shop("shop", "1", "");
    drop(ground.workspace.apply());
    let node = ground.workspace.read("node.hcl");
    let blind = node.replace(&ground.engine.socket().display().to_string(), "/nonexistent/docker.sock");
    ground.workspace.write("node.hcl", blind);
    let plan = ground.workspace.vsa(["plan"]).code(0).says("0 to add, 1 to change, 0 to destroy");
    let plan = plan.says("Docker on `node.local` could not be seen").says("there is no Docker on the node");
    let concerned = format!("Whether `node.local`, `stack.{}`, `stack.shop` are as", ground.container());
    assert!(!plan.stdout.contains("Drift"), "{}", plan.says(&concerned));
    assert_eq!(ground.get("shop"), "1 shop");
    ground.workspace.write("node.hcl", node);
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn it_stops_before_the_switch() {
    let directory = tempfile::tempdir().unwrap();
    let Some(ground) = Ground::on_own_engine(&directory) else { return };
    ground.shop("one", "1", "");
    drop(ground.workspace.apply());
    ground.shop("two", "1", "");
    let ran = ground.workspace.apply_meanwhile("phase:switch:2", || ground.engine.stop());
    drop(ran.code(6).says("the next generation cannot be tested").says("there is no Docker on the node"));
    let plan = ground.workspace.vsa(["plan"]).code(0).says("Docker on `node.local` could not be seen");
    assert!(!plan.stdout.contains("Drift"), "{plan}");
    ground.engine.start();
    drop(ground.workspace.apply());
    assert!(ground.answers("one", "1 one") && ground.answers("two", "1 two"));
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn it_stops_before_the_clean_up() {
    let directory = tempfile::tempdir().unwrap();
    let Some(ground) = Ground::on_own_engine(&directory) else { return };
    ground.shop("one", "1", "").shop("two", "1", "");
    drop(ground.workspace.apply());
    fs::remove_file(ground.source("two.hcl")).unwrap();
    let ran = ground.workspace.apply_meanwhile("phase:clean_up:1", || ground.engine.stop());
    drop(ran.code(6).says("cannot take a container from the network").says("there is no Docker on the node"));
    ground.engine.start();
    drop(ground.workspace.apply());
    assert!(ground.answers("one", "1 one"));
    let networks = ground.engine.ask(&["network", "ls", "--format", "{{.Name}}"]);
    assert!(!networks.contains(&ground.project("two", "two")), "{networks}");
    drop(ground.workspace.assert_nothing_to_do());
}
