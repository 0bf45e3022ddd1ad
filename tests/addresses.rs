//! Resources whose address changes while they stay what they are: a block is renamed, what it is about is not.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crate::support::{Request, Workspace, fetch};

/// Tenants, a password, a certificate and sites, all in blocks whose labels end in this.
fn write(workspace: &Workspace, block: &str, tenants: &str, mode: &str, place: &str) {
    workspace.write(
        "main.hcl",
        format!(
            r#"
tenant "{block}" {{
  for_each = toset([{tenants}])
  mode     = "{mode}"
}}

auth "{block}" {{
  for_each = toset(["staff"])
  tenant   = tenant.{block}["x"]
  realm    = "Staff"

  user "alice" {{
    password = "correct horse battery"
  }}
}}

certificate "{block}" {{
  for_each = toset(["pair"])
  names    = ["one.example.com"]
}}

domain "{block}" {{
  for_each = toset(["one.example.com", "two.example.com"])
  tenant   = tenant.{block}["x"]
  auth     = auth.{block}["staff"]

  redirect {{
    to            = "https://{place}.example.net/"
    preserve_path = false
  }}

  tls {{
    certificate = each.key == "one.example.com" ? certificate.{block}["pair"] : null
  }}
}}
"#
        ),
    );
}

fn location(workspace: &Workspace) -> Option<String> {
    let request = Request::https(workspace.https_port(), "one.example.com", "/");
    let answer = fetch(&request.password("alice", "correct horse battery")).ok()?;
    answer.header("location").map(str::to_owned)
}

fn addresses(workspace: &Workspace) -> String {
    workspace.vsa(["state", "list"]).code(0).stdout
}

