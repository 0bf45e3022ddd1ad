//! Stacks on a real swarm of one node: deployed, updated, rolled back, mended, stopped and taken away.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use insta::assert_snapshot;

use super::{Ground, said};
use crate::support::Run;
use crate::support::counting::Counting;
use crate::support::images;
use crate::support::processes::wait_until;

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
             [greeting]\n    deploy:\n      update_config: {{monitor: 1s}}\n      restart_policy: {{delay: 1s}}\n  db:\n    image: \
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

    /// Two more stacks of one service each.
    fn two_more(&self, image: &str) {
        let tenant = self.tenant();
        let stacks = ["one", "two"].map(|name| {
            format!(
                "stack \"{name}\" {{\n  tenant  = tenant.{tenant}\n  engine  = \"swarm\"\n  pull    = \"never\"\n  compose = \
                 \"services: {{ web: {{ image: '{image}' }} }}\"\n}}\n"
            )
        });
        self.workspace.write("more.hcl", stacks.concat());
    }

    /// What a plan that finds nothing to do asks the engine. It starts no program of Docker's: those are replaced by one
    /// that leaves a mark.
    fn asked_by_a_plan(&self, asked: &Counting) -> Vec<String> {
        let programs = self.workspace.path().join("programs");
        fs::create_dir_all(&programs).unwrap();
        for name in ["docker", "docker-compose"] {
            fs::write(programs.join(name), "#!/bin/sh\ntouch \"$0.started\"\nexit 1\n").unwrap();
            fs::set_permissions(programs.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mounted = "mount --bind \"$1\" /usr/local/sbin && shift && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", mounted, "sh"]).arg(&programs);
        command.arg(env!("CARGO_BIN_EXE_vsa")).args(["plan", "-detailed-exitcode"]);
        command.current_dir(self.workspace.configuration());
        drop(asked.take());
        drop(Run::of(command).code(0));
        assert_eq!(fs::read_dir(&programs).unwrap().count(), 2, "no program of Docker's was started");
        asked.take()
    }

    /// An apply that waits for tasks which nobody finds well for a minute; meanwhile, something happens.
    fn meanwhile_it_is_deployed(&self, what: impl FnOnce(&mut std::process::Child)) {
        let sick = images::app(&self.engine, "sick");
        let text = self.of(&sick).workspace.read("shop/compose.yml");
        let text = text.replace("      interval: 1s", "      interval: 1s\n      start_period: 60s");
        self.workspace.write("shop/compose.yml", text);
        let mut apply = self.workspace.start(["apply", "-auto-approve", "-var", "greeting=hush-2"]);
        let of_it = format!("ancestor={sick}");
        let runs = || !self.engine.ask(&["ps", "--quiet", "--filter", &of_it]).is_empty();
        assert!(wait_until(Duration::from_mins(1), runs), "it comes so far");
        what(&mut apply);
    }
}

fn hushed(run: &Run) {
    assert!(!said(run).contains("hush-"), "{run}");
}

