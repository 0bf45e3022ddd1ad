//! Stacks on a real swarm of one node: deployed, updated, rolled back, mended, stopped and taken away.

use insta::assert_snapshot;

use super::{Ground, said};
use crate::support::images;
use crate::support::workspace::Run;

/// A ground whose engine manages a swarm of its own.
fn swarm() -> Option<Ground> {
    let ground = Ground::on_own_engine()?;
    ground.engine.ask(&["swarm", "init", "--advertise-addr", "127.0.0.1"]);
    Some(ground)
}

impl Ground {
    /// A stack in the swarm, without a site: nginx runs on the host.
    fn deployed(&self, more: &str) -> &Self {
        let tenant = self.tenant();
        self.workspace.write(
            "main.hcl",
            format!(
                "variable \"greeting\" {{\n  type      = string\n  sensitive = true\n  default   = \
                 \"hush-1\"\n}}\n\ntenant \"{tenant}\" {{}}\n\nstack \"shop\" {{\n  tenant = tenant.{tenant}\n  source = \
                 \"./shop\"\n  engine = \"swarm\"\n  pull   = \"never\"\n  env    = {{ GREETING = var.greeting }}\n  \
                 {more}\n\n  wait {{\n    timeout = \"60s\"\n  }}\n}}\n"
            ),
        );
        self
    }

    /// A web service of this image with a secret, and a database beside it.
    fn of(&self, image: &str) -> &Self {
        let database = images::database(&self.engine);
        let text = format!(
            "services:\n  web:\n    image: {image}\n    environment:\n      GREETING: ${{GREETING}}\n    env_file: [../env/.env]\n    healthcheck:\n      \
             test: [CMD, wget, -q, -O, /dev/null, \"http://127.0.0.1:3000/health\"]\n      interval: 1s\n    secrets: \
             [greeting]\n    deploy:\n      update_config: {{monitor: 1s}}\n  db:\n    image: \
             {database}\n    volumes:\n      - data:/data\n      - ../data/files:/files\n    deploy:\n      placement: \
             {{constraints: [node.role == manager]}}\nvolumes:\n  data: {{}}\nsecrets:\n  greeting: {{environment: \
             GREETING}}\n"
        );
        self.workspace.write("shop/compose.yml", text);
        self
    }

    /// The containers that run a service.
    fn tasks(&self, service: &str) -> Vec<String> {
        let name = format!("label=com.docker.swarm.service.name={}_{service}", self.project());
        let found = self.engine.ask(&["ps", "--quiet", "--no-trunc", "--filter", &name]);
        found.lines().map(str::to_owned).collect()
    }

    /// What the one container of a service says.
    fn run_in(&self, service: &str, command: &[&str]) -> String {
        let tasks = self.tasks(service);
        let [task] = tasks.as_slice() else { panic!("one container of {service}: {tasks:?}") };
        self.engine.ask(&[&["exec", task], command].concat())
    }

    fn page(&self) -> String {
        self.run_in("web", &["wget", "-q", "-O", "-", "http://127.0.0.1:3000/"])
    }

    fn listed(&self, what: &str) -> Vec<String> {
        let label = format!("label=com.docker.stack.namespace={}", self.project());
        let found = self.engine.ask(&[what, "ls", "--format", "{{.Name}}", "--filter", &label]);
        found.lines().map(str::to_owned).collect()
    }
}

fn hushed(run: &Run) {
    assert!(!said(run).contains("hush-"), "{run}");
}

