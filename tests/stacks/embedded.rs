//! The stacks are part of the program: a source names one, and needs no file beside the configuration.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use vsa::resource::Tree;
use vsa::shipped;

use super::every;
use crate::stack::Ground;
use crate::support::images;
use crate::support::workspace::Workspace;

fn files(directory: &Path, below: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let name = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
}

#[test]
fn the_program_has_them_as_they_lie_there() {
    for stack in every() {
        let tree: Tree = match stack.name.strip_prefix("templates/") {
            Some(name) => shipped::template(name).unwrap(),
            None => shipped::stack(&stack.name).unwrap(),
        };
        let inside: BTreeMap<String, Vec<u8>> =
            tree.iter().map(|(path, leaf)| (path.to_string(), leaf.bytes.to_vec())).collect();
        let mut there = BTreeMap::new();
        files(&stack.directory, "", &mut there);
        assert_eq!(inside, there, "{}", stack.name);
    }
    assert_eq!(shipped::stacks().count() + shipped::templates().count(), every().len());
    assert!(shipped::stack("templates").is_none() && shipped::stack("templates/node").is_none());
}

#[test]
fn one_that_does_not_come_with_vsa_is_told_at_its_place() {
    let workspace = Workspace::new();
    let source = |name: &str| {
        workspace.write(
            "main.hcl",
            format!("tenant \"acme\" {{}}\n\nstack \"shop\" {{\n  tenant = tenant.acme\n  source = \"vsa://{name}\"\n}}\n"),
        );
        workspace.vsa(["validate"]).code(1).stderr
    };
    let said = |name: &str| {
        source(name).lines().take_while(|line| !line.starts_with("audit")).collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(said("dfy"), @r#"
    error: no stack `dfy` comes with vsa
     --> main.hcl:5:12
      |
    5 |   source = "vsa://dfy"
      |            ^^^^^^^^^^^
      |
      = help: did you mean `dify`?
    "#);
    assert_snapshot!(said("wordpress"), @r#"
    error: no stack `wordpress` comes with vsa
     --> main.hcl:5:12
      |
    5 |   source = "vsa://wordpress"
      |            ^^^^^^^^^^^^^^^^^
      |
      = help: those that do: dashboard, dify, llm-gateway, n8n, observability, reverse-proxy
    "#);
    assert_snapshot!(said("node"), @r#"
    error: no stack `node` comes with vsa
     --> main.hcl:5:12
      |
    5 |   source = "vsa://node"
      |            ^^^^^^^^^^^^
      |
      = help: those that do: dashboard, dify, llm-gateway, n8n, observability, reverse-proxy
      = help: `node` is a template: `vsa stack new NAME -from node` begins one
    "#);
}

#[test]
fn one_is_served_as_it_is() {
    let Some(ground) = Ground::new() else { return };
    images::files(&ground.engine);
    let tenant = ground.tenant();
    ground.workspace.write(
        "main.hcl",
        format!(
            r#"
tenant "{tenant}" {{}}

stack "shop" {{
  tenant = tenant.{tenant}
  source = "vsa://dashboard"
}}

domain "shop.example.com" {{
  tenant = tenant.{tenant}

  tls {{
    enabled = false
  }}

  upstream {{
    stack   = stack.shop
    service = "dashboard"
    port    = 8080
  }}
}}
"#
        ),
    );
    drop(ground.workspace.apply());
    assert!(ground.get().contains("<title>"), "{}", ground.get());
    drop(ground.workspace.assert_nothing_to_do());
    let compose = ground.data().parent().unwrap().join("compose");
    assert!(compose.join("www/index.html").exists() && !compose.join("README.md").exists());
}