#[test]
fn a_stack_in_a_swarm_is_deployed_updated_and_taken_away() {
    let Some(ground) = swarm() else { return };
    let asked = Counting::before(&ground.engine.socket(), ground.workspace.path());
    let node = ground.workspace.read("node.hcl");
    let (socket, counting) = (ground.engine.socket(), asked.socket.display().to_string());
    ground.workspace.write("node.hcl", node.replace(&socket.display().to_string(), &counting));
    let one = images::app(&ground.engine, "1");
    ground.deployed("").of(&one);
    let compose = ground.workspace.read("shop/compose.yml");
    let compose = compose.replacen("    secrets: [", "    networks: [default, back]\n    secrets: [", 1);
    ground.workspace.write("shop/compose.yml", format!("{compose}networks:\n  back: {{}}\n"));
    let applied = ground.workspace.apply();
    hushed(&applied);
    let [back, default] = ["back", "default"].map(|name| format!("{}_{name}", ground.project()));
    assert_eq!(ground.listed("network"), [&*back, &*default]);
    assert!(!said(&applied).contains("remove from the swarm"), "there is nothing to remove: {applied}");
    assert!(applied.stderr.contains("stack.shop: web is running (1/1)"), "{applied}");
    assert_eq!(ground.page(), "1 hush-1");
    assert_eq!(ground.run_in("web", &["cat", "/run/secrets/greeting"]), "hush-1");
    let few = ground.asked_by_a_plan(&asked);
    let listed = ground.workspace.vsa(["stack", "list"]).code(0).stdout;
    let rows: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    let (tenant, project) = (ground.tenant(), ground.project());
    assert_eq!(
        rows,
        [
            ["STACK", "TENANT", "PROJECT", "WANTED", "STATUS", "SOURCE"],
            ["stack.shop", &tenant, &project, "running", "running(2)", "shop"],
        ]
    );
    drop(ground.workspace.vsa(["stack", "ps", "shop"]).code(0).says("vsa-test/app:1"));
    drop(ground.workspace.vsa(["stack", "logs", "shop", "web"]).code(0).says("web-1  | version 1 starts"));

    // An update replaces the tasks of what it changes, and is told as what it is. Others come up beside it.
    ground.two_more(&one);
    let (db, secrets) = (ground.tasks("db"), ground.listed("secret"));
    let two = images::app(&ground.engine, "2");
    ground.of(&two);
    assert_snapshot!(ground.services(), @r#"
        service db: 1 task stays
    -/+ service web: 1 task is replaced, the old one ends first (image, networks.back, networks.default)
          ~ image            = "vsa-test/app:1" -> "vsa-test/app:2"
          - networks.back    = "joined"
          - networks.default = "joined"
        # data that stays: ROOT/srv/TENANT/shop/data/files, volume TENANT-shop_data
        # interrupting: no site feels it
    "#);
    drop(
        ground.workspace.apply().says(&format!("what stack {} has no more: network back", ground.project())),
    );
    assert_eq!(ground.listed("network"), [default]);
    assert_eq!(ground.page(), "2 hush-1");
    assert_eq!((ground.tasks("db"), ground.listed("secret")), (db.clone(), secrets.clone()));
    // Three cost a plan as much as one.
    assert_eq!(ground.asked_by_a_plan(&asked), few);
    assert_snapshot!(few.join("\n"), @r"
    GET /containers/json?all=true&size=false
    GET /images/json?all=false&shared-size=false&digests=true&manifests=false
    GET /info
    GET /networks
    GET /services?status=true
    GET /tasks
    GET /version
    ");

    // A secret that changes gets another name, and the old one goes; neither is shown.
    let changed = ground.workspace.vsa(["apply", "-auto-approve", "-var", "greeting=hush-2"]).code(0);
    hushed(&changed);
    let former =
        format!("remove from the swarm what stack {project} has no more: the former secret greeting");
    let changed = changed.says(&former);
    assert_eq!(
        said(&changed).matches("remove from the swarm what").count(),
        2,
        "planned and done: {changed}"
    );
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
    // One that is never found well ends in good order, and says so itself.
    ground.of(&images::app(&ground.engine, "sick"));
    let failed = ground.workspace.vsa(["apply", "-auto-approve"]).code(5);
    hushed(&failed);
    drop(
        failed.says("a task has ended in good order").says("the end of its log").says("version sick starts"),
    );
    assert_eq!(ground.tasks("web"), web, "it never ended");
    ground.of(&one);
    drop(ground.workspace.assert_nothing_to_do());

    // One that cannot come up at all leaves nothing behind.
    drop(ground.workspace.vsa(["destroy", "-auto-approve"]).code(0));
    ground.of(&images::app(&ground.engine, "sick"));
    let failed = ground.workspace.vsa(["apply", "-auto-approve"]).code(5).says("service `web` of stack");
    drop(failed.says("failed\n").says("version sick starts"));
    for what in ["service", "secret", "network"] {
        assert_eq!(ground.listed(what), Vec::<String>::new(), "no {what} is left");
    }

    // Nor does what a run has left there wander to the other engine.
    ground.of(&images::app(&ground.engine, "crash"));
    let failed = ground.workspace.vsa(["apply", "-auto-approve", "-on-failure=keep"]).code(6);
    drop(failed.says("cannot start: no database"));
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
    // Its engine cannot be changed, and nobody is told to.
    let refused = ground.workspace.vsa(["plan"]).code(1).says("`node.local` is in no swarm");
    drop(refused.says("or take the stack away, apply, and declare it again without `engine`"));
}

#[test]
fn a_run_in_a_swarm_that_was_killed_or_has_lost_its_engine_is_finished_by_the_next() {
    let Some(ground) = swarm() else { return };
    let (one, two) = (images::app(&ground.engine, "1"), images::app(&ground.engine, "2"));
    ground.deployed("").of(&one);
    drop(ground.workspace.apply());
    let secrets = ground.listed("secret");
    ground.meanwhile_it_is_deployed(|apply| {
        apply.kill().unwrap();
        apply.wait().unwrap();
    });
    assert_eq!(ground.listed("secret").len(), 2, "that of the killed run is there");
    ground.of(&two);
    let plan = ground.workspace.vsa(["plan"]).code(0).says("an apply has begun this and not finished it");
    drop(plan.says("remove from the swarm what an earlier run has left of stack"));
    hushed(&ground.workspace.apply());
    assert_eq!((ground.page().as_str(), ground.listed("secret")), ("2 hush-1", secrets.clone()));
    drop(ground.workspace.assert_nothing_to_do());

    // The engine begins anew: the run may see the gap or not, and takes back what it did as far as it can.
    ground.meanwhile_it_is_deployed(|apply| {
        ground.engine.kill();
        ground.engine.start();
        let code = apply.wait().unwrap().code();
        assert!(matches!(code, Some(5 | 6)), "{code:?}");
    });
    ground.of(&two);
    drop(ground.workspace.apply());
    assert_eq!((ground.page().as_str(), ground.listed("secret")), ("2 hush-1", secrets));
    drop(ground.workspace.assert_nothing_to_do());
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
    let plan = ground.workspace.vsa(["plan"]).code(0);
    let plan = plan.says("service web was changed in the swarm by somebody else");
    drop(plan.says(
        "service web: 1 task is replaced, the old one ends first (what somebody changed in the swarm)",
    ));
    update(&["--limit-memory", "64m", &db]);
    drop(ground.workspace.vsa(["plan"]).code(0).says("service db was changed in the swarm by somebody else"));
    ground.engine.ask(&["service", "rm", &db]);
    drop(ground.workspace.vsa(["plan"]).code(0).says("service db is not in the swarm any more"));
    let stranger = format!("{}_stranger", ground.project());
    let label = format!("com.docker.stack.namespace={}", ground.project());
    let made =
        ["service", "create", "--detach", "--no-resolve-image", "--name", &stranger, "--label", &label, &one];
    ground.engine.ask(&made);
    let plan = ground.workspace.vsa(["plan"]).code(0);
    let plan = plan.says("service stranger is in the swarm, and the stack has no such");
    let plan = plan.says("- service stranger: the stack has no such service");
    drop(plan.says("has no more: service stranger"));
    drop(ground.workspace.apply());
    assert_eq!(ground.listed("service"), [db, web]);
    drop(ground.workspace.assert_nothing_to_do());

    // A network stays as it was made, which is said.
    let text = ground.workspace.read("shop/compose.yml");
    ground.workspace.write("shop/compose.yml", format!("{text}networks:\n  default: {{internal: true}}\n"));
    let plan = ground.workspace.vsa(["plan"]).code(0);
    drop(plan.says("networks that stay as they were made, for a swarm changes none: default"));
    ground.workspace.write("shop/compose.yml", text);

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
    // It goes bit by bit, and is told as there as long as anything of it is.
    let label = format!("label=com.docker.stack.namespace={project}");
    let left = || ground.engine.ask(&["ps", "--all", "--quiet", "--filter", &label]);
    let is_gone = || left().is_empty() && ground.listed("network").is_empty();
    assert!(wait_until(Duration::from_mins(1), is_gone), "{}", left());

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
