//! The commands, one a file: its arguments, whose doc comments are the help, and what it does.

mod apply;
mod audit;
mod cert;
mod completion;
mod destroy;
mod generations;
mod init;
mod node;
mod output;
mod plan;
mod schema;
mod show;
mod stack;
mod state;
mod validate;
mod version;

use clap::Subcommand;

use super::{Exit, Failure, Invocation, Terminal};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prepare a directory: local data, the key, what git ignores
    Init(init::Init),
    /// Check the configuration, asking no node and reading no state
    Validate(validate::Validate),
    /// Show what an apply would change, down to the lines of each nginx file
    Plan(plan::Plan),
    /// Make things as the configuration says, as one transaction
    Apply(apply::Apply),
    /// Take everything away that the state holds; tenants' data stays
    Destroy(destroy::Destroy),
    /// Show the state, or a saved plan
    Show(show::Show),
    /// Show the outputs of the last apply
    Output(output::Output),
    /// Look into the state
    State(state::State),
    /// List the generations of nginx files that the nodes keep
    Generations(generations::Generations),
    /// Start, stop and look at a node's nginx
    Node(node::Node),
    /// Renew certificates
    Cert(cert::Cert),
    /// Make, start, stop and look at stacks
    Stack(stack::Stack),
    /// Print the schemas of all kinds
    Schema(schema::Schema),
    /// Look into the audit log
    Audit(audit::Audit),
    /// Print a shell's completion script
    Completion(completion::Completion),
    /// Show the version of vsa
    Version(version::Version),
}

/// What the audit log means for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audited {
    /// It changes things, and refuses where it cannot be audited.
    Mutating,
    /// It only reads, and warns where it cannot be audited.
    Reading,
    /// It has nothing to do with a configuration.
    Not,
}

impl Command {
    /// Its name in the audit log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Validate(_) => "validate",
            Self::Plan(_) => "plan",
            Self::Apply(_) => "apply",
            Self::Destroy(_) => "destroy",
            Self::Show(_) => "show",
            Self::Output(_) => "output",
            Self::State(_) => "state",
            Self::Generations(_) => "generations",
            Self::Node(command) => command.name(),
            Self::Cert(command) => command.name(),
            Self::Stack(command) => command.name(),
            Self::Schema(_) => "schema",
            Self::Audit(_) => "audit",
            Self::Completion(_) => "completion",
            Self::Version(_) => "version",
        }
    }

    /// What the audit log means for it.
    pub fn audited(&self) -> Audited {
        match self {
            Self::Init(_) | Self::Apply(_) | Self::Destroy(_) => Audited::Mutating,
            Self::Node(command) if command.is_mutating() => Audited::Mutating,
            Self::Cert(command) if command.is_mutating() => Audited::Mutating,
            Self::Stack(command) if command.is_mutating() => Audited::Mutating,
            Self::Schema(_) | Self::Completion(_) | Self::Version(_) => Audited::Not,
            _ => Audited::Reading,
        }
    }

    /// Whether it begins its audit by itself: when it has loaded the configuration, which says where the log is, or when
    /// it has looked at the log as it is before anything is appended.
    pub fn begins_by_itself(&self) -> bool {
        match self {
            Self::Validate(_) | Self::Plan(_) | Self::Apply(_) | Self::Destroy(_) => true,
            Self::Audit(command) => command.verifies(),
            Self::Cert(command) => command.loads(),
            Self::Stack(command) => command.loads(),
            _ => false,
        }
    }

    /// Whether there is an audited command of this name.
    pub fn is_audited(name: &str) -> bool {
        Self::has_subcommand(name) && !["schema", "completion", "version", "help"].contains(&name)
    }

    /// Runs a command that has to do with a configuration.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        match self {
            Self::Init(command) => command.run(invocation),
            Self::Validate(command) => Ok(command.run(invocation)),
            Self::Plan(command) => command.run(invocation),
            Self::Apply(command) => command.run(invocation),
            Self::Destroy(command) => command.run(invocation),
            Self::Show(command) => command.run(invocation),
            Self::Output(command) => command.run(invocation),
            Self::State(command) => command.run(invocation),
            Self::Generations(command) => command.run(invocation),
            Self::Node(command) => command.run(invocation),
            Self::Cert(command) => command.run(invocation),
            Self::Stack(command) => command.run(invocation),
            Self::Audit(command) => command.run(invocation),
            Self::Schema(_) | Self::Completion(_) | Self::Version(_) => {
                Ok(self.run_anywhere(invocation.terminal))
            }
        }
    }

    /// Runs a command that has nothing to do with a configuration.
    pub fn run_anywhere(&self, terminal: Terminal) -> Exit {
        match self {
            Self::Schema(command) => command.run(terminal),
            Self::Completion(command) => command.run(terminal),
            Self::Version(command) => command.run(terminal),
            _ => Exit::Done,
        }
    }
}
