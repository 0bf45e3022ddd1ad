//! A container for nginx that somebody else runs: what it must see, and what becomes of it.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::processes::wait_until;
use crate::support::{Container, Workspace, images};

const SITE: &str = "tenant \"acme\" {}

domain \"one.example.com\" {
  tenant = tenant.acme

  tls {
    enabled = false
  }

  redirect {
    to            = \"https://first.example.net/\"
    preserve_path = false
  }
}
";

/// A site that leads to this place, on an nginx in a container.
fn write(workspace: &Workspace, place: &str) {
    workspace.write_node("drain = \"1s\"").write("main.hcl", SITE.replace("first", place));
}

fn location(workspace: &Workspace) -> String {
    workspace.http("one.example.com", "/").header("location").unwrap().to_owned()
}

fn container(workspace: &Workspace) -> &Container {
    workspace.container().unwrap()
}

#[test]
fn what_a_container_does_not_see_is_said_with_what_to_mount() {
    let Some(workspace) = Workspace::in_container() else { return };
    write(&workspace, "first");
    let it = container(&workspace);
    let (root, name) = (workspace.node_root().display().to_string(), &it.name);
    let blind = format!("the container `{name}` does not see the directory of `node.local`");
    let mount = format!("`-v {root}:{root}:ro -v {root}/run:{root}/run -v {root}/logs:{root}/logs`");
    let writable = [format!("{root}/run:{root}/run"), format!("{root}/logs:{root}/logs")];
    let with = |mounts: &[String]| {
        it.start(mounts);
        workspace.vsa(["plan"])
    };
    drop(with(&writable).code(1).says(&blind).says(&mount));
    let elsewhere = [&[format!("{root}:/vsa:ro")][..], &writable].concat();
    let plan = with(&elsewhere).code(1).says(&blind);
    drop(plan.says(&format!("nginx reads {root}/generations by that path; it sees it as /vsa/generations")));
    let read_only = [format!("{root}:{root}:ro"), writable[0].clone()];
    let plan = with(&read_only).code(1).says("cannot write what it has to").says(&mount);
    drop(plan.says(&format!("{root}/logs is read-only in there")));
    // All of the directory is what it takes, read-only or not.
    drop(with(&[format!("{root}:{root}")]).code(0));
    drop(with(&it.mounts()).code(0));
    drop(workspace.apply());

    // The link, in the place of what holds it: nginx would never see another generation.
    let pinned = [it.mounts(), vec![format!("{root}/current:{root}/current:ro")]].concat();
    let plan = with(&pinned).code(1).says(&format!("has `{root}/current` mounted by itself"));
    drop(plan.says("the generation of its start").says(&mount));
    it.start(&it.mounts());
    drop(workspace.apply());
    assert_eq!(location(&workspace), "https://first.example.net/");
}

#[test]
fn a_root_that_the_container_does_not_see_is_said_with_what_to_mount() {
    let Some(workspace) = Workspace::in_container() else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    crate::support::open_to_all(elsewhere.path());
    std::fs::write(elsewhere.path().join("index.html"), "welcome").unwrap();
    let www = elsewhere.path().display().to_string();
    workspace.write_node("").write("main.hcl", "tenant \"acme\" {}\n");
    workspace.write(
        "site.hcl",
        format!("domain \"one.example.com\" {{\n  tenant = tenant.acme\n  root = {www:?}\n\n  tls {{\n    enabled = false\n  }}\n}}\n"),
    );
    let it = container(&workspace);
    let plan = workspace.vsa(["plan"]).code(1).says("site.hcl:3");
    let plan = plan.says(&format!("the container `{}` does not see `{www}`", it.name));
    drop(plan.says(&format!("`-v {www}:{www}:ro`")));
    it.start(&[it.mounts(), vec![format!("{www}:{www}:ro")]].concat());
    drop(workspace.apply());
    assert_eq!(workspace.http("one.example.com", "/").text(), "welcome");
    drop(workspace.assert_nothing_to_do());
}

#[test]
fn a_container_without_nginx_is_refused_in_the_plan() {
    let Some(workspace) = Workspace::in_container() else { return };
    write(&workspace, "first");
    let it = container(&workspace);
    let app = images::app(&it.engine, "1");
    it.start_as(&app, &it.mounts(), &[]);
    for command in [["plan", "-no-color"], ["apply", "-auto-approve"]] {
        let run = workspace.vsa(command).code(1);
        drop(run.says(&format!("there is no nginx in the container `{}`", it.name)).says(&app));
    }
    it.start(&it.mounts());
    drop(workspace.apply());
    it.remove();
    let gone = format!("there is no container `{}` for the proxy of `node.local`", it.name);
    drop(workspace.vsa(["plan"]).code(1).says(&gone));
    it.start(&it.mounts());
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
}

