//! A state that is not there: nothing was applied yet, or it was lost.

use crate::apply;
use crate::cli::planning::new_state;
use crate::cli::{Failure, Invocation};
use crate::config::Declared;
use crate::diag::Diagnostics;
use crate::plan::{Answer, NodeSpec, Owner, Query};

/// Finds out that nothing was applied yet.
///
/// # Errors
/// Where former states are kept, or a node is another state's: this one is lost, and what it knew goes on without.
pub(super) fn check(invocation: &Invocation, declared: &Declared) -> Result<(), Failure> {
    // A first apply that was killed has left a journal, and no state.
    let interrupted = apply::journal::read(&invocation.layout.journal())?;
    let lineage = interrupted.map_or_else(|| new_state().lineage, |interrupted| interrupted.header.lineage);
    let node = |resource: &_| node(invocation, resource);
    let nodes: Vec<NodeSpec> = declared.resources.values().filter_map(node).collect();
    let queries: Vec<Query> = nodes.iter().map(|spec| Query::Read(spec.owner_file())).collect();
    let answers = invocation.block_on(invocation.host.observe(&queries));
    let refused = nodes.iter().zip(&answers).filter_map(|(spec, answer)| match answer {
        Answer::Bytes(owner) => Owner::refused(spec, owner, &lineage),
        _ => None,
    });
    let refused: Diagnostics = refused.collect();
    if refused.has_errors() {
        return Err(refused.into());
    }
    if invocation.has_former_states()? { invocation.existing_state().map(drop) } else { Ok(()) }
}

fn node(invocation: &Invocation, resource: &crate::resource::Resource) -> Option<NodeSpec> {
    invocation.kinds.get(resource.address.kind())?.node(resource, &invocation.base)
}
