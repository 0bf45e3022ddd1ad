//! Operations of the engine.

use std::path::Path;

use super::failure::Failure;
use super::{connect, containers, convert, images, logs, networks, ready, stacks};
use crate::host::{DockerAnswer, DockerOperation, HostError, pause};
use crate::plan::BlobKind;
use crate::plan::docker::COMPOSE_PROJECT;

/// Does an operation.
pub(in crate::host::local) async fn operate(
    socket: &Path,
    operation: DockerOperation,
) -> Result<DockerAnswer, HostError> {
    let (what, on) = words(&operation);
    let error = |failure: Failure| HostError::because(what, &on, failure.reason(socket));
    if !is_name(&operation, &on) {
        return Err(error(Failure::text("that is no name that Docker knows")));
    }
    let docker = connect(socket).map_err(error)?;
    let changes = changes(&operation);
    if changes {
        pause::before();
    }
    let done = match operation {
        DockerOperation::CreateNetwork { network } => networks::create(&docker, network).await,
        DockerOperation::RemoveNetwork { name } => networks::remove(&docker, &name).await,
        DockerOperation::Connect { network, container, aliases } => {
            networks::connect(&docker, &network, &container, aliases).await
        }
        DockerOperation::Disconnect { network, container } => {
            networks::disconnect(&docker, &network, &container).await
        }
        DockerOperation::Start { container } => containers::start(&docker, &container).await,
        DockerOperation::Unpause { container } => containers::unpause(&docker, &container).await,
        DockerOperation::Rename { container, name } => containers::rename(&docker, &container, name).await,
        DockerOperation::Stop { container, patience } => {
            containers::stop(&docker, &container, patience).await
        }
        DockerOperation::Restart { container, patience } => {
            containers::restart(&docker, &container, patience).await
        }
        DockerOperation::Remove { container } => containers::remove(&docker, &container).await,
        DockerOperation::Signal { container, signal } => {
            containers::signal(&docker, &container, signal).await
        }
        DockerOperation::Exec { container, command, timeout } => {
            containers::exec(&docker, &container, command, Vec::new(), timeout).await
        }
        DockerOperation::Logs { container, lines, bytes } => {
            logs::tail(docker.logs(&container, Some(logs::options(Some(lines)))), bytes).await
        }
        DockerOperation::TaskLogs { task, lines, bytes } => {
            logs::tail(docker.task_logs(&task, Some(logs::options(Some(lines)))), bytes).await
        }
        DockerOperation::Follow { container, lines, until_now, timestamps } => {
            Ok(logs::follow(&docker, socket, &container, logs::Read { lines, until_now, timestamps }))
        }
        DockerOperation::Pull { reference, policy, login } => {
            images::pull(docker, &reference, policy, login).await
        }
        DockerOperation::AwaitReady { container, patience, settle } => {
            ready::wait(&docker, &container, patience, settle).await
        }
        DockerOperation::RemoveVolumes { project } => {
            containers::remove_volumes(&docker, COMPOSE_PROJECT, &project).await
        }
        DockerOperation::RemoveStackVolumes { stack } => {
            containers::remove_volumes(&docker, convert::STACK, &stack).await
        }
        DockerOperation::KeepBlob { kind, stack, name, content } => {
            stacks::keep(&docker, kind, &stack, name, &content).await
        }
        DockerOperation::PruneStack { stack, services } => stacks::prune(&docker, &stack, &services).await,
        DockerOperation::RemoveStack { stack, patience } => stacks::remove(&docker, &stack, patience).await,
        DockerOperation::Inspect { container } => containers::inspect(&docker, &container)
            .await
            .map(|found| DockerAnswer::Container(found.map(Box::new))),
    };
    if changes {
        pause::after();
    }
    done.map_err(error)
}

/// What is done, and on what: the words of an error.
fn words(operation: &DockerOperation) -> (&'static str, String) {
    let (what, on) = match operation {
        DockerOperation::CreateNetwork { network } => ("create the network", &network.name),
        DockerOperation::RemoveNetwork { name } => ("remove the network", name),
        DockerOperation::Connect { network, .. } => ("attach a container to the network", network),
        DockerOperation::Disconnect { network, .. } => ("take a container from the network", network),
        DockerOperation::Start { container } => ("start the container", container),
        DockerOperation::Unpause { container } => ("unpause the container", container),
        DockerOperation::Rename { container, .. } => ("rename the container", container),
        DockerOperation::Stop { container, .. } => ("stop the container", container),
        DockerOperation::Restart { container, .. } => ("restart the container", container),
        DockerOperation::Remove { container } => ("remove the container", container),
        DockerOperation::Signal { container, .. } => ("send a signal to the container", container),
        DockerOperation::Exec { container, .. } => ("run a program in the container", container),
        DockerOperation::Logs { container, .. } | DockerOperation::Follow { container, .. } => {
            ("read the log of the container", container)
        }
        DockerOperation::TaskLogs { task, .. } => ("read the log of the task", task),
        DockerOperation::Pull { reference, .. } => ("pull the image", reference),
        DockerOperation::AwaitReady { container, .. } => ("wait for the container", container),
        DockerOperation::RemoveVolumes { project } => ("remove the volumes of the project", project),
        DockerOperation::RemoveStackVolumes { stack } => ("remove the volumes of the stack", stack),
        DockerOperation::KeepBlob { kind: BlobKind::Secret, stack, .. } => {
            ("give the swarm a secret of the stack", stack)
        }
        DockerOperation::KeepBlob { kind: BlobKind::Config, stack, .. } => {
            ("give the swarm a config of the stack", stack)
        }
        DockerOperation::PruneStack { stack, .. } => ("remove what is left over of the stack", stack),
        DockerOperation::RemoveStack { stack, .. } => ("remove the stack", stack),
        DockerOperation::Inspect { container } => ("inspect the container", container),
    };
    (what, on.clone())
}

/// Whether an operation changes the outside world.
fn changes(operation: &DockerOperation) -> bool {
    !matches!(
        operation,
        DockerOperation::Logs { .. }
            | DockerOperation::TaskLogs { .. }
            | DockerOperation::Follow { .. }
            | DockerOperation::AwaitReady { .. }
            | DockerOperation::Inspect { .. }
    )
}

/// Names become parts of a request's path: nothing else than a name may get there.
fn is_name(operation: &DockerOperation, on: &str) -> bool {
    let is = |name: &str| {
        let mut chars = name.chars();
        chars.next().is_some_and(|first| first.is_ascii_alphanumeric())
            && chars.all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    match operation {
        DockerOperation::Pull { reference, .. } => {
            !reference.is_empty()
                && reference.chars().all(|c| c.is_ascii_alphanumeric() || "_.-:/@".contains(c))
        }
        DockerOperation::Connect { container, .. } | DockerOperation::Disconnect { container, .. } => {
            is(on) && is(container)
        }
        DockerOperation::Rename { name, .. } => is(on) && is(name),
        _ => is(on),
    }
}
