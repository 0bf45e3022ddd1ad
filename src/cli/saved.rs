//! Saved plans: what a plan was made from, and its digest.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::config::{self, Declared};
use crate::diag::Diagnostic;
use crate::digest::sha256;
use crate::host::{clock, read_file};
use crate::plan::{Plan, Preflight};
use crate::state::Key;
use crate::value::{Repr, Value};

use super::planning::Options;
use super::{Failure, Invocation};

/// The version of the file's format.
pub(crate) const VERSION: u32 = 1;

/// A source file that a plan was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Relative to the configuration's directory.
    pub path: PathBuf,
    /// The text, with secrets that it spells out masked.
    pub text: String,
    /// Where it spells secrets out: its fingerprint. An apply then takes the file itself, which must be as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// Fingerprints of source files stand under an address of their own.
fn address() -> Address {
    Address::new("vsa", "sources")
}

impl Source {
    fn of(file: config::File, masked: &str, secrets: &BTreeSet<Arc<str>>, key: Option<&Key>) -> Self {
        let text = String::from_utf8_lossy(&file.bytes).into_owned();
        let masked =
            secrets.iter().fold(masked.to_owned(), |masked, secret| masked.replace(&**secret, "********"));
        let fingerprint = (masked != text).then(|| key.map(|key| fingerprint(key, &file.path, &text)));
        Self { path: file.path, text: masked, fingerprint: fingerprint.map(Option::unwrap_or_default) }
    }

    /// The file as the plan was made from it; `present` are those of the configuration's directory.
    pub(crate) fn file(&self, present: &[config::File], key: Option<&Key>) -> Option<config::File> {
        let Some(expected) = &self.fingerprint else {
            return Some(config::File { path: self.path.clone(), bytes: self.text.clone().into_bytes() });
        };
        let file = present.iter().find(|file| file.path == self.path)?;
        let text = String::from_utf8_lossy(&file.bytes);
        (fingerprint(key?, &self.path, &text) == *expected).then(|| file.clone())
    }
}

fn fingerprint(key: &Key, path: &Path, text: &str) -> String {
    key.fingerprint(&address(), &path.to_string_lossy(), text)
}

/// The texts of all sensitive values.
fn secrets(declared: &Declared) -> BTreeSet<Arc<str>> {
    fn collect(value: &Value, sensitive: bool, into: &mut BTreeSet<Arc<str>>) {
        let sensitive = sensitive || value.is_sensitive();
        match value.repr() {
            Repr::String(text) if sensitive && !text.is_empty() => _ = into.insert(text.as_ref().into()),
            Repr::List(_, elements) | Repr::Set(_, elements) | Repr::Tuple(elements) => {
                elements.iter().for_each(|element| collect(element, sensitive, into));
            }
            Repr::Map(_, object) | Repr::Object(object) => {
                object.iter().for_each(|(_, value)| collect(value, sensitive, into));
            }
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    let attributes = declared.resources.values().flat_map(|resource| resource.attributes.iter());
    attributes.for_each(|(_, value)| collect(value, false, &mut found));
    declared.variables.values().for_each(|value| collect(value, false, &mut found));
    declared.outputs.values().for_each(|output| collect(&output.value, output.sensitive, &mut found));
    found
}

/// A saved plan. Files of variable values do not stand in it, since they may hold secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    /// The version of the format.
    pub version: u32,
    /// The vsa that wrote it.
    pub vsa_version: String,
    /// When, in RFC 3339.
    pub created: String,
    /// Whether the nodes were asked how things are.
    pub refresh: bool,
    /// Whether what goes takes its data with it.
    #[serde(default)]
    pub destroy_data: bool,
    /// The configuration that it was made from.
    pub sources: Vec<Source>,
    /// Values of the input variables that are not sensitive, as JSON.
    pub variables: BTreeMap<String, serde_json::Value>,
    /// The digest of `plan`.
    pub digest: String,
    /// The plan.
    pub plan: Plan,
}

impl Saved {
    /// The variables as the text of a file of variable values.
    pub fn values(&self) -> String {
        // JSON is HCL, but for what begins a template inside a string.
        let literal = |value: &serde_json::Value| value.to_string().replace("${", "$${").replace("%{", "%%{");
        let lines: Vec<_> =
            self.variables.iter().map(|(name, value)| format!("{name} = {}", literal(value))).collect();
        lines.join("\n")
    }
}

/// Saves a plan with what it was made from.
pub(crate) fn save(
    invocation: &Invocation,
    declared: &Declared,
    plan: &Plan,
    options: &Options,
    path: &Path,
) -> Result<(), Failure> {
    let files = invocation.source_files()?.into_iter().filter(|file| !config::holds_values(&file.path));
    let (secrets, key, shown) = (secrets(declared), invocation.key()?, invocation.sources.borrow());
    let sources = files.map(|file| {
        let masked = shown.iter().find(|(_, shown)| shown.path == file.path);
        Source::of(file, masked.map_or("", |(_, shown)| &shown.text), &secrets, key.as_ref())
    });
    let plain = declared.variables.iter().filter(|(_, value)| !value.contains_sensitive());
    let saved = Saved {
        version: VERSION,
        vsa_version: env!("CARGO_PKG_VERSION").to_owned(),
        created: clock().to_string(),
        refresh: options.refresh,
        destroy_data: options.destroy_data,
        sources: sources.collect(),
        variables: plain.map(|(name, value)| (name.to_string(), value.to_json())).collect(),
        digest: digest(plan),
        plan: plan.clone(),
    };
    write(&invocation.base.configuration.join(path), &saved)?;
    let command = format!("vsa apply {}", path.display());
    invocation.terminal.note(&format!("saved; `{command}` applies exactly this plan, or refuses"));
    Ok(())
}

/// The digest of a plan: of all that an apply of it would do. Whether it was tested when it was made is no part of
/// that.
pub(crate) fn digest(plan: &Plan) -> String {
    let mut plan = plan.clone();
    for node in &mut plan.nodes {
        node.preflight = Preflight::NotNeeded;
    }
    sha256(&serde_json::to_vec(&plan).unwrap_or_default())
}

/// Writes a plan file with mode 0600.
fn write(path: &Path, saved: &Saved) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Diagnostic::error(format!("{} cannot be written: {error}", path.display()));
    if path.exists() && read(path).is_err() {
        return Err(Diagnostic::error(format!("{} is there, and is not a saved plan", path.display()))
            .help("name another file, or remove this one")
            .into());
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut text = serde_json::to_vec(saved).map_err(|error| failed(error.into()))?;
    text.push(b'\n');
    // Beside its place and renamed: a plan file is whole or it is not there.
    let mut file = tempfile::Builder::new()
        .prefix(".vsa-plan-")
        .make_in(directory, |path| {
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
        })
        .map_err(failed)?;
    file.write_all(&text).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Reads a plan file.
pub(crate) fn read(path: &Path) -> Result<Saved, Failure> {
    let bytes = read_file(path)
        .map_err(|error| Diagnostic::error(format!("{} cannot be read: {error}", path.display())))?;
    let header: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    match header.get("version").and_then(serde_json::Value::as_u64) {
        Some(version) if version > u64::from(VERSION) => {
            return Err(Diagnostic::error(format!("{} is a plan of a later vsa", path.display()))
                .help("apply it with the vsa that made it")
                .into());
        }
        Some(_) => {}
        None => {
            return Err(Diagnostic::error(format!("{} is not a saved plan", path.display()))
                .help("`vsa plan -out FILE` makes one")
                .into());
        }
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| Diagnostic::error(format!("{} is a damaged plan: {error}", path.display())).into())
}
