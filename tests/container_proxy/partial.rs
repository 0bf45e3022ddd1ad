//! Plans of one stack, behind an nginx in a container: all else stays as it is, also in the proxy's networks.

use std::fs;
use std::time::Duration;

use super::{Ground, is_down};
use crate::support::Run;
use crate::support::processes::wait_until;
use crate::support::{Request, fetch};

impl Ground {
    fn joined(&self, tenant: &str) -> bool {
        self.networks(&self.container()).contains(&format!("{}_default", self.project(tenant, tenant)))
    }

    fn both(&self) -> (String, String) {
        (self.get("one"), self.get("two"))
    }

    fn stack(&self, command: &str, name: &str) -> Run {
        self.workspace.vsa(["stack", command, name, "-auto-approve"])
    }
}

#[test]
fn one_stack_goes_up_and_down_while_the_others_stay_as_they_are() {
    let Some(ground) = Ground::new() else { return };
    ground.shop("one", "1", "").shop("two", "1", "");
    drop(ground.workspace.apply());
    let of = |one: &str, two: &str| (format!("{one} one"), format!("{two} two"));
    assert_eq!(ground.both(), of("1", "1"));

    // What else was edited waits.
    ground.shop("one", "2", "").shop("two", "2", "");
    let plan = ground.stack("up", "one").code(0);
    assert!(!plan.stdout.contains("stack.two"), "{plan}");
    assert_eq!(ground.both(), of("2", "1"));

    // Its containers go, its site says so, and the proxy stays where it will be needed again.
    drop(ground.stack("down", "one").code(0));
    let status = ground.workspace.http("one.example.com", "/").status;
    assert!(is_down(status), "{status}");
    assert_eq!(ground.get("two"), "1 two");
    assert!(ground.joined("two"));
    // What is pruned meanwhile is nothing to join, until the stack brings it again.
    let (project, proxy) = (ground.project("one", "one"), ground.container());
    for service in ["web", "db"] {
        ground.engine.ask(&["rm", &ground.engine.container(&project, service)]);
    }
    let network = format!("{project}_default");
    ground.engine.ask(&["network", "disconnect", &network, &proxy]);
    ground.engine.ask(&["network", "rm", &network]);
    let plan = ground.workspace.vsa(["plan"]).code(0);
    assert!(!plan.stdout.contains(&network), "{plan}");
    drop(ground.stack("up", "one").code(0));
    assert_eq!(ground.both(), of("2", "1"));

    // One that is new brings its site, and the proxy into its network; one that is gone from the files stays so far.
    let removed = fs::read(ground.source("two.hcl")).unwrap();
    fs::remove_file(ground.source("two.hcl")).unwrap();
    ground.shop("three", "1", "");
    drop(ground.stack("up", "three").code(0));
    assert_eq!(ground.get("three"), "1 three");
    assert_eq!(ground.both(), of("2", "1"));
    assert!(["one", "two", "three"].iter().all(|tenant| ground.joined(tenant)));
    ground.workspace.write("two.hcl", removed);

    // The proxy itself, made anew: it is in the networks of sites that the plan is not about, too.
    let compose = ground.workspace.read("proxy/compose.yml");
    let id = || ground.engine.ask(&["inspect", "--format", "{{.Id}}", &ground.container()]);
    let (before, named) = (id().trim().to_owned(), format!("name=^{}$", ground.container()));
    ground.workspace.write("proxy/compose.yml", compose.replacen("max-size: 10m", "max-size: 11m", 1));
    let felt = "interrupting: domain[\"one.example.com\"], domain[\"three.example.com\"], domain[\"two.example.com\"]";
    drop(ground.workspace.vsa(["plan"]).code(0).says(felt));
    // Its sites wait for its networks alone, and not until it is known to be healthy.
    let mut up = ground.workspace.start(["stack", "up", &ground.container(), "-auto-approve"]);
    let answers = || {
        let request = Request::http(ground.workspace.http_port(), "one.example.com", "/");
        fetch(&request).is_ok_and(|answer| answer.text().trim() == "2 one")
    };
    let answered = wait_until(Duration::from_secs(30), || {
        let now = ground.engine.ask(&["ps", "--no-trunc", "--quiet", "--filter", &named]);
        !now.is_empty() && now.trim() != before && answers()
    });
    assert!(answered && up.try_wait().unwrap().is_none(), "answered meanwhile: {answered}");
    assert!(up.wait().unwrap().success());
    assert_ne!(id(), before, "it was made anew");
    assert!(["one", "two", "three"].iter().all(|tenant| ground.joined(tenant)));
    assert_eq!((ground.both(), ground.get("three")), (of("2", "1"), "1 three".to_owned()));

    // All of it.
    drop(ground.workspace.apply());
    assert_eq!(ground.both(), of("2", "2"));
    drop(ground.workspace.assert_nothing_to_do());
}
