//! The four phases of an apply, and the way back.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::events::{Event, Events};
use super::generation::{self, Candidate, Place};
use super::journal::{self, Before, Facts, Header, Journal, NodeFacts, Record, VERSION};
use super::lock::{self, NodeLock};
use super::operations::{self, Context};
use super::switch::{self, Switched};
use super::{Interrupt, Interrupted, OnFailure, Outcome, Report, Run, States, Tested, passwords, preflight};
use crate::address::Address;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host, pause};
use crate::plan::observation::FileType;
use crate::plan::{Action, Answer, NodeSpec, Operation, Phase, Query};
use crate::state::{State, StoredNode};
use crate::value::Secret;

/// How many intents are made durable at once.
const CHUNK: usize = 256;

type Secrets = BTreeMap<Arc<str>, Secret>;

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
        kept: Vec::new(),
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
        journal: Mutex::new(journal),
        begun: Mutex::default(),
        serial: AtomicU64::new(prior.serial),
        not_put_back: AtomicBool::new(false),
        kept: Mutex::default(),
    };
    Ok((work, interrupted))
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

/// What preflight made ready.
struct Ready {
    locks: BTreeMap<Address, NodeLock>,
    candidates: BTreeMap<Address, Candidate>,
}

impl Ready {
    async fn make(
        host: &dyn Host,
        run: &Run,
        events: &dyn Events,
        interrupted: Option<&Interrupted>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, Diagnostic> {
        let mut ready = Self { locks: BTreeMap::new(), candidates: BTreeMap::new() };
        match ready.fill(host, run, events, interrupted, warnings).await {
            Ok(()) => Ok(ready),
            Err(error) => {
                // What could not be tidied up is made again, from nothing, by the next run.
                let _ = ready.abandon(host).await;
                Err(error)
            }
        }
    }

    async fn fill(
        &mut self,
        host: &dyn Host,
        run: &Run,
        events: &dyn Events,
        interrupted: Option<&Interrupted>,
        warnings: &mut Vec<String>,
    ) -> Result<(), Diagnostic> {
        let nodes: BTreeSet<&Address> = run.actions.iter().map(|action| &action.node).collect();
        for node in nodes {
            let Some(spec) = spec(run, node) else { continue };
            self.locks.insert(node.clone(), NodeLock::take(host, spec, &run.prior.lineage).await?);
        }
        for (node, facts) in interrupted.into_iter().flat_map(|interrupted| &interrupted.header.nodes) {
            let spec = &facts.spec;
            let owner = lock::owner(host, spec).await?;
            if owner.is_none_or(|owner| owner.lineage != run.prior.lineage) {
                continue;
            }
            if !self.locks.contains_key(node) {
                self.locks.insert(node.clone(), NodeLock::take(host, spec, &run.prior.lineage).await?);
            }
            let live = run.prior.nodes.get(node).map_or(0, |stored| stored.generation);
            tidy(host, spec, live).await?;
            let header = interrupted.map(|interrupted| &interrupted.header);
            let left = header.into_iter().flat_map(|header| &header.actions);
            for action in left.filter(|action| action.node == *node && live > 0) {
                if let Operation::PruneGenerations { keep, .. } = action.operation {
                    let context = Context { host, spec, state: &run.prior };
                    let prune = Operation::PruneGenerations { live, keep };
                    operations::perform(context, &prune, &Before::default()).await?;
                }
            }
        }
        events.event(Event::Started { run: &run.id, actions: run.actions.len() });
        for action in &run.actions {
            let Operation::SwitchGeneration { number, .. } = action.operation else { continue };
            let Some(work) = run.nodes.get(&action.node) else { continue };
            let spec = &work.node.spec;
            refuse_live_number(host, spec, number).await?;
            events.event(Event::Testing { node: &action.node, files: work.files.files.len() });
            let stored = run.prior.nodes.get(&action.node);
            let place = Place::in_root(spec);
            let candidate = Candidate::make(host, work, stored, number, &run.marker, place).await?;
            let tested = preflight::test(host, work, &candidate).await;
            self.candidates.insert(action.node.clone(), candidate);
            let tested = tested?;
            if let Some(error) = preflight::refusal(spec, &tested) {
                return Err(error);
            }
            if let Tested::Passed { warnings: new } = tested {
                warnings.extend(new);
            }
        }
        Ok(())
    }

    /// Leaves the nodes as they were found; says what is left.
    async fn abandon(&mut self, host: &dyn Host) -> Vec<Diagnostic> {
        let mut left = Vec::new();
        for candidate in std::mem::take(&mut self.candidates).into_values() {
            left.extend(candidate.discard(host).await.err());
        }
        for lock in std::mem::take(&mut self.locks).into_values() {
            left.extend(lock.give_up(host).await.err());
        }
        left
    }
}

/// Removes what a killed run left that nobody will ask for: its candidate, and generations above the live one that
/// never became current.
async fn tidy(host: &dyn Host, spec: &NodeSpec, live: u64) -> Result<(), Diagnostic> {
    let generations = spec.root.join("generations");
    let answers = host.observe(&[Query::Entries(generations.clone()), Query::Stat(spec.current())]).await;
    let current = match answers.get(1) {
        Some(Answer::Stat(stat)) => match &stat.file_type {
            FileType::Link(target) => target.file_name().map(|name| name.to_string_lossy().into_owned()),
            _ => None,
        },
        _ => None,
    };
    let mut operations =
        vec![FileOperation::RemoveTree { root: spec.root.clone(), path: spec.root.join("candidate") }];
    if let Some(Answer::Entries(entries)) = answers.first() {
        let left = entries.keys().filter(|name| {
            name.parse::<u64>().is_ok_and(|number| number > live) && current.as_ref() != Some(name)
        });
        operations.extend(left.map(|name| FileOperation::RemoveTree {
            root: generations.clone(),
            path: generations.join(name),
        }));
    }
    Ok(host.files(operations).await?)
}

/// A generation that may be live is never written over.
async fn refuse_live_number(host: &dyn Host, spec: &NodeSpec, number: u64) -> Result<(), Diagnostic> {
    let current = host.observe(&[Query::Stat(spec.current())]).await.pop();
    let live = std::path::Path::new("generations").join(number.to_string());
    match current {
        Some(Answer::Stat(stat)) if stat.file_type == FileType::Link(live) => {
            Err(Diagnostic::error(format!("generation {number} of {} is live already", spec.address))
                .help("plan again: the next generation must have a higher number")
                .on(&spec.address))
        }
        _ => Ok(()),
    }
}

/// A run under way.
struct Work {
    host: Arc<dyn Host>,
    run: Arc<Run>,
    events: Arc<dyn Events>,
    interrupt: Interrupt,
    journal: Mutex<Journal>,
    /// Actions whose intent is recorded, with what was there before, in their order.
    begun: Mutex<Vec<(u32, Before)>>,
    /// The serial of the state that was written last.
    serial: AtomicU64,
    /// Whether a switch failed and could not be taken back by itself.
    not_put_back: AtomicBool,
    /// What a deletion left, because it is not vsa's to delete.
    kept: Mutex<Vec<std::path::PathBuf>>,
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

