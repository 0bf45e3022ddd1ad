//! What the stacks bring along to run: the templates' applications answer, and the proxy waits for a generation.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::Value;

use super::{Shipped, every};
use crate::support::ports::Port;
use crate::support::skipped;
use crate::support::{Request, fetch};

fn stack(name: &str) -> Shipped {
    every().into_iter().find(|stack| stack.name == name).unwrap()
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn wait_for(what: &str, mut happens: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happens() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The text that a shell gets: Compose takes `$$` for `$`.
fn script(value: &Value) -> String {
    value.as_str().unwrap().replace("$$", "$")
}

#[test]
fn the_templates_applications_answer_and_end() {
    for (name, program, file) in
        [("templates/node", "node", "app/server.js"), ("templates/python", "python3", "app/server.py")]
    {
        let stack = stack(name);
        let service = &stack.compose["services"]["web"];
        // The application is started as the compose file does, apart from where it lies.
        assert_eq!(service["command"][0], program);
        assert_eq!(service["command"][1], format!("/{file}"));
        let port = Port::reserve();
        let child = Command::new(program)
            .arg(stack.directory.join(file))
            .env("PORT", port.number.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            skipped(&format!("{program} is not installed"));
            continue;
        };
        let mut running = Running(child);
        let port = port.number;
        wait_for("the application listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        assert_eq!(fetch(&Request::http(port, "localhost", "/health")).unwrap().body, b"ok\n");
        let page = fetch(&Request::http(port, "localhost", "/")).unwrap();
        assert_eq!((page.status, page.body.as_slice()), (200, b"Replace the directory app.\n".as_slice()));
        let pid = nix::unistd::Pid::from_raw(i32::try_from(running.0.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        wait_for("the application ends", || running.0.try_wait().unwrap().is_some());
    }
}

#[test]
fn the_proxy_waits_for_a_generation_and_then_becomes_nginx() {
    let stack = stack("reverse-proxy");
    let nginx = &stack.compose["services"]["nginx"];
    assert_eq!(nginx["entrypoint"][0], "/bin/sh");
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    let programs = directory.path().join("bin");
    fs::create_dir_all(root.join("current")).unwrap();
    fs::create_dir_all(&programs).unwrap();
    // Says what it was started with.
    let stand_in = programs.join("nginx");
    fs::write(&stand_in, format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > {}/started\n", root.display())).unwrap();
    let pause = programs.join("sleep");
    fs::write(&pause, format!("#!/bin/sh\n: > {}/waits\nexec /bin/sleep \"$@\"\n", root.display())).unwrap();
    for program in [&stand_in, &pause] {
        fs::set_permissions(program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    let path = format!("{}:/usr/bin:/bin", programs.display());
    let begin = || {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script(&nginx["entrypoint"][2])).env("VSA_ROOT", &root).env("PATH", &path);
        Running(command.spawn().unwrap())
    };
    // Told to stop while it waits, it stops.
    let mut waiting = begin();
    wait_for("it waits", || root.join("waits").exists());
    assert!(waiting.0.try_wait().unwrap().is_none() && !root.join("started").exists());
    let pid = nix::unistd::Pid::from_raw(i32::try_from(waiting.0.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    wait_for("it stops", || waiting.0.try_wait().unwrap().is_some());

    let mut waiting = begin();
    fs::write(root.join("current/nginx.conf"), "").unwrap();
    wait_for("nginx starts", || waiting.0.try_wait().unwrap().is_some());
    let current = root.join("current");
    let started = fs::read_to_string(root.join("started")).unwrap();
    let wanted = format!("-p\n{0}/\n-c\n{0}/nginx.conf\n-g\ndaemon off;\n", current.display());
    assert_eq!(started, wanted);
}

#[test]
fn the_proxy_is_healthy_while_it_waits_and_while_it_listens() {
    let stack = stack("reverse-proxy");
    let check = &stack.compose["services"]["nginx"]["healthcheck"]["test"];
    assert_eq!(check[0], "CMD-SHELL");
    let directory = tempfile::tempdir().unwrap();
    let port = Port::reserve();
    let healthy = |root: &Path| {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script(&check[1])).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("VSA_ROOT", root).status().unwrap().success()
    };
    assert!(healthy(directory.path()), "there is no generation yet");
    fs::create_dir(directory.path().join("current")).unwrap();
    fs::write(directory.path().join("current/nginx.conf"), "").unwrap();
    assert!(!healthy(directory.path()), "nobody says where it listens");
    fs::create_dir(directory.path().join("current/base")).unwrap();
    let marker = format!("server {{\n    listen {};\n}}\n", port.number);
    fs::write(directory.path().join("current/base/marker.conf"), marker).unwrap();
    assert!(!healthy(directory.path()), "nobody listens");
    let listener = std::net::TcpListener::bind(("127.0.0.1", port.number)).unwrap();
    assert!(healthy(directory.path()), "somebody listens");
    drop(listener);
    assert!(!healthy(directory.path()), "nobody listens any more");
}

#[test]
fn no_command_lets_compose_take_a_shells_variable() {
    let single = Regex::new(r"(^|[^$])\$[^${]").unwrap();
    for stack in every() {
        for (name, service) in stack.services() {
            for key in ["command", "entrypoint"] {
                assert!(!single.is_match(&service[key].to_string()), "{}: {name}: {key}", stack.name);
            }
            assert!(!single.is_match(&service["healthcheck"]["test"].to_string()), "{}: {name}", stack.name);
        }
    }
}
