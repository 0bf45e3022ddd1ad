//! What a swarm makes of a stack: waited for, told as it comes, and explained where it fails.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

pub(super) use super::compose::masked;
use super::compose::unanswered;
use super::container;
use super::operations::Told;
use crate::diag::Diagnostic;
use crate::host::{Host, swarm};
use crate::plan::docker::{Service, SwarmMembership, Task, UpdateState};
use crate::plan::observation::ContainerRef;
use crate::plan::{Answer, Query, SwarmStack};

/// How long all must have stood as it shall before that is believed: a swarm takes note of an update a little later.
const STEADY: Duration = Duration::from_secs(3);

/// How often the engine is asked.
const POLL: Duration = Duration::from_millis(250);

/// How many tasks of one replica may fail before its service is given up: those that wait for another fail at first.
const ATTEMPTS: usize = 3;

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
    /// The ids of the tasks that were there before: what became of them says nothing of what was asked for.
    pub(super) former: &'a BTreeSet<String>,
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

fn progress(service: &Service, former: &BTreeSet<String>) -> Progress {
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
    if service.is_well() {
        return Progress::Ready;
    }
    let running: BTreeSet<_> =
        service.newest().into_iter().filter(|task| task.state == "running").map(Task::replica).collect();
    let mut failures: BTreeMap<_, usize> = BTreeMap::new();
    let mut followed = BTreeSet::new();
    for task in service.tasks.iter().filter(|task| task.current && !former.contains(&task.id)) {
        // Of one that another has followed, the swarm says itself that it should have gone on.
        let has_failed = task.has_failed() || task.is_complete() && followed.contains(&task.replica());
        if has_failed && !running.contains(&task.replica()) {
            *failures.entry(task.replica()).or_default() += 1;
        }
        followed.insert(task.replica());
    }
    if failures.values().any(|count| *count >= ATTEMPTS) { Progress::Failed } else { Progress::Waiting }
}

/// What a service does now, for people.
fn words(service: &Service, progress: Progress) -> String {
    let counted = format!("{}/{}", service.running, service.wanted);
    match service.update {
        Some(UpdateState::Updating) => format!("updating ({counted} run)"),
        Some(UpdateState::RollingBack) => format!("being rolled back ({counted} run)"),
        Some(UpdateState::RolledBack) => "rolled back".to_owned(),
        Some(UpdateState::Paused | UpdateState::RollbackPaused) => "paused".to_owned(),
        Some(UpdateState::Completed) | None => match progress {
            Progress::Ready if service.wanted == 0 => "stopped".to_owned(),
            Progress::Waiting if service.wanted == 0 => "ending".to_owned(),
            Progress::Ready => format!("running ({counted})"),
            Progress::Waiting => format!("starting ({counted} run)"),
            Progress::Failed => "failed".to_owned(),
        },
    }
}

/// The ids of all their tasks.
pub(super) fn task_ids(services: &[Service]) -> BTreeSet<String> {
    services.iter().flat_map(|service| &service.tasks).map(|task| task.id.clone()).collect()
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
        failed @ Some(Answer::Failed(_)) => Err(unanswered(failed, socket)),
        // Either there is no engine, or it is in no swarm.
        _ => Err(manages(host, socket).await.err().unwrap_or_else(no_swarm)),
    }
}

/// Proves that an engine manages a swarm.
pub(super) async fn manages(host: &dyn Host, socket: &Path) -> Result<(), Diagnostic> {
    let query = Query::Engine { socket: socket.to_owned() };
    match host.observe(&[query]).await.pop() {
        Some(Answer::Engine(engine))
            if matches!(engine.swarm, SwarmMembership::Active { manager: true, .. }) =>
        {
            Ok(())
        }
        Some(Answer::Engine(_)) => Err(no_swarm()),
        answer => Err(unanswered(answer, socket)),
    }
}

