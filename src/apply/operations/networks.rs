//! Networks of Docker's: made and removed, and those that a proxy in a container is in.

use std::collections::BTreeSet;
use std::path::Path;

use tokio::sync::Mutex;

use super::settling::POLL;
use super::{Context, Facts, fact};
use crate::address::Address;
use crate::apply::compose;
use crate::apply::journal::Before;
use crate::diag::Diagnostic;
use crate::host::{DockerAnswer, DockerOperation, Host};
use crate::plan::{Answer, ComposeProject, NetworkSettings, Query};

/// The networks that a run takes the proxy into no more for now: their stacks are taken down to make them anew. Held while
/// the proxy is taken into networks again, so that none is left and joined at once.
#[derive(Debug, Default)]
pub(in crate::apply) struct Withheld(Mutex<BTreeSet<(Address, String)>>);

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

/// Whether no engine answers at a socket.
pub(super) async fn is_unseen(host: &dyn Host, socket: &Path) -> bool {
    let found = host.observe(&[Query::Networks { socket: socket.to_owned() }]).await.pop();
    !matches!(found, Some(Answer::Networks(_)))
}

/// Removes a network that was made, and makes the one before it again. Without an engine before and after, nothing was.
pub(super) async fn undo(
    context: Context<'_>,
    network: &NetworkSettings,
    replaces: Option<&NetworkSettings>,
    before: &Before,
) -> Result<(), Diagnostic> {
    if before.silent && is_unseen(context.host, &context.spec.docker.socket).await {
        return Ok(());
    }
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

/// Takes the proxy from the networks of a project, which could not be removed with it in them, and keeps it out of them
/// until [`join_again`]. Returns them all, and those that the proxy was in.
///
/// # Errors
/// The engine does not answer, or does not do it.
pub(super) async fn leave(context: Context<'_>, project: &ComposeProject) -> Result<Left, Diagnostic> {
    let mut left = Left::default();
    let Some(container) = container(context) else { return Ok(left) };
    let query = Query::Networks { socket: project.socket.clone() };
    let Some(Answer::Networks(all)) = context.host.observe(&[query]).await.pop() else { return Ok(left) };
    let own = all.into_iter().filter(|network| network.project() == Some(&project.name));
    left.own = own.map(|network| network.name).collect();
    let node = &context.spec.address;
    let own = left.own.iter().map(|network| (node.clone(), network.clone()));
    context.withheld.0.lock().await.extend(own);
    for network in &left.own {
        let operation =
            DockerOperation::Disconnect { network: network.clone(), container: container.clone() };
        if told(context, operation).await? {
            left.joined.insert(network.clone());
        }
    }
    Ok(left)
}

/// What [`leave`] did.
#[derive(Debug, Default)]
pub(super) struct Left {
    own: BTreeSet<String>,
    joined: BTreeSet<String>,
}

/// Takes the proxy into the networks of a project again, which are there anew: those that it was in, and those of the live
/// generation, for the proxy may have been made anew meanwhile.
///
/// # Errors
/// As of [`rejoin`].
pub(super) async fn join_again(context: Context<'_>, left: &Left) -> Result<(), Diagnostic> {
    let mut withheld = context.withheld.0.lock().await;
    withheld.retain(|(node, network)| *node != context.spec.address || !left.own.contains(network));
    let mut needed = live(context);
    needed.retain(|network| left.own.contains(network));
    needed.extend(left.joined.iter().cloned());
    join(context, &needed).await
}

/// Takes the proxy into the networks of the live generation again, which a container that was made anew has lost: those
/// that vsa took it into, and those that sites are reached in, whoever did. Those that a stack is about to make anew are
/// that stack's to join.
///
/// # Errors
/// The engine does not answer, or does not do it.
pub(super) async fn rejoin(context: Context<'_>) -> Result<(), Diagnostic> {
    let withheld = context.withheld.0.lock().await;
    let mut needed = live(context);
    needed.retain(|network| !withheld.contains(&(context.spec.address.clone(), network.clone())));
    join(context, &needed).await
}

/// The networks of the live generation.
fn live(context: Context<'_>) -> BTreeSet<String> {
    let Some(stored) = context.state.nodes.get(&context.spec.address) else { return BTreeSet::new() };
    let named = stored.names.values().map(|name| &name.network);
    stored.networks.iter().chain(named).map(ToString::to_string).collect()
}

/// Takes the proxy's container, where it is there, into those of the networks that it is not in.
async fn join(context: Context<'_>, networks: &BTreeSet<String>) -> Result<(), Diagnostic> {
    let Some(container) = container(context).filter(|_| !networks.is_empty()) else { return Ok(()) };
    let socket = &context.spec.docker.socket;
    let found = context.host.observe(&[Query::Containers { socket: socket.clone() }]).await.pop();
    let Some(Answer::Containers(all)) = found else { return Err(compose::unanswered(found, socket)) };
    let Some(proxy) = all.iter().find(|found| found.name == container) else { return Ok(()) };
    for network in networks.iter().filter(|network| !proxy.networks.contains_key(*network)) {
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
