//! The language against tables of expressions and their values, and against Terraform itself where it is installed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value as Json, json};
use vsa::diag::{Diagnostics, Sources};
use vsa::lang::{self, Environment, Reference, Resolved, Scope, syntax};
use vsa::value::{Number, Repr, Type, Value};

use crate::support::unavailable;

const UNTYPED_NULL: &str = "`null` has no type";
const TEST_ONLY: &str = "the function is one of the test program that the table comes from";

/// Names with values, and the files of the fixtures.
struct Names {
    values: BTreeMap<Arc<str>, Value>,
    directory: PathBuf,
}

impl Scope for Names {
    fn resolve(&self, reference: &Reference) -> Option<Result<Resolved, Diagnostics>> {
        let value = self.values.get(&reference.root)?.clone();
        Some(Ok(Resolved { value, steps: 0 }))
    }

    fn roots(&self) -> Vec<Arc<str>> {
        self.values.keys().cloned().collect()
    }

    fn environment(&self) -> &dyn Environment {
        self
    }
}

impl Environment for Names {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        std::fs::read(self.directory.join(path)).map_err(|error| error.to_string())
    }

    fn tree(&self, _: &Path) -> Result<vsa::resource::Tree, String> {
        Err("no attribute of these tables names a directory".to_owned())
    }
}

fn data() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("VSA_CONFORMANCE").map(PathBuf::from);
    let near = ["../shared/conformance", "../../shared/conformance"].map(|path| here.join(path));
    let found = named.into_iter().chain(near).find(|path| path.is_dir());
    if found.is_none() {
        unavailable("the conformance data is not here; VSA_CONFORMANCE names its directory");
    }
    found
}

/// The rows of a table; read as values of the language, since JSON numbers of Rust have no more than 64 bits.
fn rows(directory: &Path, file: &str) -> Vec<Json> {
    let text = std::fs::read_to_string(directory.join(file)).unwrap();
    let rows = Value::from_json_text(&text).unwrap();
    rows.as_elements()
        .unwrap()
        .iter()
        .map(|row| {
            let mut json = row.to_json();
            json["value"] = row.get("value").map_or(Json::Null, plain);
            json
        })
        .collect()
}

fn evaluate(text: &str, template: bool, names: &Names) -> Result<Value, Diagnostics> {
    let mut sources = Sources::new();
    let file = sources.add("expression", text);
    if template {
        let (template, source) = syntax::template(file, text)?;
        return lang::eval_template(&template, source, names);
    }
    let (expr, source) = syntax::expression(file, text)?;
    lang::eval(&expr, source, names)
}

/// A value as the tables write it: in JSON, numbers compared as numbers.
fn plain(value: &Value) -> Json {
    match value.repr() {
        Repr::Number(number) => json!({ "number": number.to_string() }),
        Repr::List(_, elements) | Repr::Set(_, elements) | Repr::Tuple(elements) => {
            elements.iter().map(plain).collect()
        }
        Repr::Map(_, object) | Repr::Object(object) => {
            object.iter().map(|(name, value)| (name.to_string(), plain(value))).collect()
        }
        _ => value.to_json(),
    }
}

/// A type as the tables write it.
fn type_json(ty: &Type) -> Json {
    match ty {
        Type::Any => json!("dynamic"),
        Type::Bool => json!("bool"),
        Type::Number => json!("number"),
        Type::String => json!("string"),
        Type::List(element) => json!(["list", type_json(element)]),
        Type::Set(element) => json!(["set", type_json(element)]),
        Type::Map(element) => json!(["map", type_json(element)]),
        Type::Tuple(elements) => json!(["tuple", elements.iter().map(type_json).collect::<Vec<_>>()]),
        Type::Object(fields) => {
            let fields: serde_json::Map<_, _> =
                fields.iter().map(|(name, field)| (name.to_string(), type_json(&field.ty))).collect();
            json!(["object", fields])
        }
    }
}

/// Whether types agree, as far as a value without the types of its nulls and of its empty collections tells.
fn same_type(ours: &Json, theirs: &Json) -> bool {
    match (ours, theirs) {
        (Json::String(any), _) if any == "dynamic" => true,
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_type(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same_type(a, b)))
        }
        (a, b) => a == b,
    }
}

fn sort(elements: &mut Json) {
    if let Json::Array(elements) = elements {
        elements.sort_by_key(ToString::to_string);
    }
}

