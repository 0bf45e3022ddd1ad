//! Questions to what runs in a container. That it does not run is an answer.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::TopOptions;

use super::failure::Failure;
use super::{PATIENCE, connect, containers, within};
use crate::host::{DockerAnswer, Output, Status};
use crate::plan::Answer;
use crate::plan::docker::ContainerState;
use crate::plan::observation::ContainerRef;

/// How long a program in there may take to answer.
const ANSWERS: Duration = Duration::from_secs(10);

/// What a shell and the engine end with where there is no such program.
const NO_PROGRAM: [Status; 2] = [Status::Exited(126), Status::Exited(127)];

/// A proxy that the container is configured to use is not asked for its own loopback.
const NO_PROXY: [&str; 4] = ["http_proxy=", "HTTP_PROXY=", "no_proxy=*", "NO_PROXY=*"];

/// What a program in a container leaves; `None` where the container does not run, or has no such program.
async fn run(docker: &Docker, container: &str, command: &[&str]) -> Result<Option<Output>, Failure> {
    let command = command.iter().map(|&word| word.to_owned()).collect();
    let environment = NO_PROXY.map(str::to_owned).into();
    match containers::exec(docker, container, command, environment, ANSWERS).await {
        Ok(DockerAnswer::Output(output)) => {
            Ok(Some(output).filter(|output| !NO_PROGRAM.contains(&output.status)))
        }
        Ok(_) => Ok(None),
        Err(failure) if is_absent(&failure) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Whether an engine says that the container is not there or does not run, or that the program is not in it.
fn is_absent(failure: &Failure) -> bool {
    match failure {
        Failure::Status(404 | 409, _) => true,
        Failure::Status(_, message) => {
            message.contains("executable file not found") || message.contains("is not running")
        }
        _ => false,
    }
}

/// What nginx says of itself; it writes to standard error.
pub(super) async fn nginx(container: &ContainerRef, program: &Path) -> Result<Answer, Failure> {
    let docker = connect(&container.socket)?;
    let program = program.to_string_lossy();
    let said = run(&docker, &container.container, &[&program, "-V"]).await?;
    Ok(said.map_or(Answer::Absent, |output| Answer::Text(output.errors())))
}

/// What the marker answers in there. There is `curl` in most images with nginx, and `wget` in those of busybox.
pub(super) async fn marker(container: &ContainerRef, port: u16, host: &str) -> Result<Answer, Failure> {
    let docker = connect(&container.socket)?;
    let (url, host) = (format!("http://127.0.0.1:{port}/"), format!("Host: {host}"));
    let curl = ["curl", "--silent", "--fail", "--max-time", "2", "--header", &host, &url];
    let wget = ["wget", "-q", "-T", "2", "-O", "-", "--header", &host, &url];
    for client in [&curl[..], &wget[..]] {
        if let Some(output) = run(&docker, &container.container, client).await? {
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            return Ok(if output.success() { Answer::Text(text) } else { Answer::Absent });
        }
    }
    match processes(container).await? {
        Answer::Processes(_) => Ok(Answer::Failed(format!(
            "the container `{}` has neither `curl` nor `wget`, by which nginx is asked what it serves",
            container.container
        ))),
        absent => Ok(absent),
    }
}

/// Its processes.
pub(super) async fn processes(container: &ContainerRef) -> Result<Answer, Failure> {
    let found = listed(container, "args").await?;
    Ok(found.map_or(Answer::Absent, Answer::Processes))
}

/// Whether one of its processes hears no signal: the container is paused, or the process is stopped.
pub(super) async fn stopped(container: &ContainerRef, process: u32) -> Result<Answer, Failure> {
    let docker = connect(&container.socket)?;
    let found = containers::inspect(&docker, &container.container).await?;
    if found.is_some_and(|found| found.state == ContainerState::Paused) {
        return Ok(Answer::Stopped(true));
    }
    let states = listed(container, "stat").await?.unwrap_or_default();
    let is_stopped = |state: &String| state.starts_with(['T', 't']);
    Ok(states.get(&process).map_or(Answer::Absent, |state| Answer::Stopped(is_stopped(state))))
}

/// What `ps` says of its processes, by their numbers; `None` where it does not run.
async fn listed(container: &ContainerRef, what: &str) -> Result<Option<BTreeMap<u32, String>>, Failure> {
    let docker = connect(&container.socket)?;
    let options = TopOptions { ps_args: format!("-eo pid,{what}") };
    let found = match within(PATIENCE, docker.top_processes(&container.container, Some(options))).await {
        Ok(found) => found,
        Err(failure) if is_absent(&failure) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let rows = found.processes.unwrap_or_default();
    let processes = rows.into_iter().filter_map(|row| {
        let (id, words) = row.split_first()?;
        Some((id.parse().ok()?, words.join(" ")))
    });
    Ok(Some(processes.collect()))
}
