//! Containers that are replaced while they go on, behind an nginx in a container: it finds the new ones by another name.

use super::{Ground, said};
use crate::stack::rolling::{assert_none_lost, loads};
use crate::support::Load;

impl Ground {
    /// A tenant `shop` whose stack is replaced so, with a site that may be asked as often as anybody likes.
    fn rolling(&self, version: &str) -> &Self {
        self.shop("shop", version, "  rate_limit {\n    enabled = false\n  }");
        let text = self.workspace.read("shop.hcl");
        let rolling =
            text.replacen("  source = \"./shop\"", "  source = \"./shop\"\n  update = \"rolling\"", 1);
        self.workspace.write("shop.hcl", rolling);
        self
    }

    fn loads(&self) -> [Load; 2] {
        loads(self.workspace.http_port(), "shop.example.com")
    }

    /// The containers of the application.
    fn webs(&self) -> Vec<String> {
        let of = |label: &str, value: &str| format!("label=com.docker.compose.{label}={value}");
        let (project, service) = (of("project", &self.project("shop", "shop")), of("service", "web"));
        let all = ["ps", "--filter", &project, "--filter", &service, "--format", "{{.ID}}"];
        self.engine.ask(&all).lines().map(str::to_owned).collect()
    }
}

#[test]
fn no_request_is_lost_while_containers_are_replaced() {
    let Some(ground) = Ground::new() else { return };
    ground.rolling("1");
    drop(ground.workspace.apply());
    let db = ground.engine.container(&ground.project("shop", "shop"), "db");
    let db = || ground.engine.ask(&["inspect", "--format", "{{.Id}}", &db]);
    let before = db();
    let loads = ground.loads();
    for (version, number) in [("2", "2"), ("3", "3")] {
        ground.rolling(version);
        let plan = ground.workspace.vsa(["plan"]).code(0);
        let name = format!("web.shop.{}.{number}.vsa.internal", ground.tenant("shop"));
        let plan = plan.says("1 container is replaced by new ones beside the old").says(&name);
        drop(plan.says("rolling: what runs goes once what takes its place is healthy and serves"));
        drop(ground.workspace.apply());
        assert_eq!(ground.get("shop"), format!("{version} shop"));
        assert_eq!(ground.webs().len(), 1, "the old one is gone");
        drop(ground.workspace.assert_nothing_to_do());
    }
    assert_none_lost(loads, &["1 shop", "2 shop", "3 shop"]);
    assert_eq!(db(), before, "what no site names is not replaced");
}

#[test]
fn new_containers_that_are_ill_go_and_the_old_ones_never_stop() {
    let Some(ground) = Ground::new() else { return };
    ground.rolling("1");
    drop(ground.workspace.apply());
    let before = ground.webs();
    let loads = ground.loads();
    ground.rolling("crash");
    let failed = ground.workspace.vsa(["apply", "-auto-approve"]).code(5);
    drop(failed.says("version crash cannot start: no database"));
    assert_none_lost(loads, &["1 shop"]);
    assert_eq!(ground.webs(), before);
    ground.rolling("1");
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn a_killed_run_is_finished_without_losing_a_request() {
    let Some(ground) = Ground::new() else { return };
    ground.rolling("1");
    drop(ground.workspace.apply());
    let loads = ground.loads();
    // Before anything is switched, and when all that is left is to remove the old container.
    for (instant, version) in [("switch:2", "2"), ("clean_up:1", "3")] {
        ground.rolling(version);
        let mut child = ground.workspace.stopped_at(&format!("phase:{instant}")).unwrap();
        assert_eq!(ground.webs().len(), 2, "both are there at {instant}");
        child.kill().unwrap();
        child.wait().unwrap();
        let applied = ground.workspace.apply();
        assert_eq!(ground.get("shop"), format!("{version} shop"), "{}", said(&applied));
        assert_eq!(ground.webs().len(), 1, "after a kill at {instant}");
        drop(ground.workspace.assert_nothing_to_do());
    }
    assert_none_lost(loads, &["1 shop", "2 shop", "3 shop"]);
}
