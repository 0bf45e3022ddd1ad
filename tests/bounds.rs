//! What a configuration may ask for at most: each too much is a diagnostic at its place, in bounded memory and time.

use std::fmt::Write as _;
use std::process::Command;

use crate::support::{Run, Workspace};

/// How much address space the program may have here, in bytes: several times what the bounds come to.
const MEMORY: &str = "--as=4000000000";

/// How much time it may take of the processors, in seconds: several times what the bounds come to without optimization.
const TIME: &str = "--cpu=100";

/// What `vsa validate` says of a configuration, in bounded memory and time.
fn validate(configuration: &str) -> Run {
    let workspace = Workspace::new();
    workspace.write("main.hcl", configuration);
    let vsa = workspace.command(["validate"]);
    let mut command = Command::new("prlimit");
    command
        .args([MEMORY, TIME])
        .arg(vsa.get_program())
        .args(vsa.get_args())
        .current_dir(workspace.configuration());
    Run::of(command)
}

/// A local that begins with `first`, and others that are each made of the one before.
fn growing(first: &str, next: impl Fn(&str) -> String) -> String {
    let mut text = format!("locals {{\n  l0 = {first}\n");
    for number in 1..=40 {
        writeln!(text, "  l{number} = {}", next(&format!("local.l{}", number - 1))).unwrap();
    }
    text + "}\n"
}

#[test]
fn a_value_that_doubles_again_and_again_is_refused_where_it_gets_too_large() {
    let texts = |next: fn(&str) -> String| growing("\"0123456789abcdef\"", next);
    let lists = |next: fn(&str) -> String| growing("[1, 2]", next);
    let doubling = [
        texts(|l| format!("\"${{{l}}}${{{l}}}\"")),
        texts(|l| format!("\"%{{ for x in [1, 2] }}${{{l}}}%{{ endfor }}\"")),
        lists(|l| format!("[{l}, {l}]")),
        lists(|l| format!("[for x in range(2) : {l}]")),
        lists(|l| format!("{{ for x in range(2) : \"k${{x}}\" => {l} }}")),
        lists(|l| format!("concat({l}, {l})")),
    ];
    for configuration in doubling {
        refused(&configuration);
    }
}

#[test]
fn a_function_that_would_multiply_what_it_is_given_is_refused_before_it_does() {
    let given = "locals {\n  line  = format(\"%4096s\", \"x\")\n  large = replace(local.line, \" \", format(\"%200s\", \"\\n\"))\n";
    let multiplying = [
        "join(local.large, split(\" \", local.line))",
        "replace(local.large, \" \", local.line)",
        "replace(local.large, \"/./\", local.line)",
        "replace(local.large, \"/(?s).*/\", replace(local.line, \" \", \"$0\"))",
        "format(replace(local.line, \" \", \"%[1]s\"), local.large)",
        "formatlist(\"%s%s\", range(1000), local.large)",
        "indent(1000, replace(local.large, \" \", \"\n\"))",
        "split(\"\", \"${local.large}${local.large}${local.large}\")",
        "regexall(\"(.)()()()()()()()()()()()()()()()\", \"${local.large}${local.large}${local.large}\")",
        "setproduct(range(100), range(100), range(90), [1], [1], [1], [1])",
    ];
    for expression in multiplying {
        refused(&format!("{given}  result = {expression} # local.line\n}}\n"));
    }
}

/// Checks that the bound is said, and the place shown.
fn refused(configuration: &str) {
    let run = validate(configuration);
    assert_eq!(run.exit, Some(1), "{configuration}{run}");
    assert!(run.stderr.contains("more than 64 MiB"), "{configuration}{run}");
    assert!(
        run.stderr.contains("main.hcl:") && run.stderr.contains("local.l"),
        "the place is not shown\n{run}"
    );
}

