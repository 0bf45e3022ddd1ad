//! Forty stacks of five tenants on one node: brought up several at a time, and looked at together.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use insta::assert_snapshot;

use crate::support::counting::Counting;
use crate::support::docker::{Engine, Pool};
use crate::support::images;
use crate::support::{Run, Workspace};

const TENANTS: usize = 5;

/// How many stacks are brought up at once.
const AT_ONCE: usize = 6;

/// Records its beginning and its end around the real program.
const RECORDING: &str = "#!/bin/sh\necho \"begin $*\" >>\"$0.log\"\n/usr/bin/\"${0##*/}\" \"$@\"\ncode=$?\necho end >>\"$0.log\"\n\
                         exit $code\n";

struct Ground {
    engine: Engine,
    asked: Counting,
    workspace: Workspace,
}

impl Ground {
    fn new(pool: Option<Pool>) -> Option<Self> {
        let workspace = Workspace::managed()?;
        let engine = Engine::own(workspace.path(), pool)?;
        engine.enter();
        let asked = Counting::before(&engine.socket(), workspace.path());
        let programs = workspace.path().join("programs");
        fs::create_dir(&programs).unwrap();
        for name in ["docker", "docker-compose"] {
            let program = programs.join(name);
            fs::write(&program, RECORDING).unwrap();
            fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        workspace.write(
            "node.hcl",
            format!(
                "node \"local\" {{\n  proxy {{\n    http_port  = {}\n    https_port = {}\n  }}\n\n  docker {{\n    socket = \
                 \"{}\"\n  }}\n}}\n",
                workspace.http_port(),
                workspace.https_port(),
                asked.socket.display(),
            ),
        );
        Some(Self { engine, asked, workspace })
    }

    /// So many stacks with a site each, dealt out to the tenants.
    fn stacks(&self, count: usize, version: &str) -> &Self {
        let app = images::app(&self.engine, version);
        let tenants = (0..TENANTS).map(|tenant| format!("tenant \"t{tenant}\" {{}}\n"));
        let stacks = (0..count).map(|stack| {
            let tenant = stack % TENANTS;
            format!(
                r#"
stack "s{stack}" {{
  tenant  = tenant.t{tenant}
  compose = "services: {{ web: {{ image: '{app}', environment: {{ GREETING: 's{stack}' }}, init: true }} }}\n"
}}

domain "s{stack}.example.com" {{
  tenant = tenant.t{tenant}

  tls {{
    enabled = false
  }}

  upstream {{
    stack   = stack.s{stack}
    service = "web"
    port    = 3000
  }}
}}
"#
            )
        });
        self.workspace.write("main.hcl", tenants.chain(stacks).collect::<String>());
        self
    }

    /// Runs `vsa` where the recording programs stand in the first directory that it looks for programs in.
    fn vsa(&self, arguments: &[&str]) -> Run {
        let mounted = "mount --bind \"$1\" /usr/local/sbin && shift && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", mounted, "sh"]);
        command.arg(self.workspace.path().join("programs")).arg(env!("CARGO_BIN_EXE_vsa")).args(arguments);
        Run::of({
            command.current_dir(self.workspace.configuration());
            command
        })
    }

    fn apply(&self) -> Run {
        self.vsa(&["apply", "-auto-approve", &format!("-parallelism={AT_ONCE}")]).code(0)
    }

    /// What the Compose tool was started for since the last time, and how many ran at once at most.
    fn started(&self) -> (Vec<String>, usize) {
        let mut started = Vec::new();
        let mut most = 0;
        for name in ["docker.log", "docker-compose.log"] {
            let log: PathBuf = self.workspace.path().join("programs").join(name);
            let text = fs::read_to_string(&log).unwrap_or_default();
            let _ = fs::remove_file(log);
            let mut running: usize = 0;
            for line in text.lines() {
                match line.strip_prefix("begin ") {
                    Some(arguments) => {
                        started.push(arguments.to_owned());
                        running += 1;
                    }
                    None => running -= 1,
                }
                most = most.max(running);
            }
        }
        (started, most)
    }

    /// What a plan that finds nothing to do asks the engine.
    fn asked_by_a_plan(&self) -> Vec<String> {
        drop((self.asked.take(), self.started()));
        drop(self.vsa(&["plan", "-detailed-exitcode"]).code(0));
        assert_eq!(self.started().0, Vec::<String>::new(), "the Compose tool stands still");
        self.asked.take()
    }

    fn get(&self, stack: usize) -> String {
        self.workspace.http(&format!("s{stack}.example.com"), "/").text().trim().to_owned()
    }

    fn running(&self) -> usize {
        self.engine.ask(&["ps", "--quiet"]).lines().count()
    }
}

