//! Applying what can be had: a certificate that no authority issues holds nothing else up.

use std::collections::BTreeSet;

use super::applying::{self, ApplyFlags, FailureFlag};
use super::conclusion::{self, Ran};
use super::planning::{self, Manner, Options, Prepared, When};
use super::{Exit, Failure, Invocation};
use crate::address::Address;
use crate::apply::Outcome;
use crate::config::Declared;
use crate::diag::{Diagnostic, Diagnostics};

/// Applies a plan as `-on-failure` says: with `keep`, what can be done without the certificates that could not be had is
/// done in the same run.
pub(crate) fn apply_as_asked(
    invocation: &Invocation,
    declared: &Declared,
    prepared: Prepared,
    (flags, manner): (ApplyFlags, Manner),
    options: Options,
) -> Result<Exit, Failure> {
    match flags.on_failure {
        FailureFlag::Rollback => applying::apply(invocation, declared, prepared, flags),
        FailureFlag::Keep => apply(invocation, declared, prepared, (flags, manner), options),
    }
}

/// Applies a plan. Where nothing failed but orders at authorities, the rest is planned again without those, with the
/// same options, and applied: what was issued is there, and what could not be had is left for later.
pub(crate) fn apply(
    invocation: &Invocation,
    declared: &Declared,
    prepared: Prepared,
    (flags, manner): (ApplyFlags, Manner),
    mut options: Options,
) -> Result<Exit, Failure> {
    if prepared.planned.plan.is_empty() {
        return Ok(Exit::Done);
    }
    let interrupt = applying::interrupt(invocation);
    let mut ran = applying::run(invocation, declared, prepared, flags, interrupt.clone())?;
    let mut part = Part::default();
    // Each round leaves at least one more out that it would have ordered: there are no more rounds than certificates.
    while failed_by_orders(&ran) {
        options.attempts.without.extend(ran.report.not_issued.iter().cloned());
        if flags.on_failure == FailureFlag::Keep {
            // The others were had.
            options.attempts.anew.clear();
        }
        if flags.auto_approve {
            options.preflight = When::AtApply;
        }
        let prepared = match planning::plan(invocation, declared, options.clone()) {
            Ok(prepared) => prepared,
            Err(failure) => return part.failed(invocation, ran, failure.diagnostics),
        };
        if prepared.planned.plan.is_empty() {
            break;
        }
        let without = count(part.without.len().saturating_add(ran.report.not_issued.len()));
        invocation.terminal.note(&format!("{without}: the rest goes on without"));
        // It is another plan than the one that was read.
        let approved = applying::confirm_unless(invocation, &prepared, (manner, flags), &interrupt);
        if interrupt.is_raised() {
            let why = Diagnostic::error("the run was interrupted").code("interrupted");
            return part.failed(invocation, ran, why.into());
        }
        if approved.is_err() {
            let why = Diagnostic::error("not approved: nothing more was changed");
            return part.failed(invocation, ran, why.into());
        }
        part.take(&mut ran);
        ran = match applying::run(invocation, declared, prepared, flags, interrupt.clone()) {
            Ok(ran) => ran,
            Err(failure) => return Err(part.with(failure)),
        };
    }
    part.conclude(invocation, ran)
}

/// Whether a run failed before its commit, and nothing but orders did; where it was to be taken back, it was.
fn failed_by_orders(ran: &Ran) -> bool {
    matches!(ran.report.outcome, Outcome::RolledBack | Outcome::Left) && !ran.report.not_issued.is_empty()
}

/// What the runs so far could not have, and had.
#[derive(Default)]
struct Part {
    without: BTreeSet<Address>,
    issued: BTreeSet<Address>,
    errors: Diagnostics,
}

impl Part {
    fn take(&mut self, ran: &mut Ran) {
        self.errors.extend(std::mem::take(&mut ran.report.errors));
        self.issued.extend(ran.orders.difference(&ran.report.not_issued).cloned());
        self.without.append(&mut ran.report.not_issued);
    }

    /// Puts what failed before in front of what failed then.
    fn with(mut self, failure: Failure) -> Failure {
        self.errors.extend(failure.diagnostics);
        Failure { exit: failure.exit, diagnostics: self.errors }
    }

    /// Says how a run has ended after which nothing more could be planned, and why.
    fn failed(self, invocation: &Invocation, ran: Ran, why: Diagnostics) -> Result<Exit, Failure> {
        let mut ended = self.conclude(invocation, ran);
        if let Err(failure) = &mut ended {
            failure.diagnostics.extend(why);
        }
        ended
    }

    fn conclude(mut self, invocation: &Invocation, ran: Ran) -> Result<Exit, Failure> {
        if self.without.is_empty() {
            return conclusion::tell(invocation, ran, "Apply complete!");
        }
        self.issued.extend(ran.orders.difference(&ran.report.not_issued).cloned());
        let (without, issued) = (count(self.without.len()), std::mem::take(&mut self.issued));
        if let Err(failure) = conclusion::tell(invocation, ran, "Applied in part.") {
            return Err(self.with(failure));
        }
        if !issued.is_empty() {
            let issued: Vec<String> = issued.iter().map(ToString::to_string).collect();
            invocation.terminal.line(&format!("Issued: {}", issued.join(", ")));
        }
        let left = Diagnostic::error(format!("{without}; all else is applied")).help(
            "`vsa cert renew`, or its timer, tries again what failed; `vsa cert status` shows how it stands",
        );
        Err(self.with(Failure { exit: Exit::Left, diagnostics: left.into() }))
    }
}

/// How many could not be had.
fn count(certificates: usize) -> String {
    match certificates {
        1 => "a certificate could not be issued".to_owned(),
        some => format!("{some} certificates could not be issued"),
    }
}
