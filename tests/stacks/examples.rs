//! The stacks of the examples: what their HCL gives them, and where it leads, fits their compose files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};

use super::Shipped;
use super::shipped::Absent;

/// All blocks of a configuration, by kind and label.
fn blocks(directory: &Path) -> Vec<(String, String, Block)> {
    let mut blocks = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if Path::new(&name).extension().is_some_and(|end| end == "hcl") && !name.contains(".vsavars.") {
            let body: Body = fs::read_to_string(entry.path()).unwrap().parse().unwrap();
            for block in body.into_blocks() {
                let label = block.labels.first().map(|label| label.as_str().to_owned()).unwrap_or_default();
                blocks.push((block.ident.as_str().to_owned(), label, block));
            }
        }
    }
    blocks
}

/// An attribute as it is written.
fn written(body: &Body, name: &str) -> String {
    body.get_attribute(name)
        .map(|attribute| attribute.value.to_string().trim().to_owned())
        .unwrap_or_default()
}

fn texts(body: &Body, name: &str) -> Vec<String> {
    match body.get_attribute(name).map(|attribute| &attribute.value) {
        Some(Expression::Array(texts)) => {
            texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn what_the_examples_give_their_stacks_is_what_those_take() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for example in ["examples/quickstart", "examples/flowbiz"].map(|example| root.join(example)) {
        let blocks = blocks(&example);
        let mut stacks = BTreeMap::new();
        for (_, label, block) in blocks.iter().filter(|(kind, ..)| kind == "stack") {
            let source = block.body.get_attribute("source").unwrap().value.as_str().unwrap().to_owned();
            let directory = match source.strip_prefix("vsa://") {
                Some(name) => root.join("stacks").join(name),
                None => example.join(&source),
            };
            let stack = Shipped::read(&source, &directory);
            let given: Vec<String> = match block.body.get_attribute("env").map(|env| &env.value) {
                Some(Expression::Object(env)) => {
                    env.iter().map(|(key, _)| key.as_ident().unwrap().as_str().to_owned()).collect()
                }
                _ => Vec::new(),
            };
            let variables = stack.variables();
            for (name, absent) in &variables {
                assert!(*absent != Absent::Refused || given.contains(name), "{label}: {name} is missing");
            }
            assert!(given.iter().all(|name| variables.contains_key(name)), "{label}: {given:?}");
            for profile in texts(&block.body, "profiles") {
                let of = |service: &serde_json::Value| {
                    service["profiles"].to_string().contains(&format!("\"{profile}\""))
                };
                assert!(stack.services().any(|(_, service)| of(service)), "{label}: {profile}");
            }
            super::findings::assert_none(&stack, &texts(&block.body, "allow"));
            stacks.insert(format!("stack.{label}"), (stack, written(&block.body, "tenant")));
        }
        for (_, label, block) in blocks.iter().filter(|(kind, ..)| kind == "domain") {
            for upstream in block.body.get_blocks("upstream") {
                let name = written(&upstream.body, "stack");
                if name.is_empty() {
                    continue;
                }
                let (stack, tenant) = stacks.get(&name).unwrap_or_else(|| panic!("{label}: {name}"));
                assert_eq!(*tenant, written(&block.body, "tenant"), "{label}");
                let service = upstream.body.get_attribute("service").unwrap().value.as_str().unwrap();
                let exposed = stack.compose["services"][service]["expose"].as_array();
                let exposed = exposed.unwrap_or_else(|| panic!("{label}: {service}"));
                let port = written(&upstream.body, "port");
                assert!(exposed.iter().any(|exposed| exposed == port.as_str()), "{label}: {service}: {port}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 10, "{seen}");
}
