//! `vsa version`

use clap::Args;

use crate::cli::{Exit, Terminal};

/// Show the version of vsa
#[derive(Debug, Args)]
pub struct Version {
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Version {
    /// Runs the command.
    pub fn run(&self, terminal: Terminal) -> Exit {
        let version = env!("CARGO_PKG_VERSION");
        if self.json {
            terminal.line(&serde_json::json!({ "vsa_version": version }).to_string());
        } else {
            terminal.line(&format!("vsa {version}"));
        }
        Exit::Done
    }
}
