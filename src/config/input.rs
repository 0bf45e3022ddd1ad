//! What a configuration is loaded from: bytes and names, read elsewhere.

use std::path::{Path, PathBuf};

/// A file of the configuration or of variable values. No `Debug`: it may hold secrets.
#[derive(Clone)]
pub struct File {
    /// As shown in diagnostics: relative to the configuration's directory where it is inside.
    pub path: PathBuf,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// A `-var` or `-var-file` of the command line.
#[derive(Clone)]
pub enum Argument {
    /// `-var name=value`.
    Variable {
        /// Before the first `=`.
        name: String,
        /// After it.
        value: String,
    },
    /// `-var-file path`.
    File(File),
}

/// Everything that a configuration is loaded from. No `Debug`: it may hold secrets.
#[derive(Clone, Default)]
pub struct Input {
    /// The files of the directory for which [`is_source`] holds, in any order.
    pub files: Vec<File>,
    /// The environment's variables that begin with `VSA_VAR_`, by what follows that.
    pub environment: Vec<(String, String)>,
    /// `-var` and `-var-file` in the order of the command line.
    pub arguments: Vec<Argument>,
    /// The working directory, absolute, for `path.cwd`.
    pub working_directory: PathBuf,
}

/// The prefix of environment variables that set variables.
pub const VARIABLE_PREFIX: &str = "VSA_VAR_";

/// What a file of the configuration's directory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// `*.hcl`.
    Configuration,
    /// `vsa.vsavars.hcl`.
    Values,
    /// `*.auto.vsavars.hcl`.
    AutomaticValues,
}

/// What a file is for by its name; `None` for files that are not read.
pub(super) fn role(path: &Path) -> Option<Role> {
    let name = path.file_name()?.to_str()?;
    if name.starts_with('.') {
        return None;
    }
    let stem = name.strip_suffix(".hcl")?;
    match stem.strip_suffix(".vsavars") {
        Some("vsa") => Some(Role::Values),
        Some(values) if values.strip_suffix(".auto").is_some() => Some(Role::AutomaticValues),
        Some(_) => None,
        None => Some(Role::Configuration),
    }
}

/// Whether a file of the configuration's directory is read without being named: `*.hcl`, of the variable files only
/// `vsa.vsavars.hcl` and `*.auto.vsavars.hcl`; hidden ones not.
pub fn is_source(path: &Path) -> bool {
    role(path).is_some()
}

/// Whether a file would be read by the end of its name, but has one that is not UTF-8 and cannot be said.
pub fn may_be_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let bytes = name.as_encoded_bytes();
    name.to_str().is_none() && bytes.ends_with(b".hcl") && !bytes.starts_with(b".")
}

/// Whether a file of the configuration's directory holds values of variables, which may be secret.
pub fn holds_values(path: &Path) -> bool {
    matches!(role(path), Some(Role::Values | Role::AutomaticValues))
}

#[cfg(test)]
mod tests {
    use super::{Role, role};

    #[test]
    fn names_say_what_files_are_for() {
        let roles =
            ["main.hcl", "vsa.vsavars.hcl", "a.auto.vsavars.hcl", "prod.vsavars.hcl", ".x.hcl", "a.tf"]
                .map(|name| role(name.as_ref()));
        let expected =
            [Some(Role::Configuration), Some(Role::Values), Some(Role::AutomaticValues), None, None, None];
        assert_eq!(roles, expected);
    }
}
