//! What vsa itself says of the shipped stacks: nothing that their READMEs do not allow, and nothing allowed in vain.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use hcl_edit::expr::Expression;
use vsa::compose::rules::{Allow, Purpose, check};
use vsa::compose::{Directories, EnvValue, Input, Project};
use vsa::diag::{Sources, Style, render_all};

use super::readme::{blocks, fences};
use super::{Shipped, every};

/// The stack's text files by their path.
fn files(directory: &Path, below: &str, found: &mut BTreeMap<String, Arc<str>>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let name = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else {
            found.insert(name, fs::read_to_string(entry.path()).unwrap().into());
        }
    }
}

/// What is said of a stack where this is allowed, with the examples of its variables.
fn said(stack: &Shipped, allowed: &[String]) -> String {
    let mut input = Input {
        entries: vec!["compose.yml".to_owned()],
        directories: Directories {
            project: "/srv/agency/it/compose".to_owned(),
            stack: "/srv/agency/it".to_owned(),
            tenant: "/srv/agency".to_owned(),
        },
        name: "agency-it".into(),
        ..Input::default()
    };
    files(&stack.directory, "", &mut input.files);
    for (name, (value, _)) in stack.examples() {
        let value = if value.is_empty() { "standin" } else { &value };
        input.environment.insert(name.as_str().into(), EnvValue::plain(value));
    }
    let mut sources = Sources::new();
    let (project, mut said) = match Project::load(&input, &mut sources) {
        Ok(loaded) => loaded,
        Err(said) => panic!("{}: {}", stack.name, render_all(said.iter(), &sources, Style::default())),
    };
    let allowed: Vec<_> = allowed.iter().map(|text| Allow::parse(text, None).unwrap()).collect();
    for purpose in [Purpose::Safety, Purpose::Practice] {
        said.extend(check(&project, &allowed, purpose));
    }
    render_all(said.iter(), &sources, Style::default())
}

/// Nothing is said of it where this is allowed.
pub fn assert_none(stack: &Shipped, allowed: &[String]) {
    assert_eq!(said(stack, allowed), "", "{}", stack.name);
}

#[test]
fn each_is_clean_with_what_its_readme_allows() {
    for stack in every() {
        let readme = stack.text("README.md");
        let bodies = fences(&readme);
        let used = blocks(&bodies, "stack").next().unwrap();
        let allowed: Vec<String> = match used.body.get_attribute("allow").map(|allow| &allow.value) {
            Some(Expression::Array(names)) => {
                names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
            }
            _ => Vec::new(),
        };
        assert_none(&stack, &allowed);
        assert!(allowed.is_empty() || readme.contains("`allow` is needed"), "{}", stack.name);
        // Each of them is needed: without it there is a finding.
        for left_out in &allowed {
            let others: Vec<_> = allowed.iter().filter(|allow| *allow != left_out).cloned().collect();
            assert!(said(&stack, &others).contains(left_out.as_str()), "{}: {left_out}", stack.name);
        }
    }
}
