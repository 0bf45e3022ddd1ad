//! The `vsa` program.

use std::io::Write;
use std::process::ExitCode;

use vsa::host::private_mounts;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == private_mounts::ARGUMENT) {
        let Err(error) = private_mounts::enter(arguments);
        // Who cannot be told still gets the exit code.
        let _ = writeln!(std::io::stderr(), "{error}");
        return ExitCode::from(private_mounts::FAILED);
    }
    ExitCode::SUCCESS
}
