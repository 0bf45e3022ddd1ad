//! Runs that are stopped or killed; and those beside them and after them.

use std::fs::File;
use std::io::Read as _;
use std::process::Child;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{self, Workspace, in_every_mode};

/// A site that names a place.
fn write(workspace: &Workspace, place: &str) {
    workspace.write_node("").write(
        "main.hcl",
        format!(
            "tenant \"acme\" {{}}\ndomain \"one.example.com\" {{\n  tenant = tenant.acme\n  tls {{\n    enabled = false\n  }}\n  \
             redirect {{\n    to            = \"https://{place}.example.net/\"\n    preserve_path = false\n  }}\n}}\n"
        ),
    );
}

fn location(workspace: &Workspace) -> String {
    workspace.http("one.example.com", "/").header("location").unwrap().to_owned()
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

/// Lets a stopped run go on to its end: its exit code and its standard error.
fn ended(mut child: Child) -> (Option<i32>, String) {
    signal(&child, Signal::SIGCONT);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

#[test]
fn a_node_that_another_run_holds_is_locked() {
    let Some(workspace) = Workspace::managed() else { return };
    write(&workspace, "first");
    drop(workspace.apply());
    let file = File::options().write(true).open(workspace.node_root().join("lock")).unwrap();
    let held = Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap();
    write(&workspace, "second");
    drop(workspace.vsa(["apply", "-auto-approve"]).code(3).says("another run is changing node.local"));
    drop(held);
    drop(workspace.apply());
}

#[test]
fn a_journal_of_another_state_is_refused() {
    let Some(workspace) = Workspace::managed() else { return };
    write(&workspace, "first");
    drop(workspace.apply());
    write(&workspace, "second");
    let mut killed = workspace.stopped_at("phase:switch:1").unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    let state = workspace.read("state/default.json");
    let document: serde_json::Value = serde_json::from_str(&state).unwrap();
    let lineage = document["lineage"].as_str().unwrap().to_owned();
    workspace.write("state/default.json", state.replace(&lineage, "d3b07384-d9a0-4c9b-8f1e-000000000000"));
    for command in [["plan", "-no-color"], ["apply", "-auto-approve"], ["destroy", "-auto-approve"]] {
        drop(workspace.vsa(command).code(1).says("is of another state").says(&lineage));
    }
    workspace.write("state/default.json", state);
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
}

/// Killed with the link moved, and nginx ends too, as after a power cut: nginx starts on what the link names.
#[test]
fn nginx_starts_on_what_the_link_names() {
    for workspace in [Workspace::managed(), Workspace::in_container()].into_iter().flatten() {
        starts_on_what_the_link_names(&workspace);
    }
}

fn starts_on_what_the_link_names(workspace: &Workspace) {
    write(workspace, "first");
    drop(workspace.apply());
    write(workspace, "second");
    let mut instant = 0;
    while workspace.live_generation() == 1 {
        instant += 1;
        let mut killed = workspace.stopped_at(&format!("phase:switch:{instant}")).unwrap();
        killed.kill().unwrap();
        killed.wait().unwrap();
    }
    support::processes::end(workspace.nginx_pid().unwrap());
    let since = std::time::Instant::now();
    let said = format!("generation {}", workspace.live_generation());
    drop(workspace.vsa(["node", "start"]).code(0).says(&said));
    assert!(since.elapsed().as_secs() < 60, "{:?}", since.elapsed());
    assert_eq!(location(workspace), "https://second.example.net/");
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
}

fn a_terminal_that_goes_takes_the_run_back(workspace: &mut Workspace) {
    write(workspace, "first");
    drop(workspace.apply());
    write(workspace, "second");
    for hangup in [Signal::SIGHUP, Signal::SIGTERM] {
        let running = workspace.stopped_at("phase:switch:2").unwrap();
        signal(&running, hangup);
        let (code, said) = ended(running);
        assert_eq!(code, Some(5), "{said}");
        assert_eq!(location(workspace), "https://first.example.net/");
    }
    drop(workspace.apply());
}

in_every_mode![a_terminal_that_goes_takes_the_run_back];
