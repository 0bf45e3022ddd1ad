//! What is wrong with the configuration, what stands in the way on a node, and what is not as the state says.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{Known, Scope};
use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::plan::claims::Claims;
use crate::plan::endpoint::NO_ENDPOINTS;
use crate::plan::issuance::account;
use crate::plan::items::Item;
use crate::plan::kind::{Drift, Refreshed};
use crate::plan::pools::NeededNetwork;
use crate::plan::{brought, nodes, placed, pools, proxy, taken, unseen};

/// Checks each resource by itself, and the names that they claim against each other.
pub(super) fn claims<'a>(items: &'a [Item<'a>], findings: &mut Diagnostics) -> Claims<'a> {
    let looked_at: Vec<_> = items
        .par_iter()
        .filter_map(|item| {
            let resource = item.desired?;
            let mut found = Diagnostics::new();
            item.kind.check(resource, &mut found);
            Some((found, resource, item.kind.claims(resource, &item.node)))
        })
        .collect();
    findings.reserve(looked_at.iter().map(|(found, ..)| found.len()).sum());
    let mut holders = Vec::with_capacity(looked_at.len());
    for (found, resource, claims) in looked_at {
        findings.extend(found);
        holders.push((resource, claims));
    }
    Claims::of(holders, findings)
}

/// What is said of resources that share a node with others, and with what is not vsa's.
pub(super) fn resources(scope: &Scope<'_>, known: &Known, claims: &Claims<'_>, findings: &mut Diagnostics) {
    let &Scope { inputs, items, .. } = scope;
    for item in items {
        if let Some((node, observed)) = known.get(&item.node) {
            claims.against(
                item.kind.held(item.subject(node, observed, &NO_ENDPOINTS, inputs.now)),
                &item.node,
                findings,
            );
        }
    }
    findings.extend(taken::findings(items, known, inputs));
    if inputs.advise {
        let told = items.iter().filter_map(|item| {
            let (node, observed) = known.get(&item.node)?;
            Some(item.kind.advice(item.subject(node, observed, &NO_ENDPOINTS, inputs.now)))
        });
        findings.extend(told.flatten());
    }
}

/// How each resource is, and what is not as the state says.
pub(super) fn refresh(scope: &Scope<'_>, known: &Known) -> (Vec<Refreshed>, Vec<Drift>) {
    let &Scope { inputs, items, former, .. } = scope;
    let refresh = |item: &Item<'_>| -> Refreshed {
        known.get(&item.node).map_or_else(Refreshed::default, |(node, observed)| {
            let mut refreshed = item.kind.refresh(item.subject(node, observed, &NO_ENDPOINTS, inputs.now));
            if let Some(prior) = item.prior.filter(|prior| !prior.placed.is_empty()) {
                let written_as = former.get(item.address).copied().unwrap_or(item.address);
                let placed = placed::drift(item.address, written_as, &prior.placed, observed, inputs.key);
                refreshed.drift.extend(placed);
            }
            refreshed
        })
    };
    let (refreshed, mut drift): (Vec<Refreshed>, Vec<Drift>) = rayon::join(
        || items.par_iter().map(refresh).collect(),
        || {
            let nodes = known
                .iter()
                .filter_map(|(address, (_, observed))| Some(nodes::drift(scope.stored(address)?, observed)));
            nodes.flatten().collect()
        },
    );
    drift.extend(refreshed.iter().flat_map(|item: &Refreshed| item.drift.iter().cloned()));
    for drift in drift.iter_mut().filter(|drift| !scope.targets.contains(&drift.address)) {
        drift.repaired = false;
    }
    (refreshed, drift)
}

/// What stands in the way of resources as they are. An error of one that the plan is not about holds up nothing.
pub(super) fn of_resources<'a>(
    scope: &'a Scope<'_>,
    refreshed: &'a [Refreshed],
) -> impl Iterator<Item = Diagnostic> + 'a {
    scope.items.iter().zip(refreshed).flat_map(|(item, refreshed)| {
        let is_told = |found: &&Diagnostic| !found.is_error() || scope.targets.contains(item.address);
        refreshed.findings.iter().filter(is_told).cloned()
    })
}

/// What stands in the way on the nodes.
pub(super) fn nodes(
    scope: &Scope<'_>,
    known: &Known,
    mut needed: BTreeMap<Address, Vec<NeededNetwork>>,
    findings: &mut Diagnostics,
) {
    let &Scope { inputs, items, .. } = scope;
    for (address, (node, observed)) in known {
        let declared = scope.resources.get(address);
        nodes::owner(node, declared, &inputs.state.lineage, observed, findings);
        nodes::obstacle(node, declared, scope.stored(address), observed, findings);
        findings.extend(nodes::stopped(node, observed));
        if scope.wanted.contains(address) {
            findings.extend(nodes::foreign_user(node, observed));
            findings.extend(account::findings(&node.spec, observed));
            let here = scope.desired_on(address);
            let here: Vec<_> = here
                .map(|item| (item.kind, item.subject(node, observed, &NO_ENDPOINTS, inputs.now)))
                .collect();
            let needed = needed.remove(address).unwrap_or_default();
            findings.extend(pools::missing(&node.spec, &needed, observed));
            findings.extend(pools::finding(&node.spec, &needed, observed));
            findings.extend(pools::unforwarded(&node.spec, &needed, observed));
            let brought = here.iter().find_map(|(kind, subject)| Some((kind.proxy(*subject)?, *subject)));
            if let Some((brought, subject)) = &brought {
                findings.extend(brought::findings(node, observed, *subject, brought));
            }
            let brought = brought.as_ref().map(|(brought, _)| brought);
            findings.extend(proxy::finding(node, observed, brought.is_some()));
            findings.extend(proxy::hidden(node, &here, brought));
        }
        findings.extend(brought::kept(node, items, observed, scope.targets, inputs.now));
        if let Some(stored) = scope.stored(address) {
            findings.extend(nodes::unseen(stored, observed));
        }
        findings.extend(unseen::finding(node, items, observed, inputs.now));
    }
}
