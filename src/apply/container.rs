//! The container of a node's proxy: started, stopped, told to reload.

use std::path::Path;
use std::time::Duration;

use super::compose::masked;
use crate::diag::Diagnostic;
use crate::host::{DockerAnswer, DockerOperation, Host, Signal};
use crate::plan::docker::ContainerState;
use crate::plan::observation::ContainerRef;
use crate::plan::{Answer, NodeSpec};

/// How much of its log an error shows.
const LOG_LINES: usize = 20;
const LOG_BYTES: usize = 16 << 10;

/// How long one that was made anew may take until nginx runs in there. What takes longer says so by a health check, which
/// was waited for before.
const BEGINS: Duration = Duration::from_secs(15);
/// How long nginx may take then to read its configuration.
const READS: Duration = Duration::from_mins(2);
/// How often it is asked.
const OFTEN: Duration = Duration::from_millis(100);

/// Waits until the nginx of a container that was made anew says that it serves what is live.
///
/// # Errors
/// No nginx that reads what vsa writes begins in there, or it answers something else; with the end of its log, without
/// `secrets`.
pub(super) async fn serves(
    host: &dyn Host,
    spec: &NodeSpec,
    expected: &str,
    secrets: &[String],
) -> Result<(), Diagnostic> {
    let Some(at) = spec.in_container() else { return Ok(()) };
    let since = host.elapsed();
    let why = loop {
        let answers = host.observe(&[spec.marker_query(), spec.running_query()]).await;
        match answers.first() {
            Some(Answer::Text(text)) if text == expected => return Ok(()),
            Some(Answer::Failed(reason)) => break reason.clone(),
            _ => {}
        }
        let waited = host.elapsed().saturating_sub(since);
        let running = answers.get(1).is_some_and(|answer| spec.master(answer).is_some());
        if running && waited > READS {
            break format!("its nginx does not say so within {} s", READS.as_secs());
        }
        if !running && waited > BEGINS {
            break format!("no nginx that reads {} runs in there", spec.prefix());
        }
        host.sleep(OFTEN).await;
    };
    let said = said(host, &at).await;
    let said = said.map(|said| format!("; the end of its log:\n{}", masked(said, secrets)));
    Err(Diagnostic::error(format!("the container `{}` does not serve the live generation", at.container))
        .code("proxy_not_serving")
        .detail(format!("it was made anew, and {why}{}", said.unwrap_or_default()))
        .help(format!(
            "it has to see {} under the same path, and run nginx on what is in there",
            spec.root.display()
        )))
}

/// Starts it; one that runs and has no nginx yet waits for a generation, and starts nginx by itself.
pub(super) async fn start(host: &dyn Host, spec: &NodeSpec, at: &ContainerRef) -> Result<(), Diagnostic> {
    let ContainerRef { socket, container } = at;
    let inspect = DockerOperation::Inspect { container: container.clone() };
    let DockerAnswer::Container(Some(found)) = host.docker(socket, inspect).await? else {
        return Err(Diagnostic::error(format!("there is no container `{container}` for the proxy"))
            .code("no_proxy_container")
            .help(format!(
                "a `stack \"{container}\"` with `source = \"vsa://reverse-proxy\"` brings it; or start it, where \
                 somebody else runs it"
            ))
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
    let container = at.container.clone();
    log(host, &at.socket, DockerOperation::Logs { container, lines: LOG_LINES, bytes: LOG_BYTES }).await
}

/// What nginx itself says at the end of its log. What else the container prints may hold its secrets, which are not
/// known here.
pub(super) async fn said_by_nginx(host: &dyn Host, at: &ContainerRef) -> Option<String> {
    const LEVELS: [&str; 4] = ["[emerg]", "[alert]", "[crit]", "[error]"];
    let log = said(host, at).await?;
    let lines: Vec<&str> =
        log.lines().filter(|line| LEVELS.iter().any(|level| line.contains(level))).collect();
    Some(lines.join("\n")).filter(|text| !text.is_empty())
}

/// The end of the log of a task of a swarm, on whichever node it is.
pub(super) async fn said_by_task(host: &dyn Host, socket: &Path, task: &str) -> Option<String> {
    let task = task.to_owned();
    log(host, socket, DockerOperation::TaskLogs { task, lines: LOG_LINES, bytes: LOG_BYTES }).await
}

async fn log(host: &dyn Host, socket: &Path, operation: DockerOperation) -> Option<String> {
    match host.docker(socket, operation).await {
        Ok(DockerAnswer::Log(log)) => Some(log.text().trim_end().to_owned()).filter(|text| !text.is_empty()),
        _ => None,
    }
}
