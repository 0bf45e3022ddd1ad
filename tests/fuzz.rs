//! Whatever a file holds, loading it ends in resources or in diagnostics that can be drawn: never in a panic.

use proptest::prelude::*;
use proptest::test_runner::Config;

use vsa::config::{File, Input, load};
use vsa::diag::{Style, render_all};
use vsa::kinds::registry;
use vsa::lang::NoEnvironment;

use crate::support::count;

/// Loads one file and draws all that is said about it.
fn survives(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let files = vec![File { path: "main.hcl".into(), bytes }];
    let environment = vec![("alice_password".to_owned(), "secret".to_owned())];
    let input = Input { files, environment, working_directory: "/srv/site".into(), ..Input::default() };
    let loaded = load(input, registry(), &NoEnvironment);
    let drawn = render_all(loaded.diagnostics.iter(), &loaded.sources, Style::default());
    prop_assert_eq!(loaded.declared.is_none(), loaded.diagnostics.has_errors());
    prop_assert_eq!(drawn.is_empty(), loaded.diagnostics.is_empty());
    Ok(())
}

fn config() -> Config {
    Config { cases: count(96, 20_000), failure_persistence: None, ..Config::default() }
}

const EXAMPLE: [&str; 3] = [
    include_str!("../examples/quickstart/main.hcl"),
    include_str!("../examples/quickstart/variables.hcl"),
    include_str!("../examples/quickstart/outputs.hcl"),
];

/// Words of the language, for texts that are nearly right.
const WORDS: [&str; 58] = [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "=",
    "==",
    "!=",
    "=>",
    "...",
    ".",
    "[*]",
    ".*",
    ",",
    "?",
    ":",
    "+",
    "-",
    "*",
    "/",
    "%",
    "!",
    "&&",
    "||",
    "<",
    ">=",
    "\"",
    "\"a\"",
    "${",
    "%{",
    "%{ if ",
    "%{ endif }",
    "~}",
    "<<EOT\n",
    "<<-EOT\n",
    "EOT\n",
    "\n",
    " ",
    "#",
    "//",
    "/*",
    "*/",
    "for",
    "in",
    "if",
    "null",
    "true",
    "1",
    "1e400",
    "0.1",
    "var.alice_password",
    "each.key",
    "domain",
    "tenant",
    "variable \"x\" {",
    "locals {",
    "count",
];

