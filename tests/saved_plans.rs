//! Saved plans: reviewed once, applied as they are, refused where anything has changed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Workspace, in_every_mode};

in_every_mode![
    a_saved_plan_is_applied_as_it_is,
    the_end_is_planned_reviewed_and_applied_as_well,
    a_saved_plan_is_refused_after_anything_has_changed,
];

/// A tenant and a protected site, its password from a variable.
fn configuration(workspace: &mut Workspace) {
    workspace.write_node("").write(
        "main.hcl",
        r#"
variable "greeting" {
  type    = string
  default = "hello"
}

variable "alice_password" {
  type      = string
  sensitive = true
}

tenant "acme" {
  name = "${var.greeting}, $${not} a template"
}

auth "staff" {
  tenant = tenant.acme
  cost   = 4
  user "alice" {
    password = var.alice_password
  }
}

domain "a.example.com" {
  tenant = tenant.acme
  auth   = auth.staff
  redirect {
    to = "https://b.example.com/"
  }
  tls {
    enabled = false
  }
}
"#,
    );
    workspace.env("VSA_VAR_alice_password", "correct horse battery");
}

fn a_saved_plan_is_applied_as_it_is(workspace: &mut Workspace) {
    configuration(workspace);
    drop(workspace.vsa(["plan", "-out=next.plan", "-var", "greeting=good ${day}"]).code(0));
    let path = workspace.configuration().join("next.plan");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!fs::read_to_string(&path).unwrap().contains("correct horse"));

    let shown = workspace.vsa(["show", "next.plan"]).code(0);
    assert!(shown.stdout.contains("domain[\"a.example.com\"] will be created"), "{}", shown.stdout);
    // The variable's value stands in the plan, and what the files say by now does not matter.
    workspace.write("main.hcl", "this is { not a configuration");
    drop(workspace.vsa(["apply", "next.plan"]).code(0));
    let state = workspace.read("state/default.json");
    assert!(state.contains("good ${day}, ${not} a template"), "{state}");
}

fn the_end_is_planned_reviewed_and_applied_as_well(workspace: &mut Workspace) {
    configuration(workspace);
    let nothing = workspace.vsa(["plan", "-destroy"]).code(1);
    assert!(nothing.stderr.contains("there is no state in "), "{}", nothing.stderr);
    drop(workspace.apply());
    let state = workspace.read("state/default.json");
    let plan = workspace.vsa(["plan", "-destroy", "-detailed-exitcode", "-out=end.plan"]).code(2);
    assert!(plan.stdout.contains("domain[\"a.example.com\"] will be destroyed"), "{}", plan.stdout);
    assert!(plan.stdout.contains("Plan: 0 to add, 0 to change, 4 to destroy"), "{}", plan.stdout);
    assert_eq!(workspace.read("state/default.json"), state, "a plan changes nothing");

    let end = workspace.vsa(["apply", "end.plan"]).code(0);
    assert!(end.stdout.contains("0 added, 0 changed, 4 destroyed"), "{}", end.stdout);
    assert!(!workspace.generation(1).exists());
    drop(workspace.vsa(["apply", "end.plan"]).code(4));
}

fn a_saved_plan_is_refused_after_anything_has_changed(workspace: &mut Workspace) {
    configuration(workspace);
    drop(workspace.vsa(["plan", "-out=first.plan"]).code(0));
    drop(workspace.apply());
    let stale = workspace.vsa(["apply", "first.plan"]).code(4);
    assert!(stale.stderr.contains("the saved plan `first.plan` is stale"), "{}", stale.stderr);

    workspace.write("more.hcl", "tenant \"second\" {}\n");
    drop(workspace.vsa(["plan", "-out=second.plan"]).code(0));
    let site = workspace.generation(workspace.live_generation()).join("sites/a.example.com.conf");
    let text = fs::read_to_string(&site).unwrap();
    fs::write(&site, format!("{text}# by hand\n")).unwrap();
    drop(workspace.vsa(["apply", "second.plan"]).code(4));
    fs::write(&site, text).unwrap();
    workspace.env("VSA_VAR_alice_password", "another secret");
    drop(workspace.vsa(["apply", "second.plan"]).code(4));
    workspace.env("VSA_VAR_alice_password", "correct horse battery");
    drop(workspace.vsa(["apply", "second.plan"]).code(0));
    drop(workspace.assert_nothing_to_do());
}

