//! The container of a node's proxy, where the Compose tool may make it anew: it is in its networks at once, and serves what
//! it did.

use super::compose::secrets;
use super::{Context, Facts, networks};
use crate::apply::journal::Before;
use crate::apply::{compose, container, generation};
use crate::diag::Diagnostic;
use crate::host::Host;
use crate::plan::docker::{Container, ContainerState};
use crate::plan::{Answer, ComposeProject, NodeSpec};
use crate::state::State;

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
        serves(context, project).await?;
    }
    Ok(facts)
}

/// Brings a project back to as it was, with the proxy where that is part of it: then its sites are as they were, too.
///
/// # Errors
/// Those of `work`; the former container, which served before, does not serve any more.
pub(super) async fn restored(
    context: Context<'_>,
    project: &ComposeProject,
    was: &Before,
    work: impl Future<Output = Result<(), Diagnostic>>,
) -> Result<(), Diagnostic> {
    let before = proxy(context, project).await;
    rejoined(context, project, work).await?;
    networks::rejoin(context).await?;
    let found = proxy(context, project).await;
    if !was.silent && found.is_some_and(|found| before.is_none_or(|before| before.id != found.id)) {
        serves(context, project).await?;
    }
    Ok(())
}

/// Waits until the proxy serves the live generation, where there is one.
async fn serves(context: Context<'_>, project: &ComposeProject) -> Result<(), Diagnostic> {
    let Some((spec, expected)) = live(context.host, context.spec, context.state).await? else {
        return Ok(());
    };
    networks::rejoin(context).await?;
    let secrets = secrets(context, &project.env_file).await;
    container::serves(context.host, &spec, &expected, &secrets).await
}

/// Whether a proxy in a container does not serve the live generation by now: then nobody expects that of it after a way
/// back.
pub(super) async fn is_silent(host: &dyn Host, spec: &NodeSpec, state: &State) -> bool {
    let Ok(Some((spec, expected))) = live(host, spec, state).await else { return false };
    host.observe(&[spec.marker_query()]).await.pop() != Some(Answer::Text(expected))
}

/// How nginx is asked for the live generation, and what it answers; `None` where there is none.
async fn live(
    host: &dyn Host,
    spec: &NodeSpec,
    state: &State,
) -> Result<Option<(NodeSpec, String)>, Diagnostic> {
    // What is live listens where it was written to listen.
    let Some(stored) = state.nodes.get(&spec.address) else { return Ok(None) };
    let NodeSpec { http_port, https_port, .. } = stored.spec;
    let spec = NodeSpec { http_port, https_port, ..spec.clone() };
    let manifest = generation::current_manifest(host, &spec).await?;
    Ok(manifest.map(|live| (spec, live.marker_answer())))
}
