//! Prepare and switch, up to the commit: the last moment at which all can be taken back.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::ready::Ready;
use super::{Work, failure, spec};
use crate::address::Address;
use crate::apply::events::Event;
use crate::apply::generation::{self, Candidate};
use crate::apply::journal::{Before, Facts, Record};
use crate::apply::scope::Scope;
use crate::apply::switch::{self, Switched};
use crate::apply::{Proxy, Report, passwords, preflight};
use crate::diag::Diagnostic;
use crate::host::pause;
use crate::plan::{Action, Operation, Phase, ProxyMode};
use crate::value::Secret;

type Secrets = BTreeMap<Arc<str>, Secret>;

impl Work {
    /// Does all before the commit, and commits.
    pub(super) async fn until_commit(
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
            let not_issued =
                std::mem::take(&mut *self.not_issued.lock().unwrap_or_else(PoisonError::into_inner));
            if not_issued.len() == failed.len() {
                report.not_issued = not_issued;
            }
            let first = failed.remove(0);
            report.errors.extend(failed);
            return Err(first);
        }
        pause::phase("switch");
        self.events.event(Event::Phase(Phase::Switch));
        for action in self.run.actions.iter().filter(|action| action.phase == Phase::Switch) {
            self.record(&[Record::Intent { action: action.id, before: Before::default() }], true)?;
            self.begun.lock().unwrap_or_else(PoisonError::into_inner).push((action.id, Before::default()));
            self.events.event(Event::Begun(action));
            let since = self.host.elapsed();
            let candidate = ready.candidates.remove(&action.node);
            let texts = secrets.remove(&action.node).unwrap_or_default();
            if let Err(error) = self.switch(action, candidate, &texts, switched, report).await {
                self.events.event(Event::Failed { action, error: &error });
                report.errors.extend(self.record(&[failure(action.id, &error)], false).err());
                return Err(error);
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
        // Whatever else failed: who wants an end wants no further run either.
        if self.interrupt.is_raised() {
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

    /// Whether this run has made containers of a node anew, its proxy's perhaps among them.
    fn brings_containers_up(&self, node: &Address) -> bool {
        let mut actions = self.run.actions.iter().filter(|action| action.node == *node);
        actions.any(|action| matches!(action.operation, Operation::ComposeUp { .. }))
    }

    /// One node's switch. It stands in `switched` as soon as nginx has proven it: whatever fails then, the way back is
    /// known.
    async fn switch(
        &self,
        action: &Action,
        candidate: Option<Candidate>,
        secrets: &Secrets,
        switched: &mut Vec<(Address, Switched)>,
        report: &mut Report,
    ) -> Result<(), Diagnostic> {
        let host = &*self.host;
        let done = |records: Vec<Record>| {
            let done = Record::Done { action: action.id, facts: Facts::new() };
            self.record(&records.into_iter().chain([done]).collect::<Vec<_>>(), true)
        };
        let (Some(mut candidate), Some(work)) = (candidate, self.run.nodes.get(&action.node)) else {
            if let Some(spec) = spec(&self.run, &action.node) {
                switch::retire(host, spec).await?;
            }
            return done(Vec::new());
        };
        let spec = &work.node.spec;
        let former = self.run.prior.nodes.get(&action.node);
        let remade = spec.mode == ProxyMode::Container && self.brings_containers_up(&action.node);
        if candidate.uses_placeholders() || candidate.untested || remade {
            // The test saw a placeholder where there is a real certificate now, or another container, or there was
            // none to test in.
            if candidate.untested {
                Proxy::new(host, spec).start().await?;
            }
            candidate.certify(host).await?;
            let scope = Scope::of(work, former, self.run.options.large);
            if candidate.untested {
                let (node, files) = (&action.node, work.files.files.len());
                self.events.event(Event::Testing { node, files, scope: &scope });
            }
            let tested = preflight::test(host, work, &candidate, &scope).await?;
            if let Some(error) = preflight::refusal(spec, &tested) {
                return Err(error);
            }
        }
        let next = candidate.settle(host, work, former, secrets).await?;
        let give_up = || self.interrupt.is_raised();
        match switch::switch(host, &next, give_up).await {
            Ok(done) => switched.push((action.node.clone(), done)),
            Err((error, left)) => {
                self.not_put_back.fetch_or(left.is_some(), Ordering::SeqCst);
                report.errors.extend(left);
                return Err(error);
            }
        }
        let generation = next.generation;
        done(vec![Record::Live { node: action.node.clone(), live: Box::new(next) }])?;
        self.events.event(Event::Live { node: &action.node, generation });
        Ok(())
    }
}
