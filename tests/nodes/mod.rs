//! Nodes that somebody did something to: copied, moved, of another user, with things in the place of vsa's own.

mod processes;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::ports::Port;
use crate::support::{Request, Run, Workspace, fetch};

const SITES: &str = r#"
tenant "acme" {}

domain "one.example.com" {
  tenant = tenant.acme
  redirect {
    to = "https://first.example.net/"
  }
  tls {
    enabled = false
  }
}
"#;

fn applied() -> Option<Workspace> {
    let workspace = Workspace::managed()?;
    workspace.write_node("").write("main.hcl", SITES);
    drop(workspace.apply());
    Some(workspace)
}

/// Copies a directory with all that is in it.
fn copy(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

fn answers(workspace: &Workspace) -> bool {
    workspace.http("one.example.com", "/").status == 301
}

/// One that comes may listen where one that goes did, whatever the two are called.
#[test]
fn a_node_takes_over_the_ports_of_one_that_goes() {
    let Some(workspace) = Workspace::managed() else { return };
    let (http, https) = (workspace.http_port(), workspace.https_port());
    for name in ["middle", "zebra", "alpha"] {
        let node = format!(
            "node \"{name}\" {{\n  proxy {{\n    http_port = {http}\n    https_port = {https}\n  }}\n}}\n"
        );
        workspace.write("node.hcl", node).write("main.hcl", SITES.replace("acme", name));
        drop(workspace.apply());
        assert!(answers(&workspace), "of `{name}`");
        drop(workspace.assert_nothing_to_do());
    }
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
    assert!(!workspace.configuration().join(".vsa/nodes/alpha").exists());
}

/// A copy has the original's state, and would tear the original down.
#[test]
fn a_node_that_keeps_its_directory_keeps_its_name() {
    let Some(workspace) = Workspace::managed() else { return };
    let (http, https) = (workspace.http_port(), workspace.https_port());
    let root = workspace.path().join("node");
    let node = |name: &str| {
        format!(
            "node \"{name}\" {{\n  root = \"{}\"\n  proxy {{\n    http_port = {http}\n    https_port = {https}\n  }}\n}}\n",
            root.display()
        )
    };
    workspace.write("node.hcl", node("first")).write("main.hcl", SITES);
    drop(workspace.apply());
    workspace.write("node.hcl", node("second"));
    for command in [&["plan"][..], &["apply", "-auto-approve"]] {
        let refused = workspace.vsa(command.iter().copied()).code(1);
        drop(refused.says("`node.second` has the directory of `node.first`").says("call it `first` again"));
    }
    assert!(answers(&workspace));
    workspace.write("node.hcl", node("first"));
    drop(workspace.assert_nothing_to_do());
}

#[test]
fn a_copied_configuration_leaves_the_original_alone() {
    let Some(workspace) = applied() else { return };
    let original = workspace.configuration();
    for (name, with_data) in [("whole", true), ("state-alone", false)] {
        let other = workspace.path().join(name);
        copy(&original, &other);
        if !with_data {
            fs::remove_dir_all(other.join(".vsa")).unwrap();
        }
        let chdir = format!("-chdir={}", other.display());
        let applies = [&["plan"][..], &["apply", "-auto-approve"], &["destroy", "-auto-approve"]];
        for command in applies.into_iter().chain([&["node", "stop"][..], &["node", "start"]]) {
            let run = workspace.vsa([&[chdir.as_str()], command].concat()).code(1);
            let run = run.says("`node.local` belongs to the configuration in").says("a copy");
            assert!(run.stderr.contains(&original.display().to_string()), "{run}");
        }
        // Nothing of it is wanted any more: no block says where the node is.
        fs::remove_file(other.join("main.hcl")).unwrap();
        fs::remove_file(other.join("node.hcl")).unwrap();
        fs::write(other.join("empty.hcl"), "locals {}\n").unwrap();
        for command in ["apply", "destroy"] {
            let run = workspace.vsa([chdir.as_str(), command, "-auto-approve"]).code(1);
            drop(run.says("`node.local` belongs to the configuration in"));
        }
        assert!(answers(&workspace));
        drop(workspace.assert_nothing_to_do());
    }
}

/// The way that the error names is gone: back, destroy, and on from the new place. The tenants' data goes along.
#[test]
fn a_moved_configuration_is_told_the_way() {
    let Some(workspace) = applied() else { return };
    fs::write(workspace.node_root().join("srv/acme/precious"), "data").unwrap();
    let (old, new) = (workspace.configuration(), workspace.path().join("moved"));
    fs::rename(&old, &new).unwrap();
    let chdir = format!("-chdir={}", new.display());
    fs::create_dir(&old).unwrap();
    for command in [&["plan"][..], &["apply", "-auto-approve"], &["destroy", "-auto-approve"]] {
        let run = workspace.vsa([&[chdir.as_str()], command].concat()).code(1);
        drop(
            run.says("was moved")
                .says(&format!("mv {} {}", new.display(), old.display()))
                .says("`vsa destroy`"),
        );
    }
    fs::remove_dir(&old).unwrap();
    fs::rename(&new, &old).unwrap();
    drop(workspace.assert_nothing_to_do());
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
    fs::rename(&old, &new).unwrap();
    fs::create_dir(&old).unwrap();
    drop(workspace.vsa([chdir.as_str(), "apply", "-auto-approve"]).code(0));
    drop(workspace.vsa([chdir.as_str(), "plan", "-detailed-exitcode"]).code(0));
    assert!(answers(&workspace));
    let data = new.join(".vsa/nodes/local/srv/acme/precious");
    assert_eq!(fs::read_to_string(data).unwrap(), "data");
}

/// A node that an ordinary user made is that user's: root's nginx would write what the user's cannot read.
#[test]
fn another_users_node_is_refused_in_the_plan() {
    let Some(workspace) = Workspace::managed() else { return };
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not root: not tested");
        return;
    }
    workspace.write_node("").write("main.hcl", SITES);
    // The program itself may be where nobody else can enter.
    let program = workspace.path().join("vsa");
    fs::copy(env!("CARGO_BIN_EXE_vsa"), &program).unwrap();
    for path in [workspace.path(), &workspace.configuration()] {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
    let as_nobody = |arguments: &[&str]| {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(arguments);
        command
            .current_dir(workspace.configuration())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        Run::of(command)
    };
    drop(as_nobody(&["apply", "-auto-approve"]).code(0));
    workspace.write("main.hcl", SITES.replace("first", "second"));
    for command in [["plan", "-no-color"], ["apply", "-auto-approve"]] {
        let run = workspace.vsa(command).code(1);
        drop(run.says("`node.local` is of the user with id 65534").says("sudo -u '#65534' vsa"));
    }
    drop(as_nobody(&["apply", "-auto-approve"]).code(0));
    // Root may still take it away.
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
    assert_eq!(workspace.nginx_pid(), None);
}

#[test]
fn what_stands_in_the_place_of_the_link_is_refused_in_the_plan() {
    let Some(workspace) = applied() else { return };
    let current = workspace.node_root().join("current");
    let target = fs::read_link(&current).unwrap();
    for is_directory in [true, false] {
        fs::remove_file(&current).unwrap();
        if is_directory {
            fs::create_dir(&current).unwrap();
            fs::write(current.join("mine"), "mine").unwrap();
        } else {
            fs::write(&current, "mine").unwrap();
        }
        for command in [["plan", "-no-color"], ["apply", "-auto-approve"], ["destroy", "-auto-approve"]] {
            let run = workspace.vsa(command).code(1);
            drop(run.says("is in the way of vsa's own files").says("move it away"));
        }
        fs::rename(&current, workspace.path().join(format!("away-{is_directory}"))).unwrap();
        drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says("the `current` link was deleted"));
        symlink(&target, &current).unwrap();
        drop(workspace.assert_nothing_to_do());
    }
}

