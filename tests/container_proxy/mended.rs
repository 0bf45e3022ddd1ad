//! What is not as the plan took it to be: another nginx, an update that fails, a run that is killed.

use std::fs;
use std::time::Duration;

use super::{Ground, said};
use crate::support::images;
use crate::support::processes::wait_until;
use crate::support::{Request, fetch};

impl Ground {
    fn default_network(&self, tenant: &str) -> String {
        format!("{}_default", self.project(tenant, tenant))
    }

    /// Whether the shop's site answers within a while.
    fn answers_again(&self) -> bool {
        let request = Request::http(self.workspace.http_port(), "shop.example.com", "/");
        wait_until(Duration::from_secs(15), || fetch(&request).is_ok_and(|answer| answer.status == 200))
    }

    fn proxy_is_in(&self, network: &str) -> bool {
        self.networks(&self.container()).iter().any(|name| name == network)
    }
}

#[test]
fn a_newer_nginx_than_the_first_plan_took_it_for_changes_nothing_by_itself() {
    let Some(mut ground) = Ground::new() else { return };
    let Some(newer) = images::newer_nginx(&ground.engine) else { return };
    ground.nginx = newer;
    ground.proxy("").shop("shop", "1", "");
    let site = ground.workspace.read("shop.hcl").replace("    enabled = false\n", "");
    ground.workspace.write("shop.hcl", &site);
    drop(ground.workspace.apply());
    drop(ground.workspace.assert_nothing_to_do());
    let site = ground.root().join("current/sites/shop.example.com.conf");
    let written = fs::read_to_string(&site).unwrap();
    assert!(written.contains("ssl http2;"), "{written}");

    // What was edited is put back as it was.
    fs::write(&site, "# nobody is at home").unwrap();
    drop(ground.workspace.apply());
    assert_eq!(fs::read_to_string(&site).unwrap(), written);
    drop(ground.workspace.assert_nothing_to_do());

    // What changes is written for the nginx that is there; the one behind this version does not know the directive.
    ground.shop("shop", "1", "\n  extra_config = \"keepalive_timeout 61;\"\n");
    drop(ground.workspace.vsa(["plan"]).code(1).says("unknown directive \"http2\""));
}

#[test]
fn an_update_of_the_proxy_that_fails_leaves_its_sites_as_they_were() {
    let Some(ground) = Ground::new() else { return };
    ground.shop("shop", "1", "").proxy("TOKEN = sensitive(\"hush-token\")");
    let compose = ground.workspace.read("proxy/compose.yml");
    let compose = compose.replacen("    environment:\n", "    environment:\n      TOKEN: ${TOKEN}\n", 1);
    ground.workspace.write("proxy/compose.yml", &compose);
    drop(ground.workspace.apply());
    let network = ground.default_network("shop");
    let id = || ground.engine.ask(&["inspect", "--format", "{{.Id}}", &ground.container()]);
    let (before, networks) = (id(), ground.networks(&ground.container()));
    let broken = compose.replacen("        trap 'exit 0'", "        exit 3\n        trap 'exit 0'", 1);
    ground.workspace.write("proxy/compose.yml", broken.replace("restart: unless-stopped", "restart: \"no\""));
    let failed = ground.workspace.vsa(["apply", "-auto-approve"]).code(5);
    assert_ne!(id(), before, "it was made anew: {failed}");
    assert!(ground.proxy_is_in(&network), "{failed}");
    assert!(ground.answers_again(), "{failed}");

    // One that is well by its own account, and waits for what never comes.
    let (now, waits) = (id(), compose.replacen("/current/nginx.conf\" ]; do", "/nothing\" ]; do", 1));
    let waits =
        waits.replacen("        trap 'exit 0'", "        echo \"with $$TOKEN\"\n        trap 'exit 0'", 1);
    let healthy =
        waits.replacen("'[ ! -e", "'true || [ ! -e", 1).replacen("interval: 10s", "interval: 1s", 1);
    ground.workspace.write("proxy/compose.yml", healthy);
    let failed = ground.workspace.vsa(["apply", "-auto-approve"]).code(5);
    let failed = failed.says(&format!("the container `{}` does not serve", ground.container()));
    let failed = failed.says("no nginx that reads").says("same path").says("with ********");
    assert!(!said(&failed).contains("hush-token"), "{failed}");
    assert_ne!(id(), now, "it was made anew: {failed}");
    assert_eq!(ground.networks(&ground.container()), networks, "{failed}");
    assert!(ground.answers_again(), "{failed}");
    ground.workspace.write("proxy/compose.yml", &compose);
    drop(ground.workspace.assert_nothing_to_do());

    // One that is broken and gets no better is as it was.
    let ends = |code: &str| {
        let ends = broken.replacen("exit 3", &format!("exit {code}"), 1);
        ground
            .workspace
            .write("proxy/compose.yml", ends.replace("restart: unless-stopped", "restart: \"no\""));
    };
    ends("3");
    drop(ground.workspace.vsa(["apply", "-auto-approve", "-on-failure=keep"]).code(6));
    ends("4");
    let failed = ground.workspace.vsa(["apply", "-auto-approve"]).code(5);
    drop(failed.says("it is exited with exit code 4"));
    ground.workspace.write("proxy/compose.yml", &compose);
    drop(ground.workspace.apply());
    assert!(ground.answers_again());
    drop(ground.workspace.assert_nothing_to_do());
}