#[test]
fn forty_stacks_come_up_and_cost_a_plan_as_much_as_five() {
    let Some(ground) = Ground::new(Some(Pool::LARGE)) else { return };
    drop(ground.stacks(5, "1").apply());
    let few = ground.asked_by_a_plan();
    drop(ground.stacks(40, "1").apply());
    let (started, most) = ground.started();
    let ups = started.iter().filter(|arguments| arguments.contains(" up --detach")).count();
    assert_eq!(ups, 35, "what is up is left alone: {started:#?}");
    assert!((2..=AT_ONCE).contains(&most), "{most} at once");
    assert_eq!(ground.running(), 40);
    for stack in 0..40 {
        assert_eq!(ground.get(stack), format!("1 s{stack}"));
    }
    assert_eq!(ground.asked_by_a_plan(), few);
    assert_snapshot!(few.join("\n"), @r"
    GET /containers/json?all=true&size=false
    GET /images/json?all=false&shared-size=false&digests=true&manifests=false
    ");

    // What changes is looked at alone: the tool hashes and brings up one.
    let text = ground.workspace.read("main.hcl").replacen("GREETING: 's7'", "GREETING: 'seven'", 1);
    ground.workspace.write("main.hcl", text);
    drop(ground.apply());
    let (started, _) = ground.started();
    let projects: Vec<_> = started.iter().filter(|arguments| arguments.contains("--project-name")).collect();
    assert!(projects.iter().all(|arguments| arguments.contains(" t2-s7 ")), "{projects:#?}");
    assert_eq!(projects.iter().filter(|arguments| arguments.contains(" up --detach")).count(), 1);
    assert_eq!((ground.get(7), ground.get(8)), ("1 seven".to_owned(), "1 s8".to_owned()));

    drop(ground.vsa(&["destroy", "-auto-approve"]).code(0));
    assert_eq!(ground.running(), 0);
    assert_eq!(ground.engine.ask(&["network", "ls", "--quiet"]).lines().count(), 3, "Docker's own alone");
}

#[test]
fn where_dockers_own_pools_end_nothing_is_begun() {
    let Some(ground) = Ground::new(None) else { return };
    ground.stacks(40, "1");
    for command in [&["plan"][..], &["apply", "-auto-approve"]] {
        let refused = ground.vsa(command).code(1).says("too few addresses for its networks");
        let refused = refused.says("40 would be made, and there is room for 31: t0-s0_default");
        drop(refused.says("default-address-pools").says("`docker network prune`"));
    }
    assert!(ground.started().0.is_empty(), "the tool was not even looked for");
    assert_eq!(ground.engine.ask(&["ps", "--all", "--quiet"]), "");
    assert_eq!(ground.engine.ask(&["network", "ls", "--quiet"]).lines().count(), 3, "Docker's own alone");
    assert!(!ground.workspace.node_root().join("srv").exists());
    assert!(!ground.workspace.configuration().join("state/default.json").exists());

    // As many as there is room for.
    drop(ground.stacks(31, "1").vsa(&["plan"]).code(0).says("Plan: 68 to add"));
}
