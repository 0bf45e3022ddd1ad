//! The resources of a plan, each with what is wanted of it and what the state knows, and what is asked about them.

use std::collections::{BTreeMap, HashSet};

use itertools::{EitherOrBoth, Itertools as _};
use rayon::prelude::*;

use super::attempts::Attempt;
use super::build::{Ask, Inputs};
use super::endpoint::{Endpoints, NO_ENDPOINTS};
use super::kind::{Kind, Memo, Subject};
use super::node::{Node, NodeSpec};
use super::observation::{Answer, Observations, Query};
use super::{nodes, placed};
use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::resource::Resource;
use crate::state::Stored;

/// One resource on its way through the engine.
pub(super) struct Item<'a> {
    pub(super) address: &'a Address,
    pub(super) desired: Option<&'a Resource>,
    /// What the state knows of it on its node.
    pub(super) prior: Option<&'a Stored>,
    pub(super) node: Address,
    pub(super) kind: &'a dyn Kind,
    /// What the state knows of it where it last lived, where that is another node than its own.
    pub(super) former: Option<&'a Stored>,
    /// Whether it is what is left on a node of a resource that another item is.
    pub(super) is_left: bool,
    destroy_data: bool,
    attempt: Attempt,
    memo: Memo,
}

impl<'a> Item<'a> {
    pub(super) fn subject(
        &'a self,
        node: &'a Node,
        observed: &'a Observations,
        endpoints: &'a Endpoints,
        now: i64,
    ) -> Subject<'a> {
        let &Self { address, desired, prior, former, destroy_data, attempt, ref memo, .. } = self;
        let moves_from = former.filter(|_| prior.is_none()).map(|former| &former.node);
        Subject {
            address,
            desired,
            prior,
            node,
            moves_from,
            observed,
            endpoints,
            destroy_data,
            attempt,
            now,
            memo,
        }
    }

    /// What there is of a resource on a node that it has left: it goes.
    fn left(&self, stored: &'a Stored) -> Self {
        let &Self { address, kind, destroy_data, attempt, .. } = self;
        let (prior, node, memo) = (Some(stored), stored.node.clone(), Memo::default());
        Self {
            address,
            desired: None,
            prior,
            node,
            kind,
            former: None,
            is_left: true,
            destroy_data,
            attempt,
            memo,
        }
    }
}

/// A resource as it is wanted and as it is known.
type Both<'a> = EitherOrBoth<(&'a Address, &'a Resource), (&'a Address, &'a Stored)>;

/// All resources, wanted or known, with their kinds and nodes, in the order of their addresses. Before each of them is what
/// there is of it on other nodes than its own.
pub(super) fn items<'a>(
    resources: &'a BTreeMap<Address, Resource>,
    inputs: &Inputs<'a>,
    specs: &BTreeMap<Address, NodeSpec>,
    findings: &mut Diagnostics,
) -> Vec<Item<'a>> {
    // Both maps are in the order of the addresses: going along both takes no look-up.
    let both = resources.iter().merge_join_by(&inputs.state.resources, |(a, _), (b, _)| a.cmp(b));
    let both: Vec<_> = both.collect();
    let item = |item: Both<'a>| -> Result<Vec<Item<'a>>, Box<Diagnostic>> {
        let (address, desired, known) = match item {
            EitherOrBoth::Both((address, resource), (_, stored)) => (address, Some(resource), Some(stored)),
            EitherOrBoth::Left((address, resource)) => (address, Some(resource), None),
            EitherOrBoth::Right((address, stored)) => (address, None, Some(stored)),
        };
        let kind = inputs.kinds.kind(address.kind()).ok_or_else(|| {
            let summary = format!("the state holds `{address}`, a kind that this vsa does not know");
            Diagnostic::error(summary).help("use the vsa that wrote the state, or a newer one")
        })?;
        let node = desired.map_or_else(
            || known.map(|known| known.node.clone()),
            |resource| nodes::placement(resource, specs),
        );
        let Some(node) = node else { return Ok(Vec::new()) };
        let everywhere = || known.into_iter().flat_map(Stored::everywhere);
        let prior = everywhere().find(|stored| stored.node == node);
        let former = known.filter(|known| known.node != node);
        let (destroy_data, memo) = (inputs.destroy_data, Memo::default());
        let (attempt, is_left) = (inputs.attempts.of(address), false);
        let item = Item { address, desired, prior, node, kind, former, is_left, destroy_data, attempt, memo };
        let elsewhere = everywhere().filter(|stored| stored.node != item.node);
        let mut items: Vec<Item<'a>> = elsewhere.map(|stored| item.left(stored)).collect();
        items.push(item);
        Ok(items)
    };
    let made: Vec<_> = both.into_par_iter().map(item).collect();
    let mut items = Vec::with_capacity(made.len());
    for made in made {
        match made {
            Ok(item) => items.extend(item),
            Err(unknown) => findings.push(*unknown),
        }
    }
    items
}

/// Asks the nodes what the kinds have to know, until none has another question.
pub(super) fn observe(
    items: &[Item<'_>],
    known: &mut BTreeMap<Address, (Node, Observations)>,
    now: i64,
    ask: &mut Ask<'_>,
) {
    loop {
        let mut asked = false;
        for (address, (node, observed)) in known.iter_mut() {
            let here = items.par_iter().filter(|item| item.node == *address);
            let asking = here.flat_map_iter(|item| {
                let placed = item.prior.into_iter().flat_map(|prior| placed::queries(&prior.placed));
                item.kind.queries(item.subject(node, observed, &NO_ENDPOINTS, now)).into_iter().chain(placed)
            });
            let new: Vec<Query> = asking.filter(|query| observed.get(query).is_none()).collect();
            let mut seen = HashSet::new();
            let questions: Vec<Query> = new.into_iter().filter(|query| seen.insert(query.clone())).collect();
            if !questions.is_empty() {
                asked = true;
                let found = answers(&node.spec, questions, ask);
                observed.extend(found);
            }
        }
        if !asked {
            return;
        }
    }
}

pub(super) fn answers(spec: &NodeSpec, questions: Vec<Query>, ask: &mut Ask<'_>) -> Vec<(Query, Answer)> {
    let answers = ask(spec, &questions);
    questions.into_iter().zip(answers).collect()
}
