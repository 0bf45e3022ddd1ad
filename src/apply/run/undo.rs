//! The way back from a failure before the commit.

use std::collections::{BTreeMap, HashSet};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::{Work, spec};
use crate::address::Address;
use crate::apply::events::Event;
use crate::apply::generation;
use crate::apply::journal::{Before, Record};
use crate::apply::operations::{self, Context};
use crate::apply::switch::{self, Switched};
use crate::apply::{OnFailure, Outcome, Report};
use crate::diag::Diagnostic;
use crate::host::FileOperation;
use crate::plan::{Action, Operation, Phase, Undo};
use crate::state::StoredNode;

impl Work {
    /// After a failure before the commit: takes back what was done, or keeps it.
    pub(super) async fn give_way(&self, switched: Vec<(Address, Switched)>, report: &mut Report) {
        let mut begun = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        if self.run.options.on_failure == OnFailure::Keep {
            report.outcome = Outcome::Left;
            let places = self.places(&switched);
            begun.retain(|(id, _)| places.contains(id));
            self.take_back(&begun, &switched, report).await;
            self.forget_former_files().await;
            return;
        }
        let is_put_back = !self.not_put_back.load(Ordering::SeqCst);
        if self.take_back(&begun, &switched, report).await && is_put_back {
            report.outcome = Outcome::RolledBack;
        } else {
            report.outcome = Outcome::Left;
            report.not_issued.clear();
        }
    }

    /// What is taken back of a run that is kept: nodes that gave way to others are there again, and what answers in their
    /// place is not, as long as none of these others serves what it should.
    fn places(&self, switched: &[(Address, Switched)]) -> HashSet<u32> {
        let actions = &self.run.actions;
        let mut places = HashSet::new();
        for gone in actions.iter().filter(|action| matches!(action.operation, Operation::RetireProxy { .. }))
        {
            let comes = actions.iter().filter(|action| action.operation.generation().is_some());
            let comes: Vec<_> = comes.filter(|action| action.needs.contains(&gone.id)).collect();
            let is_served = |action: &&Action| switched.iter().any(|(node, _)| *node == action.node);
            if !comes.is_empty() && !comes.iter().any(is_served) {
                places.insert(gone.id);
                places.extend(comes.iter().map(|action| action.id));
            }
        }
        places
    }

    /// Takes back what has begun, the last first; says whether all of it is.
    async fn take_back(
        &self,
        begun: &[(u32, Before)],
        switched: &[(Address, Switched)],
        report: &mut Report,
    ) -> bool {
        let mut whole = true;
        // What an action needs stays where the action does: without its files nobody could take a project down later.
        let mut needed: HashSet<u32> = HashSet::new();
        for (id, before) in begun.iter().rev() {
            let Some(action) = self.action(*id) else { continue };
            if needed.contains(id) {
                needed.extend(&action.needs);
                continue;
            }
            let nothing = action.operation.only_looks() && !self.has_run_containers(begun, action);
            let undone = if nothing { Ok(()) } else { self.undo(action, before, switched).await };
            let result = match undone {
                Ok(()) => self.record(&[Record::Undone { action: *id }], true),
                Err(error) => Err(error),
            };
            match result {
                // What was issued is kept: nobody is told that it has gone.
                Ok(()) if action.undo == Undo::Nothing => {}
                Ok(()) => self.events.event(Event::Undone { action }),
                Err(error) => {
                    self.events.event(Event::NotUndone { action, error: &error });
                    report.errors.push(error);
                    needed.extend(&action.needs);
                    whole = false;
                }
            }
        }
        whole
    }

    /// Whether this run has begun to make or remove containers of what an action is for.
    fn has_run_containers(&self, begun: &[(u32, Before)], action: &Action) -> bool {
        let others = begun.iter().filter_map(|(id, _)| self.action(*id));
        let mut others = others.filter(|other| other.resource == action.resource);
        others.any(|other| other.operation.runs_containers())
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
            Operation::SwitchGeneration { number, .. } | Operation::SwitchBase { number, .. } => {
                let based = self.based.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let switched = if action.phase == Phase::Switch { switched } else { &based };
                if let Some((_, done)) = switched.iter().find(|(node, _)| *node == action.node) {
                    switch::switch_back(host, spec, done).await?;
                }
                if generation::current(host, spec).await == Some(number) {
                    let error = format!("generation {number} of {} stays: `current` names it", spec.address);
                    return Err(Diagnostic::error(error).on(&spec.address));
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
                let (state, placed) = (&self.run.prior, &self.run.placed);
                let (tool, issues, withheld) = (&*self.tool, &*self.issues, &*self.withheld);
                let context = Context {
                    host,
                    spec,
                    resource: &action.resource,
                    state,
                    placed,
                    tool,
                    issues,
                    withheld,
                    issuance: &self.issuance,
                    secrets: &BTreeMap::new(),
                    masks: &self.masks,
                    note: &|_| Ok(()),
                    told: &|_, _| {},
                };
                operations::undo(context, action, before).await
            }
        }
    }
}
