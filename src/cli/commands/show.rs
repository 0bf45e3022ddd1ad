//! `vsa show`

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Exit, Failure, Invocation, render, saved};

/// Show the state, or a saved plan
#[derive(Debug, Args)]
pub struct Show {
    /// A plan that `vsa plan -out` saved; without it the state is shown
    file: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Show changes of one shape each by itself
    #[arg(long)]
    full: bool,
}

impl Show {
    /// Runs the command.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let terminal = invocation.terminal;
        if let Some(path) = &self.file {
            let plan = saved::read(&invocation.base.configuration.join(path))?.plan;
            if self.json {
                terminal.line(&render::plan_json(&plan).to_string());
            } else {
                terminal.print(&invocation.plan_text(self.full).render(&plan));
            }
            return Ok(Exit::Done);
        }
        let state = invocation.existing_state()?;
        if self.json {
            let text = serde_json::to_string_pretty(&state).unwrap_or_default();
            terminal.line(&text);
            return Ok(Exit::Done);
        }
        let text = invocation.plan_text(true);
        let resources: String =
            state.resources.iter().map(|(address, stored)| text.stored(address, stored)).collect();
        terminal.print(&resources);
        for (name, output) in &state.outputs {
            terminal.line(&format!("output {name} = {}", render::output_value(output)));
        }
        Ok(Exit::Done)
    }
}
