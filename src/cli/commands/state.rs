//! `vsa state`

use std::fmt::Write as _;

use clap::{Args, Subcommand};

use crate::address::Address;
use crate::cli::{Exit, Failure, Invocation};
use crate::diag::Diagnostic;
use crate::state::Status;

/// Look into the state
#[derive(Debug, Args)]
pub struct State {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// List the addresses of the resources in the state
    List {
        /// Only addresses that begin with this
        prefix: Option<String>,
    },
    /// Show one resource as the state knows it, secrets as fingerprints
    Show {
        /// Its address: `domain["shop.example.com"]`
        address: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

impl State {
    /// Runs the command.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        match &self.command {
            Subcommands::List { prefix } => list(invocation, prefix.as_deref()),
            Subcommands::Show { address, json } => show(invocation, address, *json),
        }
    }
}

fn list(invocation: &Invocation, prefix: Option<&str>) -> Result<Exit, Failure> {
    let state = invocation.existing_state()?;
    let mut text = String::new();
    for (address, stored) in &state.resources {
        let address = address.to_string();
        if prefix.is_none_or(|prefix| address.starts_with(prefix)) {
            text.push_str(&address);
            text.push_str(match stored.status {
                Status::Live => "",
                Status::Interrupted => " (interrupted)",
                Status::Deleting => " (deleting)",
            });
            for left in &stored.left {
                let _ = write!(text, " (left on {})", left.node);
            }
            text.push('\n');
        }
    }
    invocation.terminal.print(&text);
    Ok(Exit::Done)
}

fn show(invocation: &Invocation, text: &str, json: bool) -> Result<Exit, Failure> {
    let state = invocation.existing_state()?;
    let address: Address = text.parse().map_err(|error: crate::address::InvalidAddress| {
        Diagnostic::error(error.to_string()).help("`vsa state list` shows all addresses")
    })?;
    let Some(stored) = state.resources.get(&address) else {
        let names: Vec<_> = state.resources.keys().map(ToString::to_string).collect();
        let error = Diagnostic::error(format!("`{address}` is not in the state"));
        let names = names.iter().map(String::as_str);
        return Err(error
            .did_you_mean(text, names, |error| error.help("`vsa state list` shows all addresses"))
            .into());
    };
    if json {
        let text = serde_json::to_string_pretty(stored).unwrap_or_default();
        invocation.terminal.line(&text);
    } else {
        invocation.terminal.print(&invocation.plan_text(true).stored(&address, stored));
    }
    Ok(Exit::Done)
}