/// Numbers that vsa never gave are nobody's generations; where the next one would be above all that a state can hold,
/// the plan says so.
#[test]
fn numbers_of_generations_never_leave_what_a_state_can_hold() {
    let Some(workspace) = applied() else { return };
    let current = workspace.node_root().join("current");
    for number in ["9223372036854775807", "18446744073709551615", "9007199254740992", "007", "+7"] {
        fs::remove_file(&current).unwrap();
        symlink(format!("generations/{number}"), &current).unwrap();
        drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says(number));
        drop(workspace.apply());
        drop(workspace.assert_nothing_to_do());
    }
    let (live, state) = (workspace.live_generation(), workspace.read("state/default.json"));
    assert!(live < 10, "{live}");
    let highest = workspace.generation(9_007_199_254_740_991);
    fs::create_dir(&highest).unwrap();
    workspace.write("main.hcl", SITES.replace("first", "second"));
    for command in [["plan", "-no-color"], ["apply", "-auto-approve"]] {
        let run = workspace.vsa(command).code(1);
        drop(run.says("no number is left for the next generation").says("generations/9007199254740991"));
    }
    assert_eq!(workspace.read("state/default.json"), state);
    fs::remove_dir(highest).unwrap();
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
}

/// What a first apply that was killed had begun is there, and serves nothing.
#[test]
fn a_node_that_was_only_begun_is_not_said_to_serve_sites() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("").write("main.hcl", SITES);
    let mut child = workspace.stopped_at("phase:prepare:6").unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let node = workspace.read("node.hcl");
    workspace.write("node.hcl", node.replacen('{', "{\n  root = \"/var/lib/elsewhere\"", 1));
    let run = workspace.vsa(["plan"]).code(1).says("an apply has begun to make it").says("`vsa destroy`");
    assert!(!run.stderr.contains("serves sites"), "{run}");
    workspace.write("node.hcl", node);
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
    assert!(!workspace.node_root().exists());
}