#[test]
fn a_secret_that_the_configuration_spells_out_is_not_saved() {
    let Some(mut workspace) = Workspace::managed() else { return };
    configuration(&mut workspace);
    let text = workspace.read("main.hcl");
    let literal = |secret: &str| {
        text.replace("= var.alice_password", &format!("= \"{secret}\""))
            .replace("  sensitive = true", "  sensitive = true\n  default = \"spelt out, too\"")
            + "locals {\n  elsewhere = \"by another name\"\n}\n"
            + "auth \"more\" {\n  tenant = tenant.acme\n  cost = 4\n  user \"bob\" {\n    password = local.elsewhere\n  }\n}\n"
    };
    workspace.write("main.hcl", literal("spelt out here"));
    drop(workspace.vsa(["plan", "-out=next.plan"]).code(0));
    let saved = workspace.read("next.plan");
    for secret in ["spelt out here", "spelt out, too", "by another name", "correct horse"] {
        assert!(!saved.contains(secret), "{secret}");
    }
    workspace.write("main.hcl", literal("another one"));
    drop(workspace.vsa(["apply", "next.plan"]).code(4).says("spells a secret out"));
    workspace.write("main.hcl", literal("spelt out here"));
    drop(workspace.vsa(["apply", "next.plan"]).code(0));
    drop(workspace.assert_nothing_to_do());
}

#[test]
fn a_saved_plan_takes_no_other_values() {
    let mut workspace = Workspace::new();
    configuration(&mut workspace);
    drop(workspace.vsa(["plan", "-out=next.plan", "-preflight=false"]).code(0));
    drop(
        workspace
            .vsa(["apply", "next.plan", "-var", "greeting=bye"])
            .code(1)
            .says("has a value of `var.greeting`"),
    );
}

#[test]
fn a_file_of_values_may_repeat_what_a_saved_plan_has_and_not_change_it() {
    let Some(mut workspace) = Workspace::managed() else { return };
    configuration(&mut workspace);
    let values =
        |greeting: &str| format!("greeting = \"{greeting}\"\nalice_password = \"correct horse battery\"\n");
    workspace.write("prod.vsavars", values("hello"));
    drop(workspace.vsa(["plan", "-out=next.plan", "-var-file=prod.vsavars"]).code(0));
    workspace.write("prod.vsavars", values("bye"));
    let refused = workspace.vsa(["apply", "next.plan", "-var-file=prod.vsavars"]).code(1);
    drop(refused.says("the saved plan has another value of `var.greeting`"));
    workspace.write("prod.vsavars", values("hello"));
    drop(workspace.vsa(["apply", "next.plan", "-var-file=prod.vsavars"]).code(0));
}

/// Fingerprints are of one key: with another, all secrets seem to have changed, and the plan says why.
#[test]
fn another_key_is_named_as_the_reason() {
    let Some(mut workspace) = Workspace::managed() else { return };
    configuration(&mut workspace);
    drop(workspace.apply());
    let warning = "the key is not the one that the state was written with";
    let same = workspace.assert_nothing_to_do();
    assert!(!same.stderr.contains(warning), "{same}");
    workspace.env("VSA_KEY", "07".repeat(32));
    let plan = workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says(warning);
    assert!(plan.stdout.contains("auth.staff will be updated"), "{plan}");
    drop(workspace.apply());
    let after = workspace.assert_nothing_to_do();
    assert!(!after.stderr.contains(warning), "{after}");
}

#[test]
fn plans_of_every_version_stay_readable() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/state/samples");
    let workspace = Workspace::new();
    let mut read = 0;
    for sample in fs::read_dir(samples).unwrap().flatten() {
        if sample.file_name().to_string_lossy().starts_with("plan-v") {
            let run = workspace.vsa(["show".as_ref(), "-json".as_ref(), sample.path().as_os_str()]).code(0);
            let plan: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
            assert!(plan["resource_changes"].as_array().is_some_and(|changes| !changes.is_empty()));
            read += 1;
        }
    }
    assert!(read > 0, "there is a sample of every version");
}

#[test]
fn what_is_no_plan_is_refused_with_a_reason() {
    let workspace = Workspace::new();
    workspace
        .write("later.plan", r#"{"version": 99}"#)
        .write("other.plan", "hello")
        .write("cut.plan", r#"{"version": 1}"#);
    for (file, reason) in [
        ("later.plan", "of a later vsa"),
        ("other.plan", "is not a saved plan"),
        ("cut.plan", "is a damaged plan"),
    ] {
        let run = workspace.vsa(["show", file]).code(1);
        assert!(run.stderr.contains(reason), "{}", run.stderr);
    }
}

#[test]
fn nothing_but_a_plan_is_written_over() {
    let Some(mut workspace) = Workspace::managed() else { return };
    configuration(&mut workspace);
    let before = fs::read(workspace.configuration().join("main.hcl")).unwrap();
    let refused = workspace.vsa(["plan", "-out=main.hcl"]).code(1);
    assert!(refused.stderr.contains("main.hcl is there, and is not a saved plan"), "{refused}");
    assert_eq!(fs::read(workspace.configuration().join("main.hcl")).unwrap(), before);
    drop(workspace.vsa(["plan", "-out=next.plan"]).code(0));
    drop(workspace.vsa(["plan", "-out=next.plan"]).code(0));
}
