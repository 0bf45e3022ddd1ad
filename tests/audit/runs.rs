//! The audit log of runs of vsa: whose end cannot be recorded, who reads it, wrong usage.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use vsa::audit::{Error, Reader};

use super::Log;
use crate::support::processes::wait_until;
use crate::support::{Run, Workspace, root};

/// Applies a tenant, and meddles with the audit log while nginx tests the next generation.
fn apply_with_meddling(workspace: &Workspace, meddle: impl FnOnce()) -> Run {
    let at = |name: &str| workspace.configuration().join(name);
    workspace.write(
        "nginx",
        "#!/bin/sh\ncd \"$(dirname \"$0\")\" || exit\ncase \" $* \" in *\" -t \"*)\n  touch testing\n  \
         until [ -e meddled ]; do sleep 0.02; done\nesac\nexec /usr/sbin/nginx \"$@\"\n",
    );
    fs::set_permissions(at("nginx"), fs::Permissions::from_mode(0o755)).unwrap();
    workspace.write_node(&format!("nginx = \"{}\"", at("nginx").display()));
    workspace.write("main.hcl", "tenant \"acme\" {}\n");
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| workspace.vsa(["apply", "-auto-approve"]));
        let testing = wait_until(Duration::from_mins(1), || at("testing").exists() || run.is_finished());
        if testing && !run.is_finished() {
            meddle();
        }
        workspace.write("meddled", "");
        run.join().unwrap()
    });
    let run = run.code(6);
    assert!(run.stdout.contains("Apply complete!"), "{run}");
    run
}

#[test]
fn an_apply_whose_end_cannot_be_recorded_says_so() {
    let Some(workspace) = Workspace::managed() else { return };
    let run = apply_with_meddling(&workspace, || {
        let jsonl = workspace.configuration().join(".vsa/audit/audit.jsonl");
        OpenOptions::new().append(true).open(jsonl).unwrap().write_all(b"not a record\n").unwrap();
    });
    let run = run.says("warning: the audit log was changed").says("error: the audit log was changed");
    drop(run.says("records of this run are not in it"));
}

#[test]
fn an_apply_whose_end_one_copy_has_is_caught_up_by_the_next_run() {
    let Some(workspace) = Workspace::managed() else { return };
    let sql = |sql: &str| {
        let database = workspace.configuration().join(".vsa/audit/audit.db");
        Connection::open(database).unwrap().execute_batch(sql).unwrap();
    };
    let run = apply_with_meddling(&workspace, || {
        sql("CREATE TRIGGER full BEFORE INSERT ON record BEGIN SELECT RAISE(FAIL, 'full'); END");
    });
    // What the middle of the run wrote into the file keeps its end from being written before the database has it.
    drop(run.says("one record of this run is not in it"));
    sql("DROP TRIGGER full");
    let export = workspace.vsa(["audit", "export", "-of", "apply"]).code(0);
    assert_eq!(export.stdout.matches("\"event\":\"committed\"").count(), 1, "{export}");
    drop(workspace.vsa(["audit", "verify"]).code(0));
}

/// The log's files are for a group: who is in it lists and exports what it may not write.
#[test]
fn a_reader_of_the_log_need_not_be_able_to_write_it() {
    use std::os::unix::fs::chown;
    if !root() {
        return;
    }
    let workspace = Workspace::new();
    let log = workspace.path().join("log");
    let place = |name: &str| log.join(name).display().to_string();
    let (jsonl, database) = (place("audit #1?.jsonl"), place("audit #1?.db"));
    workspace.write(
        "main.hcl",
        format!("vsa {{\n  audit {{\n    jsonl    = \"{jsonl}\"\n    database = \"{database}\"\n  }}\n}}\n"),
    );
    drop(workspace.vsa(["init"]).code(0));
    let games = 60;
    for path in [&log, Path::new(&jsonl), Path::new(&database)] {
        chown(path, None, Some(games)).unwrap();
    }
    let program = workspace.path().join("vsa");
    fs::copy(env!("CARGO_BIN_EXE_vsa"), &program).unwrap();
    let before = fs::read(&jsonl).unwrap();
    for arguments in [["audit", "list"], ["audit", "export"], ["audit", "verify"]] {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=60", "--clear-groups"]).arg(&program).args(arguments);
        command.current_dir(workspace.configuration()).env("HOME", workspace.path());
        let run = Run::of(command).code(0).says("this command only reads");
        assert!(run.stdout.contains("run_started") || run.stdout.contains("2 records"), "{run}");
    }
    assert_eq!(fs::read(&jsonl).unwrap(), before);
}

/// What is written in the place of a value may be a secret: it is neither said nor kept.
#[test]
fn wrong_usage_is_recorded_without_its_values() {
    let workspace = Workspace::new();
    workspace.write("main.hcl", "tenant \"acme\" {}\n");
    for (arguments, says) in [
        (["plan", "-var", "hunter2"], "`-var` takes `name=value`"),
        (["plan", "-vra=hunter2", "hunter2"], "unexpected argument"),
        (["destroy", "-parallelism", "many"], "invalid value"),
    ] {
        let run = workspace.vsa(arguments).code(1).says(says);
        assert!(!format!("{}{}", run.stdout, run.stderr).contains("hunter2"), "{run}");
    }
    let list = workspace.vsa(["audit", "export", "-event", "run_refused"]).code(0);
    let refused: Vec<serde_json::Value> =
        list.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let commands: Vec<_> = refused.iter().map(|record| record["command"].as_str().unwrap()).collect();
    assert_eq!(commands, ["plan", "plan", "destroy"], "{list}");
    assert_eq!(refused[1]["arguments"], serde_json::json!(["plan", "--vra=(masked)", "(masked)"]));
    assert!(!workspace.read(".vsa/audit/audit.jsonl").contains("hunter2"));
}
