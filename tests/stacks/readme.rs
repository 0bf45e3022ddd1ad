//! Each stack's README says what it must, in words that fit the compose file.

use std::collections::BTreeSet;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};
use regex::Regex;

use super::every;

const SECTIONS: [&str; 6] = ["Use", "Variables", "Data", "Upgrade", "Backup", "Limits"];

/// The HCL of the README, each fence by itself.
pub fn fences(readme: &str) -> Vec<Body> {
    let fence = Regex::new(r"(?s)```hcl\n(.*?)```").unwrap();
    let parse =
        |text: &str| hcl_edit::parser::parse_body(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    fence.captures_iter(readme).map(|found| parse(&found[1])).collect()
}

pub fn blocks<'a>(bodies: &'a [Body], kind: &'a str) -> impl Iterator<Item = &'a Block> {
    bodies
        .iter()
        .flat_map(Body::iter)
        .filter_map(|structure| structure.as_block())
        .filter(move |block| block.has_ident(kind))
}

/// The value of a text attribute.
fn text(body: &Body, name: &str) -> Option<String> {
    body.get_attribute(name)?.value.as_str().map(str::to_owned)
}

#[test]
fn each_has_its_sections() {
    for stack in every() {
        let readme = stack.text("README.md");
        let own = stack.name.rsplit('/').next().unwrap();
        assert!(readme.starts_with(&format!("# {own}\n\n")), "{}", stack.name);
        let found: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let mut wanted = SECTIONS.iter();
        let mut next = wanted.next();
        for section in &found {
            if next == Some(section) {
                next = wanted.next();
            }
        }
        assert_eq!(next, None, "{}: {found:?}", stack.name);
        for line in readme.lines() {
            assert!(line.chars().count() <= 160, "{}: {line}", stack.name);
        }
    }
}

#[test]
fn each_names_all_services_and_variables_and_no_others() {
    let row = Regex::new(r"(?m)^\| `([A-Z0-9_]+)` \| (.*?) \|").unwrap();
    for stack in every() {
        let readme = stack.text("README.md");
        for (service, _) in stack.services() {
            assert!(readme.contains(&format!("`{service}`")), "{}: {service}", stack.name);
        }
        let rows: Vec<_> =
            row.captures_iter(&readme).map(|row| (row[1].to_owned(), row[2].to_owned())).collect();
        let documented: BTreeSet<_> = rows.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(documented, stack.variables().into_keys().collect(), "{}", stack.name);
        let examples = stack.examples();
        for (name, default) in rows {
            if let Some(written) = default.strip_prefix('`') {
                assert_eq!(written.split('`').next().unwrap(), examples[&name].0, "{}: {name}", stack.name);
            }
        }
    }
}

#[test]
fn its_hcl_fits_the_compose_file() {
    for stack in every() {
        let bodies = fences(&stack.text("README.md"));
        let used =
            blocks(&bodies, "stack").next().unwrap_or_else(|| panic!("{}: no stack block", stack.name));
        let source = text(&used.body, "source").unwrap();
        let template = stack.name.starts_with("templates/");
        assert!(if template {
            source.starts_with("./stacks/")
        } else {
            source == format!("vsa://{}", stack.name)
        });

        let variables = stack.variables();
        let given: Vec<String> = match used.body.get_attribute("env").map(|env| &env.value) {
            Some(Expression::Object(env)) => {
                env.iter().map(|(key, _)| key.as_ident().unwrap().as_str().to_owned()).collect()
            }
            _ => Vec::new(),
        };
        for (name, absent) in &variables {
            let needed = *absent == super::shipped::Absent::Refused;
            assert!(!needed || given.contains(name), "{}: env lacks {name}", stack.name);
        }
        for name in given {
            assert!(variables.contains_key(&name), "{}: env has {name}", stack.name);
        }

        for domain in blocks(&bodies, "domain") {
            let upstream = domain.body.get_blocks("upstream").next().unwrap();
            let service = text(&upstream.body, "service").unwrap();
            let port = upstream.body.get_attribute("port").unwrap().value.to_string();
            let exposed = &stack.compose["services"][&service]["expose"];
            let exposed = exposed.as_array().unwrap_or_else(|| panic!("{}: {service}", stack.name));
            assert!(
                exposed.iter().any(|exposed| exposed == port.trim()),
                "{}: {service}: {port}",
                stack.name
            );
        }
    }
}