/// An expression that parses.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|bool| bool.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
        "[ -~&&[^\"\\\\$%]]{0,12}".prop_map(|text| format!("\"{text}\"")),
        "\\PC{0,8}".prop_map(|text| format!("{text:?}").replace("${", "$${").replace("%{", "%%{")),
        prop::sample::select(vec![
            "var.a",
            "var.alice_password",
            "local.b",
            "local.c[0]",
            "tenant.acme",
            "tenant.acme.name",
            "domain[\"a.example.com\"].url",
            "each.key",
            "each.value",
            "count.index",
            "path.module",
            "local.c[*].x",
            "local.b.*.y",
            "nothing.here",
            "self",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 48, 4, |inner| {
        let several = prop::collection::vec(inner.clone(), 0..4);
        let operators = vec!["+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "&&", "||"];
        let functions = vec![
            "length",
            "upper",
            "join",
            "merge",
            "keys",
            "try",
            "can",
            "toset",
            "format",
            "jsonencode",
            "no_such_function",
            "lookup",
        ];
        prop_oneof![
            several.clone().prop_map(|elements| format!("[{}]", elements.join(", "))),
            several.clone().prop_map(|values| {
                let entries = values.iter().enumerate().map(|(number, value)| format!("k{number} = {value}"));
                format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
            }),
            (inner.clone(), prop::sample::select(operators), inner.clone())
                .prop_map(|(left, operator, right)| format!("({left} {operator} {right})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(condition, yes, no)| format!("({condition} ? {yes} : {no})")),
            (prop::sample::select(functions), several)
                .prop_map(|(function, arguments)| format!("{function}({})", arguments.join(", "))),
            (inner.clone(), inner.clone())
                .prop_map(|(of, value)| format!("[for k, v in {of} : {value} if v != k]")),
            (inner.clone(), inner.clone())
                .prop_map(|(of, value)| format!("{{ for v in {of} : v => {value}... }}")),
            inner.clone().prop_map(|value| format!("\"a ${{{value}}} b %{{ if {value} }}c%{{ endif }}\"")),
            (inner.clone(), inner).prop_map(|(of, index)| format!("({of})[{index}]")),
        ]
    })
}

/// A configuration that parses, of blocks that exist and blocks that do not.
fn well_formed() -> impl Strategy<Value = String> {
    let heads = prop::sample::select(vec![
        "tenant \"acme\"",
        "tenant \"b\"",
        "domain \"a.example.com\"",
        "domain \"b\"",
        "auth \"staff\"",
        "certificate \"a.example.com\"",
        "node \"local\"",
        "variable \"a\"",
        "output \"o\"",
        "locals",
        "vsa",
        "nonsense",
        "domain",
        "tenant \"a\" \"b\"",
        "location \"/x/\"",
        "upstream",
        "user \"alice\"",
        "proxy",
        "lifecycle",
        "tls",
    ]);
    let names = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "tenant",
        "root",
        "aliases",
        "for_each",
        "count",
        "depends_on",
        "address",
        "headers",
        "value",
        "type",
        "default",
        "sensitive",
        "name",
        "mode",
        "auth",
        "password",
        "http_port",
        "enabled",
        "extra_config",
        "body_size",
        "node",
        "redirect",
    ]);
    let attribute = (names, expression()).prop_map(|(name, value)| format!("{name} = {value}\n"));
    let body = prop::collection::vec(attribute, 0..4).prop_map(|lines| lines.concat()).boxed();
    let leaf = (heads.clone(), body.clone()).prop_map(|(head, body)| format!("{head} {{\n{body}}}\n"));
    let block = leaf.prop_recursive(3, 12, 3, move |inner| {
        let inner = prop::collection::vec(inner, 0..3);
        (heads.clone(), body.clone(), inner)
            .prop_map(|(head, body, inner)| format!("{head} {{\n{body}{}}}\n", inner.concat()))
    });
    prop::collection::vec(block, 0..5).prop_map(|blocks| blocks.concat())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        survives(bytes)?;
    }

    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..60)) {
        survives(words.concat().into_bytes())?;
    }

    #[test]
    fn any_well_formed_configuration(text in well_formed()) {
        survives(text.into_bytes())?;
    }

    #[test]
    fn a_right_configuration_with_a_slip(
        at in any::<prop::sample::Index>(),
        length in 0_usize..12,
        word in prop::sample::select(WORDS.to_vec()),
    ) {
        let mut bytes = EXAMPLE.concat().into_bytes();
        let start = at.index(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, word.bytes());
        survives(bytes)?;
    }

    #[test]
    fn a_right_configuration_with_an_expression_in_the_place_of_a_value(at in any::<prop::sample::Index>(), value in expression()) {
        let text = EXAMPLE.concat();
        let values: Vec<usize> = text.match_indices(" = ").map(|(at, _)| at + 3).collect();
        let start = *at.get(&values);
        let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        survives([&text[..start], &value, &text[end..]].concat().into_bytes())?;
    }
}

#[test]
fn depth_ends_in_a_diagnostic() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{ a = ", " }"),
        ("!", ""),
        ("-", ""),
        ("\"${", "}\""),
        ("1 + ", "1"),
        ("true ? 1 : ", "2"),
    ] {
        let text = format!("locals {{\n  a = {}null{}\n}}\n", open.repeat(5_000), close.repeat(5_000));
        survives(text.into_bytes()).unwrap();
    }
    let blocks = format!("{}{}", "tenant {\n".repeat(500), "}\n".repeat(500));
    survives(blocks.into_bytes()).unwrap();
}
