//! The Compose tool at work, and what a project looks like while it comes up.

use std::collections::BTreeSet;
use std::path::Path;

use tokio::sync::OnceCell;

pub use super::operations::known_secrets;
use super::operations::{Waiting, Watch, settled};
use crate::diag::Diagnostic;
pub(super) use crate::host::compose::Task;
use crate::host::compose::command;
use crate::host::{Host, Output};
use crate::plan::docker::{ComposeTool, Container, ContainerState, Health};
use crate::plan::observation::FileType;
use crate::plan::{Answer, ComposeProject, Query};

/// The tool at hand, looked for once.
#[derive(Debug, Default)]
pub(super) struct Tool(OnceCell<ComposeTool>);

impl Tool {
    pub(super) async fn find(&self, host: &dyn Host) -> Result<&ComposeTool, Diagnostic> {
        let look = async || match host.observe(&[Query::ComposeTool]).await.pop() {
            Some(Answer::ComposeTool(tool)) => Ok(tool),
            Some(Answer::Failed(reason)) => {
                Err(Diagnostic::error("Docker Compose cannot be used").detail(reason))
            }
            _ => Err(Diagnostic::error("there is no Docker Compose on the node")
                .help("install the plugin `docker-compose-plugin`, or Debian's package `docker-compose`")),
        };
        self.0.get_or_try_init(look).await
    }
}

/// Runs the tool to its end; what it says on failure is in the error, without `secrets`.
pub(super) async fn run(
    host: &dyn Host,
    tool: &Tool,
    project: &ComposeProject,
    task: &Task,
    secrets: &[String],
) -> Result<Output, Diagnostic> {
    let tool = tool.find(host).await?;
    refuse_links(host, project).await?;
    let output = host.run(command(tool, project, task)).await?;
    if output.success() {
        return Ok(output);
    }
    let verb = match task {
        Task::Up { .. } | Task::UpOf { .. } | Task::UpBeside { .. } | Task::UpAnew { .. } => "brought up",
        Task::Pull => "pulled",
        Task::Stop => "stopped",
        Task::Restart { .. } => "restarted",
        Task::Down => "taken down",
        Task::Hashes => "read",
    };
    let how = output.ending("the Compose tool");
    let error = Diagnostic::error(format!("project `{}` could not be {verb}", project.name));
    // Without an engine the tool says anything but that.
    if let Err(engine) = containers(host, project).await {
        let why = [engine.summary, engine.detail].join(": ");
        let error = error.detail(why.trim_end_matches(": "));
        return Err(engine.help.into_iter().fold(error, Diagnostic::help));
    }
    let said = masked(last_lines(&without_traceback(&output.errors()), 12), secrets);
    Err(error.detail(format!("{how}:\n{said}")))
}

/// Refuses a project whose files are reached by symbolic links below the stack's own directory: the tool would follow
/// them, and a container may have put them there.
async fn refuse_links(host: &dyn Host, project: &ComposeProject) -> Result<(), Diagnostic> {
    let Some(root) = project.directory.parent() else { return Ok(()) };
    let files = project.files.iter().chain([&project.env_file]);
    let ways = files.flat_map(|file| file.ancestors().take_while(|place| *place != root));
    let places: BTreeSet<&Path> = ways.filter(|place| place.starts_with(root)).collect();
    let queries: Vec<Query> = places.iter().map(|place| Query::Stat((*place).to_owned())).collect();
    let answers = host.observe(&queries).await;
    let is_link =
        |answer: &Answer| matches!(answer, Answer::Stat(stat) if matches!(stat.file_type, FileType::Link(_)));
    match places.iter().zip(answers).find(|(_, answer)| is_link(answer)) {
        Some((place, _)) => Err(Diagnostic::error(format!("`{}` is a symbolic link", place.display()))
            .code("obstructed")
            .detail(format!(
                "the Compose tool would follow it, and project `{}` is started from there",
                project.name
            ))
            .help("remove it: the next apply puts its own in its place")),
        None => Ok(()),
    }
}

/// What a program of Python's said, without how it came there: of its tracebacks the very end alone.
fn without_traceback(text: &str) -> String {
    match text.split_once("Traceback (most recent call last):") {
        Some((before, inside)) => format!("{before}{}", last_lines(inside, 1)),
        None => text.to_owned(),
    }
}

/// The last lines of a text.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A text without secrets.
pub fn masked(text: String, secrets: &[String]) -> String {
    secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text, |text, secret| text.replace(secret, "********"))
}

/// Restarts the containers of some services, or of all where none is named, and waits until they do their work.
///
/// # Errors
/// The tool fails, or a container is not healthy after `wait` seconds; with what it said, without its secrets.
pub async fn restart(
    host: &dyn Host,
    project: &ComposeProject,
    services: &[String],
    wait: u32,
    secrets: &[String],
) -> Result<Vec<Container>, Diagnostic> {
    let tool = Tool::default();
    run(host, &tool, project, &Task::Restart { services: services.to_vec() }, secrets).await?;
    let waiting = Waiting { seconds: wait, secrets, old: &BTreeSet::new(), told: &|_, _| {} };
    settled(host, project, waiting, &mut Watch::default()).await
}

/// The containers of a project, one-off runs left away.
pub async fn containers(host: &dyn Host, project: &ComposeProject) -> Result<Vec<Container>, Diagnostic> {
    let query =
        Query::ProjectContainers { socket: project.socket.clone(), project: project.name.as_str().into() };
    match host.observe(&[query]).await.pop() {
        Some(Answer::Containers(all)) => {
            Ok(all.into_iter().filter(|container| container.belongs_to(&project.name)).collect())
        }
        answer => Err(unanswered(answer, &project.socket)),
    }
}

/// What is wrong with an engine that did not answer a question.
pub(super) fn unanswered(answer: Option<Answer>, socket: &Path) -> Diagnostic {
    match answer {
        Some(Answer::Failed(reason)) => Diagnostic::error("Docker does not answer").detail(reason),
        _ => Diagnostic::error(format!("there is no Docker engine at `{}`", socket.display()))
            .help("start Docker, or name its socket with `docker { socket }` of the node"),
    }
}

/// What a container says of its health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Readiness {
    /// It is healthy, or has done its work.
    Ready,
    /// It runs and has no health check: it must stay so.
    Running,
    /// It is not there yet.
    Waiting,
    /// It will not be.
    Failed,
}

pub(super) fn readiness(container: &Container) -> Readiness {
    match (container.state, container.health) {
        (ContainerState::Running, Some(Health::Healthy)) => Readiness::Ready,
        (ContainerState::Running, None) => Readiness::Running,
        (ContainerState::Exited, _) if container.exit_code == Some(0) => Readiness::Ready,
        (ContainerState::Running, Some(Health::Unhealthy))
        | (ContainerState::Exited | ContainerState::Dead, _) => Readiness::Failed,
        _ => Readiness::Waiting,
    }
}

#[cfg(test)]
mod tests {
    use super::without_traceback;

    #[test]
    fn a_traceback_is_told_by_its_end() {
        let text = "Creating x ...\nTraceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nKeyError: 'a'\n\n\
                    During handling of the above exception, another exception occurred:\n\n\
                    Traceback (most recent call last):\n  File \"b.py\"\ndocker.errors.APIError: gone\n";
        assert_eq!(without_traceback(text), "Creating x ...\ndocker.errors.APIError: gone");
        assert_eq!(without_traceback("no such service\n"), "no such service\n");
    }
}
