//! What preflight makes ready: the locks of the nodes, and candidates that nginx has accepted.

use std::collections::{BTreeMap, BTreeSet};

use super::spec;
use crate::address::Address;
use crate::apply::events::{Event, Events};
use crate::apply::generation::{self, Candidate, Place};
use crate::apply::lock::{self, NodeLock};
use crate::apply::operations;
use crate::apply::scope::Scope;
use crate::apply::{Interrupted, Run, Tested, preflight};
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host};
use crate::names;
use crate::plan::{Action, Answer, NodeSpec, Operation, ProxyMode, Query};

/// What preflight made ready.
pub(super) struct Ready {
    locks: BTreeMap<Address, NodeLock>,
    pub(super) candidates: BTreeMap<Address, Candidate>,
}

impl Ready {
    pub(super) async fn make(
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
            self.locks.insert(node.clone(), NodeLock::take(host, spec, &run.prior).await?);
        }
        for (node, facts) in interrupted.into_iter().flat_map(|interrupted| &interrupted.header.nodes) {
            let node = run.moves.get(node).unwrap_or(node);
            let spec = &facts.spec;
            let owner = lock::owner(host, spec).await?;
            if owner.is_none_or(|owner| owner.lineage != run.prior.lineage) {
                continue;
            }
            if !self.locks.contains_key(node) {
                self.locks.insert(node.clone(), NodeLock::take(host, spec, &run.prior).await?);
            }
            let live = run.prior.nodes.get(node).map_or(0, |stored| stored.generation);
            tidy(host, spec, live).await?;
            let header = interrupted.map(|interrupted| &interrupted.header);
            let left = header.into_iter().flat_map(|header| &header.actions);
            let left = left.filter(|action| action.node == *node);
            // A killed run is finished forwards: nobody takes its files back, and some of the former ones hold secrets.
            host.files(former_files(left, |_| Some(spec))).await?;
        }
        events.event(Event::Started { run: &run.id, actions: run.actions.len() });
        for action in &run.actions {
            let Operation::SwitchGeneration { number, .. } = action.operation else { continue };
            let Some(work) = run.nodes.get(&action.node) else { continue };
            let spec = &work.node.spec;
            refuse_live_number(host, spec, number).await?;
            let stored = run.prior.nodes.get(&action.node);
            let scope = Scope::of(work, stored, run.options.large);
            let place = Place::in_root(spec);
            let mut candidate = Candidate::make(host, work, stored, number, &run.marker, place).await?;
            // A container that this very run brings up tests what it is to serve once it is there.
            candidate.untested =
                spec.mode == ProxyMode::Container && !preflight::is_at_hand(host, work).await;
            let tested = if candidate.untested {
                Ok(Tested::Passed { warnings: Vec::new() })
            } else {
                let files = work.files.files.len();
                events.event(Event::Testing { node: &action.node, files, scope: &scope });
                preflight::test(host, work, &candidate, &scope).await
            };
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
    pub(super) async fn abandon(&mut self, host: &dyn Host) -> Vec<Diagnostic> {
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

/// Removals of the files that were kept for an undo.
pub(super) fn former_files<'a>(
    actions: impl Iterator<Item = &'a Action>,
    spec_of: impl Fn(&Address) -> Option<&'a NodeSpec>,
) -> Vec<FileOperation> {
    let former = |action: &'a Action| {
        let Some(path) = operations::replaced(&action.operation) else { return Vec::new() };
        let remove = vec![FileOperation::Remove { path: operations::former(&path) }];
        match spec_of(&action.node) {
            Some(spec) => operations::guarded(spec, &path, remove),
            None => remove,
        }
    };
    actions.flat_map(former).collect()
}

/// Removes what a killed run left that nobody will ask for: its candidate, and generations above the live one that
/// never became current.
async fn tidy(host: &dyn Host, spec: &NodeSpec, live: u64) -> Result<(), Diagnostic> {
    let generations = spec.root.join("generations");
    let current = generation::current(host, spec).await;
    let candidates = [spec.candidate(), spec.base_candidate()];
    let remove = |path| FileOperation::RemoveTree { root: spec.root.clone(), path };
    let mut operations: Vec<_> = candidates.map(remove).into();
    if let Some(Answer::Entries(entries)) = host.observe(&[Query::Entries(generations.clone())]).await.pop() {
        let left = entries.keys().filter(|name| {
            names::number(name).is_some_and(|number| number > live && current != Some(number))
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
    if generation::current(host, spec).await != Some(number) {
        return Ok(());
    }
    Err(Diagnostic::error(format!("generation {number} of {} is live already", spec.address))
        .help("plan again, and let the node be asked (without `-refresh=false`): the next one is above it")
        .on(&spec.address))
}
