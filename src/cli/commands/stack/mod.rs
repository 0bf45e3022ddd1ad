//! `vsa stack`

mod list;
mod logs;
mod new;
mod ps;
mod restart;
mod status;

use clap::{Args, Subcommand};

use crate::address::Address;
use crate::cli::{Exit, Failure, Invocation};
use crate::diag::Diagnostic;
use crate::kinds::stack::{Deployed, deployed};
use crate::plan::docker::{Container, ContainerState};
use crate::plan::{Answer, Query};
use crate::state::{State, Stored};

/// Make, start, stop and look at stacks
#[derive(Debug, Args)]
pub struct Stack {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Write a stack's directory, and its block into `stacks.hcl`
    New(new::New),
    /// Say in the configuration that a stack runs, and apply that
    Up(status::Switch),
    /// Say in the configuration that a stack is stopped, and apply that; containers and data stay
    Down(status::Switch),
    /// List the stacks in the state, with what their containers do
    List(list::List),
    /// List the containers of stacks, of those in a swarm the ones on their node
    Ps(ps::Ps),
    /// Show what the containers of a stack wrote to their logs, without its secrets
    Logs(logs::Logs),
    /// Restart the containers of a stack, and wait until they are healthy
    Restart(restart::Restart),
}

impl Stack {
    /// Its name in the audit log.
    pub fn name(&self) -> &'static str {
        match self.command {
            Subcommands::New(_) => "stack new",
            Subcommands::Up(_) => "stack up",
            Subcommands::Down(_) => "stack down",
            Subcommands::List(_) => "stack list",
            Subcommands::Ps(_) => "stack ps",
            Subcommands::Logs(_) => "stack logs",
            Subcommands::Restart(_) => "stack restart",
        }
    }

    /// Whether it changes anything.
    pub fn is_mutating(&self) -> bool {
        !matches!(self.command, Subcommands::List(_) | Subcommands::Ps(_) | Subcommands::Logs(_))
    }

    /// Whether it loads the configuration.
    pub fn loads(&self) -> bool {
        matches!(self.command, Subcommands::Up(_) | Subcommands::Down(_))
    }

    /// Runs the command.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        match &self.command {
            Subcommands::New(command) => command.run(invocation),
            Subcommands::Up(command) => command.run(invocation, status::Status::Running),
            Subcommands::Down(command) => command.run(invocation, status::Status::Stopped),
            Subcommands::List(command) => command.run(invocation),
            Subcommands::Ps(command) => command.run(invocation),
            Subcommands::Logs(command) => command.run(invocation),
            Subcommands::Restart(command) => command.run(invocation),
        }
    }
}

/// The kind that these commands are about.
const KIND: &str = "stack";

/// A stack in the state.
struct Known<'a> {
    address: &'a Address,
    stored: &'a Stored,
    deployed: Deployed,
}

/// All stacks in the state.
fn every(state: &State) -> Vec<Known<'_>> {
    let stacks = state.resources.iter().filter(|(address, _)| address.kind() == KIND);
    let known = stacks.filter_map(|(address, stored)| {
        let spec = &state.nodes.get(&stored.node)?.spec;
        Some(Known { address, stored, deployed: deployed(stored, spec)? })
    });
    known.collect()
}

/// The stack of this name: a label, an instance's own name, or an address.
fn one<'a>(state: &'a State, name: &str) -> Result<Known<'a>, Failure> {
    let (mut found, others): (Vec<_>, Vec<_>) = every(state).into_iter().partition(|known| {
        let address = known.address.to_string();
        address == name || address.strip_prefix("stack.") == Some(name) || *known.stored.name == *name
    });
    if found.len() > 1 {
        let addresses: Vec<_> = found.iter().map(|known| format!("`{}`", known.address)).collect();
        return Err(Diagnostic::error(format!("there are {} stacks `{name}`", found.len()))
            .help(format!("say which one: {}", addresses.join(", ")))
            .into());
    }
    found.pop().ok_or_else(|| {
        let names = others.iter().map(|known| &*known.stored.name);
        Diagnostic::error(format!("there is no stack `{name}` in the state"))
            .did_you_mean(name, names, |error| error.help("`vsa stack list` shows those that there are"))
            .into()
    })
}

/// The containers of stacks, each engine asked once; those that nobody could be asked about are an error.
fn containers(invocation: &Invocation, known: &[Known<'_>]) -> Result<Vec<Vec<Container>>, Failure> {
    let mut sockets: Vec<_> = known.iter().map(|known| &known.deployed.project.socket).collect();
    sockets.sort();
    sockets.dedup();
    let queries: Vec<Query> =
        sockets.iter().map(|socket| Query::Containers { socket: (*socket).clone() }).collect();
    let answers = invocation.block_on(invocation.host.observe(&queries));
    let mut all = std::collections::BTreeMap::new();
    for (socket, answer) in sockets.into_iter().zip(answers) {
        let why = match answer {
            Answer::Containers(found) => {
                all.insert(socket, found);
                continue;
            }
            Answer::Failed(reason) => reason,
            _ => format!("there is no Docker engine at `{}`", socket.display()),
        };
        return Err(Diagnostic::error("the containers could not be seen")
            .detail(why)
            .help("start Docker, or name its socket with `docker { socket }` of the node")
            .into());
    }
    let of = |known: &Known<'_>| {
        let Deployed { project, swarm, .. } = &known.deployed;
        let here = all.get(&project.socket).into_iter().flatten();
        let is_ours = |found: &&Container| match swarm {
            // What a swarm has replaced stays for a while, to be looked at.
            Some(stack) => found.is_task_of(&stack.name) && found.state != ContainerState::Exited,
            None => found.belongs_to(&project.name),
        };
        let mut here: Vec<Container> = here.filter(is_ours).cloned().collect();
        here.sort_by(|a, b| order(a).cmp(&order(b)));
        here
    };
    Ok(known.iter().map(of).collect())
}

/// Services in the order of their names, replicas in that of their numbers.
fn order(container: &Container) -> (&str, u32, &str) {
    (container.service().unwrap_or_default(), container.number(), &container.name)
}

/// Those containers that run one of these services; all where none is named.
fn of_services(
    known: &Known<'_>,
    containers: Vec<Container>,
    services: &[String],
) -> Result<Vec<Container>, Failure> {
    for service in services {
        if !containers.iter().any(|container| container.service() == Some(service)) {
            let names = containers.iter().filter_map(Container::service);
            return Err(Diagnostic::error(format!(
                "`{}` has no container of a service `{service}`",
                known.address
            ))
            .did_you_mean(service, names, |error| error.help("`vsa stack ps` shows its containers"))
            .into());
        }
    }
    let wanted = |container: &Container| {
        services.is_empty() || services.iter().any(|service| container.service() == Some(service))
    };
    Ok(containers.into_iter().filter(wanted).collect())
}
