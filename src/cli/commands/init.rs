//! `vsa init`

use clap::Args;

use crate::cli::{Exit, Failure, Invocation};
use crate::store;

/// Prepare a directory: local data, the key, what git ignores
#[derive(Debug, Args)]
pub struct Init {}

impl Init {
    /// Runs the command.
    #[expect(clippy::unused_self, reason = "commands are alike")]
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let initialised = store::init(&invocation.layout, invocation.environment.key.is_none())?;
        let terminal = invocation.terminal;
        let directory = invocation.layout.configuration();
        for made in &initialised.made {
            terminal.line(&format!("made {}", made.strip_prefix(directory).unwrap_or(made).display()));
        }
        terminal.line(
            &terminal.output.green("This directory is ready. `vsa plan` shows what an apply would do."),
        );
        Ok(Exit::Done)
    }
}