#[test]
fn the_diagnostic_says_the_bound_and_what_to_look_for() {
    let run = validate(&growing("\"0123456789abcdef\"", |l| format!("\"${{{l}}}${{{l}}}\"")));
    let (diagnostic, _) = run.stderr.split_once("\naudit:").unwrap();
    insta::assert_snapshot!(diagnostic, @r#"
    error[too_large]: the value would have more than 64 MiB
      --> main.hcl:24:9
       |
    24 |   l22 = "${local.l21}${local.l21}"
       |         ^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = note: each part counts 32 bytes and its text, as often as it stands there
       = help: look for texts and lists that are put together from themselves; keep large data in files that services read
    "#);
}

/// A list of a million numbers.
const MANY: &str = "locals {\n  many = flatten([for a in range(1000) : range(1000)])\n";

#[test]
fn work_without_end_is_refused_though_its_result_is_small() {
    // Large texts, so that the bound is reached soon.
    let large = "locals {\n  large = join(\"\", [for n in range(256) : format(\"%4096s\", n)])\n";
    let step = "startswith(\"${local.large}x\", \"y\")";
    let endless = [
        format!("{large}  a = length([for a in range(1000) : [for b in range(1000) : {step}] == []])\n}}\n"),
        format!("{large}}}\ntenant \"t\" {{\n  count = 100000\n  name  = can({step}) ? \"a\" : \"b\"\n}}\n"),
        format!(
            "{MANY}  a = \"%{{ for a in local.many }}%{{ for b in local.many }}%{{ endfor }}%{{ endfor }}\"\n}}\n"
        ),
        format!("{MANY}  a = length([for a in local.many : length(local.many[*])])\n}}\n"),
    ];
    for configuration in endless {
        let run = validate(&configuration);
        assert_eq!(run.exit, Some(1), "{configuration}{run}");
        assert!(run.stderr.contains("too much work"), "{configuration}{run}");
    }
}

#[test]
fn what_takes_time_by_its_size_alone_takes_little() {
    let given = r#"
locals {
  numbers = flatten([for a in range(100) : [for b in range(1000) : 1000 * a + b]])
  halves  = [for number in local.numbers : number + 0.5]
  named   = { for a in range(1000) : "a-name-of-some-length-${a}" => a }
  long    = join("", [for a in range(1000) : format("%4000s", "1")])
}
"#;
    let quick = [
        "matchkeys(local.numbers, local.numbers, local.halves)",
        "trim(replace(local.long, \" \", \"1\"), \"${replace(local.long, \"1\", \" \")}1\")",
        "merge({ for a in local.numbers : format(\"%07d\", 2 * a) => a }, { for a in local.numbers : format(\"%07d\", 2 * a + 1) => a })",
        "setunion([for a in local.numbers : [a]]...)",
        "setproduct(range(1000), range(1000), range(1000), range(1000), [])",
        "[for a in range(1000) : [for b in range(20) : try(local.named[\"a-name-of-any-length-${a}-${b}\"], null)]]",
        "[for a in range(1000) : [for b in range(20) : a < 0 ? local.named[\"a-name-of-any-length-${a}-${b}\"] : 0]]",
    ];
    for expression in quick {
        let run = validate(&format!("{given}output \"length\" {{\n  value = length({expression})\n}}\n"));
        assert_eq!(run.exit, Some(0), "{expression}{run}");
    }
    let digits = format!(
        "{given}output \"number\" {{\n  value = parseint(trimspace(replace(local.long, \" \", \"1\")), 10)\n}}\n"
    );
    let run = validate(&digits);
    assert_eq!(run.exit, Some(1), "{run}");
    assert!(run.stderr.contains("the number has too many places"), "{run}");
}

#[test]
fn what_is_large_and_real_is_taken() {
    let run = validate(
        r#"
locals {
  long = join("", [for a in range(1000) : join("", [format("%4000s", "x"), format("%4000s", "x"), format("%3000s", "x")])])
  many = flatten([for a in range(1000) : range(1000)])
}
output "lengths" {
  value = [length(local.many), length(local.long)]
}
"#,
    );
    assert_eq!(run.exit, Some(0), "{run}");
}
