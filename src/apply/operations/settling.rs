//! Containers that come up: told of, and waited for until they do their work.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use super::Told;
use crate::apply::compose::{self, Readiness, Task, Tool};
use crate::apply::container;
use crate::diag::Diagnostic;
use crate::host::{DockerAnswer, DockerOperation, Host};
use crate::plan::ComposeProject;
use crate::plan::docker::{Container, ContainerState};
use crate::plan::observation::ContainerRef;

/// How long a container without a health check must stay up.
const STAYS_UP: Duration = Duration::from_secs(3);

/// How often the engine is asked while containers come up.
pub(super) const POLL: Duration = Duration::from_millis(200);

/// How containers are waited for.
#[derive(Clone, Copy)]
pub(in crate::apply) struct Waiting<'a> {
    /// How long.
    pub(in crate::apply) seconds: u32,
    /// What is not shown of their logs.
    pub(in crate::apply) secrets: &'a [String],
    /// Those that go, which nobody waits for.
    pub(in crate::apply) old: &'a BTreeSet<&'a str>,
    /// Takes note of each service.
    pub(in crate::apply) told: &'a Told<'a>,
}

/// What was told of the containers of a project while they come up.
#[derive(Default)]
pub(in crate::apply) struct Watch {
    last: BTreeMap<String, String>,
    /// When each container was first seen at its work, by id.
    running: BTreeMap<String, Duration>,
}

impl Watch {
    /// Tells what is new.
    fn tell(&mut self, states: &[(&Container, Readiness)], told: &Told<'_>) {
        for (service, state) in progress(states) {
            if self.last.get(&service) != Some(&state) {
                told(&service, &state);
                self.last.insert(service, state);
            }
        }
    }

    /// A container that has been running for as long as `limit` without being healthy.
    fn late<'a>(
        &mut self,
        states: &[(&'a Container, Readiness)],
        now: Duration,
        limit: Duration,
    ) -> Option<&'a Container> {
        let mut late = None;
        for (container, readiness) in states {
            if container.state == ContainerState::Running {
                let since = *self.running.entry(container.id.clone()).or_insert(now);
                let is_late = *readiness == Readiness::Waiting && now.saturating_sub(since) >= limit;
                late = late.or_else(|| is_late.then_some(*container));
            }
        }
        late
    }
}

/// Lets the tool start containers, and tells what they do meanwhile. The tool waits for one container before it starts
/// another that depends on it, with no end; and of one that fails it says as much as its id.
///
/// # Errors
/// The tool fails, or a container is not healthy after as long as is waited for one.
pub(in crate::apply) async fn started(
    host: &dyn Host,
    tool: &Tool,
    project: &ComposeProject,
    task: &Task,
    waiting: Waiting<'_>,
    watch: &mut Watch,
) -> Result<(), Diagnostic> {
    let Waiting { seconds, secrets, old, told } = waiting;
    let limit = Duration::from_secs(seconds.into());
    let mut run = pin!(compose::run(host, tool, project, task, secrets));
    loop {
        tokio::select! {
            done = &mut run => return match done {
                Ok(_) => Ok(()),
                Err(error) => Err(with_logs(host, project, waiting, watch, error).await),
            },
            () = host.sleep(POLL) => {}
        }
        // Whether the engine answers is the tool's to say.
        let mut containers = compose::containers(host, project).await.unwrap_or_default();
        containers.retain(|container| !old.contains(container.id.as_str()));
        let states = states(&containers);
        watch.tell(&states, told);
        if let Some(late) = watch.late(&states, host.elapsed(), limit) {
            let how = format!("was not healthy after {seconds} seconds");
            return Err(unhealthy(host, project, late, secrets, &how).await);
        }
    }
}

/// What the tool said of a failure, with the logs of the containers that have failed.
async fn with_logs(
    host: &dyn Host,
    project: &ComposeProject,
    waiting: Waiting<'_>,
    watch: &mut Watch,
    mut error: Diagnostic,
) -> Diagnostic {
    let mut containers = compose::containers(host, project).await.unwrap_or_default();
    containers.retain(|container| !waiting.old.contains(container.id.as_str()));
    // The tool ends as soon as one has failed: that is told, too.
    watch.tell(&states(&containers), waiting.told);
    for container in &containers {
        if compose::readiness(container) == Readiness::Failed {
            let failed = unhealthy(host, project, container, waiting.secrets, "failed").await;
            let told = format!("{}\n{}: {}", error.detail, failed.summary, failed.detail);
            error = error.detail(told);
        }
    }
    error
}

