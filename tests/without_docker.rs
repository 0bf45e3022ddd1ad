//! A plan where Docker cannot be asked says what it could not see, and takes nothing for deleted because of that.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::support::docker::{Engine, Pool};
use crate::support::images;
use crate::support::{Run, Workspace};

/// An ordinary user.
const NOBODY: u32 = 65534;

struct Ground {
    engine: Engine,
    workspace: Workspace,
}

impl Ground {
    /// Everything that Docker knows more of: two stacks, a network, and sites that lead to containers of somebody else's.
    fn new() -> Option<Self> {
        let workspace = Workspace::managed()?;
        let engine = Engine::own(workspace.path(), Pool::LARGE)?;
        engine.enter();
        let app = images::app(&engine, "1");
        for (name, port) in [("blog", 7000), ("wiki", 7001)] {
            let published = format!("127.0.0.1:{port}:3000");
            engine.ask(&[
                "run",
                "--detach",
                "--name",
                name,
                "-p",
                &published,
                "-e",
                &format!("GREETING={name}"),
                &app,
            ]);
        }
        let this = Self { engine, workspace };
        this.node(&this.engine.socket().display().to_string());
        this.workspace.write(
            "main.hcl",
            format!(
                r#"
tenant "acme" {{}}

network "back" {{
  tenant = tenant.acme
}}

stack "shop" {{
  tenant   = tenant.acme
  networks = [network.back]
  compose  = "services: {{ web: {{ image: '{app}', networks: [back, default] }} }}\nnetworks: {{ back: {{ external: true, name: acme-back }} }}\n"
}}

stack "mail" {{
  tenant  = tenant.acme
  compose = "services: {{ web: {{ image: '{app}' }} }}\n"
}}

domain "shop.example.com" {{
  tenant = tenant.acme
  tls {{
    enabled = false
  }}
  upstream {{
    stack   = stack.shop
    service = "web"
    port    = 3000
  }}
}}

domain "blog.example.com" {{
  tenant = tenant.acme
  tls {{
    enabled = false
  }}
  upstream {{
    container = "blog"
    port      = 3000
  }}
}}

domain "wiki.example.com" {{
  tenant = tenant.acme
  tls {{
    enabled = false
  }}
  upstream {{
    detect {{
      external_port = 7001
    }}
  }}
}}
"#
            ),
        );
        Some(this)
    }

    fn node(&self, socket: &str) -> &Self {
        self.workspace.write(
            "node.hcl",
            format!(
                "node \"local\" {{\n  proxy {{\n    http_port  = {}\n    https_port = {}\n  }}\n\n  docker {{\n    socket = \
                 \"{socket}\"\n  }}\n}}\n",
                self.workspace.http_port(),
                self.workspace.https_port(),
            ),
        );
        self
    }

    /// What a plan says that sees no engine, which is all that it says.
    fn blind(&self, run: Run) -> String {
        let run = run.code(0);
        assert!(!run.stdout.contains("Drift"), "{run}");
        let words = run.stderr.replace(&self.workspace.path().display().to_string(), "…");
        words.lines().take_while(|line| !line.starts_with("audit")).collect::<Vec<_>>().join("\n")
    }

    fn sites_answer(&self) {
        for (site, text) in [("shop", "1"), ("blog", "1 blog"), ("wiki", "1 wiki")] {
            assert_eq!(self.workspace.http(&format!("{site}.example.com"), "/").text().trim(), text);
        }
    }
}