/// A number that is high because of what stood there is no reason to look for old generations to remove.
#[test]
fn pruning_is_planned_where_there_is_something_to_prune() {
    let Some(workspace) = applied() else { return };
    fs::create_dir(workspace.generation(500)).unwrap();
    workspace.write("main.hcl", SITES.replace("first", "second"));
    let prunes = || workspace.vsa(["plan"]).code(0).stdout.contains("old generations");
    assert!(!prunes());
    drop(workspace.apply());
    assert_eq!(workspace.live_generation(), 501);
    for number in 490..499 {
        fs::create_dir(workspace.generation(number)).unwrap();
    }
    workspace.write("main.hcl", SITES.replace("first", "third"));
    assert!(prunes());
    drop(workspace.apply());
    assert!(!workspace.generation(1).exists(), "the eleventh of the old ones");
    drop(workspace.assert_nothing_to_do());
}

/// A directory of tenants that vsa made goes with the last of them, and is listed where somebody put something in it.
#[test]
fn destroy_takes_or_lists_the_directory_of_the_tenants() {
    let Some(workspace) = Workspace::managed() else { return };
    let above = workspace.path().join("data");
    let srv = above.join("sites");
    let (http, https) = (workspace.http_port(), workspace.https_port());
    workspace.write("main.hcl", SITES).write(
        "node.hcl",
        format!(
            "node \"local\" {{\n  srv_root = \"{}\"\n  proxy {{\n    mode = \"managed\"\n    http_port = {http}\n    \
             https_port = {https}\n  }}\n}}\n",
            srv.display()
        ),
    );
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
    assert!(srv.join("acme").is_dir());
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
    assert!(!above.exists(), "all of it was vsa's");

    drop(workspace.apply());
    fs::write(srv.join("mine"), "mine").unwrap();
    let run = workspace.vsa(["destroy", "-auto-approve"]).code(0);
    assert!(run.stdout.contains(&format!("{} (", srv.display())), "{run}");
    assert_eq!(fs::read_to_string(srv.join("mine")).unwrap(), "mine");
    fs::remove_dir_all(&above).unwrap();

    fs::create_dir_all(&srv).unwrap();
    drop(workspace.apply());
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
    assert!(srv.is_dir(), "it was there before vsa");
}

