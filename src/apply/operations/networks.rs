//! Networks of Docker's: made and removed, and those that a proxy in a container is in.

use super::{Context, Facts, fact};
use crate::diag::Diagnostic;
use crate::host::{DockerAnswer, DockerOperation};
use crate::plan::{Answer, NetworkSettings, Query};

/// The proxy's container; `None` where nginx runs in none.
fn container(context: Context<'_>) -> Option<String> {
    context.spec.container.as_ref().map(ToString::to_string)
}

async fn told(context: Context<'_>, operation: DockerOperation) -> Result<bool, Diagnostic> {
    let done = context.host.docker(&context.spec.docker.socket, operation).await?;
    Ok(matches!(done, DockerAnswer::Done { changed: true }))
}

/// Makes a network, anew where vsa made another one of that name before.
pub(super) async fn create(
    context: Context<'_>,
    network: &NetworkSettings,
    replaces: Option<&NetworkSettings>,
) -> Result<Facts, Diagnostic> {
    if let Some(former) = replaces {
        told(context, DockerOperation::RemoveNetwork { name: former.name.clone() }).await?;
    }
    told(context, DockerOperation::CreateNetwork { network: network.clone() }).await?;
    Ok(Facts::new())
}

/// Removes a network that was made, and makes the one before it again.
pub(super) async fn undo(
    context: Context<'_>,
    network: &NetworkSettings,
    replaces: Option<&NetworkSettings>,
) -> Result<(), Diagnostic> {
    told(context, DockerOperation::RemoveNetwork { name: network.name.clone() }).await?;
    if let Some(former) = replaces {
        told(context, DockerOperation::CreateNetwork { network: former.clone() }).await?;
    }
    Ok(())
}

/// Removes a network.
pub(super) async fn remove(context: Context<'_>, name: &str) -> Result<Facts, Diagnostic> {
    told(context, DockerOperation::RemoveNetwork { name: name.to_owned() }).await?;
    Ok(Facts::new())
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

/// Takes the proxy into the networks again that it was in, which a container that was made anew has lost.
pub(super) async fn rejoin(context: Context<'_>) -> Result<(), Diagnostic> {
    let (Some(container), Some(stored)) =
        (container(context), context.state.nodes.get(&context.spec.address))
    else {
        return Ok(());
    };
    let socket = context.spec.docker.socket.clone();
    let found = context.host.observe(&[Query::Containers { socket }]).await.pop();
    let Some(Answer::Containers(all)) = found else { return Ok(()) };
    let Some(proxy) = all.iter().find(|found| found.name == container) else { return Ok(()) };
    for network in stored.networks.iter().filter(|network| !proxy.networks.contains_key(&***network)) {
        connect(context, network).await?;
    }
    Ok(())
}