    async fn until_commit(
        &self,
        ready: &mut Ready,
        switched: &mut Vec<(Address, Switched)>,
        report: &mut Report,
    ) -> Result<(), Diagnostic> {
        pause::phase("prepare");
        self.events.event(Event::Phase(Phase::Prepare));
        let hashing: Vec<_> =
            ready.candidates.iter().map(|(node, candidate)| self.hash(node, candidate)).collect();
        let mut failed = self.phase(Phase::Prepare, true).await;
        let mut secrets: BTreeMap<Address, Secrets> = BTreeMap::new();
        for (node, hashing) in hashing {
            match hashing.await.unwrap_or_else(|_| Err(Diagnostic::error("hashing passwords was given up"))) {
                Ok(texts) => {
                    secrets.insert(node, texts);
                }
                Err(error) => failed.push(error),
            }
        }
        self.refuse_interrupt(&mut failed);
        if !failed.is_empty() {
            let first = failed.remove(0);
            report.errors.extend(failed);
            return Err(first);
        }
        pause::phase("switch");
        self.events.event(Event::Phase(Phase::Switch));
        let mut actions: Vec<&Action> =
            self.run.actions.iter().filter(|action| action.phase == Phase::Switch).collect();
        actions.sort_by(|a, b| a.node.cmp(&b.node).then(a.id.cmp(&b.id)));
        for action in actions {
            self.record(&[Record::Intent { action: action.id, before: Before::default() }], true)?;
            self.begun.lock().unwrap_or_else(PoisonError::into_inner).push((action.id, Before::default()));
            self.events.event(Event::Begun(action));
            let since = self.host.elapsed();
            let candidate = ready.candidates.remove(&action.node);
            let texts = secrets.remove(&action.node).unwrap_or_default();
            match self.switch(action, candidate, &texts, report).await {
                Ok(done) => switched.extend(done.map(|done| (action.node.clone(), done))),
                Err(error) => {
                    self.events.event(Event::Failed { action, error: &error });
                    self.record(&[failure(action.id, &error)], false)?;
                    return Err(error);
                }
            }
            let took = self.host.elapsed().saturating_sub(since);
            self.events.event(Event::Done { action, took });
        }
        let mut failed = Vec::new();
        self.refuse_interrupt(&mut failed);
        failed.pop().map_or(Ok(()), Err)?;
        self.record(&[Record::Commit], true)
    }