fn no_swarm() -> Diagnostic {
    Diagnostic::error("the Docker engine manages no swarm").help("`docker swarm init` makes it one that does")
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
        let state: Vec<_> =
            found.iter().map(|service| (service, progress(service, waiting.former))).collect();
        for (service, progress) in &state {
            let (name, words) = (service.short_name(), words(service, *progress));
            if last.get(name) != Some(&words) {
                (waiting.told)(name, &words);
                last.insert(name.to_owned(), words);
            }
        }
        let elapsed = host.elapsed();
        if let Some((failed, _)) = state.iter().find(|(_, progress)| *progress == Progress::Failed) {
            return Err(failure(host, socket, failed, waiting, "failed").await);
        }
        if let Some((late, _)) = state.iter().find(|(_, progress)| *progress == Progress::Waiting) {
            steady = elapsed;
            if elapsed.saturating_sub(begun) >= limit {
                let how = format!("was not there after {} seconds", waiting.seconds);
                return Err(failure(host, socket, late, waiting, &how).await);
            }
        } else if elapsed.saturating_sub(steady) >= STEADY {
            return Ok(found);
        }
        host.sleep(POLL).await;
    }
}

/// The task that tells most of why a service is not there: of those that were not there before, one that went wrong, or
/// has come as far as a container. One that is found unhealthy may end in good order.
fn telling<'a>(service: &'a Service, former: &BTreeSet<String>) -> Option<&'a Task> {
    let rank = |task: &&Task| {
        let is_mute = task.container.is_none() && task.error.is_none();
        (former.contains(&task.id), task.does(), is_mute, !task.has_failed(), task.container.is_none())
    };
    service.tasks.iter().min_by_key(rank)
}

/// What became of a task, for people.
fn fate(task: &Task) -> String {
    match (&task.error, task.exit_code) {
        (Some(error), _) => format!("a task is {}: {error}", task.state),
        (None, Some(code)) if task.has_failed() => format!("a task is {} with exit code {code}", task.state),
        (None, _) if task.is_complete() => {
            "a task has ended in good order, because its health check fails or because it has nothing more to do".to_owned()
        }
        (None, _) => format!("a task is {}", task.state),
    }
}

/// Why a service is not there.
async fn failure(
    host: &dyn Host,
    socket: &Path,
    service: &Service,
    waiting: Waiting<'_>,
    how: &str,
) -> Diagnostic {
    let name = service.short_name();
    let stack = service.stack.as_deref().unwrap_or_default();
    let mut detail = Vec::new();
    detail.extend(service.message.clone());
    if let Some(task) = telling(service, waiting.former) {
        detail.push(fate(task));
        detail.extend(said(host, socket, task).await.map(|log| format!("the end of its log:\n{log}")));
    }
    Diagnostic::error(format!("service `{name}` of stack `{stack}` {how}"))
        .code("unhealthy")
        .detail(masked(detail.join("; "), waiting.secrets))
        .help("mend it, or give it more time with `wait { timeout }`")
}