#[test]
fn what_has_another_address_stays_what_it_is() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("");
    // In the order of the addresses the new one comes before the old one, and after it.
    write(&workspace, "m", r#""x""#, "0751", "first");
    drop(workspace.apply());
    let directory = workspace.node_root().join("srv/x");
    let inode = fs::metadata(&directory).unwrap().ino();
    let issues = workspace.node_root().join("certificates/pair");
    for block in ["a", "z", "m"] {
        let before = addresses(&workspace);
        let former = before.lines().find_map(|line| line.strip_prefix("tenant.")).unwrap();
        write(&workspace, block, r#""x""#, "0751", "first");
        let plan = workspace.vsa(["plan", "-detailed-exitcode"]).code(2);
        let plan = plan.says(&format!("# tenant.{former} has moved to tenant.{block}[\"x\"]"));
        let plan = plan.says("0 to add").says("0 to destroy").says("would have another address");
        let json = workspace.plan();
        let changes = json["resource_changes"].as_array().unwrap();
        let tenant = changes.iter().find(|change| change["type"] == "tenant").unwrap();
        assert_eq!(tenant["previous_address"], format!("tenant.{former}"), "{plan}");
        assert_eq!(tenant["change"]["actions"], serde_json::json!(["no-op"]));
        assert!(
            !plan.stdout.contains("will be destroyed") && !plan.stdout.contains("will be created"),
            "{plan}"
        );
        drop(workspace.apply());
        drop(workspace.assert_nothing_to_do());
        assert_eq!(fs::metadata(&directory).unwrap().ino(), inode);
        assert_eq!(fs::read_dir(&issues).unwrap().count(), 1, "no certificate was issued");
        assert_eq!(location(&workspace).as_deref(), Some("https://first.example.net/"));
        let after = addresses(&workspace);
        assert!(
            after.contains(&format!("tenant.{block}[\"x\"]"))
                && after.lines().count() == before.lines().count()
        );
    }
    // It is vsa's still: it goes with what has it.
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
    assert!(!directory.exists() && !workspace.node_root().exists());
}

/// With the address other things change, and another one goes.
#[test]
fn what_changes_with_the_address_is_done() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("");
    write(&workspace, "m", r#""x", "y""#, "0751", "first");
    drop(workspace.apply());
    let tenants = workspace.node_root().join("srv");
    for (block, mode, place) in [("a", "0711", "second"), ("z", "0755", "third")] {
        let others = if block == "a" { r#""x", "w""# } else { r#""x""# };
        write(&workspace, block, others, mode, place);
        let plan = workspace.vsa(["plan"]).code(0).says("(moved from tenant.").says("1 to destroy");
        let gone = if block == "a" { "tenant.m[\"y\"]" } else { "tenant.a[\"w\"]" };
        drop(plan.says(&format!("# {gone} will be destroyed")));
        drop(workspace.apply());
        drop(workspace.assert_nothing_to_do());
        let bits = fs::metadata(tenants.join("x")).unwrap().permissions().mode() & 0o777;
        assert_eq!(format!("{bits:04o}"), mode);
        assert_eq!(location(&workspace), Some(format!("https://{place}.example.net/")));
        assert!(!tenants.join("y").exists());
    }
    assert!(!tenants.join("w").exists());
}

#[test]
fn a_node_with_another_address_stays_where_it_is() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("");
    write(&workspace, "m", r#""x""#, "0751", "first");
    drop(workspace.apply());
    let pid = workspace.nginx_pid();
    let node = workspace.read("node.hcl");
    for label in ["all", "zone"] {
        let each = format!("node \"{label}\" {{\n  for_each = toset([\"local\"])");
        workspace.write("node.hcl", node.replacen("node \"local\" {", &each, 1));
        let plan = workspace.vsa(["plan"]).code(0).says(&format!("has moved to node.{label}[\"local\"]"));
        assert!(!plan.stdout.contains("will be destroyed"), "{plan}");
        drop(workspace.apply());
        drop(workspace.assert_nothing_to_do());
        assert_eq!(workspace.nginx_pid(), pid, "the same nginx serves");
        assert_eq!(location(&workspace).as_deref(), Some("https://first.example.net/"));
    }
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
    assert!(!workspace.node_root().exists());
}

/// Killed at any instant, what has moved is known under one address, and the next apply ends in an empty plan.
#[test]
fn a_killed_apply_loses_nothing_that_moves() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("");
    write(&workspace, "m", r#""x""#, "0751", "first");
    drop(workspace.apply());
    let blocks = ["a", "z"].iter().cycle();
    let instants = ["preflight:1", "prepare:1", "prepare:2", "switch:1", "switch:4", "clean_up:1"];
    let directory = workspace.node_root().join("srv/x");
    let mut reached = 0;
    for (instant, block) in instants.iter().zip(blocks) {
        write(&workspace, block, r#""x""#, "0751", "second");
        let Some(mut killed) = workspace.stopped_at(&format!("phase:{instant}")) else { continue };
        reached += 1;
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert!(location(&workspace).is_some() && directory.is_dir());
        drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2));
        drop(workspace.apply());
        drop(workspace.assert_nothing_to_do());
        let known = addresses(&workspace);
        assert_eq!(known.matches("tenant.").count(), 1, "{known}");
        assert!(known.contains(&format!("tenant.{block}[\"x\"]")), "{known}");
    }
    assert!(reached > 2, "{reached} of {} instants were reached", instants.len());
    // Killed, and back to the former address.
    write(&workspace, "a", r#""x""#, "0751", "third");
    if let Some(mut killed) = workspace.stopped_at("phase:switch:4") {
        killed.kill().unwrap();
        killed.wait().unwrap();
    }
    write(&workspace, "z", r#""x""#, "0751", "third");
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
    assert!(!directory.exists());
}

/// What is taken back has the address that it had.
#[test]
fn a_run_that_is_taken_back_moves_nothing() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("");
    write(&workspace, "m", r#""x""#, "0751", "first");
    drop(workspace.apply());
    let before = workspace.read("state/default.json");
    write(&workspace, "a", r#""x""#, "0751", "second");
    let busy = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    workspace.write_node_with_https(busy.local_addr().unwrap().port(), "");
    drop(workspace.vsa(["apply", "-auto-approve"]).code(5));
    assert_eq!(workspace.read("state/default.json"), before);
    drop(busy);
    workspace.write_node("");
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
}