/// Why a row does not hold; `None` where it does.
fn mismatch(row: &Json, text: &str, template: bool, names: &Names) -> Option<String> {
    let result = evaluate(text, template, names);
    let reasons = |errors: &Diagnostics| {
        errors.iter().map(|error| error.summary.clone()).collect::<Vec<_>>().join("; ")
    };
    match (result, row["error"] == true) {
        (Err(_), true) => None,
        (Ok(value), true) => Some(format!("gives {} and should be an error", plain(&value))),
        (Err(errors), false) => Some(format!("fails: {}", reasons(&errors))),
        (Ok(value), false) => {
            let (mut ours, mut theirs) = (plain(&value), row["value"].clone());
            if row["type"][0] == "set" {
                sort(&mut ours);
                sort(&mut theirs);
            }
            if ours != theirs {
                return Some(format!("gives {ours}, not {theirs}"));
            }
            if row["sensitive"] == true && !value.contains_sensitive() {
                return Some("is not sensitive".to_owned());
            }
            let ty = type_json(&value.ty());
            (!row["type"].is_null() && !same_type(&ty, &row["type"]))
                .then(|| format!("has the type {ty}, not {}", row["type"]))
        }
    }
}

/// Runs rows; the failing ones must be those of `deviations`, each with its reason.
fn check(
    file: &str,
    failures: &[(String, String)],
    ran: usize,
    left: &BTreeMap<String, usize>,
    deviations: &[(&str, &str)],
) {
    let absent: usize = left.values().sum();
    println!("{file}: {ran} rows ran, {absent} left out for {} functions that are not there yet", left.len());
    let surprises: Vec<_> = failures
        .iter()
        .filter(|(text, _)| !deviations.iter().any(|(known, _)| known == text))
        .map(|(text, why)| format!("{text:?} {why}"))
        .collect();
    assert!(surprises.is_empty(), "{} rows do not hold:\n{}", surprises.len(), surprises.join("\n"));
    for (known, _) in deviations {
        assert!(failures.iter().any(|(text, _)| text == known), "no deviation any more: {known:?}");
    }
}

fn function_rows(file: &str, deviations: &[(&str, &str)]) {
    let Some(directory) = data() else { return };
    let names = Names { values: BTreeMap::new(), directory: directory.join("fixtures") };
    let mut left = BTreeMap::new();
    let mut failures = Vec::new();
    let mut ran = 0;
    for row in rows(&directory, file) {
        let (function, text) = (row["fn"].as_str().unwrap(), row["expr"].as_str().unwrap());
        if row["opentofu_only"] == true {
            continue;
        }
        if function != "op" && lang::functions::get(function).is_none() {
            *left.entry(function.to_owned()).or_default() += 1;
            continue;
        }
        ran += 1;
        failures.extend(mismatch(&row, text, false, &names).map(|why| (text.to_owned(), why)));
    }
    check(file, &failures, ran, &left, deviations);
}

#[test]
fn functions() {
    function_rows(
        "functions.json",
        &[
            ("merge(tomap({\"a\" = \"b\"}), tostring(null))", UNTYPED_NULL),
            (
                "setintersection(toset([true]), toset([]))",
                "the table has two rows of it, with different types",
            ),
            (
                "upper(\"noe\u{308}l\")",
                "texts are kept as they are written, not composed: they may name files",
            ),
            ("merge(tomap({\"c\" = \"d\"}), null)", UNTYPED_NULL),
        ],
    );
}

#[test]
fn documented_examples() {
    function_rows("function_docs.json", &[]);
}

#[test]
fn expressions() {
    let Some(directory) = data() else { return };
    let mut left = BTreeMap::new();
    let mut failures = Vec::new();
    let mut ran = 0;
    for row in rows(&directory, "expressions.json") {
        let text = row["input"].as_str().unwrap();
        let functions = row["functions"].as_array().cloned().unwrap_or_default();
        let absent: Vec<_> =
            functions.iter().filter_map(Json::as_str).filter(|name| *name != "upper").collect();
        if let [function, ..] = absent[..] {
            *left.entry(function.to_owned()).or_default() += 1;
            continue;
        }
        let mut names = Names { values: BTreeMap::new(), directory: directory.join("fixtures") };
        for (name, variable) in row["vars"].as_object().into_iter().flatten() {
            let value = evaluate(variable["hcl"].as_str().unwrap(), false, &names).unwrap();
            names.values.insert(name.as_str().into(), value);
        }
        ran += 1;
        failures.extend(
            mismatch(&row, text, row["kind"] == "template", &names).map(|why| (text.to_owned(), why)),
        );
    }
    check(
        "expressions.json",
        &failures,
        ran,
        &left,
        &[
            ("nulllist.*.name", UNTYPED_NULL),
            ("listofobj[*].scalar[*]", "elements of different lengths make a tuple"),
            ("foo(value) && false", TEST_ONLY),
            ("foo(value) || true", TEST_ONLY),
        ],
    );
}

