//! Waiting for a container.

use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::ContainerInspectResponse;

use super::failure::Failure;
use super::{EVERY, PATIENCE, inspected, within};
use crate::host::DockerAnswer;
use crate::host::docker_operation::{Log, Readiness};
use crate::plan::docker::{Container, ContainerState, Health};

pub(super) async fn wait(
    docker: &Docker,
    container: &str,
    patience: Duration,
    settle: Duration,
) -> Result<DockerAnswer, Failure> {
    let start = Instant::now();
    // When it was first seen up, and which of its runs that was.
    let mut up: Option<(Option<String>, Instant)> = None;
    loop {
        let found = match within(PATIENCE, docker.inspect_container(container, None)).await {
            Ok(found) => found,
            Err(Failure::Status(404, _)) => return Ok(DockerAnswer::Readiness(Readiness::Gone)),
            Err(failure) => return Err(failure),
        };
        let run = found.state.as_ref().and_then(|state| state.started_at.clone());
        let said = said(&found);
        let container = inspected::container(found);
        if container.state != ContainerState::Running {
            up = None;
        } else if up.as_ref().is_none_or(|(known, _)| *known != run) {
            up = Some((run, Instant::now()));
        }
        let since = up.as_ref().map_or(Duration::ZERO, |(_, since)| since.elapsed());
        if let Some(readiness) = judge(&container, since >= settle, said) {
            return Ok(DockerAnswer::Readiness(readiness));
        }
        if start.elapsed() >= patience {
            return Ok(DockerAnswer::Readiness(Readiness::TimedOut { last: Box::new(container) }));
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What is known of it now, where that is enough.
fn judge(container: &Container, settled: bool, said: Log) -> Option<Readiness> {
    match (container.state, container.health) {
        (ContainerState::Running, Some(Health::Healthy)) => Some(Readiness::Ready),
        (ContainerState::Running, Some(Health::Unhealthy)) => Some(Readiness::Unhealthy { said }),
        (ContainerState::Running, None) if settled => Some(Readiness::Ready),
        // One that the engine starts again is `restarting` from its end on.
        (ContainerState::Exited | ContainerState::Dead, _) => {
            Some(Readiness::Exited { code: container.exit_code.unwrap_or_default() })
        }
        (ContainerState::Removing, _) => Some(Readiness::Gone),
        _ => None,
    }
}

/// What the health check said last.
fn said(found: &ContainerInspectResponse) -> Log {
    let health = found.state.as_ref().and_then(|state| state.health.as_ref());
    let last = health.and_then(|health| health.log.as_ref()?.last()?.output.clone());
    Log(last.unwrap_or_default().into_bytes())
}
