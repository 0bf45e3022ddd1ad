//! `vsa node`

use clap::{Args, Subcommand};

use crate::address::Address;
use crate::apply;
use crate::cli::arguments::LockFlags;
use crate::cli::{Exit, Failure, Invocation};
use crate::diag::Diagnostic;
use crate::plan::{Answer, NodeSpec, Owner, Query, elsewhere, goes_on};
use crate::state::{State, StoredNode};

/// Start, stop and look at a node's nginx
#[derive(Debug, Args)]
pub struct Node {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Start the nginx of a managed node with its live generation
    Start {
        /// The node's name, where there are several
        name: Option<String>,
        #[command(flatten)]
        lock: LockFlags,
    },
    /// Stop the nginx of a managed node; `vsa plan` shows that as drift
    Stop {
        /// The node's name, where there are several
        name: Option<String>,
        #[command(flatten)]
        lock: LockFlags,
    },
    /// Show whether nginx runs, and which generation it says it serves
    Status {
        /// Only this node
        name: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

impl Node {
    /// Its name in the audit log.
    pub fn name(&self) -> &'static str {
        match self.command {
            Subcommands::Start { .. } => "node start",
            Subcommands::Stop { .. } => "node stop",
            Subcommands::Status { .. } => "node status",
        }
    }

    /// Whether it changes anything.
    pub fn is_mutating(&self) -> bool {
        !matches!(self.command, Subcommands::Status { .. })
    }

    /// Runs the command.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        match &self.command {
            Subcommands::Start { name, lock } => {
                let _lock = invocation.lock(*lock)?;
                let state = invocation.existing_state()?;
                let (address, node) = one(&state, name.as_deref())?;
                owned(invocation, &state, &node.spec)?;
                let started = invocation.block_on(apply::start(&*invocation.host, node))?;
                let (what, generation) = match started {
                    Some(generation) => ("was started", generation),
                    None => ("is running already", node.generation),
                };
                let ports = format!("ports {} and {}", node.spec.http_port, node.spec.https_port);
                invocation
                    .terminal
                    .line(&format!("{address}: nginx {what}, {ports}, generation {generation}"));
            }
            Subcommands::Stop { name, lock } => {
                let _lock = invocation.lock(*lock)?;
                let state = invocation.existing_state()?;
                let (address, node) = one(&state, name.as_deref())?;
                owned(invocation, &state, &node.spec)?;
                let stopped = invocation.block_on(apply::stop(&*invocation.host, &node.spec))?;
                let what = if stopped { "was stopped" } else { "was not running" };
                invocation.terminal.line(&format!("{address}: nginx {what}"));
            }
            Subcommands::Status { name, json } => return status(invocation, name.as_deref(), *json),
        }
        Ok(Exit::Done)
    }
}

/// Refuses a node that another configuration owns, of which this one is a copy or a former place.
fn owned(invocation: &Invocation, state: &State, spec: &NodeSpec) -> Result<(), Failure> {
    let found = invocation.block_on(invocation.host.observe(&[Query::Read(spec.owner_file())])).pop();
    let refused = match &found {
        Some(Answer::Bytes(bytes)) => Owner::refused(spec, bytes, &state.lineage),
        _ => None,
    };
    let is_there = !matches!(found, Some(Answer::Absent) | None);
    let refused = refused.or_else(|| elsewhere(spec, &invocation.base, &mut || is_there));
    refused.map_or(Ok(()), |refused| Err(refused.into()))
}

/// The node of this name, or the only one.
fn one<'a>(state: &'a State, name: Option<&str>) -> Result<(&'a Address, &'a StoredNode), Failure> {
    let names: Vec<&str> = state.nodes.values().map(|stored| &*stored.spec.name).collect();
    let found = match (name, names.as_slice()) {
        (Some(name), _) => state.nodes.iter().find(|(_, stored)| *stored.spec.name == *name),
        (None, [_]) => state.nodes.iter().next(),
        (None, []) => None,
        (None, _) => {
            return Err(Diagnostic::error(format!("there are {} nodes: {}", names.len(), names.join(", ")))
                .help("say which one: `vsa node status NAME`")
                .into());
        }
    };
    found.ok_or_else(|| {
        let what = name.map_or_else(|| "no node".to_owned(), |name| format!("no node `{name}`"));
        let error = Diagnostic::error(format!("there is {what} in the state"));
        let names = names.iter().copied();
        error.did_you_mean(name.unwrap_or_default(), names, |error| error.help("`vsa apply` makes it")).into()
    })
}

fn status(invocation: &Invocation, name: Option<&str>, json: bool) -> Result<Exit, Failure> {
    let state = invocation.existing_state()?;
    let nodes: Vec<_> = match name {
        Some(name) => vec![one(&state, Some(name))?],
        None => state.nodes.iter().collect(),
    };
    let mut all = Vec::new();
    for (address, node) in nodes {
        let status = invocation.block_on(apply::Proxy::new(&*invocation.host, &node.spec).status());
        let serves = status.serves.as_deref().and_then(|marker| marker.split(' ').next()).map(str::to_owned);
        if json {
            all.push(serde_json::json!({
                "node": address,
                "root": node.spec.root,
                "mode": node.spec.mode,
                "http_port": node.spec.http_port,
                "https_port": node.spec.https_port,
                "master": status.master,
                "suspended": status.suspended,
                "orphans": status.orphans.all(),
                "generation": node.generation,
                "serves": serves,
            }));
            continue;
        }
        let lost = status.orphans.state(&status.orphans.all());
        let running = match status.master {
            Some(pid) if status.suspended => {
                let goes_on = goes_on(&node.spec, pid);
                format!("is stopped (its master process {pid} hears no signal; {goes_on})")
            }
            Some(pid) => format!("runs as process {pid}"),
            None => lost.unwrap_or_else(|| "is not running".to_owned()),
        };
        let serves = serves.map_or("says nothing".to_owned(), |number| format!("serves generation {number}"));
        invocation.terminal.line(&format!(
            "{address}: nginx {running}, {serves}; the state says generation {}; ports {} and {}; files in {}",
            node.generation,
            node.spec.http_port,
            node.spec.https_port,
            node.spec.root.display(),
        ));
    }
    if json {
        invocation.terminal.line(&format!("{:#}", serde_json::Value::Array(all)));
    }
    Ok(Exit::Done)
}
