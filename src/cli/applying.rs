//! Applying, for every command that applies.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use clap::{Args, ValueEnum};

use crate::apply::{self, Interrupt, OnFailure, States};
use crate::audit::{Entry, Event};
use crate::config::Declared;
use crate::diag::{Diagnostic, visible};
use crate::host::clock;
use crate::plan::{Action, Mode};
use crate::state::{Key, State};
use crate::store::StateFile;

use super::arguments::LockFlags;
use super::auditing::Auditing;
use super::conclusion::{self, Ran};
use super::planning::{self, Manner, Prepared};
use super::progress::Progress;
use super::{Exit, Failure, Invocation, preflight};

/// How a plan is applied.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ApplyFlags {
    /// Apply without asking
    #[arg(long)]
    pub auto_approve: bool,
    /// What becomes of what succeeded when something else fails before the commit
    #[arg(long, value_enum, default_value_t = FailureFlag::Rollback)]
    pub on_failure: FailureFlag,
    /// How many actions are done at once
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub parallelism: u16,
    /// How long to wait for the state's lock.
    #[command(flatten)]
    pub lock: LockFlags,
}

/// What becomes of what succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailureFlag {
    /// It is taken back
    Rollback,
    /// It is kept, and the state says so
    Keep,
}

/// Shows a plan, asks, and applies it.
pub(crate) fn confirm_and_apply(
    invocation: &Invocation,
    declared: &Declared,
    prepared: Prepared,
    manner: Manner,
    flags: ApplyFlags,
) -> Result<Exit, Failure> {
    confirm(invocation, &prepared, manner, flags)?;
    apply(invocation, declared, prepared, flags)
}

/// Shows a plan, and asks whether to apply it.
///
/// # Errors
/// It is not approved.
pub(crate) fn confirm(
    invocation: &Invocation,
    prepared: &Prepared,
    manner: Manner,
    flags: ApplyFlags,
) -> Result<(), Failure> {
    confirm_unless(invocation, prepared, (manner, flags), &Interrupt::never())
}

/// As [`confirm`], while signals are wishes: one that comes ends the question, too.
///
/// # Errors
/// It is not approved.
pub(crate) fn confirm_unless(
    invocation: &Invocation,
    prepared: &Prepared,
    (manner, flags): (Manner, ApplyFlags),
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let terminal = invocation.terminal;
    planning::remarks(invocation, prepared, manner);
    let plan = &prepared.planned.plan;
    terminal.print(&invocation.plan_text(manner.full).render(plan));
    if !plan.is_empty() && !flags.auto_approve {
        if !terminal.interactive {
            return Err(Diagnostic::error("nobody is there to approve the plan")
                .help("run it with `-auto-approve`, or save a plan with `vsa plan -out FILE` and apply that")
                .into());
        }
        let question = match plan.mode {
            Mode::Normal => "Do you want to perform these actions?",
            Mode::Destroy => "Do you really want to take all of this away?",
        };
        if !terminal.confirm(question, &|| interrupt.is_raised()) {
            return Err(Diagnostic::error("not approved: nothing was changed").into());
        }
    }
    Ok(())
}

/// Keeps the state, with the audit log's head in it.
struct Keeper<'a> {
    file: StateFile,
    /// The fingerprint of the key that fingerprints are made with.
    key: Option<String>,
    auditing: &'a Mutex<Auditing>,
}

#[async_trait]
impl States for Keeper<'_> {
    async fn try_write(&self) -> Result<(), Diagnostic> {
        self.file.try_write().map_err(|error| {
            error
                .diagnostic()
                .help("nothing was done: a state that cannot be kept is found before, not after")
        })
    }

    async fn write(&self, state: &mut State) -> Result<(), Diagnostic> {
        state.serial += 1;
        env!("CARGO_PKG_VERSION").clone_into(&mut state.vsa_version);
        if self.key.is_some() {
            state.key.clone_from(&self.key);
        }
        state.audit = self.auditing.lock().unwrap_or_else(PoisonError::into_inner).head();
        self.file.write(state).map_err(|error| error.diagnostic())
    }
}

/// Applies a plan.
pub(crate) fn apply(
    invocation: &Invocation,
    declared: &Declared,
    prepared: Prepared,
    flags: ApplyFlags,
) -> Result<Exit, Failure> {
    if prepared.planned.plan.is_empty() {
        return Ok(Exit::Done);
    }
    let ran = run(invocation, declared, prepared, flags, interrupt(invocation))?;
    conclusion::tell(invocation, ran, "Apply complete!")
}

/// The wish that what this command does may end early, from now on.
pub(crate) fn interrupt(invocation: &Invocation) -> Interrupt {
    invocation.block_on(async { Interrupt::on_signals().unwrap_or_default() })
}

/// Has a plan made real, unless it is wished that it ends.
///
/// # Errors
/// It cannot be begun.
pub(crate) fn run(
    invocation: &Invocation,
    declared: &Declared,
    prepared: Prepared,
    flags: ApplyFlags,
    interrupt: Interrupt,
) -> Result<Ran, Failure> {
    let terminal = invocation.terminal;
    let Prepared { planned, state, outputs, key } = prepared;
    let plan = planned.plan;
    if let Some(interrupted) = &plan.interrupted {
        let entry = Entry::new(Event::RunInterrupted).detail(interrupted.clone());
        let mut auditing = invocation.auditing.lock().unwrap_or_else(PoisonError::into_inner);
        auditing.append(clock(), &[entry], terminal)?;
    }
    let (counts, mode) = (plan.counts(), plan.mode);
    let is_order = |action: &&Action| action.operation.order().is_some();
    let orders = plan.actions.iter().filter(is_order).map(|action| action.resource.clone()).collect();
    let mut stored = planned.stored;
    let changed = plan.changes.iter().map(|change| (change.address.clone(), stored.remove(&change.address)));
    let run = apply::Run {
        id: invocation.run.clone(),
        journal: invocation.layout.journal(),
        desired: changed.collect(),
        actions: plan.actions,
        nodes: planned.nodes,
        placed: planned.placed,
        secrets: planned.secrets,
        outputs,
        prior: state,
        moves: planned.moves,
        key,
        marker: uuid::Uuid::new_v4().simple().to_string(),
        options: apply::Options {
            parallelism: usize::from(flags.parallelism),
            on_failure: match flags.on_failure {
                FailureFlag::Rollback => OnFailure::Rollback,
                FailureFlag::Keep => OnFailure::Keep,
            },
            ..apply::Options::default()
        },
    };
    let keeper = Keeper {
        file: StateFile::new(&invocation.layout),
        key: run.key.as_ref().map(Key::fingerprint_of_itself),
        auditing: &invocation.auditing,
    };
    let auditing = Arc::clone(&invocation.auditing);
    let progress = Progress::new(terminal, run.actions.len(), move |entries: Vec<Entry>| {
        let mut auditing = auditing.lock().unwrap_or_else(PoisonError::into_inner);
        auditing.record(clock(), entries, terminal);
    });
    let host = Arc::clone(&invocation.host);
    let run = Arc::new(run);
    let running = apply::run(host, Arc::clone(&run), Arc::new(progress), &keeper, interrupt);
    let mut report = invocation.block_on(running);
    let errors = std::mem::take(&mut report.errors);
    report.errors = preflight::explained(errors, &run, &declared.resources, invocation);
    for warning in &report.warnings {
        terminal.note(&format!("nginx: {}", visible(warning)));
    }
    terminal.diagnostics(&report.remarks, &invocation.sources.borrow());
    Ok(Ran { report, orders, counts, mode, on_failure: flags.on_failure })
}
