//! The files of a configuration as a whole.

use super::*;

#[test]
fn text_that_is_not_hcl_is_shown_for_each_block() {
    assert_snapshot!(errors("tenant \"acme\" {\n  name = \n}\n\ntenant \"beta\" {\n  name \"x\"\n}\n\nfoo {\n"), @r#"
    error: this is not valid HCL
     --> main.hcl:2:10
      |
    2 |   name = 
      |          ^ invalid expression; expected `"`, `[`, `{`, `-`, `!`, `(`, `_`, `<`, letter or digit

    error: this is not valid HCL
     --> main.hcl:6:11
      |
    6 |   name "x"
      |           ^ expected `{`

    error: this is not valid HCL
     --> main.hcl:9:6
      |
    9 | foo {
      |      ^ invalid block body; expected `}`, newline or identifier
    "#);
    let bytes = File { path: "latin.hcl".into(), bytes: b"# caf\xe9\n".to_vec() };
    assert_snapshot!(said(Input { files: vec![bytes], ..Input::default() }), @r#"
    error: the file is not UTF-8 text
     --> latin.hcl:1:6
      |
    1 | # caf�
      |      ^ byte 0xe9
      |
      = help: save the file in the encoding UTF-8
    "#);
}

#[test]
fn every_part_of_a_resource_has_its_place() {
    let text = r#"tenant "acme" {}
domain "a.example.com" {
  headers = {
    X-A = "a"
    "X-B" = "b"
  }
  aliases = ["x.example.com", "y.example.com"]
  location "/x/" {
    root = "/srv/x"
  }
  allow {
    from = "a"
  }
  allow {
    from = "b"
  }
}
"#;
    let loaded = load_input(input(text));
    let declared = loaded.declared.unwrap();
    let domain = resource(&declared, r#"domain["a.example.com"]"#);
    let at = |place: Place| loaded.sources.text(domain.span(&place).unwrap()).to_owned();
    let root = Place::root();
    assert_eq!(at(root.clone()), r#"domain "a.example.com""#);
    assert_eq!(at(root.name("gzip")), r#"domain "a.example.com""#);
    assert_eq!(at(root.name("headers").name("X-B")), r#""b""#);
    assert_eq!(at(root.name("headers").name("X-C")).lines().count(), 4);
    assert_eq!(at(root.name("aliases").index(1)), r#""y.example.com""#);
    assert_eq!(at(root.name("location").name("/x/").name("root")), r#""/srv/x""#);
    assert_eq!(at(root.name("location").name("/x/").name("auth")), r#"location "/x/""#);
    assert_eq!(at(root.name("location").name("/y/")), r#"domain "a.example.com""#);
    assert_eq!(at(root.name("allow").index(1).name("from")), r#""b""#);
}

#[test]
fn settings_are_read() {
    let loaded = load_input(input(
        r#"
        vsa {
          required_version = ">= 0.1, < 9.0"
          audit {
            jsonl = "/var/log/vsa/audit.jsonl"
          }
        }
        output "paths" { value = "${path.module} ${path.root} ${path.cwd}" }
        "#,
    ));
    assert_eq!(loaded.settings.audit.jsonl.as_deref(), Some(Path::new("/var/log/vsa/audit.jsonl")));
    assert_eq!(loaded.settings.audit.database, None);
    assert_eq!(output(&loaded.declared.unwrap(), "paths"), r#"". . /home/ops""#);
    assert_snapshot!(errors(
        r#"
vsa "x" {
  required_version = "soon"
  audit {
    jsonl = ""
  }
  audits {}
}
"#
    ), @r#"
    error: `vsa` takes no label
     --> main.hcl:2:5
      |
    2 | vsa "x" {
      |     ^^^

    error: `jsonl` of `audit` takes a file path
     --> main.hcl:5:13
      |
    5 |     jsonl = ""
      |             ^^ "" is empty

    error: unknown block `audits` in `vsa`
     --> main.hcl:7:3
      |
    7 |   audits {}
      |   ^^^^^^
      |
      = help: did you mean `audit`?
    "#);
}

#[test]
fn a_directory_without_files_declares_the_node_alone() {
    let declared = declared_from(Input::default());
    let addresses: Vec<_> = declared.resources.keys().map(ToString::to_string).collect();
    assert_eq!(addresses, ["node.local"]);
}

/// Well-formed text from a grammar that knows the names of the test's kinds.
fn any_configuration() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "acme",
        "a",
        "name",
        "tenant",
        "gzip",
        "aliases",
        "headers",
        "upstream",
        "address",
        "weight",
        "location",
        "root",
        "auth",
        "user",
        "password",
        "allow",
        "from",
        "drain",
        "for_each",
        "count",
        "depends_on",
        "default",
        "type",
        "sensitive",
        "value",
        "nullable",
        "condition",
        "error_message",
        "validation",
        "lifecycle",
        "x",
    ]);
    let atom = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        (-5i64..100_000).prop_map(|number| number.to_string()),
        "[a-z./ -]{0,12}".prop_map(|text| format!("{text:?}")),
        prop::sample::select(vec![
            "\"a.example.com\"",
            "\"\\u0000\"",
            "\"\\n\"",
            "\"${var.a}-${each.key}\"",
            "\"%{ if var.a }x%{ endif }\"",
            "<<X\n  text\nX\n",
            "string",
            "list(string)",
            "9e999",
            "-1",
        ])
        .prop_map(str::to_owned),
        (
            prop::sample::select(vec![
                "var", "local", "tenant", "domain", "node", "each", "count", "path", "auth"
            ]),
            prop::sample::select(vec![
                "",
                ".a",
                ".acme",
                "[\"a.example.com\"]",
                "[var.a]",
                "[0]",
                ".acme[*].url",
                ".key"
            ]),
        )
            .prop_map(|(root, rest)| format!("{root}{rest}")),
    ];
    let expression = atom.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(", "))),
            prop::collection::vec((0..3u8, inner.clone()), 0..3).prop_map(|entries| {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("k{key} = {value}")).collect();
                format!("{{ {} }}", entries.join(", "))
            }),
            (inner.clone(), prop::sample::select(vec!["+", "/", "%", "==", "&&", "<"]), inner.clone())
                .prop_map(|(left, operator, right)| format!("({left} {operator} {right})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            inner.clone().prop_map(|inner| format!("[for k, v in {inner} : k]")),
            (prop::sample::select(vec!["toset", "length", "try", "keys", "nope", "jsonencode"]), inner)
                .prop_map(|(function, argument)| format!("{function}({argument})")),
        ]
    });
    let attribute = (name.clone(), expression).prop_map(|(name, value)| format!("{name} = {value}\n"));
    let label = prop::sample::select(vec![
        "",
        "\"a\"",
        "\"acme\"",
        "\"a.example.com\"",
        "\"/x/\"",
        "\"x y\" \"z\"",
        "b",
    ]);
    let inner = prop::collection::vec(attribute, 0..4).prop_map(|lines| lines.concat());
    let nested = (name, label.clone(), inner.clone())
        .prop_map(|(name, label, inner)| format!("{name} {label} {{\n{inner}}}\n"));
    let kind = prop::sample::select(vec![
        "tenant",
        "domain",
        "node",
        "auth",
        "certificate",
        "variable",
        "locals",
        "output",
        "vsa",
        "module",
        "other",
    ]);
    let body =
        (inner, prop::collection::vec(nested, 0..3)).prop_map(|(lines, blocks)| lines + &blocks.concat());
    let block = (kind, label, body).prop_map(|(kind, label, body)| format!("{kind} {label} {{\n{body}}}\n"));
    prop::collection::vec(block, 0..6).prop_map(|blocks| blocks.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), values in ".{0,60}") {
        let files = vec![File { path: "main.hcl".into(), bytes }, file("vsa.vsavars.hcl", &values)];
        let loaded = load_input(Input { files, ..Input::default() });
        render_all(&loaded.diagnostics, &loaded.sources, Style::default());
    }

    #[test]
    fn no_configuration_makes_it_panic(text in any_configuration(), values in "[a-z]{1,4} = [a-z0-9\"\\[\\]]{0,12}") {
        let files = vec![file("main.hcl", &text), file("vsa.vsavars.hcl", &values)];
        let loaded = load_input(Input { files, ..Input::default() });
        prop_assert_eq!(loaded.declared.is_some(), !loaded.diagnostics.has_errors());
        render_all(&loaded.diagnostics, &loaded.sources, Style::default());
    }

    #[test]
    fn the_order_of_files_and_blocks_means_nothing(first in any_configuration(), second in any_configuration()) {
        let there = load_input(Input { files: vec![file("a.hcl", &first), file("b.hcl", &second)], ..Input::default() });
        let back = load_input(Input { files: vec![file("b.hcl", &second), file("a.hcl", &first)], ..Input::default() });
        prop_assert_eq!(&there.diagnostics, &back.diagnostics);
        let text = |loaded: &Loaded| loaded.declared.as_ref().map(|declared| format!("{declared:?}"));
        prop_assert_eq!(text(&there), text(&back));
    }
}
