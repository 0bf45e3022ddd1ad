//! `vsa schema`

use clap::Args;

use crate::cli::{Exit, Failure, Terminal};
use crate::kinds::{reference::schemas_json, registry};

/// Print the schemas of all kinds
#[derive(Debug, Args)]
pub struct Schema {
    /// As JSON (the only form there is)
    #[arg(long)]
    #[expect(dead_code, reason = "accepted so that `schema -json` reads like its siblings")]
    json: bool,
}

impl Schema {
    /// Runs the command.
    #[expect(clippy::unused_self, reason = "commands are alike")]
    pub fn run(&self, terminal: Terminal) -> Result<Exit, Failure> {
        let schemas = schemas_json(registry());
        terminal.line(&format!("{schemas:#}"));
        Ok(Exit::Done)
    }
}
