//! `vsa schema`

use clap::Args;

use crate::cli::{Exit, Terminal};
use crate::kinds::{reference::schemas_json, registry};

/// Print the schemas of all kinds
#[derive(Debug, Args)]
pub struct Schema {
    /// As JSON (the only form there is)
    #[arg(long)]
    json: bool,
}

impl Schema {
    /// Runs the command.
    #[expect(clippy::unused_self, reason = "commands are alike")]
    pub fn run(&self, terminal: Terminal) -> Exit {
        let schemas = schemas_json(registry());
        terminal.line(&format!("{schemas:#}"));
        Exit::Done
    }
}
