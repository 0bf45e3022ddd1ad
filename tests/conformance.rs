//! The language against tables of expressions and their values, and against Terraform itself where it is installed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value as Json, json};
use vsa::diag::{Diagnostics, Sources};
use vsa::lang::{self, Environment, Reference, Resolved, Scope, syntax};
use vsa::value::{Number, Repr, Type, Value};

use crate::support::skipped;

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
}

fn data() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("VSA_CONFORMANCE").map(PathBuf::from);
    let near = ["../shared/conformance", "../../shared/conformance"].map(|path| here.join(path));
    let found = named.into_iter().chain(near).find(|path| path.is_dir());
    if found.is_none() {
        skipped("the conformance data is not here; VSA_CONFORMANCE names its directory");
    }
    found
}

fn rows(directory: &Path, file: &str) -> Vec<Json> {
    serde_json::from_str(&std::fs::read_to_string(directory.join(file)).unwrap()).unwrap()
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

fn canonical(json: &Json) -> Json {
    match json {
        Json::Number(number) => {
            let exact = Number::parse(&number.to_string()).unwrap();
            json!({ "number": exact.to_string() })
        }
        Json::Array(elements) => elements.iter().map(canonical).collect(),
        Json::Object(entries) => {
            entries.iter().map(|(name, value)| (name.clone(), canonical(value))).collect()
        }
        other => other.clone(),
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
            let (ours, theirs) = (plain(&value), canonical(&row["value"]));
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
    function_rows("functions.json", &[]);
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
    check("expressions.json", &failures, ran, &left, &[]);
}
