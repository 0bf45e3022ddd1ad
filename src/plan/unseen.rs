//! That a node's Docker engine could not be asked, said once for all that it concerns. Nothing is taken for deleted
//! because of that.

use super::docker::no_engine;
use super::endpoint::NO_ENDPOINTS;
use super::items::Item;
use super::node::Node;
use super::observation::{Answer, Observations, Query};
use crate::address::Address;
use crate::diag::Diagnostic;

/// How many resources are named.
const NAMED: usize = 5;

/// What is said where the engine did not answer one of the questions that are the same for all.
pub(super) fn finding(
    node: &Node,
    items: &[Item<'_>],
    observed: &Observations,
    now: i64,
) -> Option<Diagnostic> {
    let spec = &node.spec;
    let socket = &spec.docker.socket;
    let of_engine = [
        Query::Containers { socket: socket.clone() },
        Query::Networks { socket: socket.clone() },
        Query::Engine { socket: socket.clone() },
        Query::Services { socket: socket.clone() },
    ];
    let (question, why) = of_engine.into_iter().find_map(|question| {
        let why = match observed.get(&question)? {
            // In no swarm are no services.
            Answer::Absent if !matches!(question, Query::Services { .. }) => no_engine(socket),
            Answer::Failed(reason) => reason.clone(),
            _ => return None,
        };
        Some((question, why))
    })?;
    let asks = |item: &&Item<'_>| {
        let subject = item.subject(node, observed, &NO_ENDPOINTS, now);
        item.node == spec.address && item.kind.queries(subject).contains(&question)
    };
    let of_node = spec.in_container().map(|_| &spec.address);
    let all: Vec<&Address> =
        of_node.into_iter().chain(items.iter().filter(asks).map(|item| item.address)).collect();
    let mut named: Vec<String> = all.iter().take(NAMED).map(|address| format!("`{address}`")).collect();
    if all.len() > NAMED {
        named.push(format!("{} more", all.len() - NAMED));
    }
    let is = if all.len() == 1 { "is" } else { "are" };
    Some(
        Diagnostic::warning(format!("Docker on `{}` could not be seen", spec.address))
            .code("docker_unseen")
            .detail(format!(
                "{why}. Whether {} {is} as the state says is not known, and an apply that changes them would fail",
                named.join(", ")
            ))
            .help("where it listens elsewhere, name its socket with `docker { socket }` of the node")
            .on(&spec.address),
    )
}
