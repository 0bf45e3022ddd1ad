//! The networks that a proxy in a container is in.

use super::{Context, Facts, fact};
use crate::diag::Diagnostic;
use crate::host::{DockerAnswer, DockerOperation};
use crate::plan::{Answer, Query};

/// The proxy's container; `None` where nginx runs in none.
fn container(context: Context<'_>) -> Option<String> {
    context.spec.container.as_ref().map(ToString::to_string)
}

/// Takes the proxy into a network. One that is not there has nothing in it that the proxy could reach: the stack that
/// makes it has not run yet.
pub(super) async fn connect(context: Context<'_>, network: &str) -> Result<Facts, Diagnostic> {
    let Some(container) = container(context) else { return Ok(Facts::new()) };
    let socket = &context.spec.docker.socket;
    let found = context.host.observe(&[Query::Networks { socket: socket.clone() }]).await.pop();
    if let Some(Answer::Networks(all)) = &found
        && !all.iter().any(|one| one.name == network)
    {
        return Ok(fact("missing", true));
    }
    let operation = DockerOperation::Connect { network: network.to_owned(), container, aliases: Vec::new() };
    let done = context.host.docker(socket, operation).await?;
    Ok(fact("changed", matches!(done, DockerAnswer::Done { changed: true })))
}

/// Takes the proxy from a network.
pub(super) async fn disconnect(context: Context<'_>, network: &str) -> Result<Facts, Diagnostic> {
    let Some(container) = container(context) else { return Ok(Facts::new()) };
    let operation = DockerOperation::Disconnect { network: network.to_owned(), container };
    context.host.docker(&context.spec.docker.socket, operation).await?;
    Ok(Facts::new())
}
