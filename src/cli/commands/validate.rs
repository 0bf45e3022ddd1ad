//! `vsa validate`

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;

use crate::cli::arguments::VariableFlags;
use crate::cli::planning::new_state;
use crate::cli::{Exit, Failure, Invocation, render};
use crate::diag::Diagnostics;
use crate::plan::{self, Attempts, Inputs, Mode};

/// Check the configuration, asking no node and reading no state
#[derive(Debug, Args)]
pub struct Validate {
    #[command(flatten)]
    variables: VariableFlags,
    /// Diagnostics as JSON on standard output
    #[arg(long)]
    json: bool,
}

impl Validate {
    /// Runs the command.
    pub fn run(&self, invocation: &Invocation) -> Exit {
        let (exit, diagnostics) = match check(invocation, &self.variables) {
            Ok(findings) => (Exit::Done, findings),
            Err(failure) => (failure.exit, failure.diagnostics),
        };
        let sources = invocation.sources.borrow();
        if self.json {
            let json = render::diagnostics_json(&diagnostics, &sources);
            invocation.terminal.line(&format!("{json:#}"));
        } else {
            invocation.terminal.diagnostics(&diagnostics, &sources);
            if exit == Exit::Done {
                let paint = invocation.terminal.output;
                invocation.terminal.line(&paint.green("The configuration is valid."));
            }
        }
        exit
    }
}

fn check(invocation: &Invocation, variables: &VariableFlags) -> Result<Diagnostics, Failure> {
    let declared = invocation.load(variables)?;
    let state = new_state();
    let inputs = Inputs {
        resources: &declared.resources,
        outputs: &declared.outputs,
        state: &state,
        interrupted: None,
        reserved: BTreeMap::new(),
        kinds: invocation.kinds,
        base: &invocation.base,
        key: None,
        now: 0,
        mode: Mode::Normal,
        refresh: false,
        destroy_data: false,
        attempts: &Attempts::default(),
        advise: true,
        targets: None,
        applied: &BTreeSet::new(),
    };
    let planned = plan::build(&inputs, &mut |_, queries| vec![plan::Answer::Absent; queries.len()])?;
    Ok(planned.findings)
}