fn states(containers: &[Container]) -> Vec<(&Container, Readiness)> {
    containers.iter().map(|container| (container, compose::readiness(container))).collect()
}

/// Waits until all containers are healthy, have stayed up, or have done their work.
pub(in crate::apply) async fn settled(
    host: &dyn Host,
    project: &ComposeProject,
    Waiting { seconds: wait, secrets, old, told }: Waiting<'_>,
    watch: &mut Watch,
) -> Result<Vec<Container>, Diagnostic> {
    let begun = host.elapsed();
    let limit = Duration::from_secs(u64::from(wait));
    let mut steady = begun;
    loop {
        let mut containers = compose::containers(host, project).await?;
        containers.retain(|container| !old.contains(container.id.as_str()));
        let states = states(&containers);
        watch.tell(&states, told);
        let elapsed = host.elapsed();
        if let Some((failed, _)) = states.iter().find(|(_, readiness)| *readiness == Readiness::Failed) {
            return Err(unhealthy(host, project, failed, secrets, "failed").await);
        }
        let waiting = states.iter().find(|(_, readiness)| *readiness == Readiness::Waiting);
        if waiting.is_some() {
            steady = elapsed;
        }
        let must_stay = states.iter().any(|(_, readiness)| *readiness == Readiness::Running);
        if waiting.is_none() && (!must_stay || elapsed.saturating_sub(steady) >= STAYS_UP) {
            // Only an inspection tells, so it is asked once.
            return match stopped(host, project, &containers).await? {
                Some(stopped) => Err(unhealthy(host, project, stopped, secrets, "failed").await),
                None => Ok(containers),
            };
        }
        if elapsed.saturating_sub(begun) >= limit
            && let Some((late, _)) = waiting
        {
            let how = format!("was not healthy after {wait} seconds");
            return Err(unhealthy(host, project, late, secrets, &how).await);
        }
        host.sleep(POLL).await;
    }
}

/// One that has ended in good order, and is no job that is done once: somebody stopped it, or the engine has begun anew
/// without it.
async fn stopped<'a>(
    host: &dyn Host,
    project: &ComposeProject,
    containers: &'a [Container],
) -> Result<Option<&'a Container>, Diagnostic> {
    for ended in containers.iter().filter(|container| container.state == ContainerState::Exited) {
        let operation = DockerOperation::Inspect { container: ended.id.clone() };
        let found = host.docker(&project.socket, operation).await?;
        if matches!(found, DockerAnswer::Container(Some(found)) if found.runs_on == Some(true)) {
            return Ok(Some(ended));
        }
    }
    Ok(None)
}

/// What the containers of each service do: of several, the one that is furthest from its work.
fn progress(states: &[(&Container, Readiness)]) -> BTreeMap<String, String> {
    let mut states: Vec<_> = states.iter().collect();
    states.sort_by_key(|(_, readiness)| *readiness);
    let told = states.into_iter().filter_map(|(container, _)| {
        let state = match (container.health, container.exit_code) {
            (Some(health), _) => format!("{} ({health})", container.state),
            (None, Some(code)) => format!("{} ({code})", container.state),
            (None, None) => container.state.to_string(),
        };
        Some((container.service()?.to_owned(), state))
    });
    told.collect()
}

async fn unhealthy(
    host: &dyn Host,
    project: &ComposeProject,
    container: &Container,
    secrets: &[String],
    how: &str,
) -> Diagnostic {
    let service = container.compose.as_ref().map_or(container.name.as_str(), |labels| &labels.service);
    let at = ContainerRef { socket: project.socket.clone(), container: container.id.clone() };
    let log = container::said(host, &at).await.unwrap_or_else(|| "(it is empty)".to_owned());
    let log = compose::masked(log, secrets);
    let state = match (container.exit_code, container.health) {
        (Some(code), _) => format!("it is {} with exit code {code}", container.state),
        (None, Some(health)) => format!("it is {} and {health}", container.state),
        (None, None) => format!("it is {}", container.state),
    };
    Diagnostic::error(format!("service `{service}` of project `{}` {how}", project.name))
        .code("unhealthy")
        .detail(format!("{state}; the end of its log:\n{log}"))
        .help("mend it, or give it more time with `wait { timeout }`")
}
