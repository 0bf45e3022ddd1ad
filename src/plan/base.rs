//! The generation that answers for what certificate authorities look at, before the one that they issue for.

use std::collections::BTreeMap;

use super::actions::Work;
use super::build::NodeWork;
use super::issuance::ChallengeType;
use super::observation::Answer;
use crate::address::Address;
use crate::state::{State, StoredNode};

/// Gives each node that needs it the number of such a generation: the next one comes after it.
pub(super) fn number(nodes: &mut BTreeMap<Address, NodeWork>, works: &[Work], state: &State) {
    for (address, node) in nodes {
        let asked = works.iter().filter(|work| work.node() == address);
        let asked = asked.flat_map(Work::orders).any(|order| order.challenge == ChallengeType::Http01);
        if asked && node.files.switch && !answers(node, state.nodes.get(address)) {
            node.base = Some(node.files.number);
            node.files.number += 1;
        }
    }
}

/// Whether what is live answers for them.
fn answers(node: &NodeWork, stored: Option<&StoredNode>) -> bool {
    let spec = &node.node.spec;
    let Some(stored) = stored.filter(|stored| stored.generation > 0) else { return false };
    let runs = match node.observed.get(&spec.running_query()) {
        None | Some(Answer::Failed(_)) => true,
        Some(answer) => spec.master(answer).is_some(),
    };
    runs && stored.spec.http_port == spec.http_port && stored.spec.mode == spec.mode
}
