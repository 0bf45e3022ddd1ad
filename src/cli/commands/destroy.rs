//! `vsa destroy`

use std::collections::BTreeSet;

use clap::Args;

use crate::address::{Address, InvalidAddress};
use crate::cli::applying::{self, ApplyFlags};
use crate::cli::arguments::VariableFlags;
use crate::cli::commands::plan::PlanFlags;
use crate::cli::planning::{self, Options};
use crate::cli::{Exit, Failure, Invocation};
use crate::config::Declared;
use crate::diag::Diagnostic;
use crate::plan::Mode;
use crate::state::State;

/// Take everything away that the state holds, or a part of it; tenants' data stays
#[derive(Debug, Args)]
pub struct Destroy {
    /// Take away this resource alone, with all that depends on it; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    target: Vec<String>,
    #[command(flatten)]
    variables: VariableFlags,
    #[command(flatten)]
    plan: PlanFlags,
    #[command(flatten)]
    apply: ApplyFlags,
}

impl Destroy {
    /// Runs the command.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let mut declared = invocation.load(&self.variables)?;
        let _lock = invocation.lock(self.apply.lock)?;
        planning::require_something(invocation)?;
        let state = invocation.state()?;
        let mut options = self.plan.options_for_apply(Mode::Destroy, self.apply.auto_approve);
        if !self.target.is_empty() {
            // The rest stays as it is: a plan from a configuration without them.
            invocation.ensure_key()?;
            let targets = self.targets(&declared, state.as_ref())?;
            declared.resources.retain(|address, _| !targets.contains(address));
            options = Options { mode: Mode::Normal, targets: Some(targets), ..options };
        }
        let prepared = planning::plan_from(invocation, &declared, state, options)?;
        applying::confirm_and_apply(invocation, &declared, prepared, self.plan.manner(), self.apply)
    }

    /// The resources that are named, with all that depends on them. An address without a key names all instances.
    fn targets(&self, declared: &Declared, state: Option<&State>) -> Result<BTreeSet<Address>, Diagnostic> {
        let stored = |address: &Address| state.and_then(|state| state.resources.get(address));
        let in_state = state.iter().flat_map(|state| state.resources.keys());
        let known: BTreeSet<&Address> = declared.resources.keys().chain(in_state).collect();
        let mut found = BTreeSet::new();
        for text in &self.target {
            let target: Address = text.parse().map_err(|error: InvalidAddress| {
                Diagnostic::error(error.to_string()).help("`vsa state list` shows all addresses")
            })?;
            let is_it = |address: &&Address| {
                *address == &target || target.key().is_none() && address.with_key(None) == target
            };
            let before = found.len();
            found.extend(known.iter().copied().filter(is_it).cloned());
            if found.len() == before && !found.contains(&target) {
                let names: Vec<String> = known.iter().map(ToString::to_string).collect();
                let error = Diagnostic::error(format!("there is no `{target}` to take away"));
                let names = names.iter().map(String::as_str);
                return Err(error
                    .did_you_mean(text, names, |error| error.help("`vsa state list` shows all addresses")));
            }
        }
        loop {
            let depends = |address: &&Address| {
                let (wanted, stored) = (declared.resources.get(*address), stored(address));
                let named =
                    wanted.into_iter().flat_map(|wanted| wanted.depends_on.iter().chain(&wanted.implied_by));
                let known =
                    stored.into_iter().flat_map(|stored| stored.depends_on.iter().chain([&stored.node]));
                named.chain(known).any(|needed| found.contains(needed))
            };
            let more: Vec<Address> = known
                .iter()
                .copied()
                .filter(|address| !found.contains(*address))
                .filter(depends)
                .cloned()
                .collect();
            if more.is_empty() {
                return Ok(found);
            }
            found.extend(more);
        }
    }
}