/// The end of what a task said.
async fn said(host: &dyn Host, socket: &Path, task: &Task) -> Option<String> {
    let container = task.container.clone()?;
    let here = ContainerRef { socket: socket.to_owned(), container };
    match container::said(host, &here).await {
        // It may be on another node, which the swarm asks.
        None => container::said_by_task(host, socket, &task.id).await,
        said => said,
    }
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
    let former = task_ids(&self::services(host, &stack.socket, &stack.name).await?);
    for service in services {
        let output = host.run(swarm::restart(stack, service)).await?;
        if !output.success() {
            let how = output.ending("`docker service update`");
            let said = masked(last_lines(&output.errors()), secrets);
            return Err(Diagnostic::error(format!(
                "service `{service}` of stack `{}` could not be restarted",
                stack.name
            ))
            .detail(format!("{how}:\n{said}")));
        }
    }
    let waiting = Waiting { seconds: wait, secrets, services, former: &former, told: &|_, _| {} };
    settled(host, &stack.socket, &stack.name, waiting).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str, slot: i64, state: &str, current: bool) -> Task {
        let wanted = if state == "running" { "running" } else { "shutdown" };
        Task {
            id: id.to_owned(),
            slot: Some(slot),
            node: None,
            image: "app:1".to_owned(),
            current,
            state: state.to_owned(),
            wanted: wanted.to_owned(),
            error: None,
            container: None,
            exit_code: None,
        }
    }

    fn service(wanted: u64, update: Option<UpdateState>, tasks: Vec<Task>) -> Service {
        Service {
            id: "s".to_owned(),
            name: "shop_web".to_owned(),
            stack: Some("shop".to_owned()),
            labels: BTreeMap::new(),
            image: "app:1".to_owned(),
            asked_for: None,
            digest: String::new(),
            wanted,
            running: 0,
            update,
            message: None,
            tasks,
        }
    }

    #[test]
    fn a_service_is_ready_with_its_tasks_and_fails_by_those_of_this_deployment() {
        use Progress::{Failed, Ready, Waiting};
        let former = BTreeSet::from(["o1", "o2", "o3"].map(str::to_owned));
        let failures = |ids: [&str; 3]| ids.map(|id| task(id, 1, "failed", true)).to_vec();
        let after = |first: Task, ids| [vec![first], failures(ids)].concat();
        for (what, wanted, update, tasks, expected) in [
            ("no task yet", 1, None, vec![], Waiting),
            ("it runs", 1, None, vec![task("n", 1, "running", true)], Ready),
            ("an older one runs", 1, None, vec![task("o1", 1, "running", false)], Waiting),
            (
                "an older one that is good enough",
                1,
                Some(UpdateState::Completed),
                vec![task("o1", 1, "running", false)],
                Ready,
            ),
            (
                "an update goes on",
                1,
                Some(UpdateState::Updating),
                vec![task("n", 1, "running", true)],
                Waiting,
            ),
            ("rolled back", 1, Some(UpdateState::RolledBack), vec![task("o1", 1, "running", true)], Failed),
            ("it did its work", 1, None, vec![task("n", 1, "complete", true)], Ready),
            (
                "it did its work before",
                1,
                None,
                vec![task("n", 1, "starting", true), task("o1", 1, "complete", true)],
                Waiting,
            ),
            (
                "one of two runs, and did its work once",
                2,
                None,
                vec![task("n", 1, "running", true), task("o1", 1, "complete", true)],
                Waiting,
            ),
            ("it fails again and again", 1, None, failures(["a", "b", "c"]), Failed),
            ("it failed before", 1, None, after(task("n", 1, "starting", true), ["o1", "o2", "o3"]), Waiting),
            ("it fails once more", 1, None, failures(["n", "o1", "o2"]), Waiting),
            (
                "it ends again and again, and should go on",
                1,
                None,
                [("n", "starting"), ("a", "complete"), ("b", "complete"), ("c", "complete")]
                    .map(|(id, state)| task(id, 1, state, true))
                    .to_vec(),
                Failed,
            ),
            (
                "it failed, and runs while another starts",
                2,
                None,
                after(task("n", 1, "running", true), ["a", "b", "c"]),
                Waiting,
            ),
            (
                "it failed, and starts",
                2,
                None,
                after(task("n", 1, "starting", true), ["a", "b", "c"]),
                Failed,
            ),
            ("none shall run", 0, None, vec![task("o1", 1, "shutdown", true)], Ready),
            ("none shall run, and one does", 0, None, vec![task("o1", 1, "running", true)], Waiting),
        ] {
            assert_eq!(progress(&service(wanted, update, tasks), &former), expected, "{what}");
        }
    }

    #[test]
    fn the_task_that_went_wrong_is_the_one_that_is_told_of() {
        let in_container = |task: Task| Task { container: Some(format!("{} contains", task.id)), ..task };
        let unplaced = Task { error: Some("no suitable node".to_owned()), ..task("n", 1, "pending", true) };
        for (what, tasks, expected) in [
            (
                "one that ended unhealthy, and was taken back",
                vec![
                    in_container(task("back", 1, "running", true)),
                    task("next", 1, "shutdown", false),
                    in_container(task("ill", 1, "complete", false)),
                    in_container(task("old", 1, "shutdown", true)),
                ],
                "ill",
            ),
            (
                "one that failed, while another starts",
                vec![
                    in_container(task("next", 1, "starting", true)),
                    in_container(task("ill", 1, "failed", true)),
                ],
                "ill",
            ),
            (
                "one that failed of another deployment",
                vec![
                    in_container(task("late", 1, "starting", true)),
                    in_container(task("old", 1, "failed", true)),
                ],
                "late",
            ),
            ("one that has no place", vec![unplaced, task("old", 1, "running", true)], "n"),
            ("nothing new", vec![in_container(task("old", 1, "failed", true))], "old"),
        ] {
            let former = BTreeSet::from(["old".to_owned()]);
            let service = service(1, None, tasks);
            assert_eq!(telling(&service, &former).unwrap().id, expected, "{what}");
        }
    }
}