/// One of them is ready while the other still waits for a container that does not heed its end.
#[test]
fn networks_of_two_stacks_are_made_anew_in_one_apply() {
    let Some(ground) = Ground::new() else { return };
    let shops = |attempt: &str| {
        for (tenant, command, grace) in [("one", "/app", "1s"), ("two", "exec sleep 600", "6s")] {
            ground.shop(tenant, "1", "");
            let file = format!("{tenant}/compose.yml");
            let text = ground.workspace.read(&file).replace(
                "  db:\n",
                &format!(
                    "  db:\n    command: [\"sh\", \"-c\", \"{command}\"]\n    stop_grace_period: {grace}\n"
                ),
            );
            let networks = format!("networks:\n  default:\n    labels:\n      attempt: \"{attempt}\"\n");
            ground.workspace.write(&file, text + &networks);
        }
    };
    shops("1");
    drop(ground.workspace.apply());
    shops("2");
    let plan = ground.workspace.vsa(["plan"]).code(0);
    assert_eq!(said(&plan).matches("network default: it is made anew").count(), 2, "{plan}");
    drop(ground.workspace.apply());
    for tenant in ["one", "two"] {
        let network = ground.default_network(tenant);
        let label = ["network", "inspect", "--format", "{{.Labels.attempt}}", &network];
        assert_eq!(ground.engine.ask(&label), "2");
        assert!(ground.proxy_is_in(&network));
        assert_eq!(ground.get(tenant), format!("1 {tenant}"));
    }
    drop(ground.workspace.assert_nothing_to_do());

    // The way back leaves and joins them just so; and the proxy itself comes up beside it.
    shops("3");
    let two = ground.workspace.read("two/compose.yml");
    let broken = two.replacen("  web:\n", "  web:\n    entrypoint: [\"/nonexistent\"]\n", 1);
    ground.workspace.write("two/compose.yml", broken);
    let proxy = ground.workspace.read("proxy/compose.yml");
    let labelled =
        proxy.replacen("    read_only: true\n", "    read_only: true\n    labels: { attempt: three }\n", 1);
    assert_ne!(labelled, proxy);
    ground.workspace.write("proxy/compose.yml", labelled);
    drop(ground.workspace.vsa(["apply", "-auto-approve"]).code(5).says("/nonexistent"));
    for tenant in ["one", "two"] {
        assert!(ground.proxy_is_in(&ground.default_network(tenant)));
        assert_eq!(ground.get(tenant), format!("1 {tenant}"));
    }
}

#[test]
fn a_network_that_a_killed_first_run_joined_is_left_again() {
    let Some(ground) = Ground::new() else { return };
    ground.shop("shop", "1", "");
    let network = ground.default_network("shop");
    let mut child = ground.workspace.stopped_at("phase:switch:1").unwrap();
    assert!(ground.proxy_is_in(&network));
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(ground.source("shop.hcl")).unwrap();
    drop(ground.workspace.apply());
    assert!(!ground.proxy_is_in(&network));
    let networks = ground.engine.ask(&["network", "ls", "--format", "{{.Name}}"]);
    assert!(!networks.contains(&network), "{networks}");
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn a_network_that_a_killed_run_was_to_leave_is_left_by_the_next() {
    let Some(ground) = Ground::new() else { return };
    ground.shop("one", "1", "").shop("two", "2", "");
    drop(ground.workspace.apply());
    let network = ground.default_network("two");
    let text = ground.workspace.read("two.hcl");
    let (stack, _) = text.split_once("domain").unwrap();
    ground.workspace.write("two.hcl", stack);
    let mut child = ground.workspace.stopped_at("phase:clean_up:1").unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(ground.proxy_is_in(&network));
    drop(ground.workspace.apply());
    assert!(!ground.proxy_is_in(&network));
    assert_eq!(ground.get("one"), "1 one");
    drop(ground.workspace.assert_nothing_to_do());

    // One that somebody removed comes again with its stack, and is joined again.
    let (network, project) = (ground.default_network("one"), ground.project("one", "one"));
    let [web, db] = ["web", "db"].map(|service| ground.engine.container(&project, service));
    for container in [&web, &db, &ground.container()] {
        ground.engine.ask(&["network", "disconnect", "--force", &network, container]);
    }
    ground.engine.ask(&["network", "rm", &network]);
    drop(ground.workspace.vsa(["plan"]).code(0).says(&network));
    drop(ground.workspace.apply());
    assert!(ground.proxy_is_in(&network));
    assert_eq!(ground.get("one"), "1 one");
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn connections_to_containers_are_not_kept_by_an_older_nginx() {
    let Some(ground) = Ground::new() else { return };
    ground.shop("shop", "1", "");
    let text = ground.workspace.read("shop.hcl");
    let kept = text.replacen("    port    = 3000", "    port    = 3000\n    keepalive = 8", 1);
    ground.workspace.write("shop.hcl", kept);
    let plan = ground.workspace.vsa(["plan"]).code(0).says("connections to containers are not kept");
    drop(plan.says("only nginx 1.27.3 or later keeps them").says("shop.hcl:"));
}
