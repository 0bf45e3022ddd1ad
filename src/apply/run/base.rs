//! A generation that goes live in prepare: it answers for what certificate authorities look at, while what they issue is
//! not there yet.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::Work;
use super::phase::Performed;
use crate::apply::events::Event;
use crate::apply::generation::{Candidate, Place};
use crate::apply::journal::{Facts, Record};
use crate::apply::scope::Scope;
use crate::apply::{Proxy, preflight, switch};
use crate::diag::Diagnostic;
use crate::plan::{Action, NodeWork, ProxyMode};

impl Work {
    /// Switches a node to what its sites share, as any switch is done; with why one that failed could not be put back.
    pub(super) async fn base(&self, id: u32) -> (Performed, Option<Diagnostic>) {
        let since = self.host.elapsed();
        let mut left = None;
        let result = match self.action(id) {
            Some(action) => {
                self.events.event(Event::Begun(action));
                self.answer(action, &mut left).await.map(|()| Facts::new())
            }
            None => Err(Diagnostic::error("an action is of a node that is not known")),
        };
        ((id, self.host.elapsed().saturating_sub(since), result), left)
    }

    async fn answer(&self, action: &Action, left: &mut Option<Diagnostic>) -> Result<(), Diagnostic> {
        let host = &*self.host;
        let work = self.run.nodes.get(&action.node);
        let Some((work, files)) = work.and_then(|work| Some((work, work.base.clone()?))) else {
            return Err(Diagnostic::error("an action is of a node that is not known"));
        };
        let number = files.number;
        let work = NodeWork { files, ..work.clone() };
        let spec = &work.node.spec;
        let former = self.run.prior.nodes.get(&action.node);
        let place = Place::for_base(spec);
        let mut candidate = Candidate::make(host, &work, former, number, &self.run.marker, place).await?;
        if spec.mode == ProxyMode::Container && !preflight::is_at_hand(host, &work).await {
            Proxy::new(host, spec).start().await?;
        }
        candidate.certify(host).await?;
        let scope = Scope::of(&work, former, self.run.options.large);
        let tested = preflight::test(host, &work, &candidate, &scope).await?;
        if let Some(error) = preflight::refusal(spec, &tested) {
            // What nginx says is what has to be said; what stays is removed by the next one in its place.
            let _ = candidate.discard(host).await;
            return Err(error);
        }
        let next = candidate.settle(host, &work, former, &BTreeMap::new()).await?;
        let done = switch::switch(host, &next, || self.interrupt.is_raised()).await;
        let done = done.map_err(|(error, not_put_back)| {
            self.not_put_back.fetch_or(not_put_back.is_some(), std::sync::atomic::Ordering::SeqCst);
            *left = not_put_back;
            error
        })?;
        self.based.lock().unwrap_or_else(PoisonError::into_inner).push((action.node.clone(), done));
        let live = Box::new(next);
        self.record(&[Record::Live { node: action.node.clone(), live }], true)?;
        self.events.event(Event::Live { node: &action.node, generation: number });
        Ok(())
    }
}
