//! Containers and their volumes.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use bollard::query_parameters::{
    KillContainerOptions, ListVolumesOptions, RemoveContainerOptions, RemoveVolumeOptions,
    RenameContainerOptions, RestartContainerOptions, StopContainerOptions,
};
use futures_util::StreamExt;

use super::failure::Failure;
use super::networks::gone;
use super::{PATIENCE, inspected, within};
use crate::host::{DockerAnswer, Output, Signal, Status};
use crate::plan::docker::{Container, ContainerState};

/// How much of a program's output is kept, of each kind.
const KEPT: usize = 1 << 20;

pub(super) async fn inspect(docker: &Docker, container: &str) -> Result<Option<Container>, Failure> {
    match within(PATIENCE, docker.inspect_container(container, None)).await {
        Ok(found) => Ok(Some(inspected::container(found))),
        Err(Failure::Status(404, _)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Whether it runs; that there is none is an error.
async fn runs(docker: &Docker, container: &str) -> Result<bool, Failure> {
    let found = inspect(docker, container).await?;
    let found = found.ok_or_else(|| Failure::text("there is no such container"))?;
    Ok(matches!(found.state, ContainerState::Running | ContainerState::Paused | ContainerState::Restarting))
}

pub(super) async fn start(docker: &Docker, container: &str) -> Result<DockerAnswer, Failure> {
    if runs(docker, container).await? {
        return Ok(DockerAnswer::Done { changed: false });
    }
    within(PATIENCE, docker.start_container(container, None)).await?;
    Ok(DockerAnswer::Done { changed: true })
}

pub(super) async fn unpause(docker: &Docker, container: &str) -> Result<DockerAnswer, Failure> {
    let found = inspect(docker, container).await?;
    if found.is_none_or(|found| found.state != ContainerState::Paused) {
        return Ok(DockerAnswer::Done { changed: false });
    }
    within(PATIENCE, docker.unpause_container(container)).await?;
    Ok(DockerAnswer::Done { changed: true })
}

pub(super) async fn rename(docker: &Docker, container: &str, name: String) -> Result<DockerAnswer, Failure> {
    if inspect(docker, container).await?.is_some_and(|found| found.name == name) {
        return Ok(DockerAnswer::Done { changed: false });
    }
    within(PATIENCE, docker.rename_container(container, RenameContainerOptions { name })).await?;
    Ok(DockerAnswer::Done { changed: true })
}

pub(super) async fn stop(
    docker: &Docker,
    container: &str,
    patience: Duration,
) -> Result<DockerAnswer, Failure> {
    match runs(docker, container).await {
        Ok(true) => {}
        Ok(false) => return Ok(DockerAnswer::Done { changed: false }),
        Err(failure) => return Err(failure),
    }
    let options = StopContainerOptions { t: Some(seconds(patience)), ..Default::default() };
    within(patience + PATIENCE, docker.stop_container(container, Some(options))).await?;
    Ok(DockerAnswer::Done { changed: true })
}

pub(super) async fn restart(
    docker: &Docker,
    container: &str,
    patience: Duration,
) -> Result<DockerAnswer, Failure> {
    let options = RestartContainerOptions { t: Some(seconds(patience)), ..Default::default() };
    within(patience + PATIENCE, docker.restart_container(container, Some(options))).await?;
    Ok(DockerAnswer::Done { changed: true })
}

fn seconds(patience: Duration) -> i32 {
    i32::try_from(patience.as_secs()).unwrap_or(i32::MAX)
}

pub(super) async fn remove(docker: &Docker, container: &str) -> Result<DockerAnswer, Failure> {
    let options = RemoveContainerOptions { v: true, force: true, link: false };
    let done = within(PATIENCE, docker.remove_container(container, Some(options))).await;
    gone(done, |message| message.contains("already in progress"))
}

pub(super) async fn signal(
    docker: &Docker,
    container: &str,
    signal: Signal,
) -> Result<DockerAnswer, Failure> {
    let name = match signal {
        Signal::Hangup => "SIGHUP",
        Signal::Quit => "SIGQUIT",
        Signal::Terminate => "SIGTERM",
        Signal::Kill => "SIGKILL",
    };
    let options = KillContainerOptions { signal: name.to_owned() };
    within(PATIENCE, docker.kill_container(container, Some(options))).await?;
    Ok(DockerAnswer::Done { changed: true })
}

pub(super) async fn exec(
    docker: &Docker,
    container: &str,
    command: Vec<String>,
    environment: Vec<String>,
    timeout: Duration,
) -> Result<DockerAnswer, Failure> {
    let config = ExecConfig {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(command),
        env: Some(environment),
        ..Default::default()
    };
    let id = within(PATIENCE, docker.create_exec(container, config)).await?.id;
    let started = within(PATIENCE, docker.start_exec(&id, None)).await?;
    let StartExecResults::Attached { mut output, input: _input } = started else {
        return Err(Failure::text("the engine let go of the program"));
    };
    let mut stdout = Vec::new();
    let mut stderr = Vec::new();
    let read = async {
        while let Some(piece) = output.next().await {
            let piece = piece.map_err(Failure::of)?;
            let kept = if matches!(piece, LogOutput::StdErr { .. }) { &mut stderr } else { &mut stdout };
            let room = KEPT.saturating_sub(kept.len());
            let bytes = piece.as_ref();
            kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        Ok(())
    };
    let status = match tokio::time::timeout(timeout, read).await {
        Ok(read) => {
            read?;
            let ended = within(PATIENCE, docker.inspect_exec(&id)).await?;
            // An engine that is going away closes the stream of a program that still runs.
            let code = ended.exit_code.filter(|_| ended.running != Some(true)).ok_or(Failure::Broken)?;
            Status::Exited(i32::try_from(code).unwrap_or(i32::MAX))
        }
        Err(_) => Status::TimedOut,
    };
    Ok(DockerAnswer::Output(Output { status, stdout, stderr }))
}

/// Removes the volumes whose label has this value.
pub(super) async fn remove_volumes(
    docker: &Docker,
    label: &str,
    value: &str,
) -> Result<DockerAnswer, Failure> {
    let label = format!("{label}={value}");
    let options = ListVolumesOptions { filters: Some(HashMap::from([("label".to_owned(), vec![label])])) };
    let found = within(PATIENCE, docker.list_volumes(Some(options))).await?;
    let mut removed = Vec::new();
    for volume in found.volumes.unwrap_or_default() {
        let done = within(PATIENCE, docker.remove_volume(&volume.name, None::<RemoveVolumeOptions>)).await;
        if matches!(gone(done, |_| false)?, DockerAnswer::Done { changed: true }) {
            removed.push(volume.name);
        }
    }
    removed.sort();
    Ok(DockerAnswer::Volumes(removed))
}
