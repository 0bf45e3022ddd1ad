//! What a clumsy or hostile hand does to the command line, the state and the terminal: each a diagnostic or a line
//! that is what it seems to be, never a panic.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Stdio;

use crate::support::{Run, Workspace};

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
    drop(workspace.vsa(["plan"]).code(1).says("from `.vsa/backups/`, where it has any"));
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

#[test]
fn only_files_are_read_and_none_is_left_out_unsaid() {
    let workspace = Workspace::new();
    let pipe = |name: &str| {
        let path = workspace.configuration().join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        path
    };
    workspace.write("main.hcl", "");
    let values = pipe("prod.vsavars.hcl");
    let values = values.to_str().unwrap();
    drop(workspace.vsa(["validate", "-var-file", values]).code(1).says("it is a named pipe, not a file"));
    drop(workspace.vsa(["validate", "-var-file", "/dev/zero"]).code(1).says("it is a device, not a file"));
    drop(workspace.vsa(["apply", values]).code(1).says("it is a named pipe, not a file"));
    for path in [values, "/dev/zero"] {
        workspace.write("main.hcl", format!("output \"text\" {{\n  value = file(\"{path}\")\n}}\n"));
        drop(workspace.vsa(["validate"]).code(1).says(", not a file"));
    }
    let large = workspace.configuration().join("large");
    fs::File::create(&large).unwrap().set_len(1 << 40).unwrap();
    workspace.write("main.hcl", "output \"text\" {\n  value = file(\"large\")\n}\n");
    drop(workspace.vsa(["validate"]).code(1).says("it is larger than 64 MiB"));
    workspace.write("main.hcl", "");
    for (name, target) in [("a.hcl", "/dev/zero"), ("b.auto.vsavars.hcl", values)] {
        let link = workspace.configuration().join(name);
        std::os::unix::fs::symlink(target, &link).unwrap();
        drop(workspace.vsa(["validate"]).code(1).says(&format!("`{name}` cannot be read")));
        fs::remove_file(link).unwrap();
    }
    // A link to a file is that file.
    fs::rename(workspace.configuration().join("main.hcl"), workspace.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", workspace.configuration().join("main.hcl")).unwrap();
    drop(workspace.vsa(["validate"]).code(0));
    let unsaid = workspace.configuration().join(OsStr::from_bytes(b"tenants-\xff.hcl"));
    fs::write(&unsaid, "tenant \"acme\" {}\n").unwrap();
    for command in ["validate", "plan"] {
        drop(workspace.vsa([command]).code(1).says("the name of `tenants-\u{fffd}.hcl` is not UTF-8"));
    }
}

#[test]
fn names_of_files_do_not_steer_the_terminal_either() {
    let workspace = Workspace::new();
    let name = "a\u{1b}[31m\nerror: forged\u{202e}.hcl";
    workspace.write(name, "tenant \"acme\" {\n  nonsense = file(\"\\u001b[2J\\nerror: forged\")\n}\n");
    let missing = "no\u{1b}[31m\nerror: forged";
    for arguments in [
        &["validate"][..],
        &["-chdir", missing, "plan"],
        &["plan", "-var-file", missing],
        &["apply", missing],
    ] {
        let run = workspace.vsa(arguments).code(1);
        assert!(!steers(&run.stderr), "{run}");
        assert!(!run.stderr.lines().any(|line| line.starts_with("error: forged")), "{run}");
    }
}

#[test]
fn what_is_not_text_is_said_and_nothing_is_left() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("").write("main.hcl", "variable \"x\" {\n  default = \"\"\n}\n");
    for name in ["VSA_VAR_x", "VSA_ROOT", "VSA_KEY"] {
        let mut command = workspace.command(["validate"]);
        command.env(name, OsStr::from_bytes(b"\xff"));
        drop(Run::of(command).code(1).says(&format!("`{name}` is not UTF-8 text")));
    }
    let directory = workspace.path().join(OsStr::from_bytes(b"site-\xff"));
    fs::rename(workspace.configuration(), &directory).unwrap();
    for arguments in [&["plan"][..], &["apply", "-auto-approve"]] {
        let mut command = workspace.command(arguments);
        command.current_dir(&directory);
        drop(Run::of(command).code(1).says("has a name that is not UTF-8"));
    }
    assert!(!directory.join(".vsa").exists());
    let mut command = workspace.command(["version"]);
    command.current_dir(&directory);
    drop(Run::of(command).code(0));
    fs::rename(&directory, workspace.configuration()).unwrap();
}

#[test]
fn a_state_that_cannot_be_kept_is_found_before_anything_is_changed() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("").write("main.hcl", STEERING);
    drop(workspace.apply());
    workspace.write("more.hcl", "tenant \"beta\" {\n  name = \"Beta\"\n}\n");
    let before = workspace.read("state/default.json");
    for obstacle in ["state/.default.json.new", ".vsa/backups"] {
        let path = workspace.configuration().join(obstacle);
        let away = workspace.path().join("away");
        if path.exists() {
            fs::rename(&path, &away).unwrap();
        }
        // What root cannot write to either.
        let tight = if obstacle.ends_with("backups") { path.clone() } else { path.join("inside") };
        fs::create_dir_all(tight.parent().unwrap()).unwrap();
        fs::write(&tight, "").unwrap();
        let run = workspace.vsa(["apply", "-auto-approve"]).code(1).says("nothing was changed");
        assert_eq!(workspace.live_generation(), 1, "{run}");
        assert_eq!(workspace.read("state/default.json"), before);
        assert!(!workspace.configuration().join(".vsa/journal.jsonl").exists());
        let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        if away.exists() {
            fs::rename(&away, &path).unwrap();
        }
    }
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
}

#[test]
fn a_number_that_no_output_can_keep_is_refused() {
    let workspace = Workspace::new();
    workspace.write("main.hcl", "output \"large\" {\n  value = { deep = [1e300 * 1e300] }\n}\n");
    drop(workspace.vsa(["plan"]).code(1).says("output `large` holds a number that is too large"));
    workspace.write("main.hcl", "output \"large\" {\n  value = tostring(1e300 * 1e300)\n}\n");
    drop(workspace.vsa(["validate"]).code(0));
}

#[test]
fn nobody_is_told_to_become_who_they_are() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("").write("main.hcl", STEERING);
    let below_a_file = workspace.configuration().join("main.hcl/vsa");
    let node = workspace.read("node.hcl").replacen('{', &format!("{{\n  srv_root = {below_a_file:?}"), 1);
    workspace.write("node.hcl", node);
    let run = workspace.vsa(["plan"]).code(1).says("the directory of the node's tenants cannot be made");
    let is_root = nix::unistd::geteuid().is_root();
    assert_eq!(run.stderr.contains("run vsa as root"), !is_root, "{run}");
}
