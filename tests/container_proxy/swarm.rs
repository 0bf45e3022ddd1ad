//! Sites on services of a swarm: an nginx in a container joins the network of their stack.

use super::{Ground, said};
use crate::stack::rolling::{assert_none_lost, loads};
use crate::support::docker::{Engine, Pool};
use crate::support::images;

impl Ground {
    /// A tenant `shop` whose stack is in the swarm, with a site that may be asked as often as anybody likes. Its service
    /// is found by the addresses of its tasks, for not every kernel can balance them behind one; it answers for a while
    /// after it was told to end.
    fn in_swarm(&self, version: &str) -> &Self {
        self.shop("shop", version, "  rate_limit {\n    enabled = false\n  }");
        let text = self.workspace.read("shop.hcl");
        let source = "  source = \"./shop\"";
        let more = format!("{source}\n  engine = \"swarm\"\n  pull   = \"never\"\n  update = \"rolling\"");
        self.workspace.write("shop.hcl", text.replacen(source, &more, 1));
        let app = images::app(&self.engine, version);
        let compose = format!(
            "services:\n  web:\n    image: {app}\n    environment: {{ GREETING: shop }}\n    command: [sh, -c, \"/app & \
             app=$$!; trap 'sleep 3; exit' TERM; wait $$app\"]\n    healthcheck:\n      test: [CMD, wget, -q, -O, \
             /dev/null, \"http://127.0.0.1:3000/health\"]\n      interval: 1s\n    deploy:\n      endpoint_mode: \
             dnsrr\n      update_config: {{ monitor: 1s }}\n"
        );
        self.workspace.write("shop/compose.yml", compose);
        self
    }
}

#[test]
fn no_request_is_lost_while_a_swarm_replaces_its_tasks_or_cannot() {
    let directory = tempfile::tempdir().unwrap();
    let Some(engine) = Engine::own(directory.path(), Pool::LARGE) else { return };
    engine.ask(&["swarm", "init", "--advertise-addr", "127.0.0.1"]);
    let Some(ground) = Ground::with(engine) else { return };
    ground.in_swarm("1");
    let applied = ground.workspace.apply();
    assert_eq!(ground.get("shop"), "1 shop", "{}", said(&applied));
    let network = format!("{}_default", ground.project("shop", "shop"));
    assert!(ground.networks(&ground.container()).contains(&network));
    drop(ground.workspace.assert_nothing_to_do());

    let loads = loads(ground.workspace.http_port(), "shop.example.com");
    ground.in_swarm("2");
    let plan = ground.workspace.vsa(["plan"]).code(0);
    let plan = plan.says("service web: 1 task is replaced, an old one ends once a new one runs (image)");
    drop(plan.says("rolling: what runs goes once what takes its place is healthy and serves"));
    drop(ground.workspace.apply());
    assert_eq!(ground.get("shop"), "2 shop");
    drop(ground.workspace.assert_nothing_to_do());
    ground.in_swarm("crash");
    let failed = ground.workspace.vsa(["apply", "-auto-approve"]).code(5);
    drop(failed.says("version crash cannot start: no database"));
    assert_eq!(ground.get("shop"), "2 shop");
    assert_none_lost(loads, &["1 shop", "2 shop"]);
    ground.in_swarm("2");
    drop(ground.workspace.assert_nothing_to_do());

    // A network that the proxy shares with all that it serves has to be one of the swarm's.
    ground.engine.ask(&["network", "create", "near"]);
    ground.node("network = \"near\"");
    let refused = ground.workspace.vsa(["plan"]).code(1).says("error[swarm_network]");
    drop(refused.says("leave `network` of the node away"));
    // Nor is one that the same apply would make before.
    ground.workspace.write("far.hcl", "network \"far\" {}\n");
    ground.node("network = \"far\"");
    let refused = ground.workspace.vsa(["plan"]).code(1).says("error[swarm_network]");
    drop(refused.says("services of a swarm cannot be in the network `far`").says("(`bridge`)"));
    std::fs::remove_file(ground.workspace.configuration().join("far.hcl")).unwrap();
    ground.node("");

    // The stack's network goes with it, once the proxy has left it.
    std::fs::remove_file(ground.workspace.configuration().join("shop.hcl")).unwrap();
    drop(ground.workspace.apply());
    assert!(!ground.networks(&ground.container()).contains(&network));
    let left = ground.engine.ask(&["network", "ls", "--format", "{{.Name}}"]);
    assert!(!left.lines().any(|name| name == network), "{left}");
    drop(ground.workspace.assert_nothing_to_do());
}
