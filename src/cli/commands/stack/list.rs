//! `vsa stack list`

use std::collections::BTreeMap;

use clap::Args;

use super::{containers, every};
use crate::cli::{Exit, Failure, Invocation, render};
use crate::diag::{Diagnostic, Severity};
use crate::plan::docker::Container;

/// List the stacks in the state, with what their containers do
#[derive(Debug, Args)]
pub(super) struct List {
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl List {
    /// Runs the command.
    pub(super) fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let state = invocation.existing_state()?;
        let stacks = every(&state);
        // Which stacks there are is known without an engine.
        let (seen, unseen) = match containers(invocation, &stacks) {
            Ok(seen) => (seen.into_iter().map(Some).collect(), None),
            Err(failure) => (vec![None; stacks.len()], Some(failure)),
        };
        let mut rows = Vec::new();
        let mut json = Vec::new();
        for (known, containers) in stacks.iter().zip(seen) {
            let deployed = &known.deployed;
            let counts = containers.as_deref().map(counts);
            let status = match &counts {
                None => "unknown".to_owned(),
                Some(counts) if counts.is_empty() => "no containers".to_owned(),
                Some(counts) => counts
                    .iter()
                    .map(|(state, count)| format!("{state}({count})"))
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            let wanted = if deployed.running { "running" } else { "stopped" };
            let source = deployed.source.as_deref().unwrap_or("(inline)");
            json.push(serde_json::json!({
                "address": known.address,
                "name": known.stored.name,
                "tenant": deployed.tenant,
                "project": deployed.project.name,
                "node": known.stored.node,
                "source": deployed.source,
                "wanted": wanted,
                "containers": counts,
            }));
            let cells = [
                &*known.address.to_string(),
                &deployed.tenant,
                &deployed.project.name,
                wanted,
                &status,
                source,
            ];
            rows.push(cells.map(str::to_owned));
        }
        if let Some(failure) = unseen {
            let warn = |diagnostic| Diagnostic { severity: Severity::Warning, ..diagnostic };
            let warnings: Vec<_> = failure.diagnostics.into_iter().map(warn).collect();
            invocation.terminal.diagnostics(&warnings, &invocation.sources.borrow());
        }
        if self.json {
            invocation.terminal.line(&format!("{:#}", serde_json::Value::Array(json)));
        } else {
            let header = ["STACK", "TENANT", "PROJECT", "WANTED", "STATUS", "SOURCE"];
            invocation.terminal.print(&render::table(header, &rows));
        }
        Ok(Exit::Done)
    }
}

/// How many containers are in each state.
fn counts(containers: &[Container]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for container in containers {
        *counts.entry(container.state.to_string()).or_default() += 1;
    }
    counts
}
