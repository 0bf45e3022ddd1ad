//! The container of a node's proxy, where the Compose tool may make it anew: it is in its networks at once, and serves what
//! it did.

use super::{Context, Facts, networks};
use crate::apply::{compose, container, generation};
use crate::diag::Diagnostic;
use crate::plan::docker::{Container, ContainerState};
use crate::plan::{ComposeProject, NodeSpec};

/// The proxy's container, where it is one of a project's.
async fn proxy(context: Context<'_>, project: &ComposeProject) -> Option<Container> {
    let name = context.spec.container.as_deref()?;
    let all = compose::containers(context.host, project).await.unwrap_or_default();
    all.into_iter().find(|container| container.name == name)
}

/// Does something that may make the containers of a project anew. The proxy's is taken into its networks meanwhile.
async fn rejoined<T>(context: Context<'_>, project: &ComposeProject, work: impl Future<Output = T>) -> T {
    match proxy(context, project).await {
        Some(_) => networks::rejoined_meanwhile(context, work).await,
        None => work.await,
    }
}

/// Brings a project up. A proxy's container that was made anew by that must serve the live generation.
///
/// # Errors
/// Those of `work`; the new container does not serve what the former did.
pub(super) async fn served(
    context: Context<'_>,
    project: &ComposeProject,
    work: impl Future<Output = Result<Facts, Diagnostic>>,
) -> Result<Facts, Diagnostic> {
    let before = proxy(context, project).await.filter(|found| found.state == ContainerState::Running);
    let facts = rejoined(context, project, work).await?;
    let Some(found) = proxy(context, project).await else { return Ok(facts) };
    if before.is_none_or(|before| before.id != found.id) {
        serves(context).await?;
    }
    Ok(facts)
}

/// Brings a project back to as it was, with the proxy where that is part of it: then its sites are as they were, too.
///
/// # Errors
/// Those of `work`; the former container does not serve any more.
pub(super) async fn restored(
    context: Context<'_>,
    project: &ComposeProject,
    work: impl Future<Output = Result<(), Diagnostic>>,
) -> Result<(), Diagnostic> {
    let before = proxy(context, project).await;
    rejoined(context, project, work).await?;
    networks::rejoin(context).await?;
    let found = proxy(context, project).await;
    if found.is_some_and(|found| before.is_none_or(|before| before.id != found.id)) {
        serves(context).await?;
    }
    Ok(())
}

/// Waits until the proxy serves the live generation, where there is one.
async fn serves(context: Context<'_>) -> Result<(), Diagnostic> {
    // What is live listens where it was written to listen.
    let Some(stored) = context.state.nodes.get(&context.spec.address) else { return Ok(()) };
    let NodeSpec { http_port, https_port, .. } = stored.spec;
    let spec = NodeSpec { http_port, https_port, ..context.spec.clone() };
    let Some(live) = generation::current_manifest(context.host, &spec).await? else { return Ok(()) };
    networks::rejoin(context).await?;
    container::serves(context.host, &spec, &live.marker_answer()).await
}
