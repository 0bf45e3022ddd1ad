//! What a swarm makes of a stack: waited for, told as it comes, and explained where it fails.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

pub(super) use super::compose::masked;
use super::operations::Told;
use crate::diag::Diagnostic;
use crate::host::{DockerAnswer, DockerOperation, Host, Status, swarm};
use crate::plan::docker::{Service, Task, UpdateState};
use crate::plan::{Answer, Query, SwarmStack};

/// How long all must have stood as it shall before that is believed: a swarm takes note of an update a little later.
const STEADY: Duration = Duration::from_secs(3);

/// How often the engine is asked.
const POLL: Duration = Duration::from_millis(250);

/// How many tasks of one replica may fail before its service is given up: those that wait for another fail at first.
const ATTEMPTS: usize = 3;

/// How many lines of a task's log an error shows, and how many bytes.
const LOG_LINES: usize = 20;
const LOG_BYTES: usize = 16 << 10;

/// How many lines of what the command line says are told.
const SAID: usize = 12;

/// How services are waited for.
#[derive(Clone, Copy)]
pub(super) struct Waiting<'a> {
    /// How long, in seconds.
    pub(super) seconds: u32,
    /// What is not shown of their logs.
    pub(super) secrets: &'a [String],
    /// Those that are waited for, as the stack's files call them; all where none is named.
    pub(super) services: &'a [String],
    /// Takes note of each service.
    pub(super) told: &'a Told<'a>,
}

/// Where a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// All of its tasks run what it says.
    Ready,
    /// It is on its way.
    Waiting,
    /// It will not get there.
    Failed,
}

fn progress(service: &Service) -> Progress {
    match service.update {
        Some(UpdateState::Paused | UpdateState::RollbackPaused | UpdateState::RolledBack) => {
            return Progress::Failed;
        }
        Some(UpdateState::Updating | UpdateState::RollingBack) => return Progress::Waiting,
        Some(UpdateState::Completed) | None => {}
    }
    if service.wanted == 0 {
        let ended = service.tasks.iter().all(Task::has_ended);
        return if ended { Progress::Ready } else { Progress::Waiting };
    }
    let is_completed = service.update == Some(UpdateState::Completed);
    let does =
        |task: &&Task| task.state == "running" && task.wanted == "running" && (task.current || is_completed);
    // One that does its work once has done it.
    let done = |task: &&Task| task.state == "complete" && task.current;
    let ready = service.tasks.iter().filter(|task| does(task) || done(task)).count();
    if u64::try_from(ready).is_ok_and(|ready| ready >= service.wanted) {
        return Progress::Ready;
    }
    let mut failures: BTreeMap<(Option<i64>, Option<&str>), usize> = BTreeMap::new();
    for task in service.tasks.iter().filter(|task| task.current && task.has_failed()) {
        // What runs once on each node has no numbers.
        let node = task.node.as_deref().filter(|_| task.slot.is_none());
        *failures.entry((task.slot, node)).or_default() += 1;
    }
    if failures.values().any(|count| *count >= ATTEMPTS) { Progress::Failed } else { Progress::Waiting }
}

/// What a service does now, for people.
fn words(service: &Service) -> String {
    let counted = format!("{}/{}", service.running, service.wanted);
    match service.update {
        Some(UpdateState::Updating) => format!("updating ({counted} run)"),
        Some(UpdateState::RollingBack) => format!("being rolled back ({counted} run)"),
        Some(UpdateState::RolledBack) => "rolled back".to_owned(),
        Some(UpdateState::Paused | UpdateState::RollbackPaused) => "paused".to_owned(),
        Some(UpdateState::Completed) | None => match progress(service) {
            Progress::Ready if service.wanted == 0 => "stopped".to_owned(),
            Progress::Waiting if service.wanted == 0 => "ending".to_owned(),
            Progress::Ready => format!("running ({counted})"),
            Progress::Waiting => format!("starting ({counted} run)"),
            Progress::Failed => "failed".to_owned(),
        },
    }
}

/// The services of a stack.
pub(super) async fn services(
    host: &dyn Host,
    socket: &Path,
    stack: &str,
) -> Result<Vec<Service>, Diagnostic> {
    let query = Query::Services { socket: socket.to_owned() };
    match host.observe(&[query]).await.pop() {
        Some(Answer::Services(all)) => {
            Ok(all.into_iter().filter(|service| service.stack.as_deref() == Some(stack)).collect())
        }
        Some(Answer::Failed(reason)) => Err(Diagnostic::error("Docker does not answer").detail(reason)),
        _ => Err(Diagnostic::error("the Docker engine manages no swarm")
            .help("start Docker, or make the node a manager of a swarm with `docker swarm init`")),
    }
}

