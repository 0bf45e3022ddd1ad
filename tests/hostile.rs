//! What a clumsy or hostile hand does to the command line, the state and the terminal: each a diagnostic or a line
//! that is what it seems to be, never a panic.

use std::fs;
use std::process::Stdio;

use crate::support::Workspace;

/// A tenant, and an output whose value would steer a terminal.
const STEERING: &str = r#"
tenant "acme" {
  name = "Acme"
}
output "note" {
  value = "a\u001b[31mb\u009b1m\u202ec"
}
output "map" {
  value = { "k\u001b[2J" = [1, { deep = "x" }] }
}
"#;

fn steers(text: &str) -> bool {
    text.chars().any(|char| (char.is_control() && char != '\n') || char == '\u{202e}')
}

#[test]
fn nothing_of_others_steers_the_terminal() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("").write("main.hcl", STEERING);
    let plan = workspace.vsa(["plan", "-preflight=false"]).code(0);
    let plan = plan.says(r#"+ note = "a\u001b[31mb\u009b1m\u202ec""#).says(r#"+ { deep = "x" },"#);
    assert!(!steers(&plan.stdout), "{plan}");
    drop(workspace.apply());
    for command in [&["output"][..], &["show"], &["output", "note"]] {
        let run = workspace.vsa(command).code(0);
        assert!(!steers(&run.stdout), "{run}");
    }
    drop(workspace.vsa(["show", "no\u{1b}[31m\n     9  2026-01-01  forged  apply"]).code(1));
    let list = workspace.vsa(["audit", "list"]).code(0);
    assert!(!steers(&list.stdout), "{list}");
    assert!(list.stdout.lines().all(|line| line.contains('@')), "a line was forged\n{list}");
}

#[test]
fn a_result_that_cannot_be_kept_is_an_error_and_a_closed_pipe_is_none() {
    let workspace = Workspace::new();
    workspace.write_node("").write("main.hcl", STEERING);
    let mut command = workspace.command(["plan", "-json"]);
    command.stdout(fs::File::options().write(true).open("/dev/full").unwrap()).stderr(Stdio::piped());
    let run = command.output().unwrap();
    assert_eq!(run.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&run.stderr).contains("could not be written to standard output"));

    let mut command = workspace.command(["plan"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let run = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(0), "{said}");
    assert!(!said.contains("error"), "{said}");
}

#[test]
fn numbers_that_no_history_reaches_are_refused() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("").write("main.hcl", STEERING);
    drop(workspace.apply());
    let state = workspace.read("state/default.json");
    for (field, most) in [("\"serial\": 1", "\"serial\": "), ("\"generation\":1", "\"generation\":")] {
        let damaged = state.replace(field, &format!("{most}{}", u64::MAX));
        assert_ne!(damaged, state);
        workspace.write("state/default.json", damaged);
        drop(workspace.vsa(["apply", "-auto-approve"]).code(1).says("is not a state document"));
    }
    workspace.write("state/default.json", state);
    drop(workspace.assert_nothing_to_do());
}

#[test]
fn a_lost_key_has_a_way_out() {
    let Some(mut workspace) = Workspace::managed() else { return };
    workspace.write_node("").write(
        "main.hcl",
        r#"
variable "password" {
  type      = string
  sensitive = true
}
tenant "acme" {
  name = "Acme"
}
auth "staff" {
  tenant = tenant.acme
  cost   = 4
  user "alice" {
    password = var.password
  }
}
"#,
    );
    workspace.env("VSA_VAR_password", "correct horse battery");
    drop(workspace.apply());
    fs::remove_file(workspace.configuration().join(".vsa/key")).unwrap();
    drop(workspace.vsa(["plan"]).code(0).says("sensitive values were not compared"));
    workspace.write("more.hcl", "tenant \"beta\" {\n  name = \"Beta\"\n}\n");
    drop(workspace.vsa(["apply", "-auto-approve"]).code(1).says("`vsa init` makes another"));
    drop(workspace.vsa(["init"]).code(0));
    drop(workspace.vsa(["plan"]).code(0).says("~ password = (sensitive value) -> (sensitive value)"));
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
}

#[test]
fn a_lost_state_is_told_from_a_foreign_node() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("").write("main.hcl", STEERING);
    drop(workspace.apply());
    fs::remove_file(workspace.configuration().join("state/default.json")).unwrap();
    drop(workspace.vsa(["plan"]).code(1).says("`.vsa/backups/` has former ones"));
}

#[test]
fn the_version_is_had_by_any_spelling() {
    let workspace = Workspace::new();
    for spelling in ["version", "-version", "--version", "-v"] {
        let run = workspace.vsa([spelling]).code(0);
        assert_eq!(run.stdout.trim(), format!("vsa {}", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn a_node_whose_files_are_gone_is_made_again() {
    let Some(workspace) = Workspace::managed() else { return };
    let site = "domain \"a.example.com\" {\n  tenant = tenant.acme\n  redirect {\n    to = \"https://b.example.com/\"\n  }\n}\n";
    workspace.write_node("").write("main.hcl", format!("{STEERING}{site}"));
    drop(workspace.apply());
    let node = workspace.node_root();
    for lost in ["run", "logs", "acme", "certificates", "generations", ""] {
        drop(workspace.vsa(["node", "stop"]).code(0));
        fs::remove_dir_all(node.join(lost).components().as_path()).unwrap();
        drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says("was deleted"));
        drop(workspace.apply());
        drop(workspace.assert_nothing_to_do());
        assert_eq!(workspace.https("a.example.com", "/").status, 301, "{lost}");
    }
}

#[test]
fn all_that_goes_is_named_in_a_long_plan() {
    let Some(workspace) = Workspace::managed() else { return };
    let names: Vec<_> = (0..12).map(|number| format!("d{number}.example.com")).collect();
    let site = "  for_each = toset(local.names)\n  tenant = tenant.acme\n  root = \"/srv/none\"\n  tls {\n    enabled = false\n  }\n";
    let text = format!("locals {{\n  names = {names:?}\n}}\ndomain \"all\" {{\n{site}}}\n");
    workspace.write_node("").write("tenant.hcl", "tenant \"acme\" {}\n").write("main.hcl", text);
    drop(workspace.apply());
    workspace.write("main.hcl", "");
    let plan = workspace.vsa(["plan"]).code(0);
    for name in names {
        assert!(plan.stdout.contains(&format!("domain.all[\"{name}\"]")), "{plan}");
    }
}

#[test]
fn a_line_that_is_not_hcl_shows_no_secret() {
    let workspace = Workspace::new();
    for text in [
        "auth \"a\" {\n  user \"u\" {\n    password = \"hunter2\n  }\n}\n",
        "variable \"v\" {\n  sensitive = true\n  default = \"hunter2\" oops\n}\n",
        "auth \"a\" {\n  user \"u\" { password = \"hunter2\", }\n}\n",
    ] {
        workspace.write("main.hcl", text);
        let plan = workspace.vsa(["plan"]).code(1).says("this is not valid HCL");
        let json = workspace.vsa(["validate", "-json"]).code(1);
        assert!(!format!("{plan}{json}").contains("hunter2"), "{plan}{json}");
    }
}
