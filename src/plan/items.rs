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
    pub(super) prior: Option<&'a Stored>,
    pub(super) node: Address,
    pub(super) kind: &'a dyn Kind,
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
        let &Self { address, desired, prior, destroy_data, attempt, ref memo, .. } = self;
        Subject { address, desired, prior, node, observed, endpoints, destroy_data, attempt, now, memo }
    }
}

/// A resource as it is wanted and as it is known.
type Both<'a> = EitherOrBoth<(&'a Address, &'a Resource), (&'a Address, &'a Stored)>;

/// All resources, wanted or known, with their kinds and nodes, in the order of their addresses.
pub(super) fn items<'a>(
    resources: &'a BTreeMap<Address, Resource>,
    inputs: &Inputs<'a>,
    specs: &BTreeMap<Address, NodeSpec>,
    findings: &mut Diagnostics,
) -> Vec<Item<'a>> {
    // Both maps are in the order of the addresses: going along both takes no look-up.
    let both = resources.iter().merge_join_by(&inputs.state.resources, |(a, _), (b, _)| a.cmp(b));
    let both: Vec<_> = both.collect();
    let item = |item: Both<'a>| -> Result<Option<Item<'a>>, Box<Diagnostic>> {
        let (address, desired, prior) = match item {
            EitherOrBoth::Both((address, resource), (_, stored)) => (address, Some(resource), Some(stored)),
            EitherOrBoth::Left((address, resource)) => (address, Some(resource), None),
            EitherOrBoth::Right((address, stored)) => (address, None, Some(stored)),
        };
        let kind = inputs.kinds.kind(address.kind()).ok_or_else(|| {
            let summary = format!("the state holds `{address}`, a kind that this vsa does not know");
            Diagnostic::error(summary).help("use the vsa that wrote the state, or a newer one")
        })?;
        let node = desired.map_or_else(
            || prior.map(|prior| prior.node.clone()),
            |resource| nodes::placement(resource, specs),
        );
        let (destroy_data, memo) = (inputs.destroy_data, Memo::default());
        let attempt = inputs.attempts.of(address);
        Ok(node.map(|node| Item { address, desired, prior, node, kind, destroy_data, attempt, memo }))
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