/// Expressions whose values Terraform's console is asked for.
const SAMPLES: &[&str] = &[
    r#"format("%q", "a<b>")"#,
    r#"format("%v", 1e30)"#,
    r#"format("%v", 12345678901234567890)"#,
    r#"format("%g", 1234567.5)"#,
    r#"format("%e", 1234.5)"#,
    r#"format("%f", 1)"#,
    r#"format("%v", ["a",1])"#,
    r#"format("%05d", -3)"#,
    r#"format("%s", 1.5)"#,
    r#"format("%d", 1.5)"#,
    r#"format("%-5s|", "a")"#,
    r#"format("%5s|", "日本")"#,
    r#"format("%08.3f", 3.14159)"#,
    r#"format("%+d", 5)"#,
    r#"format("%x", 255)"#,
    r#"format("%#v", "a")"#,
    r#"format("%t", true)"#,
    r#"format("%s")"#,
    r#"format("%s %s", "a")"#,
    r#"format("a", "b")"#,
    r#"format("%[2]s %[1]s", "a", "b")"#,
    r#"format("%%")"#,
    r#"formatlist("%s-%s", ["a","b"], "x")"#,
    r#"title("hello wORLD foo-bar")"#,
    r#"split("", "abc")"#,
    r#"split(",", "")"#,
    r#"substr("hello", -3, 2)"#,
    r#"replace("hello", "/l+/", "L")"#,
    r#"replace("abc", "/(b)/", "[$1]")"#,
    r#"regex("(\\d+)-(\\w+)", "12-ab")"#,
    r#"regex("(?P<a>\\d+)", "12")"#,
    r#"regexall("[a-z]", "abc")"#,
    r#"element(["a","b"], -1)"#,
    r#"element(["a","b"], 3)"#,
    "range(5)",
    "range(1, 10, 3)",
    "range(5, 1)",
    r#"sort(["b","a"])"#,
    r#"reverse(["a","b"])"#,
    r#"distinct(["a","b","a"])"#,
    r#"flatten([["a"],["b",["c"]]])"#,
    r#"coalesce(null, "", "x")"#,
    r#"coalesce(1, "x")"#,
    r#"contains(["a"], "a")"#,
    r#"contains([1], "1")"#,
    "keys({b=1,a=2})",
    "values({b=1,a=2})",
    r#"zipmap(["a","b"],[1,2])"#,
    r#"zipmap(["a","b"],tolist([1,2]))"#,
    "merge({a=1},{b=2})",
    r#"lookup({a=1},"b","x")"#,
    r#"lookup(tomap({a="1"}),"b","x")"#,
    r#"length("é☃")"#,
    "length({a=1})",
    r#"toset(["b","a","b"])"#,
    r#"tolist(toset(["b","a"]))"#,
    r#"tomap({a=1,b="x"})"#,
    r#"tolist([1,"a",true])"#,
    "tolist([1,true])",
    r#"tonumber("1e3")"#,
    r#"tonumber("0x10")"#,
    r#"tonumber(" 1")"#,
    r#"tonumber("+5")"#,
    r#"tonumber(".5")"#,
    r#"tonumber("5.")"#,
    r#"tonumber("1_000")"#,
    r#"tobool("1")"#,
    r#"tobool("TRUE")"#,
    "tostring(1e21)",
    r#"jsonencode({b=1,a="<&>"})"#,
    r#"jsonencode("\u2028\u0001\u0008\u000c")"#,
    r#"jsondecode("{\"a\":[1,2.50,1e2,\"x\",null,true]}")"#,
    "max(1,2.5)",
    "abs(-1.5)",
    "ceil(1.2)",
    "pow(2,0.5)",
    "1e3",
    "0.1+0.2",
    "1/3",
    "10/4",
    "7%-3",
    "-7%3",
    "5.5%2",
    "1 == 1.0",
    r#""a" == "b" ? 1 : "x""#,
    r#"[for i, x in ["a","b"]: "${i}=${x}"]"#,
    "{for k, v in {a=1}: v => k}",
    r#"{for x in ["a","b","a"]: x => x...}"#,
    r#"[for x in toset(["b","a"]): x]"#,
    "[for x in [1,2,3]: x if x > 1]",
    r#"try(tonumber("x"), 5)"#,
    r#"can(tonumber("x"))"#,
    r#""a${1}b${true}""#,
    r#""%{ if true }yes%{ else }no%{ endif }""#,
    r#""%{ for x in [1,2] }${x},%{ endfor }""#,
    "[1,2,3].1",
    "{a={b=1}}.a.b",
    "[{a=1},{a=2}][*].a",
    "[{a=[{b=1}]}][*].a[0].b",
    "toset([{a=1}])[*].a",
    "null[*]",
    r#""x"[*]"#,
    "!false && true || false",
    "-(-1)",
    "1 < 2 == true",
    r#"base64encode("héllo")"#,
    r#"sha256("a")"#,
    r#"parseint("ff", 16)"#,
    "sum([1,2.5])",
    "one([])",
    r#"chunklist(["a","b","c"],2)"#,
    r#"compact(["a","",null])"#,
    r#"index(["a","b"],"b")"#,
    r#"slice(["a","b","c"],1,2)"#,
    r#"setunion(["a"],["b"])"#,
    r#"setproduct(["a","b"],[1,2])"#,
    r#"transpose({a=["x"]})"#,
    "alltrue([])",
    r#"urlencode("a b&c/é")"#,
    r#"trim("--a-", "-")"#,
    r#"chomp("a\n\n")"#,
    r#"indent(2, "a\nb")"#,
    r#"strrev("abc")"#,
    r#"startswith("abc","a")"#,
    r#"matchkeys(["a","b"],["x","y"],["y"])"#,
    r#"join(",", ["a"], ["b"])"#,
    r#"join(",", [1, true])"#,
    r#"concat(["a"],[1])"#,
    r#"concat(tolist(["a"]),tolist(["b"]))"#,
    r#"upper("straße")"#,
    "signum(-3)",
    "log(8,2)",
    r#"{a=1}["a"]"#,
    r#"[1,2]["1"]"#,
    r#"{"1"=2}[1]"#,
    r#"true ? [1] : ["a", "b"]"#,
    r#"true ? {a=1} : {b="x"}"#,
    r#"false ? null : "x""#,
    r#""a\u00e9\t\"b""#,
    r#""multi\nline""#,
    r#"{a="x\ny\n"}"#,
    "toset([])",
    "tomap({})",
    "tolist([])",
    "[tolist([]), {}]",
    r#"{a=sensitive("x")}"#,
    r#"{"a b"=1,"c-d"=2}"#,
    r#""quote \" back \\ dollar $${x} tab \t \u0001""#,
    "7%0",
    r#"format("%v", 100000)"#,
    r#"format("%v", 1000000)"#,
    r#"format("%v", 123456)"#,
    r#"format("%.3g", 1234.5)"#,
    r#"format("%.10g", 1234.5)"#,
    r#"format("%g", 0.00001)"#,
    r#"format("%g", 0.0001)"#,
    r#"format("%e", 0)"#,
    r#"format("%g", 0)"#,
    r#"format("%.2e", 123456)"#,
    r#"format("%G", 1e10)"#,
    r#"format("%v", 1/3)"#,
    r#"format("%.1f", 0.25)"#,
    r#"format("%6.2f|%-8d|%x", 3.14159, 42, -255)"#,
    r#"format("%b %o %X", 5, 8, 255)"#,
    r#"format("%v", {a = 1})"#,
    r#"format("% d", 5)"#,
];

/// What the console prints for a list of the samples; `None` where Terraform is not installed.
fn console(text: &str) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let child = std::process::Command::new("terraform")
        .args(["console", "-no-color"])
        .current_dir(directory.path())
        .env("TF_CLI_CONFIG_FILE", "/dev/null")
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        unavailable("terraform is not installed");
        return None;
    };
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    Some(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
}

#[test]
fn samples_are_printed_as_terraform_prints_them() {
    let all = format!(
        "[{}]\n",
        SAMPLES.iter().map(|text| format!("try({text}, \"error\")")).collect::<Vec<_>>().join(", ")
    );
    let Some(theirs) = console(&all) else { return };
    let names = Names { values: BTreeMap::new(), directory: PathBuf::from(".") };
    let ours = evaluate(&all, false, &names).unwrap().display().to_string();
    let differences: Vec<_> = similar::TextDiff::from_lines(theirs.trim_end(), ours.trim_end())
        .iter_all_changes()
        .filter(|change| change.tag() != similar::ChangeTag::Equal)
        .map(|change| format!("{}{}", change.tag(), change.value()))
        .collect();
    assert!(differences.is_empty(), "Terraform (-) and vsa (+) differ:\n{}", differences.concat());
}