/// Waits until every update is done and all tasks do their work.
pub(super) async fn settled(
    host: &dyn Host,
    socket: &Path,
    stack: &str,
    waiting: Waiting<'_>,
) -> Result<Vec<Service>, Diagnostic> {
    let begun = host.elapsed();
    let limit = Duration::from_secs(u64::from(waiting.seconds));
    let mut steady = begun;
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let mut found = services(host, socket, stack).await?;
        if !waiting.services.is_empty() {
            found.retain(|service| waiting.services.iter().any(|name| name == service.short_name()));
        }
        for service in &found {
            let (name, words) = (service.short_name(), words(service));
            if last.get(name) != Some(&words) {
                (waiting.told)(name, &words);
                last.insert(name.to_owned(), words);
            }
        }
        let elapsed = host.elapsed();
        let state: Vec<_> = found.iter().map(|service| (service, progress(service))).collect();
        if let Some((failed, _)) = state.iter().find(|(_, progress)| *progress == Progress::Failed) {
            return Err(failure(host, socket, failed, waiting.secrets, "failed").await);
        }
        if let Some((late, _)) = state.iter().find(|(_, progress)| *progress == Progress::Waiting) {
            steady = elapsed;
            if elapsed.saturating_sub(begun) >= limit {
                let how = format!("was not there after {} seconds", waiting.seconds);
                return Err(failure(host, socket, late, waiting.secrets, &how).await);
            }
        } else if elapsed.saturating_sub(steady) >= STEADY {
            return Ok(found);
        }
        host.sleep(POLL).await;
    }
}

/// Why a service is not there.
async fn failure(
    host: &dyn Host,
    socket: &Path,
    service: &Service,
    secrets: &[String],
    how: &str,
) -> Diagnostic {
    let name = service.short_name();
    let stack = service.stack.as_deref().unwrap_or_default();
    let mut detail = Vec::new();
    detail.extend(service.message.clone());
    // Of one that is late, what its newest task says; a task that nobody can place says so itself.
    let task = service.failed().or_else(|| service.tasks.iter().find(|task| task.error.is_some()));
    if let Some(task) = task.or(service.tasks.first()) {
        let why = match (&task.error, task.exit_code) {
            (Some(error), _) => format!(": {error}"),
            (None, Some(code)) if task.has_failed() => format!(" with exit code {code}"),
            (None, _) => String::new(),
        };
        detail.push(format!("a task is {}{why}", task.state));
        if let Some(container) = &task.container {
            let operation =
                DockerOperation::Logs { container: container.clone(), lines: LOG_LINES, bytes: LOG_BYTES };
            match host.docker(socket, operation).await {
                Ok(DockerAnswer::Log(log)) => {
                    detail.push(format!("the end of its log:\n{}", log.text().trim_end()));
                }
                Ok(_) => {}
                // It may be on another node, or gone.
                Err(error) => detail.push(error.to_string()),
            }
        }
    }
    Diagnostic::error(format!("service `{name}` of stack `{stack}` {how}"))
        .code("unhealthy")
        .detail(masked(detail.join("; "), secrets))
        .help("mend it, or give it more time with `wait { timeout }`")
}

/// The end of what the command line said.
pub(super) fn last_lines(text: &str) -> String {
    super::compose::last_lines(text, SAID)
}

/// Starts the tasks of services anew, as their settings for updates say, and waits until they do their work.
///
/// # Errors
/// The command line fails, or a task does; with what it said, without its secrets.
pub async fn restart(
    host: &dyn Host,
    stack: &SwarmStack,
    services: &[String],
    wait: u32,
    secrets: &[String],
) -> Result<(), Diagnostic> {
    for service in services {
        let output = host.run(swarm::restart(stack, service)).await?;
        if !output.success() {
            let how = match output.status {
                Status::Exited(code) => format!("`docker service update` ended with exit code {code}"),
                Status::Killed | Status::TimedOut => "`docker service update` did not end".to_owned(),
            };
            let said = masked(last_lines(&output.errors()), secrets);
            return Err(Diagnostic::error(format!(
                "service `{service}` of stack `{}` could not be restarted",
                stack.name
            ))
            .detail(format!("{how}:\n{said}")));
        }
    }
    let waiting = Waiting { seconds: wait, secrets, services, told: &|_, _| {} };
    settled(host, &stack.socket, &stack.name, waiting).await.map(|_| ())
}
