//! Networks of Docker's: made and removed, and those that a proxy in a container is in.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Context, Facts, fact};
use crate::apply::compose;
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

/// How often is looked whether the proxy's container was made anew.
const POLL: Duration = Duration::from_millis(200);

/// Takes the proxy into the networks of the live generation again, which a container that was made anew has lost: those
/// that vsa took it into, and those that sites are reached in, whoever did.
///
/// # Errors
/// The engine does not answer, or does not do it.
pub(super) async fn rejoin(context: Context<'_>) -> Result<(), Diagnostic> {
    let (Some(container), Some(stored)) =
        (container(context), context.state.nodes.get(&context.spec.address))
    else {
        return Ok(());
    };
    let socket = &context.spec.docker.socket;
    let found = context.host.observe(&[Query::Containers { socket: socket.clone() }]).await.pop();
    let Some(Answer::Containers(all)) = found else { return Err(compose::unanswered(found, socket)) };
    let Some(proxy) = all.iter().find(|found| found.name == container) else { return Ok(()) };
    let named = stored.names.values().map(|name| &name.network);
    let needed: BTreeSet<&Arc<str>> = stored.networks.iter().chain(named).collect();
    for network in needed.into_iter().filter(|network| !proxy.networks.contains_key(&***network)) {
        connect(context, network).await?;
    }
    Ok(())
}

/// Does something that may make the proxy's container anew, and takes the new one into the networks of the live
/// generation as soon as it is there: its sites are not to wait until it is healthy.
pub(super) async fn rejoined_meanwhile<T>(context: Context<'_>, work: impl Future<Output = T>) -> T {
    let rejoin = async {
        loop {
            context.host.sleep(POLL).await;
            // What goes wrong is said when all is done: it is tried again then.
            let _ = rejoin(context).await;
        }
    };
    tokio::select! {
        done = work => done,
        never = rejoin => never,
    }
}
