//! `vsa stack up` and `vsa stack down`: the configuration says so, and that is applied.

use std::collections::BTreeSet;

use clap::Args;

use super::KIND;
use crate::address::Address;
use crate::cli::applying::{self, ApplyFlags};
use crate::cli::arguments::VariableFlags;
use crate::cli::editing::Edited;
use crate::cli::planning::{self, Options, When};
use crate::cli::{Exit, Failure, Invocation};
use crate::config::{self, Edit, set_text};
use crate::diag::{Diagnostic, Sources};
use crate::plan::Mode;

/// What a stack shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Running,
    Stopped,
}

impl Status {
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
    /// Runs the command.
    pub(super) fn run(&self, invocation: &Invocation, status: Status) -> Result<Exit, Failure> {
        let mut files = invocation.source_files()?;
        let edited = edit(&mut files, &self.name, status)?;
        let declared = invocation.load_files(files, &self.variables)?;
        let _lock = invocation.lock(self.apply.lock)?;
        invocation.ensure_key()?;
        let is_it = |address: &&Address| address.kind() == KIND && address.name() == self.name;
        let targets: BTreeSet<Address> = declared.resources.keys().filter(is_it).cloned().collect();
        let options = Options {
            mode: Mode::Normal,
            refresh: true,
            preflight: if self.apply.auto_approve { When::AtApply } else { When::Now },
            lineage: None,
            destroy_data: false,
            targets: Some(targets),
            locked: true,
        };
        let prepared = planning::plan(invocation, &declared, options)?;
        invocation.terminal.note(&format!(
            "this is about `stack.{}` alone, with what it depends on and the sites that it serves",
            self.name
        ));
        applying::confirm(invocation, &prepared, false, self.apply)?;
        let directory = &invocation.base.configuration;
        if let Some(edited) = &edited {
            edited.write(directory)?;
            invocation.terminal.note(&format!(
                "{}: `stack.{}` is {} now",
                edited.path.display(),
                self.name,
                status.word()
            ));
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
