//! How a run has ended, for people and for the exit code.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::apply::{self, Outcome};
use crate::diag::{Diagnostic, Diagnostics};
use crate::plan::{Counts, Mode};
use crate::state::State;

use super::applying::FailureFlag;
use super::{Exit, Failure, Invocation, Terminal, render};

/// A run that has ended.
pub(crate) struct Ran {
    /// What came of it.
    pub report: apply::Report,
    /// The certificates that authorities were asked for.
    pub orders: BTreeSet<Address>,
    pub(super) counts: Counts,
    pub(super) mode: Mode,
    pub(super) on_failure: FailureFlag,
}

/// Says how a run has ended; `done` is what is said first where all is done.
pub(crate) fn tell(invocation: &Invocation, ran: Ran, done: &str) -> Result<Exit, Failure> {
    let terminal = invocation.terminal;
    let Ran { report, orders, counts, mode, on_failure } = ran;
    match report.outcome {
        Outcome::Done => {
            let (add, change, destroy) = (counts.add, counts.change, counts.destroy);
            let text = format!("{done} Resources: {add} added, {change} changed, {destroy} destroyed.");
            terminal.line(&terminal.output.bold(&terminal.output.green(&text)));
            outputs_text(&report.state, terminal);
            if mode == Mode::Destroy {
                left_behind(invocation, &report);
            }
            Ok(Exit::Done)
        }
        Outcome::Refused => {
            let exit = Exit::of(&report.errors);
            Err(failure(exit, report.errors, "nothing was changed"))
        }
        Outcome::RolledBack => Err(failure(
            Exit::RolledBack,
            report.errors,
            if orders.is_empty() {
                "the apply failed and was rolled back: all is as it was before"
            } else {
                "the apply failed and was rolled back: all is as it was before, and what was issued is kept for the next one"
            },
        )),
        Outcome::Left if on_failure == FailureFlag::Keep => Err(failure(
            Exit::Left,
            report.errors,
            "the apply failed, and what had succeeded is kept: `vsa plan` shows what is left, `vsa apply` finishes it",
        )),
        Outcome::Left => Err(failure(
            Exit::Left,
            report.errors,
            "the apply failed and something is left to look at: `vsa plan` shows what, `vsa apply` finishes it",
        )),
    }
}

/// Says what a destroy leaves, and why.
fn left_behind(invocation: &Invocation, report: &apply::Report) {
    let (jsonl, database) = invocation.audit_paths();
    let layout = &invocation.layout;
    let own = [
        (layout.state(), "the final state, empty"),
        (layout.backups(), "former states"),
        (layout.key(), "the state's key"),
        (layout.journal(), "the journal of the last run"),
        (layout.lock(), "the lock file"),
        (jsonl, "the audit log"),
        (database, "the audit log"),
    ];
    invocation.terminal.line("\nWhat is left:");
    let kept = report.kept.iter().map(|path| (path.clone(), "not empty, so it stays: data is never deleted"));
    for (path, what) in own.into_iter().filter(|(path, _)| path.exists()).chain(kept) {
        invocation.terminal.line(&format!("  {} ({what})", path.display()));
    }
}

fn failure(exit: Exit, errors: Vec<Diagnostic>, outcome: &str) -> Failure {
    let mut diagnostics: Diagnostics = errors.into_iter().collect();
    diagnostics.push(Diagnostic::error(outcome));
    Failure { exit, diagnostics }
}

fn outputs_text(state: &State, terminal: Terminal) {
    if state.outputs.is_empty() {
        return;
    }
    terminal.line(&format!("\n{}\n", terminal.output.bold("Outputs:")));
    let width = state.outputs.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, output) in &state.outputs {
        terminal.line(&format!("{name:width$} = {}", render::output_value(output)));
    }
}
