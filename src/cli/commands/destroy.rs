//! `vsa destroy`

use clap::Args;

use crate::cli::applying::{self, ApplyFlags};
use crate::cli::arguments::VariableFlags;
use crate::cli::commands::plan::PlanFlags;
use crate::cli::{Exit, Failure, Invocation, planning};
use crate::plan::Mode;

/// Take everything away that the state holds; tenants' data stays
#[derive(Debug, Args)]
pub struct Destroy {
    #[command(flatten)]
    variables: VariableFlags,
    #[command(flatten)]
    plan: PlanFlags,
    #[command(flatten)]
    apply: ApplyFlags,
}

impl Destroy {
    /// Runs the command.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let declared = invocation.load(&self.variables)?;
        let _lock = invocation.lock(self.apply.lock)?;
        planning::require_something(invocation)?;
        let prepared = planning::plan(
            invocation,
            &declared,
            self.plan.options_for_apply(Mode::Destroy, self.apply.auto_approve),
        )?;
        applying::confirm_and_apply(invocation, &declared, prepared, self.plan.full, self.apply)
    }
}