    fn refuse_interrupt(&self, failed: &mut Vec<Diagnostic>) {
        if failed.is_empty() && self.interrupt.is_raised() {
            failed.push(Diagnostic::error("the run was interrupted").code("interrupted"));
        }
    }

    fn hash(
        &self,
        node: &Address,
        candidate: &Candidate,
    ) -> (Address, tokio::task::JoinHandle<Result<Secrets, Diagnostic>>) {
        let passwords = generation::password_count(candidate);
        if passwords > 0 {
            self.events.event(Event::Hashing { passwords });
        }
        let (sealed, run) = (candidate.sealed().clone(), Arc::clone(&self.run));
        (node.clone(), tokio::task::spawn_blocking(move || passwords::texts(&sealed, run.key.as_ref())))
    }

    /// One node's switch.
    async fn switch(
        &self,
        action: &Action,
        candidate: Option<Candidate>,
        secrets: &Secrets,
        report: &mut Report,
    ) -> Result<Option<Switched>, Diagnostic> {
        let host = &*self.host;
        let done = |records: Vec<Record>| {
            let done = Record::Done { action: action.id, facts: Facts::new() };
            self.record(&records.into_iter().chain([done]).collect::<Vec<_>>(), true)
        };
        let (Some(mut candidate), Some(work)) = (candidate, self.run.nodes.get(&action.node)) else {
            if let Some(spec) = spec(&self.run, &action.node) {
                switch::retire(host, spec).await?;
            }
            return done(Vec::new()).map(|()| None);
        };
        let spec = &work.node.spec;
        if candidate.uses_placeholders() {
            // The test saw a placeholder where there is a real certificate now: all else it has seen.
            candidate.certify(host).await?;
            let tested = preflight::test(host, work, &candidate).await?;
            if let Some(error) = preflight::refusal(spec, &tested) {
                return Err(error);
            }
        }
        let next = candidate.settle(host, work, self.run.prior.nodes.get(&action.node), secrets).await?;
        let give_up = || self.interrupt.is_raised();
        let switched = match switch::switch(host, &next, give_up).await {
            Ok(switched) => switched,
            Err((error, left)) => {
                self.not_put_back.fetch_or(left.is_some(), Ordering::SeqCst);
                report.errors.extend(left);
                return Err(error);
            }
        };
        let generation = next.generation;
        done(vec![Record::Live { node: action.node.clone(), live: Box::new(next) }])?;
        self.events.event(Event::Live { node: &action.node, generation });
        Ok(Some(switched))
    }

    /// Does the actions of a phase, each after those that it needs; says what failed. With `stop`, nothing new is
    /// begun after a failure or a wish to end.
    async fn phase(&self, phase: Phase, stop: bool) -> Vec<Diagnostic> {
        let actions: Vec<&Action> = self.run.actions.iter().filter(|action| action.phase == phase).collect();
        let inside: HashSet<u32> = actions.iter().map(|action| action.id).collect();
        let mut waiting: HashMap<u32, usize> = HashMap::new();
        let mut then: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut ready = VecDeque::new();
        for action in &actions {
            let needs: HashSet<u32> =
                action.needs.iter().copied().filter(|need| inside.contains(need)).collect();
            if needs.is_empty() {
                ready.push_back(action.id);
            }
            waiting.insert(action.id, needs.len());
            for need in needs {
                then.entry(need).or_default().push(action.id);
            }
        }
        let state = Arc::new(if phase == Phase::CleanUp { self.state() } else { self.run.prior.clone() });
        let mut intended: VecDeque<(u32, Before)> = VecDeque::new();
        let mut running = JoinSet::new();
        let mut failed = Vec::new();
        let parallelism = self.run.options.parallelism.max(1);
        loop {
            let stopped = stop && (!failed.is_empty() || self.interrupt.is_raised());
            if !stopped && intended.is_empty() && !ready.is_empty() && running.len() < parallelism {
                let chunk: Vec<u32> = ready.drain(..ready.len().min(CHUNK)).collect();
                match self.intend(&chunk).await {
                    Ok(new) => intended.extend(new),
                    Err(error) => failed.push(error),
                }
                continue;
            }
            while !stopped && running.len() < parallelism {
                let Some((id, before)) = intended.pop_front() else { break };
                self.spawn(&mut running, id, before, &state);
            }
            let Some(joined) = running.join_next().await else { break };
            let Ok((id, took, result)) = joined else {
                failed.push(Diagnostic::error("an action was given up"));
                continue;
            };
            let Some(action) = self.action(id) else { continue };
            match result {
                Ok(facts) => {
                    if let Some(path) = facts.get("kept").and_then(serde_json::Value::as_str) {
                        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(path.into());
                    }
                    if let Err(error) = self.record(&[Record::Done { action: id, facts }], false) {
                        failed.push(error);
                    }
                    self.events.event(Event::Done { action, took });
                    for next in then.remove(&id).unwrap_or_default() {
                        let left = waiting.entry(next).or_default();
                        *left = left.saturating_sub(1);
                        if *left == 0 {
                            ready.push_back(next);
                        }
                    }
                }
                Err(error) => {
                    let error = if error.address.is_some() { error } else { error.on(&action.resource) };
                    self.events.event(Event::Failed { action, error: &error });
                    failed.extend(self.record(&[failure(id, &error)], false).err());
                    failed.push(error);
                }
            }
        }
        failed
    }

