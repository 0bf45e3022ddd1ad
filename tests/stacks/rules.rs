//! What every service of a shipped stack has, and what none has.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use regex::Regex;

use super::shipped::Absent;
use super::{Shipped, every};
use crate::support::skipped;

/// The forms of the Compose tool that this machine has.
fn tools() -> Vec<Vec<&'static str>> {
    let forms = [vec!["docker-compose"], vec!["docker", "compose"]];
    let there = |form: &Vec<&str>| {
        let run = Command::new(form[0]).args(&form[1..]).arg("version").output();
        run.is_ok_and(|output| output.status.success())
    };
    forms.into_iter().filter(there).collect()
}

fn secret(name: &str) -> bool {
    ["PASSWORD", "_KEY", "_TOKEN", "SECRET"].iter().any(|part| name.contains(part))
}

/// What the tool says of the stack with this environment file.
fn config(tool: &[&str], stack: &Shipped, environment: &str) -> std::process::Output {
    let directory = tempfile::tempdir().unwrap();
    let file: PathBuf = directory.path().join(".env");
    std::fs::write(&file, environment).unwrap();
    Command::new(tool[0])
        .args(&tool[1..])
        .arg("--file")
        .arg(stack.directory.join("compose.yml"))
        .arg("--env-file")
        .arg(&file)
        .args(["--project-name", "shipped", "config", "--quiet"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .output()
        .unwrap()
}

#[test]
fn the_compose_tool_reads_each() {
    let tools = tools();
    if tools.is_empty() {
        skipped("neither `docker-compose` nor `docker compose` is installed");
    }
    for tool in &tools {
        for stack in every() {
            let mut environment = String::new();
            for (name, (value, _)) in stack.examples() {
                let value = if value.is_empty() { "standin".to_owned() } else { value };
                writeln!(environment, "{name}={value}").unwrap();
            }
            let output = config(tool, &stack, &environment);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {tool:?}: {said}", stack.name);
            assert!(said.trim().is_empty(), "{}: {tool:?} warns: {said}", stack.name);
        }
    }
}

#[test]
fn the_compose_tool_refuses_each_that_lacks_a_secret() {
    let Some(tool) = tools().into_iter().next() else {
        skipped("neither `docker-compose` nor `docker compose` is installed");
        return;
    };
    // The variables of all others are looked at below; the tool takes a second or two each time.
    for stack in every().into_iter().filter(|stack| ["dify", "n8n"].contains(&stack.name.as_str())) {
        let output = config(&tool, &stack, "");
        assert!(!output.status.success(), "{}", stack.name);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let named = |name: &String| said.contains(name.as_str());
        assert!(stack.variables().keys().any(named), "{}: {said}", stack.name);
    }
}

#[test]
fn each_service_is_watched_restarted_limited_and_its_log_rotated() {
    let memory = Regex::new("^[1-9][0-9]*[MG]$").unwrap();
    for stack in every() {
        for (name, service) in stack.services() {
            let of = format!("{}: {name}", stack.name);
            let health = &service["healthcheck"];
            let test = health["test"].as_array().unwrap_or_else(|| panic!("{of}: no health check"));
            assert!(["CMD", "CMD-SHELL"].contains(&test[0].as_str().unwrap()) && test.len() > 1, "{of}");
            for key in ["interval", "timeout"] {
                assert!(health[key].is_string(), "{of}: {key}");
            }
            assert_eq!(service["restart"], "unless-stopped", "{of}");
            let limits = &service["deploy"]["resources"]["limits"];
            let cpus: f64 =
                limits["cpus"].as_str().unwrap_or_else(|| panic!("{of}: no limit")).parse().unwrap();
            assert!((0.1..=4.0).contains(&cpus), "{of}: {cpus}");
            assert!(memory.is_match(limits["memory"].as_str().unwrap()), "{of}");
            assert_eq!(service["logging"]["driver"], "json-file", "{of}");
            assert_eq!(service["logging"]["options"]["max-size"], "10m", "{of}");
            assert_eq!(service["logging"]["options"]["max-file"], "3", "{of}");
        }
    }
}

#[test]
fn each_image_is_pinned_to_a_release() {
    // A version of at least two numbers: `18.5-trixie`, `v1.19.1`, `0.8.6-pg17`.
    let release = Regex::new(r"^[a-z0-9./-]+:v?[0-9]+\.[0-9]+[a-z0-9._-]*$").unwrap();
    for stack in every() {
        for (name, service) in stack.services() {
            let image = service["image"].as_str().unwrap();
            assert!(release.is_match(image), "{}: {name}: {image}", stack.name);
        }
    }
}

#[test]
fn no_service_has_rights_over_the_machine() {
    let refused = [
        "privileged",
        "network_mode",
        "pid",
        "ipc",
        "uts",
        "userns_mode",
        "cgroup_parent",
        "cap_add",
        "devices",
        "device_cgroup_rules",
        "sysctls",
        "build",
        "extends",
        "container_name",
        "links",
        "volumes_from",
    ];
    for stack in every() {
        for (name, service) in stack.services() {
            let of = format!("{}: {name}", stack.name);
            for key in refused {
                assert!(service.get(key).is_none(), "{of}: {key}");
            }
            for option in service["security_opt"].as_array().into_iter().flatten() {
                assert_eq!(option, "no-new-privileges:true", "{of}");
            }
            let ports = service["ports"].as_array().map_or(0, Vec::len);
            assert_eq!(ports, if stack.name == "reverse-proxy" { 2 } else { 0 }, "{of}: published ports");
            assert!(!service.to_string().contains("docker.sock"), "{of}");
        }
    }
}

#[test]
fn what_depends_on_another_waits_for_its_health() {
    for stack in every() {
        for (name, service) in stack.services() {
            let Some(needs) = service.get("depends_on") else { continue };
            for (other, how) in needs.as_object().unwrap() {
                assert_eq!(how["condition"], "service_healthy", "{}: {name}", stack.name);
                let other = &stack.compose["services"][other];
                assert!(other.is_object(), "{}: {name}", stack.name);
                // One that is only there with a profile would be missing without it.
                assert!(other.get("profiles").is_none() || other["profiles"] == service["profiles"]);
            }
        }
    }
}

#[test]
fn each_variable_is_explained_and_each_explanation_is_used() {
    for stack in every() {
        let (variables, examples) = (stack.variables(), stack.examples());
        let named: Vec<_> = variables.keys().collect();
        assert_eq!(named, examples.keys().collect::<Vec<_>>(), "{}", stack.name);
        for (name, (value, comment)) in &examples {
            assert!(comment.trim().len() > 10, "{}: {name} has no comment", stack.name);
            match &variables[name] {
                Absent::Default(default) => assert_eq!(value, default, "{}: {name}", stack.name),
                Absent::Refused if secret(name) => {}
                Absent::Refused => assert!(!value.is_empty(), "{}: an example of {name}", stack.name),
            }
            assert!(!secret(name) || value.is_empty(), "{}: {name} has a default", stack.name);
        }
    }
}
