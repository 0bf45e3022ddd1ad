//! `vsa cert`

mod renew;

use clap::{Args, Subcommand};

use crate::cli::{Exit, Failure, Invocation};

/// Renew certificates
#[derive(Debug, Args)]
pub struct Cert {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Renew the certificates that are due, and switch nginx to them; made for timers
    Renew(renew::Renew),
}

impl Cert {
    /// Its name in the audit log.
    pub fn name(&self) -> &'static str {
        match self.command {
            Subcommands::Renew(_) => "cert renew",
        }
    }

    /// Whether it changes anything.
    pub fn is_mutating(&self) -> bool {
        match &self.command {
            Subcommands::Renew(_) => true,
        }
    }

    /// Whether it loads the configuration.
    pub fn loads(&self) -> bool {
        match self.command {
            Subcommands::Renew(_) => true,
        }
    }

    /// Runs the command.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        match &self.command {
            Subcommands::Renew(command) => command.run(invocation),
        }
    }
}