    /// Records what is about to be done, and what is there before.
    async fn intend(&self, ids: &[u32]) -> Result<Vec<(u32, Before)>, Diagnostic> {
        let actions: Vec<&Action> = ids.iter().filter_map(|id| self.action(*id)).collect();
        let before = operations::before(&*self.host, &actions).await;
        let pairs: Vec<(u32, Before)> = actions.iter().map(|action| action.id).zip(before).collect();
        let intents = pairs.iter().map(|(id, before)| Record::Intent { action: *id, before: before.clone() });
        self.record(&intents.collect::<Vec<_>>(), true)?;
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).extend(pairs.iter().cloned());
        Ok(pairs)
    }

    fn spawn(
        &self,
        running: &mut JoinSet<(u32, std::time::Duration, Result<Facts, Diagnostic>)>,
        id: u32,
        before: Before,
        state: &Arc<State>,
    ) {
        let (host, run, state) = (Arc::clone(&self.host), Arc::clone(&self.run), Arc::clone(state));
        if let Some(action) = self.action(id) {
            self.events.event(Event::Begun(action));
        }
        running.spawn(async move {
            let since = host.elapsed();
            let action = action(&run.actions, id);
            let result = match action.and_then(|action| Some((action, spec(&run, &action.node)?))) {
                Some((action, spec)) => {
                    let context = Context { host: &*host, spec, state: &state };
                    operations::perform(context, &action.operation, &before).await
                }
                None => Err(Diagnostic::error("an action is of a node that is not known")),
            };
            (id, host.elapsed().saturating_sub(since), result)
        });
    }

    /// After a failure before the commit: takes back what was done, or keeps it.
    async fn give_way(&self, switched: Vec<(Address, Switched)>, report: &mut Report) {
        if self.run.options.on_failure == OnFailure::Keep && switched.is_empty() {
            report.outcome = Outcome::Left;
            return;
        }
        let mut whole = !self.not_put_back.load(Ordering::SeqCst);
        report.outcome = Outcome::RolledBack;
        let begun = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        for (id, before) in begun.iter().rev() {
            let Some(action) = self.action(*id) else { continue };
            let result = match self.undo(action, before, &switched).await {
                Ok(()) => self.record(&[Record::Undone { action: *id }], true),
                Err(error) => Err(error),
            };
            match result {
                Ok(()) => self.events.event(Event::Undone { action }),
                Err(error) => {
                    self.events.event(Event::NotUndone { action, error: &error });
                    report.errors.push(error);
                    whole = false;
                }
            }
        }
        if !whole {
            report.outcome = Outcome::Left;
        }
    }

    async fn undo(
        &self,
        action: &Action,
        before: &Before,
        switched: &[(Address, Switched)],
    ) -> Result<(), Diagnostic> {
        let host = &*self.host;
        let Some(spec) = spec(&self.run, &action.node) else { return Ok(()) };
        match action.operation {
            Operation::SwitchGeneration { number, .. } => {
                if let Some((_, done)) = switched.iter().find(|(node, _)| *node == action.node) {
                    switch::switch_back(host, spec, done).await?;
                }
                let generation = FileOperation::RemoveTree {
                    root: spec.root.join("generations"),
                    path: spec.generation(number),
                };
                Ok(host.files(vec![generation]).await?)
            }
            Operation::RetireProxy { .. } => {
                let former: Option<&StoredNode> = self.run.prior.nodes.get(&action.node);
                match former {
                    Some(former) => switch::unretire(host, former).await,
                    None => Ok(()),
                }
            }
            _ => {
                let context = Context { host, spec, state: &self.run.prior };
                operations::undo(context, action, before).await
            }
        }
    }

    /// Folds the journal into the state for the last time.
    async fn end(&self, states: &dyn States, report: &mut Report) {
        if report.outcome == Outcome::RolledBack {
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
