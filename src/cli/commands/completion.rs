//! `vsa completion`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::{Arguments, Exit, Terminal};

/// Print a shell's completion script
#[derive(Debug, Args)]
pub struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    /// Runs the command.
    pub fn run(&self, terminal: Terminal) -> Exit {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "vsa", &mut script);
        terminal.print(&String::from_utf8_lossy(&script));
        Exit::Done
    }
}