/// The state knows that vsa made the node's directory, where the owner file that says so too is lost.
#[test]
fn destroy_after_a_lost_owner_file_takes_the_nodes_directory() {
    for repaired in [false, true] {
        let Some(workspace) = applied() else { return };
        fs::remove_file(workspace.node_root().join("owner.json")).unwrap();
        if repaired {
            drop(workspace.apply());
        }
        drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
        assert!(!workspace.node_root().exists(), "repaired before: {repaired}");
    }
}

fn rooted(workspace: &mut Workspace, root: &Path) {
    workspace.env("VSA_ROOT", root);
}

#[test]
fn another_root_of_the_system_is_named() {
    let Some(mut workspace) = Workspace::managed() else { return };
    let first: PathBuf = workspace.path().join("first");
    let node = "{\n  root = \"/var/lib/vsa/local\"\n  srv_root = \"/srv\"";
    workspace.write_node("").write("main.hcl", SITES);
    workspace.write("node.hcl", workspace.read("node.hcl").replacen('{', node, 1));
    workspace.write(
        "vsa.hcl",
        "vsa {\n  audit {\n    jsonl = \"/var/log/vsa/audit.jsonl\"\n    database = \"/var/log/vsa/audit.db\"\n  }\n}\n",
    );
    rooted(&mut workspace, &first);
    let says = format!("system paths are below {}", first.display());
    drop(workspace.vsa(["plan"]).code(0).says(&says).says("`VSA_ROOT`"));
    drop(workspace.apply());
    for name in ["var/log/vsa/audit.jsonl", "var/log/vsa/audit.db"] {
        assert!(first.join(name).is_file(), "{name} is with the rest");
    }
    let second = workspace.path().join("second");
    rooted(&mut workspace, &second);
    for command in [["plan", "-no-color"], ["destroy", "-auto-approve"]] {
        let run = workspace.vsa(command).code(1).says("`VSA_ROOT`");
        drop(run.says(&first.display().to_string()).says(&second.display().to_string()));
    }
    rooted(&mut workspace, Path::new("relative"));
    drop(workspace.vsa(["plan"]).code(1).says("`VSA_ROOT` is not an absolute path"));
    rooted(&mut workspace, &first);
    drop(workspace.assert_nothing_to_do());
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
}

/// Two nodes, of which the second cannot switch: what becomes of the first is what is said.
#[test]
fn with_two_nodes_what_succeeded_is_kept_or_taken_back_as_said() {
    let Some(workspace) = Workspace::managed() else { return };
    let ports = [Port::reserve(), Port::reserve()];
    let busy = TcpListener::bind("0.0.0.0:0").unwrap();
    let node = |name: &str, http: u16, https: u16| {
        format!(
            "node \"{name}\" {{\n  proxy {{\n    mode = \"managed\"\n    http_port = {http}\n    https_port = {https}\n  }}\n}}\n\
             tenant \"{name}\" {{\n  node = node.{name}\n}}\n\
             domain \"{name}.example.com\" {{\n  tenant = tenant.{name}\n  node = node.{name}\n  redirect {{\n    \
             to = \"https://first.example.net/\"\n  }}\n  tls {{\n    enabled = false\n  }}\n}}\n"
        )
    };
    workspace.write("a.hcl", node("a", workspace.http_port(), workspace.https_port()));
    workspace.write("b.hcl", node("b", busy.local_addr().unwrap().port(), ports[1].number));
    let answers = || fetch(&Request::http(workspace.http_port(), "a.example.com", "/")).is_ok();

    let run = workspace.vsa(["apply", "-auto-approve"]).code(5).says("was rolled back");
    assert!(!answers(), "{run}");
    let run = workspace.vsa(["apply", "-auto-approve", "-on-failure=keep"]).code(6).says("is kept");
    assert!(!run.stderr.contains("rolled back"), "{run}");
    assert!(answers(), "{run}");
    let plan = workspace.vsa(["plan"]).code(0);
    assert!(!plan.stdout.contains("# domain[\"a.example.com\"]"), "{plan}");
    assert!(plan.stdout.contains("# domain[\"b.example.com\"]"), "{plan}");
    drop(busy);
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
}
