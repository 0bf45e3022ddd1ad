//! The `vsa {}` block.

use std::path::PathBuf;

use hcl_edit::structure::Structure;
use semver::{Comparator, Op, Version, VersionReq};

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::lang::{NoScope, Source};
use crate::resource::{Locate, Path};
use crate::value::Value;

use super::builtin;
use super::decode::{Decoder, Given, Only, Surroundings, Trail, bind};
use super::written::{Written, header};

/// What the `vsa {}` block says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where the audit log is kept.
    pub audit: AuditSettings,
}

/// Where the audit log is kept; relative paths are relative to the configuration's directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditSettings {
    /// The file of lines; `None` for the default place.
    pub jsonl: Option<PathBuf>,
    /// The `SQLite` database; `None` for the default place.
    pub database: Option<PathBuf>,
}

struct Nothing;

impl Surroundings for Nothing {
    fn only(&self, _: &str) -> Only {
        Only::None
    }
    fn resembling(&self, _: &str, _: &str) -> Option<Address> {
        None
    }
}

/// Blocks that are known and not there yet.
const LATER: [&str; 2] = ["backend", "encryption"];

/// Reads the settings; what they do not allow for this vsa is among the diagnostics.
pub(super) fn settings(
    block: &hcl_edit::structure::Block,
    written: &Written,
    source: Source,
    diagnostics: &mut Diagnostics,
) -> Settings {
    if let Some(label) = block.labels.first() {
        diagnostics.push(Diagnostic::error("`vsa` takes no label").at(source.span(label)));
    }
    for structure in &block.body {
        if let Structure::Block(inner) = structure
            && LATER.contains(&inner.ident.as_str())
        {
            let summary = format!("`{}` is not supported yet", inner.ident.as_str());
            diagnostics.push(Diagnostic::error(summary).at(header(inner, source)));
        }
    }
    let header = ("vsa", header(block, source));
    let bound = bind(&block.body, &builtin::SETTINGS, header, &LATER, source, diagnostics);
    let address = Address::new("vsa", "settings");
    let mut decoder = Decoder::new(&address, Some(written), &Nothing);
    let given = Given::Written(&bound, &NoScope);
    let object = decoder.block(&builtin::SETTINGS, given, "vsa", &Trail::Root);
    diagnostics.extend(decoder.diagnostics);
    let Some(object) = object else { return Settings::default() };
    if let Some(requirement) = object.get("required_version").and_then(Value::as_str) {
        let place = written.locate(&Path::root().name("required_version"));
        diagnostics.extend(check_version(requirement).map(|diagnostic| diagnostic.at(place)));
    }
    let audit = object.get("audit");
    let path = |name| audit.and_then(|audit| audit.get(name)).and_then(Value::as_str).map(PathBuf::from);
    Settings { audit: AuditSettings { jsonl: path("jsonl"), database: path("database") } }
}

fn check_version(requirement: &str) -> Option<Diagnostic> {
    let this = env!("CARGO_PKG_VERSION");
    let version = Version::parse(this).ok()?;
    match parse_requirement(requirement) {
        None => Some(
            Diagnostic::error("`required_version` is not a version constraint")
                .help("write it as `>= 1.2.0, < 2.0.0` or `~> 1.2`"),
        ),
        Some(requirement) if requirement.matches(&version) => None,
        Some(_) => Some(
            Diagnostic::error(format!("this is vsa {this}, which the configuration does not allow"))
                .help("install another version of vsa, or change `required_version`"),
        ),
    }
}

/// Terraform's notation: comma-separated, a bare version is exact, `~>` lets the last part grow.
fn parse_requirement(text: &str) -> Option<VersionReq> {
    let mut comparators = Vec::new();
    for part in text.split(',').map(str::trim) {
        let digits = part.find(|char: char| char.is_ascii_digit())?;
        let (operator, version) = part.split_at(digits);
        let parts: Vec<u64> = version.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        let (major, minor, patch) = match parts[..] {
            [major] => (major, None, None),
            [major, minor] => (major, Some(minor), None),
            [major, minor, patch] => (major, Some(minor), Some(patch)),
            _ => return None,
        };
        let mut push = |op, major, minor, patch| {
            comparators.push(Comparator { op, major, minor, patch, pre: semver::Prerelease::EMPTY });
        };
        let (low_minor, low_patch) = (Some(minor.unwrap_or(0)), Some(patch.unwrap_or(0)));
        match operator.trim() {
            "" | "=" => push(Op::Exact, major, low_minor, low_patch),
            ">=" => push(Op::GreaterEq, major, low_minor, low_patch),
            ">" => push(Op::Greater, major, low_minor, low_patch),
            "<" => push(Op::Less, major, low_minor, low_patch),
            "<=" => push(Op::LessEq, major, low_minor, low_patch),
            "~>" => {
                push(Op::GreaterEq, major, low_minor, low_patch);
                match (minor, patch) {
                    (Some(minor), Some(_)) => push(Op::Less, major, Some(minor.checked_add(1)?), Some(0)),
                    _ => push(Op::Less, major.checked_add(1)?, Some(0), Some(0)),
                }
            }
            _ => return None,
        }
    }
    Some(VersionReq { comparators })
}

#[cfg(test)]
mod tests {
    use super::{Version, parse_requirement};

    #[test]
    fn constraints_are_terraforms() {
        let matches = |requirement: &str, version: &str| {
            parse_requirement(requirement)
                .zip(Version::parse(version).ok())
                .map(|(requirement, version)| requirement.matches(&version))
        };
        assert_eq!(matches(">= 0.1", "0.1.0"), Some(true));
        assert_eq!(matches("~> 0.1", "0.9.3"), Some(true));
        assert_eq!(matches("~> 0.1.2", "0.2.0"), Some(false));
        assert_eq!(matches("1.2.3", "1.2.4"), Some(false));
        assert_eq!(matches(">= 1.0, < 2.0", "1.9.9"), Some(true));
        assert_eq!(matches("soon", "1.0.0"), None);
        assert_eq!(matches("", "1.0.0"), None);
    }
}