#[test]
fn a_generation_that_nginx_does_not_take_is_taken_back() {
    let Some(workspace) = Workspace::in_container() else { return };
    write(&workspace, "first");
    drop(workspace.apply());
    // The test aside sees no port that somebody else holds; the reload does, and keeps what it had.
    let (it, taken) = (container(&workspace), workspace.https_port() + 1);
    it.engine.ask(&["exec", "--detach", &it.name, "nc", "-l", "-p", &taken.to_string()]);
    write(&workspace, "second");
    workspace.write_node_with_https(taken, "drain = \"1s\"");
    let failed = workspace.vsa(["apply", "-auto-approve"]).code(5);
    drop(failed.says("still could not bind()"));
    assert_eq!(location(&workspace), "https://first.example.net/");
    write(&workspace, "first");
    drop(workspace.assert_nothing_to_do());
}

#[test]
fn a_paused_container_is_named_and_not_waited_for() {
    let Some(workspace) = Workspace::in_container() else { return };
    write(&workspace, "first");
    drop(workspace.apply());
    let it = container(&workspace);
    it.engine.ask(&["pause", &it.name]);
    let since = Instant::now();
    let help = format!("`docker unpause {}`", it.name);
    for command in [["plan", "-no-color"], ["apply", "-auto-approve"], ["destroy", "-auto-approve"]] {
        drop(workspace.vsa(command).code(1).says("hears no signal").says(&help));
    }
    drop(workspace.vsa(["node", "status"]).code(0).says(&help));
    drop(workspace.vsa(["node", "stop"]).code(1).says(&help));
    write(&workspace, "second");
    drop(workspace.vsa(["plan"]).code(1).says(&help));
    assert!(since.elapsed() < Duration::from_mins(1), "{:?}", since.elapsed());
    it.engine.ask(&["unpause", &it.name]);
    assert_eq!(location(&workspace), "https://first.example.net/");
    drop(workspace.apply());
    assert_eq!(location(&workspace), "https://second.example.net/");
    drop(workspace.assert_nothing_to_do());
}

#[test]
fn a_container_that_was_killed_is_drift_and_started_again() {
    let Some(workspace) = Workspace::in_container() else { return };
    write(&workspace, "first");
    drop(workspace.apply());
    let it = container(&workspace);
    // As the kernel does where memory is short, and as an administrator does.
    for end in [&["kill", "--signal", "KILL"][..], &["stop", "--time", "1"]] {
        it.engine.ask(&[end, &[it.name.as_str()]].concat());
        drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says("nginx is not running"));
        drop(workspace.vsa(["node", "status"]).code(0).says("is not running"));
        drop(workspace.apply());
        assert_eq!(location(&workspace), "https://first.example.net/");
        drop(workspace.assert_nothing_to_do());
    }
    it.engine.ask(&["kill", "--signal", "KILL", &it.name]);
    drop(workspace.vsa(["node", "start"]).code(0).says("was started"));
    assert_eq!(location(&workspace), "https://first.example.net/");
    drop(workspace.vsa(["node", "stop"]).code(0).says("was stopped"));
    drop(workspace.vsa(["node", "stop"]).code(0).says("was not running"));
}

#[test]
fn an_old_worker_that_goes_on_holds_nothing_up() {
    let Some(workspace) = Workspace::in_container() else { return };
    write(&workspace, "first");
    drop(workspace.apply());
    let shutting_down = || {
        let listed =
            container(&workspace).engine.ask(&["top", &container(&workspace).name, "-eo", "pid,args"]);
        listed.lines().filter(|line| line.contains("worker process is shutting down")).count()
    };
    // A request that never ends keeps the worker that reads it.
    let port = workspace.http_port();
    let mut slow = workspace.within(|| TcpStream::connect(("127.0.0.1", port)).unwrap());
    slow.write_all(b"GET / HTTP/1.1\r\nHost: one.example.com\r\n").unwrap();
    for (place, old) in [("second", 1), ("third", 1)] {
        write(&workspace, place);
        drop(workspace.apply());
        assert_eq!(shutting_down(), old);
        assert_eq!(location(&workspace), format!("https://{place}.example.net/"));
        drop(workspace.assert_nothing_to_do());
    }
    drop(slow);
    assert!(wait_until(Duration::from_secs(10), || shutting_down() == 0));
}

#[test]
fn a_plan_without_the_engine_says_what_it_could_not_see() {
    let Some(workspace) = Workspace::in_container() else { return };
    write(&workspace, "first");
    drop(workspace.apply());
    let node = workspace.read("node.hcl");
    let socket = container(&workspace).engine.socket().display().to_string();
    workspace.write("node.hcl", node.replace(&socket, "/nowhere/docker.sock"));
    workspace.write("main.hcl", SITE.replace("first", "second"));
    let plan = workspace.vsa(["plan"]).code(0);
    assert!(!plan.stdout.contains("destroyed") && !plan.stdout.contains("not running"), "{plan}");
    let unseen = "Docker on `node.local` could not be seen";
    assert!(
        plan.stderr.contains(unseen) && plan.stderr.contains("no socket `/nowhere/docker.sock`"),
        "{plan}"
    );
    drop(plan.says("was not tested"));
    // The apply takes itself back: nginx says nothing to it.
    drop(workspace.vsa(["apply", "-auto-approve"]).code(5).says("/nowhere/docker.sock"));
    assert_eq!(location(&workspace), "https://first.example.net/");
    workspace.write("node.hcl", node);
    drop(workspace.apply());
    assert_eq!(location(&workspace), "https://second.example.net/");
    drop(workspace.assert_nothing_to_do());
}
