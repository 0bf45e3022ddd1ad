//! `vsa plan`

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;

use crate::cli::arguments::VariableFlags;
use crate::cli::planning::{self, Manner, Options, When};
use crate::cli::{Exit, Failure, Invocation, render, saved};
use crate::plan::{Attempts, Mode};

/// Show what an apply would change, down to the lines of each nginx file
#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    variables: VariableFlags,
    #[command(flatten)]
    flags: PlanFlags,
    /// Exit with 2 where there are changes
    #[arg(long)]
    detailed_exitcode: bool,
    /// Plan to take everything away that the state holds, as `vsa destroy` would
    #[arg(long)]
    destroy: bool,
    /// Save the plan for `vsa apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The plan as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// How a plan is made and shown; `apply` and `destroy` take the same.
#[derive(Clone, Copy, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct PlanFlags {
    /// Show changes of one shape each by itself
    #[arg(long)]
    pub full: bool,
    /// Ask the nodes how things are (`-refresh=false`: believe the state)
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub refresh: bool,
    /// Test the next generation of nginx files before anything is touched
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub preflight: bool,
    /// Of warnings, show the summaries alone
    #[arg(long)]
    pub compact_warnings: bool,
    /// Let what is destroyed take its data with it: directories of data and named volumes
    #[arg(long)]
    pub destroy_data: bool,
}

impl PlanFlags {
    /// How the plan is shown.
    pub(crate) fn manner(self) -> Manner {
        Manner { full: self.full, compact_warnings: self.compact_warnings }
    }

    /// What planning has to know of them.
    pub(crate) fn options(self, mode: Mode) -> Options {
        let preflight = if self.preflight { When::Now } else { When::Never };
        Options {
            mode,
            refresh: self.refresh,
            preflight,
            lineage: None,
            targets: None,
            applied: BTreeSet::new(),
            destroy_data: self.destroy_data,
            attempts: Attempts::default(),
            locked: false,
        }
    }

    /// As [`PlanFlags::options`], for a plan that is applied at once where nobody has to approve it, under the lock.
    pub(crate) fn options_for_apply(self, mode: Mode, auto_approve: bool) -> Options {
        let options = Options { locked: true, ..self.options(mode) };
        if auto_approve { Options { preflight: When::AtApply, ..options } } else { options }
    }
}

impl Plan {
    /// Runs the command.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let (declared, state) = invocation.load_beside_state(&self.variables);
        let (declared, state) = (declared?, state?);
        if self.out.is_some() {
            // A saved plan is compared by its fingerprints: they need the key that the apply will have.
            invocation.ensure_key()?;
        }
        let mode = if self.destroy { Mode::Destroy } else { Mode::Normal };
        if mode == Mode::Destroy {
            planning::require_something(invocation)?;
        }
        let options = self.flags.options(mode);
        let prepared = planning::plan_from(invocation, &declared, state, options.clone())?;
        planning::remarks(invocation, &prepared, self.flags.manner());
        let plan = &prepared.planned.plan;
        if self.json {
            invocation.terminal.line(&render::plan_json(plan).to_string());
        } else {
            invocation.terminal.print(&invocation.plan_text(self.flags.full).render(plan));
        }
        if let Some(path) = &self.out {
            saved::save(invocation, &declared, plan, &options, path)?;
        }
        let exit = if self.detailed_exitcode && !plan.is_empty() { Exit::Changes } else { Exit::Done };
        // The process ends here: taking thousands of resources apart first would be a tenth of the time of a plan.
        std::mem::forget((declared, prepared));
        Ok(exit)
    }
}
