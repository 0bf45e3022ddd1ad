//! A run: the four phases of an apply, from the first record of its journal to the last.
//!
//! | module | what |
//! |---|---|
//! | `ready` | what preflight makes ready: locks, and candidates that nginx has accepted |
//! | `phase` | the actions of a phase, each after those that it needs |
//! | `base` | a generation that goes live in prepare, to answer for what authorities look at |
//! | `commit` | prepare and switch, up to the commit |
//! | `undo` | the way back from a failure before it |

mod base;
mod commit;
mod phase;
mod ready;
mod undo;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ready::Ready;

use super::compose::Tool;
use super::events::{Event, Events};
use super::issuance::{Gone, Issuance};
use super::journal::{self, Before, Header, Journal, NodeFacts, Record, VERSION};
use super::masks::Masks;
use super::operations::{Issues, Withheld};
use super::switch::Switched;
use super::{Interrupt, Interrupted, Outcome, Report, Run, States};
use crate::address::Address;
use crate::diag::Diagnostic;
use crate::host::{Host, pause};
use crate::plan::{Action, NodeSpec, Operation, Phase};
use crate::state::State;

/// Makes a plan real.
pub async fn run(
    host: Arc<dyn Host>,
    run: Arc<Run>,
    events: Arc<dyn Events>,
    states: &dyn States,
    interrupt: Interrupt,
) -> Report {
    pause::phase("preflight");
    let mut report = Report {
        outcome: Outcome::Refused,
        state: run.prior.clone(),
        errors: Vec::new(),
        warnings: Vec::new(),
        remarks: Vec::new(),
        kept: Vec::new(),
        not_issued: BTreeSet::new(),
    };
    let (work, interrupted) = match begin(&host, &run, &events, states, interrupt).await {
        Ok(begun) => begun,
        Err(error) => {
            report.errors.push(error);
            events.event(Event::Ended(&report.outcome));
            return report;
        }
    };
    match Ready::make(&*host, &run, &*events, interrupted.as_ref(), &mut report.warnings).await {
        Ok(mut ready) => {
            work.all(&mut ready, states, &mut report).await;
            report.kept = std::mem::take(&mut *work.kept.lock().unwrap_or_else(PoisonError::into_inner));
            report.remarks = std::mem::take(&mut *work.warned.lock().unwrap_or_else(PoisonError::into_inner));
            if report.outcome == Outcome::RolledBack {
                let left = ready.abandon(&*host).await;
                if !left.is_empty() {
                    report.outcome = Outcome::Left;
                    report.errors.extend(left);
                }
            }
        }
        Err(error) => {
            report.errors.push(error);
            report.errors.extend(work.end_journal().err());
        }
    }
    events.event(Event::Ended(&report.outcome));
    report
}

/// Begins the journal, before anything is touched: it alone knows the lineage of a first run. What an interrupted
/// run's journal told must stand in the state before that journal goes.
async fn begin(
    host: &Arc<dyn Host>,
    run: &Arc<Run>,
    events: &Arc<dyn Events>,
    states: &dyn States,
    interrupt: Interrupt,
) -> Result<(Work, Option<Interrupted>), Diagnostic> {
    let mut prior = run.prior.clone();
    states.try_write().await?;
    let interrupted = journal::read(&run.journal)?;
    if interrupted.is_some() {
        pause_around(states.write(&mut prior)).await?;
    }
    let journal = Journal::begin(&run.journal, header(run, host.now().await))?;
    let work = Work {
        host: Arc::clone(host),
        run: Arc::clone(run),
        events: Arc::clone(events),
        interrupt,
        journal: Arc::new(Mutex::new(journal)),
        begun: Mutex::default(),
        serial: AtomicU64::new(prior.serial),
        not_put_back: AtomicBool::new(false),
        kept: Mutex::default(),
        warned: Mutex::default(),
        tool: Arc::default(),
        issues: Arc::default(),
        withheld: Arc::default(),
        issuance: Arc::new(Issuance::new(Arc::clone(host)).without(gone(run))),
        masks: Arc::new(Masks::of(run.secrets.values().flat_map(std::collections::BTreeMap::values))),
        based: Mutex::default(),
        not_issued: Mutex::default(),
    };
    Ok((work, interrupted))
}

/// The certificates that go.
fn gone(run: &Run) -> Gone {
    let mut gone = Gone::new();
    for action in &run.actions {
        if let Operation::RemoveCertificate { directory } = &action.operation {
            let name = NodeSpec::certificate_name(directory).to_owned();
            gone.entry(action.node.clone()).or_default().insert(name);
        }
    }
    gone
}

fn header(run: &Run, started: i64) -> Header {
    let facts = |work: &crate::plan::NodeWork| NodeFacts {
        spec: work.node.spec.clone(),
        nginx: work.node.nginx.clone(),
    };
    Header {
        version: VERSION,
        run: run.id.clone(),
        started,
        lineage: run.prior.lineage.clone(),
        serial: run.prior.serial,
        moves: run.moves.clone(),
        actions: run.actions.clone(),
        desired: run.desired.clone(),
        nodes: run.nodes.iter().map(|(node, work)| (node.clone(), facts(work))).collect(),
        outputs: run.outputs.clone(),
    }
}