#[test]
fn what_could_not_be_seen_is_said_once_and_nothing_is_taken_for_deleted() {
    let Some(ground) = Ground::new() else { return };
    drop(ground.workspace.apply());
    ground.sites_answer();

    ground.node("/nonexistent/docker.sock");
    let plan = || ground.workspace.vsa(["plan"]);
    assert!(plan().stdout.contains("0 to add, 1 to change, 0 to destroy"), "the node alone: {}", plan());
    assert_snapshot!(ground.blind(plan()), @r#"
    warning[docker_unseen]: Docker on `node.local` could not be seen
     |
     = on: node.local
     = note: there is no Docker on the node: no socket `/nonexistent/docker.sock`; install or start it, or name its socket. Whether `domain["blog.example.com"]`, `domain["wiki.example.com"]`, `network.back`, `stack.mail`, `stack.shop` are as the state says is not known, and an apply that changes them would fail
     = help: where it listens elsewhere, name its socket with `docker { socket }` of the node
    "#);

    // One that went away leaves its socket.
    let left = ground.workspace.path().join("left.sock");
    drop(UnixListener::bind(&left).unwrap());
    ground.node(&left.display().to_string());
    assert_snapshot!(ground.blind(plan()), @r#"
    warning[docker_unseen]: Docker on `node.local` could not be seen
     |
     = on: node.local
     = note: no Docker engine listens at `…/left.sock`; start it (`systemctl start docker`) and run vsa again. Whether `domain["blog.example.com"]`, `domain["wiki.example.com"]`, `network.back`, `stack.mail`, `stack.shop` are as the state says is not known, and an apply that changes them would fail
     = help: where it listens elsewhere, name its socket with `docker { socket }` of the node
    "#);

    // One that hangs takes the connection, and says nothing: it is not waited for as one is that is busy.
    let silent = ground.workspace.path().join("silent.sock");
    let listener = UnixListener::bind(&silent).unwrap();
    ground.node(&silent.display().to_string());
    let begun = Instant::now();
    let told = ground.blind(plan());
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    assert!(told.contains("did not answer within 10 s; look at its log (`journalctl -u docker`)"), "{told}");
    drop(listener);
    ground.node(&left.display().to_string());

    // What is to go is not taken for gone.
    let main = ground.workspace.read("main.hcl");
    let (kept, gone) = (main.find("stack \"mail\"").unwrap(), main.find("domain \"shop").unwrap());
    ground.workspace.write("main.hcl", format!("{}{}", &main[..kept], &main[gone..]));
    let told = plan().code(0).says("1 to destroy").says("remove project acme-mail: containers, networks");
    assert_snapshot!(ground.blind(told), @r#"
    warning[docker_unseen]: Docker on `node.local` could not be seen
     |
     = on: node.local
     = note: no Docker engine listens at `…/left.sock`; start it (`systemctl start docker`) and run vsa again. Whether `domain["blog.example.com"]`, `domain["wiki.example.com"]`, `network.back`, `stack.mail`, `stack.shop` are as the state says is not known, and an apply that changes them would fail
     = help: where it listens elsewhere, name its socket with `docker { socket }` of the node
    "#);

    // A first plan is as good, but for what only the engine could say.
    let first = Workspace::new();
    first.write("node.hcl", ground.workspace.read("node.hcl")).write("main.hcl", &main);
    drop(first.vsa(["plan"]).code(1).says("the container blog:3000 cannot be looked for"));
    first.write("main.hcl", &main[..main.find("domain \"blog").unwrap()]);
    drop(first.vsa(["plan"]).code(0).says("Docker on `node.local` could not be seen").says("6 to add"));

    ground.workspace.write("main.hcl", main);
    ground.node(&ground.engine.socket().display().to_string());
    drop(ground.workspace.assert_nothing_to_do());
    ground.sites_answer();
}

#[test]
fn an_ordinary_user_is_told_that_the_socket_may_not_be_used() {
    let Some(ground) = Ground::new() else { return };
    let workspace = &ground.workspace;
    // The program itself may be where nobody else can enter.
    let program = workspace.path().join("vsa");
    fs::copy(env!("CARGO_BIN_EXE_vsa"), &program).unwrap();
    for path in [workspace.path(), &workspace.configuration()] {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(arguments);
        command
            .current_dir(workspace.configuration())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        Run::of(command)
    };
    let socket = ground.engine.socket();
    fs::set_permissions(socket.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    drop(as_nobody(&["apply", "-auto-approve"]).code(0));
    ground.sites_answer();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o660)).unwrap();
    assert_snapshot!(ground.blind(as_nobody(&["plan", "-detailed-exitcode"])), @r#"
    warning[docker_unseen]: Docker on `node.local` could not be seen
     |
     = on: node.local
     = note: the socket `…/engine/docker.sock` may not be used; run vsa as root, or put its user into the group `docker`. Whether `domain["blog.example.com"]`, `domain["wiki.example.com"]`, `network.back`, `stack.mail`, `stack.shop` are as the state says is not known, and an apply that changes them would fail
     = help: where it listens elsewhere, name its socket with `docker { socket }` of the node
    "#);
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    drop(as_nobody(&["plan", "-detailed-exitcode"]).code(0));
}

#[test]
fn a_network_that_nobody_could_make_is_taken_back_and_destroyed_without_anybody() {
    let Some(workspace) = Workspace::managed() else { return };
    let socket = workspace.path().join("docker.sock");
    workspace.write(
        "main.hcl",
        format!(
            "node \"local\" {{\n  proxy {{\n    http_port  = {}\n    https_port = {}\n  }}\n\n  docker {{\n    socket = \"{}\"\n  \
             }}\n}}\n\ntenant \"acme\" {{}}\n\nnetwork \"back\" {{\n  tenant = tenant.acme\n}}\n",
            workspace.http_port(),
            workspace.https_port(),
            socket.display(),
        ),
    );
    let failed = workspace.vsa(["apply", "-auto-approve"]).code(5);
    drop(failed.says("all is as it was before"));
    assert!(!workspace.configuration().join("state/default.json").exists());
    for _ in 0..2 {
        drop(workspace.vsa(["apply", "-auto-approve", "-on-failure=keep"]).code(6));
    }
    drop(workspace.vsa(["state", "list"]).code(0).says("network.back (interrupted)"));
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
    let left = workspace.vsa(["state", "list"]).code(0);
    assert_eq!(left.stdout, "", "{left}");
}
