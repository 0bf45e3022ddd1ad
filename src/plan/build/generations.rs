//! The next generation of each node: its files, and how they differ from those that are live.

use std::collections::BTreeMap;

use super::{Ask, Known, NodeWork, Scope};
use crate::address::Address;
use crate::diag::Diagnostics;
use crate::plan::change::FileChange;
use crate::plan::endpoint::{Endpoints, endpoints};
use crate::plan::files::{self, NodeFiles};
use crate::plan::items::Item;
use crate::plan::kind::{Drift, Refreshed};
use crate::plan::node::Node;
use crate::plan::nodes;
use crate::plan::observation::{Answer, Observations, Query};
use crate::plan::proxy::Membership;

/// Of the nodes that shall be there. A node keeps the nginx that its files were written for while nothing else changes
/// them.
pub(super) fn generations(
    scope: &Scope<'_>,
    refreshed: &[Refreshed],
    known: &mut Known,
    drift: &mut [Drift],
    ask: &mut Ask<'_>,
    findings: &mut Diagnostics,
) -> (BTreeMap<Address, NodeWork>, Vec<FileChange>) {
    let &Scope { inputs, items, targets, .. } = scope;
    let mut work = BTreeMap::new();
    let mut changes = Vec::new();
    for address in scope.wanted {
        let Some((node, observed)) = known.get_mut(address) else { continue };
        let here = items.iter().zip(refreshed).filter(|(item, _)| is_here(scope, address, item));
        let mut endpoints = endpoints(here, inputs, node, observed, ask, findings);
        if findings.has_errors() {
            // What nobody reaches has no place in a file.
            continue;
        }
        let stored = scope.stored(address);
        targets.keep_endpoints(&mut endpoints, stored);
        let mut made = match written(scope, address, node, observed, &endpoints, ask) {
            Ok(made) => made,
            Err(errors) => {
                findings.extend(errors);
                continue;
            }
        };
        let concerns =
            |drift: &Drift| targets.contains(&drift.address) && nodes::concerns(drift, address, stored);
        made.switch =
            !made.changed.is_empty() || nodes::has_other_readers(node, stored) || drift.iter().any(concerns);
        let mut read = |queries: &[Query]| {
            if inputs.refresh { ask(&node.spec, queries) } else { vec![Answer::Absent; queries.len()] }
        };
        changes.extend(files::diffs(address, &node.spec, &made, stored, drift, &mut read));
        let made = NodeWork {
            node: node.clone(),
            files: made,
            membership: Membership::of(&node.spec, &endpoints, stored, observed),
            observed: observed.clone(),
            endpoints,
            base: None,
            untestable: None,
        };
        work.insert(address.clone(), made);
    }
    (work, changes)
}

fn is_here(scope: &Scope<'_>, node: &Address, item: &Item<'_>) -> bool {
    item.node == *node && scope.targets.contains(item.address)
}

/// The files of a node, with the number of the generation that would hold them.
fn written(
    scope: &Scope<'_>,
    address: &Address,
    node: &mut Node,
    observed: &Observations,
    endpoints: &Endpoints,
    ask: &mut Ask<'_>,
) -> Result<NodeFiles, Diagnostics> {
    let &Scope { inputs, targets, .. } = scope;
    let stored = scope.stored(address);
    let carried = targets.carry(&node.spec, stored, &mut |queries| ask(&node.spec, queries))?;
    let render = |node: &Node| {
        let here = scope.desired_on(address).filter(|item| targets.contains(item.address));
        let subjects: Vec<_> =
            here.map(|item| (item.kind, item.subject(node, observed, endpoints, inputs.now))).collect();
        let mut made = files::render(&subjects, inputs.key)?;
        made.files.extend(carried.clone());
        made.compare(stored, inputs.key.is_some());
        Ok::<_, Diagnostics>(made)
    };
    // What was written for an earlier nginx stays until something else changes it.
    let former = nodes::written_for(node, stored);
    let kept = former.and_then(|former| Some((render(&former).ok()?, former)));
    let mut made = match kept.filter(|(made, _)| made.changed.is_empty()) {
        Some((made, former)) => {
            *node = former;
            made
        }
        None => render(node)?,
    };
    let live = stored.map_or(0, |stored| stored.generation);
    let begun = inputs.reserved.get(address).copied().unwrap_or(0);
    made.number = nodes::next(&node.spec, live.max(begun), observed)?;
    Ok(made)
}
