//! No secret leaves: canaries in variables and passwords are searched for everywhere a run leaves a trace.

use std::process::Stdio;

use crate::support::canary::Canary;
use crate::support::{Random, Run, Workspace, in_every_mode};

/// What a service must read, and may therefore hold a secret: private keys and password files.
fn is_declared(line: &str) -> bool {
    line.contains("privkey.pem")
}

/// A configuration that takes its secrets from variables, in every way that a secret can travel.
fn configuration(sensitive: bool) -> String {
    format!(
        "variable \"token\" {{
  type      = string
  sensitive = {sensitive}
}}
variable \"password\" {{
  type      = string
  sensitive = {sensitive}
}}
locals {{
  derived = upper(\"${{var.token}} and more\")
  nested  = {{ list = [var.token, \"plain\"] }}
}}
tenant \"acme\" {{}}
auth \"staff\" {{
  tenant = tenant.acme
  realm  = \"Staff\"
  user \"alice\" {{
    password = var.password
  }}
}}
domain \"a.example.com\" {{
  tenant = tenant.acme
  auth   = auth.staff
  redirect {{
    to = \"https://b.example.com\"
  }}
}}
output \"derived\" {{
  value     = local.derived
  sensitive = {sensitive}
}}
output \"nested\" {{
  value     = local.nested
  sensitive = {sensitive}
}}
"
    )
}

/// Runs a command while its children are watched: what leaked, and the run.
fn watched(workspace: &Workspace, canaries: &[&Canary], arguments: &[&str]) -> Vec<String> {
    let run = workspace.vsa(arguments);
    let mut found = Vec::new();
    for canary in canaries {
        found.extend(
            canary.in_bytes(run.stdout.as_bytes()).iter().map(|form| format!("{form} in standard out")),
        );
        found.extend(
            canary.in_bytes(run.stderr.as_bytes()).iter().map(|form| format!("{form} in standard error")),
        );
    }
    found.iter().map(|found| format!("{found} of {arguments:?}")).collect()
}

/// Every command that could show something, and what it showed.
fn shown(workspace: &Workspace, canaries: &[&Canary]) -> Vec<String> {
    let commands: [&[&str]; 14] = [
        &["validate", "-json"],
        &["plan"],
        &["plan", "-full", "-json"],
        &["plan", "-out=saved.plan"],
        &["show", "saved.plan"],
        &["show", "-json", "saved.plan"],
        &["show"],
        &["show", "-json"],
        &["output"],
        &["state", "list"],
        &["state", "show", "auth.staff"],
        &["generations"],
        &["audit", "list"],
        &["audit", "export"],
    ];
    commands.iter().flat_map(|arguments| watched(workspace, canaries, arguments)).collect()
}

/// Applies a change that nginx is asked about, and watches the children of vsa: what leaked, and how many were seen.
fn apply_a_change(workspace: &Workspace, random: &mut Random, canary: &Canary) -> (Vec<String>, usize) {
    let page = format!("https://{}.example.com", random.token());
    let redirect = format!("redirect {{\n    to = \"{page}\"\n  }}");
    workspace.write(
        "extra.hcl",
        format!("domain \"b.example.com\" {{\n  tenant = tenant.acme\n  {redirect}\n}}\n"),
    );
    let mut command = workspace.command(["apply", "-auto-approve"]);
    let log = workspace.path().join("apply.log");
    let file = std::fs::File::options().create(true).append(true).open(&log).unwrap();
    command.stdout(file.try_clone().unwrap()).stderr(file);
    let mut child = command.spawn().unwrap();
    let watched = canary.in_descendants(&mut child);
    assert!(child.wait().unwrap().success(), "{}", std::fs::read_to_string(&log).unwrap());
    watched
}

fn a_secret_is_nowhere_but_where_it_is_declared(workspace: &mut Workspace) {
    let mut random = Random::from_environment();
    let (token, password) = (format!("tok-{}&\"", random.token()), format!("pw-{}", random.token()));
    let canaries = [&Canary::new(&token), &Canary::new(&password), &Canary::new(&token.to_uppercase())];
    workspace.env("VSA_VAR_token", &token).env("VSA_VAR_password", &password);
    workspace.env("VSA_LOG", "trace").env("RUST_LOG", "trace");
    workspace.write_node("").write("main.hcl", configuration(true));
    drop(workspace.vsa(["init"]).code(0));

    let mut found = shown(workspace, &canaries);
    for canary in canaries {
        // Children live shortly: changes are applied until one was seen, so that each canary is looked for in one. An
        // nginx in a container is asked through the engine, and no child is started.
        let attempts = if workspace.container().is_some() { 1 } else { 20 };
        let children = (0..attempts).find_map(|_| {
            let (leaks, seen) = apply_a_change(workspace, &mut random, canary);
            found.extend(leaks);
            (seen > 0).then_some(seen)
        });
        assert_eq!(children.is_none(), workspace.container().is_some(), "whether a child of vsa was seen");
    }
    // An error near a secret, and a failed apply.
    workspace.write("bad.hcl", "output \"wrong\" {\n  value     = var.token + 1\n  sensitive = true\n}\n");
    found.extend(watched(workspace, &canaries, &["plan"]));
    workspace.write("bad.hcl", "output \"bare\" {\n  value = \"see ${var.token}\"\n}\n");
    found.extend(watched(workspace, &canaries, &["apply", "-auto-approve"]));
    std::fs::remove_file(workspace.configuration().join("bad.hcl")).unwrap();
    drop(workspace.vsa(["plan", "-var", &format!("token={token}")]).code(0));

    found.extend(shown(workspace, &canaries));
    for canary in canaries {
        found.extend(canary.in_files(workspace.path()));
    }
    found.retain(|line| !is_declared(line));
    assert!(found.is_empty(), "{found:#?}");
    drop(workspace.vsa(["audit", "verify"]).code(0));
}

fn the_search_finds_a_secret_that_is_not_marked(workspace: &mut Workspace) {
    let token = format!("tok-{}", Random::from_environment().token());
    let canary = Canary::new(&token);
    workspace.env("VSA_VAR_token", &token).env("VSA_VAR_password", "not looked for");
    workspace.write_node("").write("main.hcl", configuration(false));
    drop(workspace.apply());
    assert!(shown(workspace, &[&canary]).len() > 2);
    let files = canary.in_files(workspace.path());
    assert!(files.iter().any(|line| line.contains("default.json")), "{files:?}");
}

in_every_mode!(a_secret_is_nowhere_but_where_it_is_declared, the_search_finds_a_secret_that_is_not_marked);
