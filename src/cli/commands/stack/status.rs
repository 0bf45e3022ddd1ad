//! `vsa stack up` and `vsa stack down`: the configuration says so, and that is applied.

use std::collections::BTreeSet;

use clap::Args;

use super::KIND;
use crate::address::Address;
use crate::cli::applying::{self, ApplyFlags};
use crate::cli::arguments::VariableFlags;
use crate::cli::editing::Edited;
use crate::cli::planning::{self, Options};
use crate::cli::{Exit, Failure, Invocation};
use crate::config::{self, Edit, set_text};
use crate::diag::{Diagnostic, Sources};

/// What a stack shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Running,
    Stopped,
}

impl Status {
    fn verb(self) -> &'static str {
        match self {
            Self::Running => "up",
            Self::Stopped => "down",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }
}

/// Which stack, and how it is applied.
#[derive(Debug, Args)]
pub(super) struct Switch {
    /// The stack's label
    name: String,
    #[command(flatten)]
    variables: VariableFlags,
    #[command(flatten)]
    apply: ApplyFlags,
}

impl Switch {
    /// The stack's label.
    ///
    /// # Errors
    /// It is the address of one of several instances.
    fn label(&self, status: Status) -> Result<&str, Diagnostic> {
        let name = self.name.strip_prefix("stack.").unwrap_or(&self.name);
        let Some((label, key)) =
            name.split_once('[').and_then(|(label, rest)| Some((label, rest.strip_suffix(']')?)))
        else {
            return Ok(name);
        };
        let other = match status {
            Status::Running => Status::Stopped,
            Status::Stopped => Status::Running,
        };
        let (word, other) = (status.word(), other.word());
        let each = if key.starts_with('"') { "each.key" } else { "count.index" };
        Err(Diagnostic::error(format!("`status` cannot be set for `stack.{label}[{key}]` alone"))
            .detail(format!("all instances of `stack \"{label}\"` are of one block, which says it for all of them"))
            .help(format!("let it depend on the instance: `status = {each} == {key} ? \"{word}\" : \"{other}\"`, and apply"))
            .help(format!("or say it for all of them: `vsa stack {} {label}`", status.verb())))
    }

    /// Runs the command.
    pub(super) fn run(&self, invocation: &Invocation, status: Status) -> Result<Exit, Failure> {
        let label = self.label(status)?;
        let mut files = invocation.source_files()?;
        let edited = edit(&mut files, label, status)?;
        let declared = invocation.load_files(files, &self.variables)?;
        let _lock = invocation.lock(self.apply.lock)?;
        invocation.ensure_key()?;
        let is_it = |address: &&Address| address.kind() == KIND && address.name() == label;
        let targets: BTreeSet<Address> = declared.resources.keys().filter(is_it).cloned().collect();
        let options = Options::about(targets, self.apply.auto_approve);
        let prepared = planning::plan(invocation, &declared, options)?;
        invocation.terminal.note(&format!(
            "this is about `stack.{label}` alone, with what it depends on and the sites that it serves"
        ));
        applying::confirm(invocation, &prepared, planning::Manner::default(), self.apply)?;
        let directory = &invocation.base.configuration;
        if let Some(edited) = &edited {
            edited.write(directory)?;
            let path = edited.path.display();
            invocation.terminal.note(&format!("{path}: `stack.{label}` is {} now", status.word()));
        }
        let applied = applying::apply(invocation, &declared, prepared, self.apply);
        match (applied, &edited) {
            // As it was before: the configuration too.
            (Err(mut failure), Some(edited)) if failure.exit != Exit::Left => {
                failure.diagnostics.extend(
                    edited.take_back(directory).err().into_iter().flat_map(|failed| failed.diagnostics),
                );
                Err(failure)
            }
            (applied, _) => applied,
        }
    }
}

/// Has the configuration say it; `None` where it does already.
fn edit(files: &mut [config::File], name: &str, status: Status) -> Result<Option<Edited>, Failure> {
    let mut labels = Vec::new();
    for file in files.iter_mut().filter(|file| !config::holds_values(&file.path)) {
        let Ok(text) = std::str::from_utf8(&file.bytes) else { continue };
        let mut sources = Sources::new();
        let id = sources.add(&file.path, text);
        let wanted = ("status", status.word());
        match set_text((id, text), (KIND, name), wanted, Status::Running.word(), &["source", "tenant"]) {
            Edit::NoBlock => labels.extend(config::labels(id, text, KIND)),
            Edit::Same => return Ok(None),
            Edit::Changed(after) => {
                let before = std::mem::replace(&mut file.bytes, after.clone().into_bytes());
                return Ok(Some(Edited {
                    path: file.path.clone(),
                    before: Some(before),
                    after: after.into_bytes(),
                }));
            }
            Edit::Computed(span) => {
                return Err(Diagnostic::error(format!(
                    "`status` of `stack.{name}` is worked out by an expression"
                ))
                .at(Some(span))
                .help(format!("change what it is worked out from, or write `status = \"{}\"`", status.word()))
                .quoting(&sources)
                .into());
            }
        }
    }
    let known = labels.iter().map(String::as_str);
    let error = Diagnostic::error(format!("there is no `stack \"{name}\"` in the configuration"));
    let help = format!("`vsa stack new {name}` begins one");
    Err(error.did_you_mean(name, known, |error| error.help(help)).into())
}