#[test]
fn a_stack_in_a_swarm_is_deployed_updated_and_taken_away() {
    let Some(ground) = swarm() else { return };
    let one = images::app(&ground.engine, "1");
    ground.deployed("").of(&one);
    let applied = ground.workspace.apply();
    hushed(&applied);
    assert!(applied.stderr.contains("stack.shop: web is running (1/1)"), "{applied}");
    assert_eq!(ground.page(), "1 hush-1");
    assert_eq!(ground.run_in("web", &["cat", "/run/secrets/greeting"]), "hush-1");
    drop(ground.workspace.assert_nothing_to_do());
    let listed = ground.workspace.vsa(["stack", "list"]).code(0).says("running(2)");
    drop(listed.says("running"));
    drop(ground.workspace.vsa(["stack", "ps", "shop"]).code(0).says("vsa-test/app:1"));
    drop(ground.workspace.vsa(["stack", "logs", "shop", "web"]).code(0).says("web-1  | version 1 starts"));

    // An update replaces the tasks of what it changes.
    let (db, secrets) = (ground.tasks("db"), ground.listed("secret"));
    let two = images::app(&ground.engine, "2");
    ground.of(&two);
    assert_snapshot!(ground.services(), @r#"
        service db: 1 task stays
    -/+ service web: 1 task is replaced, the old one ends first (image)
          ~ image = "vsa-test/app:1" -> "vsa-test/app:2"
        # data that stays: ROOT/srv/TENANT/shop/data/files, volume TENANT-shop_data
        # interrupting: no site feels it
    "#);
    drop(ground.workspace.apply());
    assert_eq!(ground.page(), "2 hush-1");
    assert_eq!((ground.tasks("db"), ground.listed("secret")), (db.clone(), secrets.clone()));
    drop(ground.workspace.assert_nothing_to_do());

    // A secret that changes gets another name, and the old one goes; neither is shown.
    let changed = ground.workspace.vsa(["apply", "-auto-approve", "-var", "greeting=hush-2"]).code(0);
    hushed(&changed);
    assert_eq!(ground.run_in("web", &["cat", "/run/secrets/greeting"]), "hush-2");
    let now = ground.listed("secret");
    assert_eq!((now.len(), secrets.len()), (1, 1));
    assert_ne!(now, secrets);
    let state = ground.workspace.read("state/default.json");
    assert!(!state.contains("hush-") && !state.contains(&now[0]), "{state}");
    let again = ["stack", "restart", "shop", "web"];
    let before = ground.tasks("web");
    drop(ground.workspace.vsa(again).code(0).says("stack.shop: restarted web"));
    assert_ne!(ground.tasks("web"), before);
    assert_eq!(ground.tasks("db"), db);
    drop(ground.workspace.vsa(["plan", "-detailed-exitcode", "-var", "greeting=hush-2"]).code(0));

    // Stopped, its services have no tasks; what they hold stays.
    ground.deployed("status = \"stopped\"");
    drop(ground.workspace.vsa(["apply", "-auto-approve", "-var", "greeting=hush-2"]).code(0));
    assert_eq!((ground.tasks("web").len(), ground.tasks("db").len()), (0, 0));
    assert_eq!(ground.listed("secret"), now);
    drop(ground.workspace.vsa(["plan", "-detailed-exitcode", "-var", "greeting=hush-2"]).code(0));
    ground.deployed("");
    drop(ground.workspace.apply());
    assert_eq!(ground.page(), "2 hush-1");

    let volume = format!("{}_data", ground.project());
    std::fs::write(ground.data().join("files/kept"), "by the application").unwrap();
    drop(ground.workspace.vsa(["destroy", "-auto-approve"]).code(0));
    for what in ["service", "secret", "network"] {
        assert_eq!(ground.listed(what), Vec::<String>::new(), "no {what} is left");
    }
    assert_eq!(ground.listed("volume"), [volume]);
    assert!(ground.data().join("files/kept").exists());
    drop(ground.workspace.apply());
    assert_eq!(ground.page(), "2 hush-1");
    drop(ground.workspace.vsa(["destroy", "-auto-approve", "-destroy-data"]).code(0));
    assert_eq!(ground.listed("volume"), Vec::<String>::new());
    assert!(!ground.data().exists());
}

#[test]
fn an_update_that_fails_in_a_swarm_is_taken_back_and_the_old_tasks_go_on() {
    let Some(ground) = swarm() else { return };
    let one = images::app(&ground.engine, "1");
    ground.deployed("update = \"rolling\"").of(&one);
    drop(ground.workspace.apply());
    let (web, secrets) = (ground.tasks("web"), ground.listed("secret"));
    let before = ground.workspace.read("state/default.json");
    ground.of(&images::app(&ground.engine, "crash"));
    let failed = ground.workspace.vsa(["apply", "-auto-approve", "-var", "greeting=hush-2"]).code(5);
    hushed(&failed);
    let failed = failed.says("service `web` of stack");
    drop(failed.says("version crash cannot start: no database"));
    assert_eq!(ground.tasks("web"), web, "it never ended");
    assert_eq!((ground.page().as_str(), ground.listed("secret")), ("1 hush-1", secrets));
    assert_eq!(ground.workspace.read("state/default.json"), before);
    ground.of(&one);
    drop(ground.workspace.assert_nothing_to_do());

    // One that cannot come up at all leaves nothing behind.
    drop(ground.workspace.vsa(["destroy", "-auto-approve"]).code(0));
    ground.of(&images::app(&ground.engine, "crash"));
    drop(ground.workspace.vsa(["apply", "-auto-approve"]).code(5).says("cannot start: no database"));
    for what in ["service", "secret", "network"] {
        assert_eq!(ground.listed(what), Vec::<String>::new(), "no {what} is left");
    }

    // Nor does what a run has left there wander to the other engine.
    drop(ground.workspace.vsa(["apply", "-auto-approve", "-on-failure=keep"]).code(6));
    let text = ground.workspace.read("main.hcl");
    ground.workspace.write("main.hcl", text.replace("  engine = \"swarm\"\n", ""));
    drop(ground.workspace.vsa(["plan"]).code(1).says("`engine` cannot be changed while it is there"));
    ground.workspace.write("main.hcl", text);

    // A run that finds no swarm any more has changed nothing, and has nothing to take back.
    drop(ground.of(&one).workspace.apply());
    let text = ground.workspace.read("shop/compose.yml");
    ground.workspace.write("shop/compose.yml", text.replace("monitor: 1s", "monitor: 2s"));
    let leave = || drop(ground.engine.ask(&["swarm", "leave", "--force"]));
    let failed = ground.workspace.apply_meanwhile("phase:prepare:1", leave).code(5);
    drop(failed.says("the Docker engine manages no swarm"));
}

#[test]
fn what_somebody_did_in_a_swarm_is_drift_and_is_repaired() {
    let Some(ground) = swarm() else { return };
    let (one, two) = (images::app(&ground.engine, "1"), images::app(&ground.engine, "2"));
    ground.deployed("").of(&one);
    drop(ground.workspace.apply());
    let (web, db) = (format!("{}_web", ground.project()), format!("{}_db", ground.project()));
    let update = |arguments: &[&str]| {
        ground.engine.ask(&[&["service", "update", "--detach", "--no-resolve-image"], arguments].concat())
    };
    update(&["--replicas", "3", &web]);
    drop(ground.workspace.vsa(["plan"]).code(0).says("service web was scaled to 3, not 1"));
    drop(ground.workspace.apply());
    drop(ground.workspace.assert_nothing_to_do());
    update(&["--image", &two, &web]);
    drop(
        ground
            .workspace
            .vsa(["plan"])
            .code(0)
            .says("service web runs the image `vsa-test/app:2`, not `vsa-test/app:1`"),
    );
    drop(ground.workspace.apply());
    assert_eq!(ground.page(), "1 hush-1");
    drop(ground.workspace.assert_nothing_to_do());
    update(&["--env-add", "MORE=1", &web]);
    drop(
        ground.workspace.vsa(["plan"]).code(0).says("service web was changed in the swarm by somebody else"),
    );
    update(&["--limit-memory", "64m", &db]);
    drop(ground.workspace.vsa(["plan"]).code(0).says("service db was changed in the swarm by somebody else"));
    ground.engine.ask(&["service", "rm", &db]);
    drop(ground.workspace.vsa(["plan"]).code(0).says("service db is not in the swarm any more"));
    let stranger = format!("{}_stranger", ground.project());
    let label = format!("com.docker.stack.namespace={}", ground.project());
    let made =
        ["service", "create", "--detach", "--no-resolve-image", "--name", &stranger, "--label", &label, &one];
    ground.engine.ask(&made);
    drop(
        ground
            .workspace
            .vsa(["plan"])
            .code(0)
            .says("service stranger is in the swarm, and the stack has no such"),
    );
    drop(ground.workspace.apply());
    assert_eq!(ground.listed("service"), [db, web]);
    drop(ground.workspace.assert_nothing_to_do());

    // What runs in one engine does not wander to the other.
    let text = ground.workspace.read("main.hcl");
    ground.workspace.write("main.hcl", text.replace("  engine = \"swarm\"\n", ""));
    drop(ground.workspace.vsa(["plan"]).code(1).says("`engine` cannot be changed while it is there"));
}

#[test]
fn what_cannot_run_in_a_swarm_is_said_before_anything_starts() {
    let Some(ground) = Ground::on_own_engine() else { return };
    let one = images::app(&ground.engine, "1");
    ground.deployed("").of(&one);
    let refused = ground.workspace.vsa(["plan"]).code(1).says("`node.local` is in no swarm");
    drop(refused.says("`docker swarm init` makes it a swarm of its own"));
    ground.engine.ask(&["swarm", "init", "--advertise-addr", "127.0.0.1"]);

    // Somebody else's stack of that name is not touched.
    let file = ground.workspace.path().join("theirs.yml");
    std::fs::write(&file, format!("version: '3.8'\nservices:\n  web:\n    image: {one}\n")).unwrap();
    let project = ground.project();
    let deploy =
        ["stack", "deploy", "--resolve-image", "never", "--compose-file", file.to_str().unwrap(), &project];
    ground.engine.ask(&deploy);
    let refused = ground.workspace.vsa(["apply", "-auto-approve"]).code(1);
    drop(refused.says("is in the swarm already").says("somebody else deployed it"));
    assert_eq!(ground.listed("service"), [format!("{project}_web")]);
    ground.engine.ask(&["stack", "rm", &project]);

    // nginx on the host finds no service there.
    let site = format!(
        "domain \"shop.example.com\" {{\n  tenant = tenant.{}\n\n  tls {{\n    enabled = false\n  }}\n\n  upstream {{\n    \
         stack   = stack.shop\n    service = \"web\"\n    port    = 3000\n  }}\n}}\n",
        ground.tenant()
    );
    ground.workspace.write("site.hcl", site);
    let refused = ground.workspace.vsa(["plan"]).code(1);
    drop(refused.says("nginx on the host cannot reach the service `web` of `stack.shop`"));
    ground.workspace.write("site.hcl", "");

    // What a swarm ignores is a warning, what it refuses an error.
    let text = format!(
        "services:\n  web:\n    image: {one}\n    restart: always\n    mem_limit: 64m\n    secrets: [lost]\nsecrets:\n  \
         lost: {{environment: NOBODY}}\n"
    );
    ground.workspace.write("shop/compose.yml", text);
    let refused = ground.workspace.vsa(["plan"]).code(1);
    let refused = refused.says("a swarm ignores `restart`").says("a swarm refuses `mem_limit`");
    drop(refused.says("nobody knows what the secret `lost` holds"));

    // A network of the node alone is none of a swarm's, whether it is there or comes with the stack.
    let joins = |name: &str| {
        let text = format!(
            "services:\n  web:\n    image: {one}\n    networks: [far]\nnetworks:\n  far: {{external: true, name: {name}}}\n"
        );
        ground.workspace.write("shop/compose.yml", text);
        let refused = ground.workspace.vsa(["plan"]).code(1).says("error[swarm_network]");
        drop(refused.says(&format!("services of a swarm cannot be in the network `{name}`")));
    };
    ground.engine.ask(&["network", "create", "near"]);
    joins("near");
    let tenant = ground.tenant();
    ground.workspace.write("site.hcl", format!("network \"back\" {{\n  tenant = tenant.{tenant}\n}}\n"));
    ground.deployed("networks = [network.back]");
    joins(&format!("{tenant}-back"));
}
