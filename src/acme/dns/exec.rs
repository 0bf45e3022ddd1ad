//! A program of the node's that changes the records.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{DnsChallenges, DnsError, TxtRecord};
use crate::host::{Command, Host};

/// How long the program may take: many wait until their provider's servers have the record.
const PATIENCE: Duration = Duration::from_mins(10);

/// As many characters of what the program wrote are kept: its last ones.
const KEPT: usize = 2000;

/// A program that is started with `present` or `cleanup`, the record's name with a dot at its end, and the value: as
/// lego's hook programs are.
#[derive(Debug)]
pub(super) struct Exec {
    pub(super) host: Arc<dyn Host>,
    /// The program and its first arguments.
    pub(super) command: Vec<String>,
}

impl Exec {
    async fn run(&self, action: &str, record: &TxtRecord) -> Result<(), DnsError> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(DnsError::new("no program is named", "exec", "set `command` in the `exec` block"));
        };
        let command = arguments.iter().fold(Command::new(program), Command::arg).timeout(PATIENCE);
        let command = command.arg(action).arg(format!("{}.", record.name)).arg(&record.value);
        let failed = |why: String| {
            let what = format!("the program for the DNS record `{}` failed: {why}", record.name);
            let help = format!(
                "run it by hand: {} {action} {}. {}",
                self.command.join(" "),
                record.name,
                record.value
            );
            DnsError::new(what, program, help)
        };
        let output = self.host.run(command).await.map_err(|error| failed(error.to_string()))?;
        if output.success() {
            return Ok(());
        }
        let errors = output.errors();
        let errors = errors.trim();
        let tail = errors.char_indices().rev().nth(KEPT).map_or(errors, |(start, _)| &errors[start..]);
        Err(failed(output.ending(&format!("`{program} {action}`"))).detail(tail))
    }
}

#[async_trait]
impl DnsChallenges for Exec {
    async fn publish(&self, record: &TxtRecord) -> Result<(), DnsError> {
        self.run("present", record).await
    }

    async fn withdraw(&self, record: &TxtRecord) -> Result<(), DnsError> {
        self.run("cleanup", record).await
    }
}
