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
        if self.run.options.on_failure == OnFailure::Keep {
            report.outcome = Outcome::Left;
            self.forget_former_files().await;
            return;
        }
        let mut whole = !self.not_put_back.load(Ordering::SeqCst);
        report.outcome = Outcome::RolledBack;
        let begun = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        // What an action needs stays where the action does: without its files nobody could take a project down later.
        let mut needed: HashSet<u32> = HashSet::new();
        for (id, before) in begun.iter().rev() {
            let Some(action) = self.action(*id) else { continue };
            if needed.contains(id) {
                needed.extend(&action.needs);
                continue;
            }
            let nothing = action.operation.only_looks() && !self.has_run_containers(&begun, action);
            let undone = if nothing { Ok(()) } else { self.undo(action, before, &switched).await };
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
        if !whole {
            report.outcome = Outcome::Left;
            report.not_issued.clear();
        }
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
