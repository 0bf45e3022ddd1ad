//! Whatever the files hold, loading and judging them ends soon, in a project or in diagnostics that can be drawn.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::Config;

use vsa::compose::diff::Diff;
use vsa::compose::swarm;

use super::{Purpose, Stack, stack};
use crate::support::count;

fn survives(stack: &Stack) -> Result<(), TestCaseError> {
    let loaded = stack.load();
    prop_assert_eq!(loaded.project.is_none(), loaded.said.has_errors());
    prop_assert_eq!(loaded.told().is_empty(), loaded.said.is_empty());
    if let Some(project) = &loaded.project {
        let changes = Diff::between(Some(project), Some(project));
        prop_assert!(changes.is_empty(), "{changes:?}");
        swarm::lint(project, swarm::Setup { start_first: true, stopped: false });
        stack.findings(&["privileged:web"], Purpose::Safety);
        stack.findings(&[], Purpose::Practice);
    }
    Ok(())
}

fn config() -> Config {
    Config { cases: count(64, 20_000), failure_persistence: None, ..Config::default() }
}

const WORDS: [&str; 52] = [
    "services:",
    "\n  web:",
    "\n  db:",
    "\n    ",
    "\n      ",
    "\n",
    " ",
    ": ",
    "- ",
    "image: x",
    "ports:",
    "volumes:",
    "extends: ",
    "include: ",
    "environment:",
    "privileged: true",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&a ",
    "*a",
    "<<: ",
    "!reset ",
    "!override ",
    "!!str ",
    "\"",
    "'",
    "#",
    "|",
    ">",
    "---",
    "...",
    "? ",
    "~",
    "${",
    "$",
    "}",
    ":-",
    "${A:-${B}}",
    "80:80",
    "/:/x",
    "../",
    "compose.yml",
    "other.yml",
    "true",
    "é",
    "\t",
    "\r\n",
    "%",
    "\u{feff}",
];

/// Values of compose files, right and wrong.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "x",
        "80",
        "'80:80'",
        "'1-3:4'",
        "./a",
        "/",
        "'~'",
        "'a:/b:ro'",
        "host",
        "'service:web'",
        "web",
        "db",
        "'container:x'",
        "'${A}'",
        "'${B:-/}:/x'",
        "'$'",
        "'K=V'",
        "all",
        "''",
        "-1",
        "[]",
        "{}",
        "*v",
        "!reset null",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(3, 24, 4, |inner| {
        let keys = prop::sample::select(vec![
            "image",
            "target",
            "source",
            "type",
            "published",
            "context",
            "service",
            "file",
            "path",
            "condition",
            "driver",
            "o",
            "device",
            "test",
            "external",
            "name",
            "limits",
            "resources",
            "replicas",
            "web",
            "<<",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::btree_map(keys, inner, 0..4).prop_map(|map| {
                let entries: Vec<_> = map.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{{}}}", entries.join(", "))
            }),
        ]
    })
}

/// A file that is nearly a compose file.
fn file() -> impl Strategy<Value = String> {
    let keys = vec![
        "image",
        "ports",
        "volumes",
        "environment",
        "extends",
        "networks",
        "depends_on",
        "build",
        "command",
        "privileged",
        "network_mode",
        "deploy",
        "healthcheck",
        "labels",
        "secrets",
        "configs",
        "env_file",
        "security_opt",
        "cap_add",
        "devices",
        "logging",
        "profiles",
        "tmpfs",
        "extra_hosts",
        "ulimits",
        "gpus",
        "post_start",
        "sysctls",
        "unknown",
    ];
    let service = prop::collection::btree_map(prop::sample::select(keys), value(), 0..6);
    let sections =
        prop::sample::select(vec!["networks", "volumes", "secrets", "configs", "include", "name", "x-y"]);
    let services = prop::collection::btree_map(prop::sample::select(vec!["web", "db", "c"]), service, 0..3);
    (services, prop::collection::btree_map(sections, value(), 0..3), value()).prop_map(
        |(services, sections, first)| {
            let first = first.replace("*v", "x");
            let line = |indent: &str, (key, value): (&&str, &String)| format!("{indent}{key}: {value}\n");
            let service = |(name, keys): (&str, BTreeMap<&str, String>)| {
                let lines: Vec<_> = keys.iter().map(|pair| line("    ", pair)).collect();
                format!("  {name}:\n    x-z: 1\n{}", lines.concat())
            };
            let services: Vec<_> = services.into_iter().map(service).collect();
            let sections: Vec<_> = sections.iter().map(|pair| line("", pair)).collect();
            let (services, sections) = (services.concat(), sections.concat());
            format!("x-v: &v {first}\nservices:\n  a: {{image: x}}\n{services}{sections}")
        },
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text(text in "\\PC{0,400}|[ -~\n]{0,400}") {
        survives(&stack([("compose.yml", text.as_str())]))?;
    }

    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..60)) {
        survives(&stack([("compose.yml", words.concat().as_str())]).env("A", "1"))?;
    }

    #[test]
    fn any_files_that_are_nearly_right(one in file(), two in file(), other in file(), variables in "[A-C=\"'$\\{\\}#\n ]{0,40}") {
        let files = [
            ("compose.yml", one.as_str()),
            ("compose.override.yml", two.as_str()),
            ("x", other.as_str()),
            ("web", other.as_str()),
            (".env", variables.as_str()),
        ];
        survives(&stack(files).secret("A", "hunter2"))?;
    }
}

