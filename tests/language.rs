//! The parser and the evaluator against arbitrary text, and against the clock.

use std::fmt::Write as _;
use std::time::Instant;

use hcl_edit::structure::Structure;
use proptest::prelude::*;
use vsa::diag::{FileId, Sources, Style, render_all};
use vsa::lang::syntax::{self, Parsed};
use vsa::lang::{self, NoScope};

fn file(text: &str) -> (Sources, FileId) {
    let mut sources = Sources::new();
    let file = sources.add("main.hcl", text);
    (sources, file)
}

/// Evaluates every attribute of every block, whatever comes of it.
fn evaluate(parsed: &Parsed) -> usize {
    let mut evaluated = 0;
    for top in &parsed.structures {
        let mut bodies = Vec::new();
        match &top.structure {
            Structure::Attribute(attribute) => {
                evaluated += usize::from(lang::eval(&attribute.value, top.source, &NoScope).is_ok());
                lang::references(&attribute.value, top.source);
            }
            Structure::Block(block) => bodies.push(&block.body),
        }
        while let Some(body) = bodies.pop() {
            bodies.extend(body.blocks().map(|block| &block.body));
            for attribute in body.attributes() {
                evaluated += usize::from(lang::eval(&attribute.value, top.source, &NoScope).is_ok());
                lang::references(&attribute.value, top.source);
                let _ = lang::type_expr(&attribute.value, top.source);
            }
        }
    }
    evaluated
}

fn run(text: &str) {
    let (sources, file) = file(text);
    let parsed = syntax::parse(file, text);
    for diagnostic in &parsed.diagnostics {
        let span = diagnostic.primary.as_ref().unwrap().span;
        assert!(text.get(span.range()).is_some(), "{span:?} is no place in the text");
    }
    render_all(&parsed.diagnostics, &sources, Style::default());
    evaluate(&parsed);
    if let Ok((expr, source)) = syntax::expression(file, text) {
        match lang::eval(&expr, source, &NoScope) {
            Ok(value) => {
                let _ = (value.display().to_string(), value.to_json_text());
            }
            Err(errors) => {
                for error in &errors {
                    let span = error.primary.as_ref().unwrap().span;
                    assert!(text.get(span.range()).is_some(), "{span:?} is no place in the text");
                }
                render_all(&errors, &sources, Style::default());
            }
        }
    }
    if let Ok((template, source)) = syntax::template(file, text) {
        let _ = lang::eval_template(&template, source, &NoScope);
    }
}

/// Pieces of the language, in any order.
fn soup() -> impl Strategy<Value = String> {
    let functions: Vec<String> =
        lang::functions::all().map(|function| format!("{}(", function.name)).collect();
    let tokens = [
        "a",
        "b",
        "for",
        "in",
        "if",
        "null",
        "true",
        "1",
        "2.5",
        "-",
        "+",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "!",
        "?",
        ":",
        "=>",
        "...",
        ",",
        ".",
        "[*]",
        ".*",
        ".0",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "=",
        "\n",
        "\"",
        "${",
        "%{",
        "~}",
        "if true}",
        "%{endif}",
        "%{for x in [1]}",
        "%{endfor}",
        "<<E\n",
        "\nE\n",
        "<<-E\n",
        "#",
        "//",
        "/*",
        "*/",
        "\u{feff}",
        "é",
        "☃",
        "\r\n",
        "\\",
        "\"x\"",
        "\"${1}\"",
        "[1, \"a\", null]",
        "{a = 1, b = [2]}",
        "[for x in [1, 2]: x]",
        "{for k, v in {a = 1}: k => v...}",
        "1e99999",
        "99999999999999999999999",
    ];
    let token = prop_oneof![
        4 => prop::sample::select(tokens.to_vec()).prop_map(str::to_owned),
        1 => prop::sample::select(functions),
    ];
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.join(" "))
}

