//! `vsa cert issue`

use std::collections::BTreeSet;

use clap::Args;

use super::KIND;
use super::candidates::copied;
use super::named::named;
use super::sites::Sites;
use crate::cli::applying::{self, ApplyFlags};
use crate::cli::arguments::VariableFlags;
use crate::cli::planning::{self, Manner, Options};
use crate::cli::{Exit, Failure, Invocation, partly};
use crate::diag::{Diagnostic, Severity};
use crate::kinds::certificate::Kept;
use crate::plan::Attempts;

/// Have certificates issued now, although they are not due, and although it failed a moment ago
#[derive(Debug, Args)]
pub(super) struct Issue {
    /// The certificates' labels
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    variables: VariableFlags,
    #[command(flatten)]
    apply: ApplyFlags,
}

impl Issue {
    /// Runs the command.
    pub(super) fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let declared = invocation.load(&self.variables)?;
        let _lock = invocation.lock(self.apply.lock)?;
        invocation.ensure_key()?;
        let mut wanted = BTreeSet::new();
        for name in &self.names {
            let all = declared.resources.values().filter(|resource| resource.address.kind() == KIND);
            let place = ("configuration", "declare it, or a domain with TLS");
            let found = named(all, name, |resource| (&resource.address, &*resource.name), place)?;
            if let Some(kept) = Kept::of(found) {
                let copied = copied(&found.name, &kept).on(&found.address);
                return Err(Diagnostic { severity: Severity::Error, ..copied }.into());
            }
            wanted.insert(found.address.clone());
        }
        // The sites of those that were never issued change with them.
        let sites = Sites::of(&declared);
        let mut targets = wanted.clone();
        targets.extend(wanted.iter().flat_map(|address| sites.needing(address)));
        let attempts = Attempts { anew: wanted, ..Attempts::default() };
        let options = Options { attempts, ..Options::about(targets, self.apply.auto_approve) };
        let prepared = planning::plan(invocation, &declared, options.clone())?;
        applying::confirm(invocation, &prepared, Manner::default(), self.apply)?;
        partly::apply_as_asked(invocation, &declared, prepared, (self.apply, Manner::default()), options)
    }
}