fn spec<'a>(run: &'a Run, node: &Address) -> Option<&'a NodeSpec> {
    let wanted = run.nodes.get(node).map(|work| &work.node.spec);
    wanted.or_else(|| run.prior.nodes.get(node).map(|stored| &stored.spec))
}

/// An action by its id, which is its place in a plan.
pub(super) fn action(actions: &[Action], id: u32) -> Option<&Action> {
    let placed = usize::try_from(id).ok().and_then(|place| actions.get(place));
    placed.filter(|action| action.id == id).or_else(|| actions.iter().find(|action| action.id == id))
}

/// A run under way.
struct Work {
    host: Arc<dyn Host>,
    run: Arc<Run>,
    events: Arc<dyn Events>,
    interrupt: Interrupt,
    journal: Arc<Mutex<Journal>>,
    /// Actions whose intent is recorded, with what was there before, in their order.
    begun: Mutex<Vec<(u32, Before)>>,
    /// The serial of the state that was written last.
    serial: AtomicU64,
    /// Whether a switch failed and could not be taken back by itself.
    not_put_back: AtomicBool,
    /// What a deletion left, because it is not vsa's to delete.
    kept: Mutex<Vec<std::path::PathBuf>>,
    /// What went wrong beside actions that are done.
    warned: Mutex<Vec<Diagnostic>>,
    tool: Arc<Tool>,
    issues: Arc<Issues>,
    withheld: Arc<Withheld>,
    issuance: Arc<Issuance>,
    masks: Arc<Masks>,
    /// The generations that went live in prepare.
    based: Mutex<Vec<(Address, Switched)>>,
    /// What no authority issued.
    not_issued: Mutex<BTreeSet<Address>>,
}

impl Work {
    fn record(&self, records: &[Record], sync: bool) -> Result<(), Diagnostic> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).append(records, sync)
    }

    fn end_journal(&self) -> Result<(), Diagnostic> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).end()
    }

    fn state(&self) -> State {
        let mut state = self.run.prior.clone();
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).fold(&mut state);
        state.serial = self.serial.load(Ordering::SeqCst);
        state
    }

    /// Folds what has happened into the state, and stores it.
    async fn write_state(&self, states: &dyn States) -> (State, Result<(), Diagnostic>) {
        let mut state = self.state();
        let written = pause_around(states.write(&mut state)).await;
        if written.is_ok() {
            self.serial.store(state.serial, Ordering::SeqCst);
        }
        (state, written)
    }

    fn action(&self, id: u32) -> Option<&Action> {
        action(&self.run.actions, id)
    }

    /// Removes the former files that an undo would have needed: there will be none. One that stays is removed by the next write.
    async fn forget_former_files(&self) {
        let removals = ready::former_files(self.run.actions.iter(), |node| spec(&self.run, node));
        if !removals.is_empty() {
            let _ = self.host.files(removals).await;
        }
    }

    /// What is left of the run after preflight.
    async fn all(&self, ready: &mut Ready, states: &dyn States, report: &mut Report) {
        let mut switched = Vec::new();
        let before_commit = self.until_commit(ready, &mut switched, report).await;
        if let Err(error) = before_commit {
            report.errors.insert(0, error);
            self.give_way(switched, report).await;
            self.end(states, report).await;
            return;
        }
        self.events.event(Event::Committed);
        report.outcome = Outcome::Done;
        let (state, written) = self.write_state(states).await;
        report.state = state;
        let folded = written.is_ok();
        if let Err(error) = written {
            // The journal holds all of it: the next run folds it in.
            report.errors.push(error);
            report.outcome = Outcome::Left;
        }
        for (node, switched) in &switched {
            if let (Some(spec), Some(old)) = (spec(&self.run, node), &switched.old) {
                self.events.event(Event::Draining { node, workers: old.workers() });
                super::Proxy::new(&*self.host, spec).drain(old).await;
            }
        }
        self.forget_former_files().await;
        pause::phase("clean_up");
        self.events.event(Event::Phase(Phase::CleanUp));
        if folded && self.run.actions.iter().all(|action| action.phase != Phase::CleanUp) {
            // The state that was written at the commit is the last one.
            report.close(self.end_journal());
            return;
        }
        let failed = self.phase(Phase::CleanUp, false).await;
        if !failed.is_empty() {
            report.outcome = Outcome::Left;
            report.errors.extend(failed);
        }
        self.end(states, report).await;
    }

    /// Folds the journal into the state for the last time.
    async fn end(&self, states: &dyn States, report: &mut Report) {
        // What authorities know outlasts the run: its node stays this state's.
        if report.outcome == Outcome::RolledBack && !self.issuance.lasts() {
            report.state = self.state();
        } else {
            let (state, written) = self.write_state(states).await;
            report.state = state;
            if let Err(error) = written {
                report.errors.push(error);
                report.outcome = Outcome::Left;
                return;
            }
        }
        report.close(self.end_journal());
    }
}

fn failure(action: u32, error: &Diagnostic) -> Record {
    Record::Failed { action, reason: error.summary.clone() }
}

async fn pause_around<T>(change: impl Future<Output = T>) -> T {
    pause::before();
    let result = change.await;
    pause::after();
    result
}
