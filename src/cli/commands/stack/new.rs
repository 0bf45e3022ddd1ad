//! `vsa stack new`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::KIND;
use crate::cli::editing::Edited;
use crate::cli::{Exit, Failure, Invocation, tree};
use crate::config::{self, Example, example};
use crate::diag::{Diagnostic, Sources};
use crate::names::{Slug, Text as _};
use crate::resource::Tree;
use crate::shipped;

/// The file that the block is written into.
const FILE: &str = "stacks.hcl";

/// Write a stack's directory, and its block into `stacks.hcl`
#[derive(Debug, Args)]
pub(super) struct New {
    /// The stack's label: `shop`
    name: String,
    /// What it begins as: a template, a stack that comes with vsa, or a directory (`./old`)
    #[arg(long, value_name = "STACK", default_value = "static")]
    from: String,
    /// Whose it is; without it, the only tenant of the configuration
    #[arg(long, value_name = "LABEL")]
    tenant: Option<String>,
}

impl New {
    /// Runs the command.
    pub(super) fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let name = Slug::parse(&self.name).map_err(|invalid| {
            let error =
                Diagnostic::error(format!("the name `{}` {}", self.name.escape_default(), invalid.reason));
            invalid.help.into_iter().fold(error, Diagnostic::help)
        })?;
        let name = name.as_str();
        let files = invocation.source_files()?;
        let stacks = labels(&files, KIND);
        if let Some((_, path)) = stacks.iter().find(|(label, _)| label == name) {
            return Err(Diagnostic::error(format!(
                "there is a `stack \"{name}\"` in `{}` already",
                path.display()
            ))
            .help("choose another name")
            .into());
        }
        let tenant = self.tenant(&files)?;
        let tree = self.files(&invocation.base.configuration)?;
        let place = format!("stacks/{name}");
        let directory = invocation.base.configuration.join(&place);
        if directory.symlink_metadata().is_ok() {
            return Err(Diagnostic::error(format!("`{place}` is there already"))
                .help("choose another name, or name that directory as the `source` of a `stack` block")
                .into());
        }
        let page = tree.get("README.md").and_then(|leaf| std::str::from_utf8(&leaf.bytes).ok()).unwrap_or("");
        let made = block(page, name, &tenant, &place);
        let edited = edited(&files, &made);
        write_tree(&directory, &tree)
            .map_err(|error| Diagnostic::error(format!("`{place}` cannot be written: {error}")))?;
        if let Err(mut failure) = edited.write(&invocation.base.configuration) {
            if let Err(error) = std::fs::remove_dir_all(&directory) {
                let left = format!("`{place}` could not be removed again: {error}");
                failure.diagnostics.push(Diagnostic::error(left));
            }
            return Err(failure);
        }
        let terminal = invocation.terminal;
        terminal.line(&format!("made {place}, from {}", self.from));
        terminal.line(&format!("wrote `stack.{name}` into {FILE}"));
        if !made.variables.is_empty() {
            terminal
                .line("\nIts secrets are input variables; set each in the environment or a file of values:");
            for variable in &made.variables {
                terminal.line(&format!("  VSA_VAR_{variable}"));
            }
        }
        terminal.line(&format!("\n{place}/README.md says more. `vsa stack up {name}` brings it up."));
        Ok(Exit::Done)
    }

    fn tenant(&self, files: &[config::File]) -> Result<String, Failure> {
        let tenants = labels(files, "tenant");
        let names = || tenants.iter().map(|(label, _)| label.as_str());
        match (&self.tenant, tenants.as_slice()) {
            (Some(wanted), _) if names().any(|name| name == wanted) => Ok(wanted.clone()),
            (Some(wanted), _) => {
                Err(Diagnostic::error(format!("there is no `tenant \"{wanted}\"` in the configuration"))
                    .did_you_mean(wanted, names(), |error| {
                        error.help(format!("declare it: `tenant \"{wanted}\" {{}}`"))
                    })
                    .into())
            }
            (None, [(only, _)]) => Ok(only.clone()),
            (None, []) => {
                Err(Diagnostic::error("the configuration has no tenant, and a stack belongs to one")
                    .help("declare one: `tenant \"acme\" {}`")
                    .into())
            }
            (None, several) => Err(Diagnostic::error(format!("there are {} tenants", several.len()))
                .help(format!("say whose it is with `-tenant`: {}", names().collect::<Vec<_>>().join(", ")))
                .into()),
        }
    }

    /// What the stack begins with.
    fn files(&self, configuration: &Path) -> Result<Tree, Failure> {
        let from = &self.from;
        if let Some(tree) = shipped::template(from).or_else(|| shipped::stack(from)) {
            return Ok(tree);
        }
        if from.contains('/') || from.starts_with('.') {
            return tree::read(&configuration.join(from)).map_err(|why| {
                Diagnostic::error(format!("the directory `{from}` cannot be read: {why}")).into()
            });
        }
        let known: Vec<_> = shipped::templates().chain(shipped::stacks()).collect();
        Err(Diagnostic::error(format!("there is neither a template nor a stack `{from}`"))
            .did_you_mean(from, known.iter().copied(), |error| {
                error
                    .help(format!("those that there are: {}", known.join(", ")))
                    .help(format!("a directory is written as a path: `./{from}`"))
            })
            .into())
    }
}

