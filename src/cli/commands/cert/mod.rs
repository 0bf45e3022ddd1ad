//! `vsa cert`

mod candidates;
mod edited;
mod former;
mod import;
mod install_timer;
mod issue;
mod known;
mod lost;
mod named;
mod renew;
mod revocable;
mod revoke;
mod row;
mod served;
mod show;
mod sites;
mod status;
mod word;

use clap::{Args, Subcommand};

use install_timer::Starter;

use crate::cli::{Exit, Failure, Invocation};

/// Look at certificates, renew and import them
#[derive(Debug, Args)]
pub struct Cert {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Renew the certificates that are due, and switch nginx to them; made for timers
    Renew(renew::Renew),
    /// List the certificates in the state: until when, when renewed, and what a TLS handshake presents
    Status(status::Status),
    /// Show one certificate, never its key
    Show(show::Show),
    /// Have certificates issued now, although they are not due, and although it failed a moment ago
    Issue(issue::Issue),
    /// Take certificates over from certbot: write their blocks, and apply them
    Import(import::Import),
    /// Have a certificate revoked by the authority that issued it
    Revoke(revoke::Revoke),
    /// Have systemd renew certificates every hour; cron where it does not run
    InstallTimer(install_timer::InstallTimer),
    /// Have cron renew certificates every hour
    InstallCron(install_timer::InstallTimer),
}

impl Cert {
    /// Its name in the audit log.
    pub fn name(&self) -> &'static str {
        match self.command {
            Subcommands::Renew(_) => "cert renew",
            Subcommands::Status(_) => "cert status",
            Subcommands::Show(_) => "cert show",
            Subcommands::Issue(_) => "cert issue",
            Subcommands::Import(_) => "cert import",
            Subcommands::Revoke(_) => "cert revoke",
            Subcommands::InstallTimer(_) => "cert install-timer",
            Subcommands::InstallCron(_) => "cert install-cron",
        }
    }

    /// Whether it changes anything.
    pub fn is_mutating(&self) -> bool {
        match &self.command {
            Subcommands::Status(_) | Subcommands::Show(_) => false,
            Subcommands::InstallTimer(command) | Subcommands::InstallCron(command) => command.is_mutating(),
            Subcommands::Issue(_) | Subcommands::Renew(_) | Subcommands::Revoke(_) => true,
            Subcommands::Import(command) => command.is_mutating(),
        }
    }

    /// Whether it loads the configuration.
    pub fn loads(&self) -> bool {
        matches!(
            self.command,
            Subcommands::Issue(_) | Subcommands::Import(_) | Subcommands::Renew(_) | Subcommands::Revoke(_)
        )
    }

    /// Runs the command.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        match &self.command {
            Subcommands::Renew(command) => command.run(invocation),
            Subcommands::Status(command) => command.run(invocation),
            Subcommands::Show(command) => command.run(invocation),
            Subcommands::Issue(command) => command.run(invocation),
            Subcommands::Import(command) => command.run(invocation),
            Subcommands::Revoke(command) => command.run(invocation),
            Subcommands::InstallTimer(command) => command.run(invocation, Starter::Systemd),
            Subcommands::InstallCron(command) => command.run(invocation, Starter::Cron),
        }
    }
}

/// The kind that these commands are about.
const KIND: &str = "certificate";
