//! The actions of a phase: each after those that it needs, and no more at once than the run allows.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, PoisonError};

use tokio::task::JoinSet;

use super::ready::former_files;
use super::{Work, action, failure, spec};
use crate::apply::events::Event;
use crate::apply::journal::{Before, Facts, Record};
use crate::apply::operations::{self, Context};
use crate::diag::Diagnostic;
use crate::plan::{Action, Phase};
use crate::state::State;

/// How many intents are made durable at once.
const CHUNK: usize = 256;

/// An action that was done or failed, and how long that took.
pub(super) type Performed = (u32, std::time::Duration, Result<Facts, Diagnostic>);

/// The orders at authorities, and all that they need.
fn for_orders(actions: &[&Action]) -> HashSet<u32> {
    let by_id: HashMap<u32, &Action> = actions.iter().map(|action| (action.id, *action)).collect();
    let orders = actions.iter().filter(|action| action.operation.order().is_some());
    let mut pending: Vec<&Action> = orders.copied().collect();
    let mut needed = HashSet::new();
    while let Some(action) = pending.pop() {
        if needed.insert(action.id) {
            pending.extend(action.needs.iter().filter_map(|need| by_id.get(need)).copied());
        }
    }
    needed
}

impl Work {
    /// Does the actions of a phase, each after those that it needs; says what failed. With `stop`, nothing new is
    /// begun after a failure or a wish to end; but what authorities are asked for is asked for, where nothing failed but
    /// such orders: what they issue stays, and one run tells of all names that cannot be had.
    pub(super) async fn phase(&self, phase: Phase, stop: bool) -> Vec<Diagnostic> {
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
        let for_orders = for_orders(&actions);
        let state = Arc::new(if phase == Phase::CleanUp { self.state() } else { self.run.prior.clone() });
        let mut intended: VecDeque<(u32, Before)> = VecDeque::new();
        let mut running = JoinSet::new();
        let mut failed = Vec::new();
        // Those of `failed` that are orders; from the first one on, nothing is begun but what orders need.
        let mut orders = 0;
        let parallelism = self.run.options.parallelism.max(1);
        loop {
            let stopped = stop && (failed.len() > orders || self.interrupt.is_raised());
            if !stopped && intended.is_empty() && !ready.is_empty() && running.len() < parallelism {
                let chunk: Vec<u32> = ready.drain(..ready.len().min(CHUNK)).collect();
                match self.intend(&chunk).await {
                    Ok(new) => intended.extend(new),
                    Err(error) => failed.push(error),
                }
                continue;
            }
            let (mut switched, mut not_put_back) = (None, None);
            while !stopped && running.len() < parallelism {
                let Some((id, before)) = intended.pop_front() else { break };
                if self.action(id).is_some_and(|action| action.operation.generation().is_some()) {
                    let (performed, left) = self.base(id).await;
                    (switched, not_put_back) = (Some(performed), left);
                    break;
                }
                self.spawn(&mut running, id, before, &state);
            }
            let (id, took, result) = match switched {
                Some(switched) => switched,
                None => match running.join_next().await {
                    None => break,
                    Some(Ok(done)) => done,
                    Some(Err(_)) => {
                        failed.push(Diagnostic::error("an action was given up"));
                        continue;
                    }
                },
            };
            let Some(action) = self.action(id) else { continue };
            match result {
                Ok(mut facts) => {
                    self.keep(facts.get("kept"));
                    if let Some(remark) = operations::remark(&mut facts) {
                        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
                        warned.push(remark.on(&action.resource));
                    }
                    if let Err(error) = self.record(&[Record::Done { action: id, facts }], false) {
                        failed.push(error);
                    }
                    self.events.event(Event::Done { action, took });
                    for next in then.remove(&id).unwrap_or_default() {
                        let left = waiting.entry(next).or_default();
                        *left = left.saturating_sub(1);
                        if *left == 0 && (!stop || orders == 0 || for_orders.contains(&next)) {
                            ready.push_back(next);
                        }
                    }
                }
                Err(error) => {
                    let error = if error.address.is_some() { error } else { error.on(&action.resource) };
                    self.events.event(Event::Failed { action, error: &error });
                    failed.extend(self.record(&[failure(id, &error)], false).err());
                    failed.push(error);
                    failed.extend(not_put_back);
                    if action.operation.order().is_some() {
                        if stop && orders == 0 {
                            ready.retain(|id| for_orders.contains(id));
                            intended.retain(|(id, _)| for_orders.contains(id));
                        }
                        orders += 1;
                        self.not_issued
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .insert(action.resource.clone());
                    }
                }
            }
        }
        failed
    }

