//! The edge: arguments, rendering, exit codes.
#![expect(clippy::disallowed_methods, reason = "the configuration's own files are read here")]

mod applying;
mod arguments;
mod auditing;
mod certbot;
mod commands;
mod conclusion;
mod editing;
mod environment;
mod failure;
mod invocation;
mod partly;
mod planning;
mod preflight;
mod progress;
pub mod render;
mod saved;
mod terminal;
mod tree;

use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;

use crate::diag::Diagnostic;
use crate::host::private_mounts;

pub use arguments::Arguments;
pub use auditing::Auditing;
pub use commands::{Audited, Command};
pub use environment::Environment;
pub use failure::{Exit, Failure};
pub use invocation::Invocation;
pub use terminal::Terminal;

/// Runs the program with the process's arguments and environment; gives its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|first| first == private_mounts::ARGUMENT) {
        let Err(error) = private_mounts::enter(arguments.into_iter().skip(2));
        Terminal::new(true).note(&error.to_string());
        return private_mounts::FAILED;
    }
    let words = arguments::normalise(arguments);
    let environment = Environment::read();
    let parsed = match Arguments::try_parse_from(&words) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help goes to standard output and is no error; what clap cannot print any more, nobody reads.
            let _ = error.print();
            if !error.use_stderr() {
                return Exit::Done as u8;
            }
            record_misuse(&words, error.kind(), environment);
            return Exit::Error as u8;
        }
    };
    let terminal = Terminal::new(parsed.global.no_color || environment.no_color);
    trace(&environment);
    let Arguments { global, command, .. } = parsed;
    if command.audited() == Audited::Not {
        return ended(written(Ok(command.run_anywhere(terminal)), terminal), terminal, None);
    }
    let masked = arguments::masked(&words);
    let named = (command.name(), command.audited());
    let invocation = match Invocation::new(&global, environment, terminal, named, &masked) {
        Ok(invocation) => invocation,
        Err(failure) => return ended(Err(failure), terminal, None),
    };
    let begun = if command.begins_by_itself() { Ok(()) } else { invocation.begin() };
    let result = begun.and_then(|()| command.run(&invocation));
    let result = invocation.finish(written(result, terminal));
    ended(result, terminal, Some(&invocation))
}

/// Records that a command was refused for how it was written.
fn record_misuse(words: &[OsString], kind: ErrorKind, environment: Environment) {
    let Some((global, name)) = arguments::understood(words) else { return };
    let terminal = Terminal::new(global.no_color || environment.no_color);
    let shown = arguments::options_alone(words, &name);
    // Where there is no such directory there is no log either.
    let Ok(invocation) = Invocation::new(&global, environment, terminal, (&name, Audited::Reading), &shown)
    else {
        return;
    };
    let why = kind.as_str().unwrap_or("the arguments cannot be understood");
    let refused: Failure = Diagnostic::error(format!("wrong usage: {why}")).into();
    // It is an error already; one more that says so is not needed.
    let _ = invocation.begin().and_then(|()| invocation.finish(Err(refused)));
}

/// The result of a command, an error where what it had to say could not be written.
fn written(result: Result<Exit, Failure>, terminal: Terminal) -> Result<Exit, Failure> {
    result.and_then(|exit| terminal.lost().map_or(Ok(exit), |lost| Err(lost.into())))
}

/// Draws what went wrong, and gives the exit code.
fn ended(result: Result<Exit, Failure>, terminal: Terminal, invocation: Option<&Invocation>) -> u8 {
    match result {
        Ok(exit) => exit as u8,
        Err(failure) => {
            match invocation {
                Some(invocation) => terminal.diagnostics(&failure.diagnostics, &invocation.sources.borrow()),
                None => terminal.diagnostics(&failure.diagnostics, &crate::diag::Sources::new()),
            }
            failure.exit as u8
        }
    }
}

/// Sends the trace log to standard error where `VSA_LOG` asks for it.
fn trace(environment: &Environment) {
    if let Some(filter) = &environment.log {
        let filter = tracing_subscriber::EnvFilter::new(filter);
        let _ =
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| terminal::TraceLog).try_init();
    }
}
