//! nginx processes that somebody killed or stopped.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::SITES;
use crate::support::processes::{self, wait_until};
use crate::support::{Request, Workspace, fetch, in_every_mode};

fn write(workspace: &Workspace, place: &str) {
    workspace.write_node("drain = \"2s\"").write("main.hcl", SITES.replace("first", place));
}

fn location(workspace: &Workspace) -> Option<String> {
    let request = Request::http(workspace.http_port(), "one.example.com", "/");
    let answer = workspace.within(|| fetch(&request)).ok()?;
    answer.header("location").map(str::to_owned)
}

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// Workers without a master; those that are left end with the test.
struct Orphans(Vec<i32>);

impl Orphans {
    /// Kills the master of a workspace's nginx.
    fn of(workspace: &Workspace) -> Self {
        let master = workspace.nginx_pid().unwrap();
        let workers = || processes::all().into_values().filter(|process| process.parent == master);
        let workers = workers().filter(|process| process.command.starts_with("nginx: worker"));
        let this = Self(workers.map(|process| process.pid).collect());
        send(master, Signal::SIGKILL);
        assert!(wait_until(Duration::from_secs(5), || !processes::alive(master)));
        assert!(!this.0.is_empty() && this.0.iter().all(|worker| processes::alive(*worker)));
        this
    }

    fn are_gone(&self) -> bool {
        wait_until(Duration::from_secs(5), || self.0.iter().all(|worker| !processes::alive(*worker)))
    }
}

impl Drop for Orphans {
    fn drop(&mut self) {
        let of_nginx = |pid: &i32| {
            processes::read(*pid).is_some_and(|process| process.command.starts_with("nginx: worker"))
        };
        self.0.iter().copied().filter(of_nginx).for_each(processes::end);
    }
}

/// vsa's own nginx is vsa's to put right: the plan says so, and an apply takes the sites over from what is left.
#[test]
fn workers_without_a_master_are_replaced() {
    let Some(workspace) = Workspace::managed() else { return };
    write(&workspace, "first");
    drop(workspace.apply());
    let orphans = Orphans::of(&workspace);
    let worker = orphans.0[0].to_string();
    assert_eq!(location(&workspace).as_deref(), Some("https://first.example.net/"));
    for command in [&["plan", "-detailed-exitcode"][..], &["node", "status"]] {
        let run = workspace.vsa(command).says("has lost its master process").says(&worker);
        drop(run.says("answer on"));
    }
    assert_eq!(workspace.vsa(["node", "status", "-json"]).json()[0]["orphans"][0].to_string(), worker);
    drop(workspace.apply());
    assert!(orphans.are_gone());
    drop(workspace.assert_nothing_to_do());
    assert_eq!(location(&workspace).as_deref(), Some("https://first.example.net/"));

    // A change that nginx cannot serve leaves them as they were: answered.
    let orphans = Orphans::of(&workspace);
    let busy = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    workspace.write_node_with_https(busy.local_addr().unwrap().port(), "drain = \"2s\"");
    workspace
        .write("main.hcl", SITES.replace("first", "second").replace("enabled = false", "enabled = true"));
    drop(workspace.vsa(["apply", "-auto-approve"]).code(5));
    assert_eq!(location(&workspace).as_deref(), Some("https://first.example.net/"));
    assert!(orphans.are_gone());
    write(&workspace, "first");
    drop(workspace.assert_nothing_to_do());

    let orphans = Orphans::of(&workspace);
    drop(workspace.vsa(["node", "start"]).code(0).says("was started"));
    assert!(orphans.are_gone());
    drop(workspace.assert_nothing_to_do());

    let orphans = Orphans::of(&workspace);
    drop(workspace.vsa(["node", "stop"]).code(0).says("was stopped"));
    assert!(orphans.are_gone() && location(&workspace).is_none());
    drop(workspace.vsa(["node", "stop"]).code(0).says("was not running"));
    drop(workspace.apply());

    let orphans = Orphans::of(&workspace);
    // One that does not listen to reason is ended all the same.
    send(orphans.0[0], Signal::SIGSTOP);
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
    assert!(orphans.are_gone() && location(&workspace).is_none());
    assert!(!workspace.node_root().exists());
}

/// Somebody removed the node's directory, and with it the pid file: nginx answers on from what it has read.
#[test]
fn an_nginx_whose_directory_is_gone_is_replaced() {
    let Some(workspace) = Workspace::managed() else { return };
    write(&workspace, "first");
    drop(workspace.apply());
    let lost = workspace.nginx_pid().unwrap();
    fs::remove_dir_all(workspace.node_root()).unwrap();
    assert_eq!(location(&workspace).as_deref(), Some("https://first.example.net/"));
    for command in [["plan"].as_slice(), &["node", "status"]] {
        drop(workspace.vsa(command).code(0).says("has lost its pid file").says(&lost.to_string()));
    }
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
    assert_eq!(location(&workspace).as_deref(), Some("https://first.example.net/"));
    assert_ne!(workspace.nginx_pid().unwrap(), lost);

    fs::remove_dir_all(workspace.node_root()).unwrap();
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
    assert_eq!(location(&workspace), None);
}