    /// Takes note of what an action left: one path, or several.
    fn keep(&self, left: Option<&serde_json::Value>) {
        let paths = match left {
            Some(serde_json::Value::Array(paths)) => paths.iter().collect(),
            Some(path) => vec![path],
            None => Vec::new(),
        };
        let paths = paths.into_iter().filter_map(serde_json::Value::as_str).map(Into::into);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).extend(paths);
    }

    /// Records what is about to be done, and what is there before. A former file that is found later is this run's own:
    /// one that another run left goes first.
    async fn intend(&self, ids: &[u32]) -> Result<Vec<(u32, Before)>, Diagnostic> {
        let actions: Vec<&Action> = ids.iter().filter_map(|id| self.action(*id)).collect();
        let stale = former_files(actions.iter().copied(), |node| super::spec(&self.run, node));
        if !stale.is_empty() {
            self.host.files(stale).await?;
        }
        let before =
            operations::before(&*self.host, &self.run.prior, |node| spec(&self.run, node), &actions).await;
        let pairs: Vec<(u32, Before)> = actions.iter().map(|action| action.id).zip(before).collect();
        let intents = pairs.iter().map(|(id, before)| Record::Intent { action: *id, before: before.clone() });
        self.record(&intents.collect::<Vec<_>>(), true)?;
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).extend(pairs.iter().cloned());
        Ok(pairs)
    }

    fn spawn(&self, running: &mut JoinSet<Performed>, id: u32, before: Before, state: &Arc<State>) {
        let (host, run, state) = (Arc::clone(&self.host), Arc::clone(&self.run), Arc::clone(state));
        let (tool, issues) = (Arc::clone(&self.tool), Arc::clone(&self.issues));
        let withheld = Arc::clone(&self.withheld);
        let (issuance, journal) = (Arc::clone(&self.issuance), Arc::clone(&self.journal));
        let masks = Arc::clone(&self.masks);
        let events = Arc::clone(&self.events);
        if let Some(action) = self.action(id) {
            self.events.event(Event::Begun(action));
        }
        running.spawn(async move {
            let since = host.elapsed();
            let action = action(&run.actions, id);
            let result = match action.and_then(|action| Some((action, spec(&run, &action.node)?))) {
                Some((action, spec)) => {
                    let placed = &run.placed;
                    let (state, tool, issues, withheld) = (&*state, &*tool, &*issues, &*withheld);
                    let told = |service: &str, state: &str| {
                        events.event(Event::Service { action, service, state });
                    };
                    let note = |facts: Facts| {
                        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                        journal.append(&[Record::Noted { action: action.id, facts }], true)
                    };
                    let nothing = BTreeMap::new();
                    let context = Context {
                        host: &*host,
                        spec,
                        resource: &action.resource,
                        state,
                        placed,
                        tool,
                        issues,
                        withheld,
                        issuance: &issuance,
                        secrets: run.secrets.get(&action.resource).unwrap_or(&nothing),
                        masks: &masks,
                        note: &note,
                        told: &told,
                    };
                    operations::perform(context, &action.operation, &before).await
                }
                None => Err(Diagnostic::error("an action is of a node that is not known")),
            };
            (id, host.elapsed().saturating_sub(since), result)
        });
    }
}
