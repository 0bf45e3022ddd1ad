//! `vsa stack restart`

use clap::Args;

use super::{containers, of_services, one};
use crate::apply::{compose, swarm};
use crate::audit::{Entry, Event};
use crate::cli::arguments::LockFlags;
use crate::cli::{Exit, Failure, Invocation};
use crate::diag::Diagnostic;

/// Restart the containers of a stack, and wait until they are healthy
#[derive(Debug, Args)]
pub(super) struct Restart {
    /// The stack
    name: String,
    /// Only these services
    services: Vec<String>,
    #[command(flatten)]
    lock: LockFlags,
}

impl Restart {
    /// Runs the command.
    pub(super) fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let _lock = invocation.lock(self.lock)?;
        let state = invocation.existing_state()?;
        let stacks = [one(&state, &self.name)?];
        let found = containers(invocation, &stacks)?.pop().unwrap_or_default();
        let [known] = stacks;
        let (address, deployed) = (known.address, &known.deployed);
        if !deployed.running {
            return Err(Diagnostic::error(format!("`{address}` is stopped"))
                .help(format!("`vsa stack up {}` starts it", known.stored.name))
                .into());
        }
        let found = of_services(&known, found, &self.services)?;
        if found.is_empty() {
            return Err(Diagnostic::error(format!("`{address}` has no containers"))
                .help("`vsa apply` makes them")
                .into());
        }
        let mut services: Vec<&str> = found.iter().filter_map(|container| container.service()).collect();
        services.dedup();
        let what = format!("restart {}", services.join(", "));
        let entry = |event| Entry::new(event).resource(address).action(what.clone());
        invocation.record(&[entry(Event::ActionStarted)])?;
        let project = &deployed.project;
        let restarted = invocation.block_on(async {
            let host = &*invocation.host;
            let secrets = compose::known_secrets(host, known.stored, &project.env_file).await;
            if let Some(stack) = &deployed.swarm {
                let services: Vec<String> = services.iter().map(|name| (*name).to_owned()).collect();
                return swarm::restart(host, stack, &services, deployed.wait, &secrets).await;
            }
            compose::restart(host, project, &self.services, deployed.wait, &secrets).await.map(|_| ())
        });
        let done = if restarted.is_ok() { Event::ActionDone } else { Event::ActionFailed };
        invocation.record_done(vec![entry(done)]);
        restarted?;
        invocation.terminal.line(&format!("{address}: restarted {}", services.join(", ")));
        Ok(Exit::Done)
    }
}
