//! `vsa apply`

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;

use crate::cli::applying::{self, ApplyFlags};
use crate::cli::arguments::VariableFlags;
use crate::cli::commands::plan::PlanFlags;
use crate::cli::{Exit, Failure, Invocation, partly, planning, saved};
use crate::diag::Diagnostic;
use crate::plan::{Attempts, Mode};

/// Make things as the configuration says, as one transaction
#[derive(Debug, Args)]
pub struct Apply {
    /// A plan that `vsa plan -out` saved: applied as it is, or refused
    file: Option<PathBuf>,
    #[command(flatten)]
    variables: VariableFlags,
    #[command(flatten)]
    plan: PlanFlags,
    #[command(flatten)]
    how: ApplyFlags,
}

impl Apply {
    /// Runs the command.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let Some(file) = &self.file else {
            let declared = invocation.load(&self.variables)?;
            let _lock = invocation.lock(self.how.lock)?;
            invocation.ensure_key()?;
            let options = self.plan.options_for_apply(Mode::Normal, self.how.auto_approve);
            let prepared = planning::plan(invocation, &declared, options.clone())?;
            applying::confirm(invocation, &prepared, self.plan.manner(), self.how)?;
            let asked = (self.how, self.plan.manner());
            return partly::apply_as_asked(invocation, &declared, prepared, asked, options);
        };
        let saved = saved::read(&invocation.base.configuration.join(file))?;
        let declared = invocation.load_saved(&saved, &self.variables)?;
        let _lock = invocation.lock(self.how.lock)?;
        invocation.ensure_key()?;
        let options = planning::Options {
            mode: saved.plan.mode,
            refresh: saved.refresh,
            preflight: planning::When::AtApply,
            lineage: Some(saved.plan.lineage.clone()),
            targets: None,
            applied: BTreeSet::new(),
            destroy_data: saved.destroy_data,
            attempts: Attempts::default(),
            locked: true,
        };
        let prepared = planning::plan(invocation, &declared, options)?;
        // Of a stale one too: what cannot be seen now may be all that differs.
        planning::remarks(invocation, &prepared, self.plan.manner());
        if saved::digest(&prepared.planned.plan) != saved.digest {
            return Err(stale(&file.display().to_string()));
        }
        if prepared.planned.plan.is_empty() {
            invocation.terminal.print(&invocation.plan_text(self.plan.full).render(&prepared.planned.plan));
        }
        // Another plan than the one that was read is not made of it, whatever fails.
        applying::apply(invocation, &declared, prepared, self.how)
    }
}

fn stale(file: &str) -> Failure {
    let error = Diagnostic::error(format!("the saved plan `{file}` is stale"))
        .code("stale_plan")
        .detail("planned again from what it was made from, now, it is another plan: the state, a secret, a file or the node has changed since")
        .help("make and review a new one with `vsa plan -out FILE`");
    Failure { exit: Exit::Stale, diagnostics: error.into() }
}