/// Texts of the largest size that is read, made to take long.
#[test]
fn the_largest_files_end_soon() {
    let fill = |part: &str| part.repeat((1 << 20) / part.len());
    let chain =
        |number: usize| format!("  s{number}: {{extends: s{}, ports: ['{}:1']}}\n", number + 1, number + 1);
    let chain: String = (0..15_000).map(chain).collect();
    let include = |number: usize| format!("  - f{number}.yml\n");
    let mut files: Vec<(String, String)> = [
        fill("["),
        fill("- "),
        fill("? "),
        fill("{a: "),
        fill("a: &a *a\n"),
        fill("\""),
        fill("x\n"),
        fill("  x: y\n"),
        fill("#\n"),
        fill("!"),
        fill("&a "),
        fill("%TAG ! x\n"),
        fill("[],"),
        format!("a: {}", fill("${A:-")),
        format!("a: {}", fill("${A}")),
        format!("a: \"{}\"", fill("$A")),
        format!("services:\n{chain}"),
        format!("services:\n  web: {{volumes: [{}]}}", "'a:/b', ".repeat(99_000)),
        format!("a: [{}]", fill("x, ")),
        format!("a: |\n{}", fill("  x\n")),
        format!("a: {}", fill("x ")),
        fill("a:\n- b\n"),
    ]
    .map(|text| ("compose.yml".to_owned(), text))
    .into();
    let includes: String = (0..15_000).map(include).collect();
    files.push(("compose.yml".to_owned(), format!("include:\n{includes}")));
    for (path, text) in &files {
        let begun = Instant::now();
        let started = text.chars().take(40).collect::<String>();
        survives(&stack([(path.as_str(), text.as_str())]).env("A", &"a".repeat(4_000))).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(20), "{started:?} took {:?}", begun.elapsed());
    }
}

/// Very many faults are not very many remarks.
#[test]
fn of_many_remarks_the_gravest_are_kept() {
    let ports = "{target: x}, ".repeat(1_000);
    let file = format!("services:\n  web: {{image: $A, user: $B, ports: [{ports}]}}\n");
    let loaded = stack([("compose.yml", file.as_str())]).load();
    assert!(loaded.project.is_none());
    assert_eq!(loaded.said.iter().filter(|told| told.is_error()).count(), 200);
    assert!(loaded.told().contains("802 more remarks are left out"), "{}", loaded.told());
}

/// Includes that include each twice would be two to the power of their depth.
#[test]
fn a_tree_of_includes_is_bounded() {
    let files: Vec<_> = (0..30)
        .map(|level| {
            let name = if level == 0 { "compose.yml".to_owned() } else { format!("f{level}.yml") };
            let next = level + 1;
            (
                name,
                format!(
                    "include: [f{next}.yml, {{path: f{next}.yml}}, {{path: [f{next}.yml]}}]\nservices: {{}}\n"
                ),
            )
        })
        .collect();
    let begun = Instant::now();
    survives(&stack(files.iter().map(|(path, text)| (path.as_str(), text.as_str())))).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// Whoever loads may do so on a thread with little stack.
#[test]
fn the_deepest_values_take_little_stack() {
    let nested = |depth: usize| {
        format!("x-a: {}\nservices:\n  web: {{image: x}}\n", "{a: ".repeat(depth) + &"}".repeat(depth))
    };
    let load = move || {
        let deep =
            stack([("compose.yml", nested(30).as_str()), ("compose.override.yml", nested(30).as_str())]);
        survives(&deep).unwrap();
        assert!(deep.load().project.is_some(), "{}", deep.load().told());
        let deeper = stack([("compose.yml", nested(31).as_str())]).load();
        assert!(deeper.told().contains("nested too deeply"), "{}", deeper.told());
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(load).unwrap().join().unwrap();
}