/// The labels of the blocks of a kind, each with its file.
fn labels<'a>(files: &'a [config::File], kind: &str) -> Vec<(String, &'a Path)> {
    let mut sources = Sources::new();
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !config::holds_values(&file.path)) {
        let Ok(text) = std::str::from_utf8(&file.bytes) else { continue };
        let id = sources.add(&file.path, text);
        found.extend(config::labels(id, text, kind).into_iter().map(|label| (label, file.path.as_path())));
    }
    found.sort();
    found
}

/// The stack's block: as its page shows it, or the least that one needs.
fn block(page: &str, name: &str, tenant: &str, place: &str) -> Example {
    let (tenant, source) = (format!("tenant.{tenant}"), format!("\"./{place}\""));
    let attributes = [("tenant", tenant.as_str()), ("source", source.as_str())];
    example(page, KIND, name, &attributes).unwrap_or_else(|| Example {
        text: format!("stack \"{name}\" {{\n  tenant = {tenant}\n  source = {source}\n}}\n"),
        variables: Vec::new(),
    })
}

/// The file with the block, and with the variables that it needs and the configuration does not have.
fn edited(files: &[config::File], made: &Example) -> Edited {
    let path = PathBuf::from(FILE);
    let before = files.iter().find(|file| file.path == path).map(|file| file.bytes.clone());
    let mut text = String::new();
    if let Some(before) = before.as_ref().filter(|before| !before.is_empty()) {
        text.push_str(if before.ends_with(b"\n") { "\n" } else { "\n\n" });
    }
    let declared = labels(files, "variable");
    for variable in made.variables.iter().filter(|name| !declared.iter().any(|(label, _)| label == *name)) {
        let _ = write!(text, "variable \"{variable}\" {{\n  type      = string\n  sensitive = true\n}}\n\n");
    }
    text.push_str(&made.text);
    let mut after = before.clone().unwrap_or_default();
    after.extend_from_slice(text.as_bytes());
    Edited { path, before, after }
}

/// Writes a directory that is not there yet: whole, or not at all.
fn write_tree(directory: &Path, tree: &Tree) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = directory.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)?;
    let new = tempfile::Builder::new()
        .prefix(".vsa-new-")
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir_in(parent)?;
    for (path, leaf) in tree {
        let path = new.path().join(&**path);
        std::fs::create_dir_all(path.parent().unwrap_or(new.path()))?;
        std::fs::write(&path, &leaf.bytes)?;
        if leaf.executable {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        }
    }
    std::fs::rename(new.path(), directory)?;
    // It has gone to its place: there is nothing to clean up.
    let _ = new.keep();
    Ok(())
}
