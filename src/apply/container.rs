//! The container of a node's proxy: started, stopped, told to reload.

use std::time::Duration;

use crate::diag::Diagnostic;
use crate::host::{DockerAnswer, DockerOperation, Host, Signal};
use crate::plan::NodeSpec;
use crate::plan::docker::ContainerState;
use crate::plan::observation::ContainerRef;

/// How much of its log an error shows.
const LOG_LINES: usize = 20;
const LOG_BYTES: usize = 16 << 10;

/// Starts it; one that runs and has no nginx yet waits for a generation, and starts nginx by itself.
pub(super) async fn start(host: &dyn Host, spec: &NodeSpec, at: &ContainerRef) -> Result<(), Diagnostic> {
    let ContainerRef { socket, container } = at;
    let inspect = DockerOperation::Inspect { container: container.clone() };
    let DockerAnswer::Container(Some(found)) = host.docker(socket, inspect).await? else {
        return Err(Diagnostic::error(format!("there is no container `{container}` for the proxy"))
            .code("no_proxy_container")
            .help(format!("a stack of the label `{container}` runs it, or somebody else does"))
            .on(&spec.address));
    };
    if found.state == ContainerState::Running {
        return Ok(());
    }
    host.docker(socket, DockerOperation::Start { container: container.clone() }).await?;
    Ok(())
}

/// Stops it, as far as it runs.
pub(super) async fn stop(host: &dyn Host, at: &ContainerRef, patience: Duration) -> Result<bool, Diagnostic> {
    let ContainerRef { socket, container } = at;
    let inspect = DockerOperation::Inspect { container: container.clone() };
    let DockerAnswer::Container(Some(_)) = host.docker(socket, inspect).await? else { return Ok(false) };
    let stop = DockerOperation::Stop { container: container.clone(), patience };
    Ok(matches!(host.docker(socket, stop).await?, DockerAnswer::Done { changed: true }))
}

/// Sends a signal to its first process, nginx's master.
pub(super) async fn signal(host: &dyn Host, at: &ContainerRef, signal: Signal) -> Result<(), Diagnostic> {
    let operation = DockerOperation::Signal { container: at.container.clone(), signal };
    host.docker(&at.socket, operation).await?;
    Ok(())
}

/// The end of its log.
pub(super) async fn said(host: &dyn Host, at: &ContainerRef) -> Option<String> {
    let operation =
        DockerOperation::Logs { container: at.container.clone(), lines: LOG_LINES, bytes: LOG_BYTES };
    match host.docker(&at.socket, operation).await {
        Ok(DockerAnswer::Log(log)) => Some(log.text().trim_end().to_owned()).filter(|text| !text.is_empty()),
        _ => None,
    }
}