/// Calls of functions with arguments of all types.
fn calls() -> impl Strategy<Value = String> {
    let names: Vec<&str> = lang::functions::all().map(|function| function.name).collect();
    let values = [
        "null",
        "true",
        "0",
        "1",
        "-1",
        "2.5",
        "1e30",
        "9223372036854775807",
        "-9223372036854775808",
        "\"\"",
        "\"a\"",
        "\"é☃\"",
        "\"%s %d %[3]q\"",
        "\"(\"",
        "\"/(a)/\"",
        "[]",
        "[1, 2]",
        "[\"a\", null]",
        "[[1], [\"a\"]]",
        "{}",
        "{a = 1}",
        "toset([\"a\", \"b\"])",
        "tomap({a = [1]})",
        "tolist([])",
        "sensitive(\"s\")",
    ];
    let value = prop::sample::select(values.to_vec());
    (prop::sample::select(names), prop::collection::vec(value, 0..4), any::<bool>()).prop_map(
        |(name, values, expand)| {
            format!("{name}({}{})", values.join(", "), if expand && !values.is_empty() { "..." } else { "" })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::support::count(512, 50_000), ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut sources = Sources::new();
        if let Err(diagnostic) = syntax::read(&mut sources, "main.hcl", bytes.clone()) {
            render_all([&*diagnostic], &sources, Style::default());
        }
        run(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn token_soup_never_panics(text in soup()) {
        run(&text);
        run(&format!("a = {text}\nb {{\n  c = 1\n}}\n"));
    }

    #[test]
    fn calls_never_panic(text in calls()) {
        run(&text);
    }

    #[test]
    fn pieces_parse_like_the_whole(texts in prop::collection::vec(prop::sample::select(vec![
        "a \"x\" {\n  b = 1\n}\n", "# comment\n", "\n", "c = <<E\n}${\"}\"}\nE\n", "d = [\n  1, # ]\n  2\n]\n",
        "e { f = \"${\"{\"}\" }\n", "/* { */\n", "g = <<-E\n    x\n  E\r\n", "h {\r\n  i = 1\r\n}\r\n",
    ]), 0..8)) {
        // An attribute stands once.
        let mut seen = std::collections::BTreeSet::new();
        let is_attribute = |text: &str| ["c =", "d =", "g ="].iter().any(|name| text.starts_with(name));
        let text: String = texts.into_iter().filter(|text| !is_attribute(text) || seen.insert(*text)).collect();
        let (_, id) = file(&text);
        let parsed = syntax::parse(id, &text);
        let whole = hcl_edit::parser::parse_body(&text).unwrap();
        prop_assert!(parsed.diagnostics.is_empty());
        let pieces: Vec<_> = parsed.structures.iter().map(|top| &top.structure).collect();
        prop_assert_eq!(pieces.len(), whole.len());
        for (piece, whole) in parsed.structures.iter().zip(&whole) {
            use hcl_edit::Span as _;
            prop_assert_eq!(piece.source.span(&piece.structure).range(), whole.span().unwrap());
        }
    }
}

#[test]
fn depth_is_an_error() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{a=", "}"),
        ("\"${", "}\""),
        ("!", ""),
        ("-", ""),
        ("upper(", ")"),
        ("a[", "]"),
        ("true?", ":1"),
    ] {
        let text = format!("{}1{}", open.repeat(50_000), close.repeat(50_000));
        let (_, file) = file(&text);
        assert!(syntax::expression(file, &text).is_err(), "{open}");
        let parsed = syntax::parse(file, &format!("a = {text}\n"));
        assert!(parsed.diagnostics.has_errors(), "{open}");
    }
    let sum = vec!["1"; 50_000].join(" + ");
    let (_, file) = file(&sum);
    assert!(syntax::expression(file, &sum).is_err());
    let blocks = format!("{}{}", "a {\n".repeat(20_000), "}\n".repeat(20_000));
    assert!(syntax::parse(file, &blocks).diagnostics.has_errors());
    let steps = format!("null{}", ".a".repeat(20_000));
    if let Ok((expr, source)) = syntax::expression(file, &steps) {
        assert!(lang::eval(&expr, source, &NoScope).is_err());
    }
    assert!(vsa::value::Value::from_json_text(&"[".repeat(100_000)).is_err());
    assert!(vsa::value::Value::from_json_text(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_err());
}

/// Values that grow from one expression to the next: neither they nor what looks at them ends the process.
#[test]
fn values_have_bounded_depth() {
    let workspace = crate::support::Workspace::new();
    let mut text = String::from("locals {\n  l0 = []\n");
    for level in 1..30_000 {
        let _ = writeln!(text, "  l{level} = [local.l{}]", level - 1);
    }
    text.push_str("}\noutput \"deep\" {\n  value = [jsonencode(local.l29999), toset(local.l29999), local.l29999 == local.l29998]\n}\n");
    workspace.write("main.hcl", text);
    let run = workspace.vsa(["validate"]).code(1);
    insta::assert_snapshot!(run.stderr.lines().filter(|line| !line.starts_with("audit:")).collect::<Vec<_>>().join("\n"), @r"
    error: the value has more than 64 levels inside each other
      --> main.hcl:66:9
       |
    66 |   l64 = [local.l63]
       |         ^^^^^^^^^^^
       |
       = help: put its parts beside each other rather than into each other, for instance with `concat` or `merge`
    ");
    let right = format!("output \"a\" {{\n  value = {}{}\n}}\n", "[".repeat(60), "]".repeat(60));
    workspace.write("main.hcl", right);
    drop(workspace.vsa(["validate"]).code(0));
}

#[test]
fn every_broken_block_is_reported() {
    let text = "\u{feff}a \"é\" {\r\n  b = \r\n}\r\nc {\n  d = 1\n}\ne {\n  f = [1,,]\n}\ng {\n  h = 1\n";
    let (sources, file) = file(text);
    let parsed = syntax::parse(file, text);
    let lines: Vec<_> = parsed
        .diagnostics
        .iter()
        .map(|diagnostic| sources.position(diagnostic.primary.as_ref().unwrap().span).line)
        .collect();
    assert_eq!(lines, [2, 8, 11]);
    assert_eq!(parsed.structures.len(), 1);
}

/// A configuration of so many domains, about 250 bytes each.
fn domains(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        write!(
            text,
            "domain \"site-{number}.example.com\" {{\n  tenant  = \"tenant-{}\"\n  aliases = [\"www.site-{number}.example.com\"]\n\n  upstream {{\n    address = \"127.0.0.1:${{8000 + {}}}\"\n  }}\n\n  location \"/admin/\" {{\n    headers = {{ \"X-Site\" = upper(\"site-{number}\") }}\n  }}\n\n  rate_limit {{\n    rate  = \"10r/s\"\n    burst = 20\n  }}\n}}\n\n",
            number % 100,
            number % 1000,
        )
        .unwrap();
    }
    text
}

#[test]
fn ten_thousand_domains_take_no_time() {
    let text = domains(10_000);
    let (_, file) = file(&text);
    let start = Instant::now();
    let parsed = syntax::parse(file, &text);
    let parse = start.elapsed();
    let start = Instant::now();
    let evaluated = evaluate(&parsed);
    let evaluation = start.elapsed();
    println!("{} bytes: parsed in {parse:?}, {evaluated} attributes evaluated in {evaluation:?}", text.len());
    assert_eq!(parsed.structures.len(), 10_000);
    assert_eq!(evaluated, 60_000);
}

#[test]
fn carriage_returns_are_kept_in_each_kind_of_heredoc() {
    // As Terraform 1.11 gives them.
    let text = "a = <<E\r\nx\r\ny\r\nE\r\nb = <<-E\r\n  x\r\n    y${\"z\"}\r\n\r\n  v\r\n  E\r\nc = <<-E\n  x\n  y\r\n  E\n";
    let (_, file) = file(text);
    let parsed = syntax::parse(file, text);
    assert!(parsed.diagnostics.is_empty());
    let values = parsed.structures.iter().map(|top| {
        let Structure::Attribute(attribute) = &top.structure else { panic!("no attribute") };
        let value = lang::eval(&attribute.value, top.source, &NoScope).unwrap();
        value.as_str().unwrap().to_owned()
    });
    let expected = ["x\r\ny\r\n", "x\r\n  yz\r\n\r\nv\r\n", "x\ny\r\n"];
    assert_eq!(values.collect::<Vec<_>>(), expected);
}