/// The system's nginx serves others too: vsa says what to do, and claims nothing.
#[test]
fn workers_of_the_systems_nginx_are_named() {
    let Some(workspace) = Workspace::on_host() else { return };
    write(&workspace, "first");
    drop(workspace.apply());
    let orphans = Orphans::of(&workspace);
    let all: Vec<_> = orphans.0.iter().map(ToString::to_string).collect();
    let help = format!("`kill -QUIT {}`", all.join(" "));
    for command in [["plan", "-no-color"], ["apply", "-auto-approve"], ["destroy", "-auto-approve"]] {
        let run = workspace.vsa(command).code(1).says("their master has ended").says(&help);
        assert!(!run.stderr.contains("an apply starts it"), "{run}");
    }
    drop(workspace.vsa(["destroy", "-auto-approve", "-refresh=false"]).says("their master has ended"));
    drop(workspace.vsa(["node", "status"]).code(0).says("has lost its master process"));
    assert_eq!(location(&workspace).as_deref(), Some("https://first.example.net/"));
    orphans.0.iter().for_each(|worker| send(*worker, Signal::SIGQUIT));
    assert!(orphans.are_gone());
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
    assert_eq!(location(&workspace).as_deref(), Some("https://first.example.net/"));
}

fn a_stopped_master_is_not_waited_for(workspace: &mut Workspace) {
    write(workspace, "first");
    drop(workspace.apply());
    let master = workspace.nginx_pid().unwrap();
    send(master, Signal::SIGSTOP);
    assert!(wait_until(Duration::from_secs(5), || processes::stopped(master)));
    let since = Instant::now();
    let (stopped, help) = match workspace.container() {
        // It has another number among the processes that the engine sees.
        Some(it) => ("hears no signal".to_owned(), format!("`docker kill --signal CONT {}`", it.name)),
        None => (format!("its master process {master} hears no signal"), format!("`kill -CONT {master}`")),
    };
    // Nothing is to be told to it.
    drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(0).says(&stopped).says(&help));
    drop(workspace.vsa(["node", "status"]).code(0).says(&stopped).says(&help));
    write(workspace, "second");
    for command in [["plan", "-no-color"], ["apply", "-auto-approve"], ["destroy", "-auto-approve"]] {
        drop(workspace.vsa(command).code(1).says(&stopped).says(&help));
    }
    drop(workspace.vsa(["apply", "-auto-approve", "-refresh=false"]).code(5).says(&stopped));
    if workspace.system().is_none() {
        drop(workspace.vsa(["node", "stop"]).code(1).says(&stopped));
    }
    assert!(since.elapsed() < Duration::from_mins(1), "{:?}", since.elapsed());
    assert_eq!(location(workspace).as_deref(), Some("https://first.example.net/"));
    send(master, Signal::SIGCONT);
    drop(workspace.apply());
    assert_eq!(location(workspace).as_deref(), Some("https://second.example.net/"));
    drop(workspace.assert_nothing_to_do());
}

/// It is stopped after the plan was made, in the middle of the switch.
fn a_master_that_is_stopped_in_a_switch_is_given_up(workspace: &mut Workspace) {
    write(workspace, "first");
    drop(workspace.apply());
    let master = workspace.nginx_pid().unwrap();
    write(workspace, "second");
    let mut instant = 0;
    let running = loop {
        instant += 1;
        assert!(instant < 40, "the link is moved in the switch");
        let Some(mut running) = workspace.stopped_at(&format!("phase:switch:{instant}")) else {
            panic!("the apply ended before the link was moved");
        };
        if workspace.live_generation() != 1 {
            break running;
        }
        running.kill().unwrap();
        running.wait().unwrap();
    };
    send(master, Signal::SIGSTOP);
    let since = Instant::now();
    send(i32::try_from(running.id()).unwrap(), Signal::SIGCONT);
    let output = running.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("hears no signal"), "{said}");
    assert!(since.elapsed() < Duration::from_mins(1), "{:?}", since.elapsed());
    send(master, Signal::SIGCONT);
    drop(workspace.apply());
    assert_eq!(location(workspace).as_deref(), Some("https://second.example.net/"));
    drop(workspace.assert_nothing_to_do());
}

in_every_mode![a_stopped_master_is_not_waited_for, a_master_that_is_stopped_in_a_switch_is_given_up];
