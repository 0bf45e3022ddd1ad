//! Having a running nginx read its configuration again, and waiting until it serves what it was told to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::super::error_log::{Log, Refused};
use super::super::{container, preflight};
use super::{OFTEN, PATIENCE, Proxy};
use crate::diag::Diagnostic;
use crate::host::{HostError, Signal};
use crate::nginx::NginxMessage;
use crate::plan::observation::FileType;
use crate::plan::{Answer, ProxyMode, Query};

/// How long a master process may be stopped that was told to reload.
const HEARS: Duration = Duration::from_secs(5);
/// How long workers from before a reload are waited for that do not say that they take no more connections: one may hang.
const WITHDRAWS: Duration = Duration::from_secs(3);

/// What must be known of a running nginx before it is told to reload.
#[derive(Clone, Debug)]
pub(in crate::apply) struct Running {
    pub(in crate::apply) master: u32,
    workers: BTreeSet<u32>,
    /// The error log and its size.
    log: Option<(PathBuf, u64)>,
    /// How it calls itself in there; in a container, by a number that nobody else knows.
    logs_as: Option<u32>,
}

impl Running {
    /// How many workers it had.
    pub(in crate::apply) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// What its log has got since.
    fn log_query(&self) -> Option<Query> {
        self.log.as_ref().map(|(path, offset)| Query::Tail { path: path.clone(), offset: *offset })
    }

    /// What an answer to that says.
    fn log(&self, answer: &Answer) -> Log {
        match answer {
            Answer::Tail { bytes, .. } => Log::of(&String::from_utf8_lossy(bytes), self.logs_as),
            _ => Log::default(),
        }
    }
}

/// Why nginx does not serve what it was told to.
#[derive(Debug)]
pub(in crate::apply) struct Unproven {
    /// Why, for people.
    pub(in crate::apply) error: Diagnostic,
    /// Whether nginx has said that it keeps what it served before: the way back then needs no reload, which might fail
    /// for the same reason.
    pub(in crate::apply) kept: bool,
}

impl From<Unproven> for Diagnostic {
    fn from(unproven: Unproven) -> Self {
        unproven.error
    }
}

impl From<Diagnostic> for Unproven {
    fn from(error: Diagnostic) -> Self {
        Self { error, kept: false }
    }
}

impl From<HostError> for Unproven {
    fn from(error: HostError) -> Self {
        Diagnostic::from(error).into()
    }
}

/// One look at an nginx that is to serve something.
struct Look {
    marker: Answer,
    /// What tells whether its master process is there; `None` where that need not be known.
    alive: Option<Answer>,
    /// What it has written since it was told to.
    log: Log,
}

impl Look {
    /// Whether the marker answers what it should.
    fn answers(&self, expected: Option<&str>) -> bool {
        match (&self.marker, expected) {
            (Answer::Text(text), Some(expected)) => text == expected,
            (Answer::Text(text), None) => !is_marker(text),
            (_, expected) => expected.is_none(),
        }
    }
}

impl Proxy<'_> {
    /// Asks for the processes that a master has started, and perhaps for others beside them.
    fn processes_query(&self, master: u32) -> Query {
        match self.spec.in_container() {
            Some(container) => Query::ContainerProcesses(container),
            None => Query::Children(master),
        }
    }

    /// Asks for what is gone once a master is.
    fn alive_query(&self, master: u32) -> Query {
        match self.spec.in_container() {
            Some(container) => Query::ContainerProcesses(container),
            None => Query::CommandLine(master),
        }
    }

    /// Where its error log is. nginx on the host points its standard error at it, whatever its configuration says.
    async fn log(&self, master: u32) -> Option<PathBuf> {
        if self.spec.container.is_some() {
            return Some(self.spec.root.join("logs/error.log"));
        }
        match self.ask(Query::Stat(format!("/proc/{master}/fd/2").into())).await {
            Answer::Stat(stat) => match stat.file_type {
                FileType::Link(path) if path.is_absolute() => Some(path),
                _ => None,
            },
            _ => None,
        }
    }

    /// What must be known of it before it is told to reload; `None` where it does not run.
    pub(in crate::apply) async fn running(&self) -> Option<Running> {
        let master = self.master().await?;
        let since = self.host.elapsed();
        let workers = loop {
            match self.ask(self.processes_query(master)).await {
                Answer::Processes(children) => break workers(&children),
                // Whose end is not waited for may lose what it answers.
                Answer::Failed(_) if self.host.elapsed().saturating_sub(since) < WITHDRAWS => {
                    self.host.sleep(OFTEN).await;
                }
                _ => break BTreeSet::new(),
            }
        };
        let log = match self.log(master).await {
            Some(path) => match self.ask(Query::Tail { path: path.clone(), offset: u64::MAX }).await {
                Answer::Tail { end, .. } => Some((path, end)),
                _ => None,
            },
            None => None,
        };
        let logs_as = self.spec.container.is_none().then_some(master);
        Some(Running { master, workers, log, logs_as })
    }

    /// Tells it to read its configuration again.
    pub(in crate::apply) async fn reload(&self, running: &Running) -> Result<(), Diagnostic> {
        self.refuse_suspended(running.master).await?;
        match self.spec.in_container() {
            Some(at) => container::signal(self.host, &at, Signal::Hangup).await,
            None => Ok(self.host.signal(running.master, Signal::Hangup).await?),
        }
    }

    /// Waits until it says that it serves `expected` (`None`: until nobody answers for the marker), by workers that
    /// were not there before a reload. Those that were take connections for a moment more, which is waited for too: who
    /// asks afterwards gets what is live.
    ///
    /// # Errors
    /// As soon as nginx says that it keeps the old configuration, or is gone; at the latest when its time is up.
    pub(in crate::apply) async fn prove(
        &self,
        expected: Option<&str>,
        reloaded: Option<&Running>,
        give_up: impl Fn() -> bool,
    ) -> Result<(), Unproven> {
        let since = self.host.elapsed();
        let mut answered_since = None;
        loop {
            let look = self.look(reloaded, expected.is_some()).await;
            if look.answers(expected) {
                let answered_since = *answered_since.get_or_insert_with(|| self.host.elapsed());
                if self.has_turned_over(reloaded, answered_since).await {
                    return Ok(self.refuse_conflicts(reloaded).await?);
                }
            }
            let waited = self.host.elapsed().saturating_sub(since);
            self.refuse_failed(look, reloaded, waited).await?;
            if give_up() {
                return Err(self.not_live("the run was interrupted".to_owned()).into());
            }
            if waited > PATIENCE {
                return Err(self
                    .not_live(format!("it did not say so within {} s", PATIENCE.as_secs()))
                    .into());
            }
            self.host.sleep(OFTEN).await;
        }
    }

    async fn look(&self, reloaded: Option<&Running>, serves: bool) -> Look {
        let alive = match reloaded {
            Some(running) => Some(self.alive_query(running.master)),
            None => (serves && self.spec.container.is_some()).then(|| self.spec.running_query()),
        };
        let log = reloaded.and_then(Running::log_query);
        let asked = [Some(self.spec.marker_query()), alive.clone(), log.clone()];
        let asked: Vec<Query> = asked.into_iter().flatten().collect();
        let mut answers = self.host.observe(&asked).await.into_iter();
        let mut next = || answers.next().unwrap_or(Answer::Absent);
        Look {
            marker: next(),
            alive: alive.map(|_| next()),
            log: match (reloaded, log.map(|_| next())) {
                (Some(running), Some(answer)) => running.log(&answer),
                _ => Log::default(),
            },
        }
    }

    fn not_live(&self, detail: String) -> Diagnostic {
        Diagnostic::error("nginx does not serve the next generation")
            .code("nginx_not_live")
            .detail(detail)
            .on(&self.spec.address)
    }

    /// Whether what answers are other workers than before a reload, and none of those before takes connections any more,
    /// unless that has taken too long. All processes are looked through for that, which takes time from nginx: only once
    /// its marker answers.
    async fn has_turned_over(&self, reloaded: Option<&Running>, answered_since: Duration) -> bool {
        let Some(running) = reloaded else { return true };
        let alone = self.host.elapsed().saturating_sub(answered_since) < WITHDRAWS;
        let children = match self.ask(self.processes_query(running.master)).await {
            Answer::Processes(children) => children,
            // What could not be seen is looked at again.
            Answer::Failed(_) => return !alone,
            _ => return true,
        };
        let is_old = |worker: &u32| running.workers.contains(worker);
        // One that takes no more says so: `nginx: worker process is shutting down`.
        let takes =
            |(worker, line): (&u32, &String)| is_old(worker) && line.trim_end() == "nginx: worker process";
        workers(&children).iter().any(|worker| !is_old(worker)) && !(alone && children.iter().any(takes))
    }

    /// Where vsa owns every file that nginx reads, a name that nginx ignores is one site's that another one has: not
    /// what was planned, whatever the test aside saw. It is what nginx has warned of by now, and not what it had when it
    /// was last looked at.
    async fn refuse_conflicts(&self, reloaded: Option<&Running>) -> Result<(), Diagnostic> {
        let Some((running, query)) = reloaded.and_then(|running| Some((running, running.log_query()?)))
        else {
            return Ok(());
        };
        let conflicts = running.log(&self.ask(query).await).conflicts();
        if conflicts.is_empty() || self.spec.mode == ProxyMode::Host {
            return Ok(());
        }
        Err(self.refused(&conflicts))
    }

    /// Refuses where a look tells that nginx will not serve it.
    async fn refuse_failed(
        &self,
        look: Look,
        reloaded: Option<&Running>,
        waited: Duration,
    ) -> Result<(), Unproven> {
        if let Some(refused) = look.log.refusal() {
            let error = match refused {
                Refused::Files(messages) => self.refused(&messages),
                Refused::Other(lines) => self.not_live(lines),
            };
            return Err(Unproven { error, kept: true });
        }
        if let Some(running) = reloaded
            && waited > HEARS
        {
            self.refuse_suspended(running.master).await?;
        }
        if look.alive == Some(Answer::Absent) {
            let said = match self.spec.in_container() {
                Some(at) => container::said_by_nginx(self.host, &at).await,
                None => None,
            };
            let said = said.map(|said| format!("; its container's log ends with:\n{said}"));
            let ended = format!("its master process has ended{}", said.unwrap_or_default());
            return Err(self.not_live(ended).into());
        }
        match look.marker {
            Answer::Failed(reason) => Err(self.not_live(reason).into()),
            _ => Ok(()),
        }
    }

    /// What nginx says of the files themselves, in the words of a test aside.
    fn refused(&self, messages: &[NginxMessage]) -> Diagnostic {
        let live = self.spec.prefix();
        let lines = messages.iter().map(|message| {
            let place = match (&message.file, message.line) {
                (Some(file), Some(line)) => {
                    format!(" in {}:{line}", file.strip_prefix(&live).unwrap_or(file))
                }
                _ => String::new(),
            };
            format!("nginx: [{}] {}{place}", message.level, message.text)
        });
        preflight::refused(self.spec, &lines.collect::<Vec<_>>())
    }

    /// Waits until the workers from before a reload have gone, or the node's drain time has passed.
    pub(in crate::apply) async fn drain(&self, running: &Running) {
        let since = self.host.elapsed();
        let patience = Duration::from_secs(self.spec.drain_seconds.into());
        let queries: Vec<Query> = match self.spec.in_container() {
            Some(container) => vec![Query::ContainerProcesses(container)],
            None => running.workers.iter().copied().map(Query::CommandLine).collect(),
        };
        let is_worker = |line: &String| line.starts_with("nginx: worker");
        while self.host.elapsed().saturating_sub(since) < patience {
            let answers = self.host.observe(&queries).await;
            let alive = |answer: &Answer| match answer {
                Answer::Text(line) => is_worker(line),
                Answer::Processes(all) => {
                    running.workers.iter().any(|worker| all.get(worker).is_some_and(is_worker))
                }
                // What could not be seen may be there.
                Answer::Failed(_) => true,
                _ => false,
            };
            if !answers.iter().any(alive) {
                return;
            }
            self.host.sleep(OFTEN).await;
        }
    }
}

/// Whether an answer is a marker's: a generation's number and a token. Another server answers something else.
fn is_marker(text: &str) -> bool {
    matches!(text.split_once(' '), Some((number, token))
        if number.parse::<u64>().is_ok() && !token.contains(char::is_whitespace))
}

fn workers(children: &BTreeMap<u32, String>) -> BTreeSet<u32> {
    let workers = children.iter().filter(|(_, line)| line.starts_with("nginx: worker process"));
    workers.map(|(id, _)| *id).collect()
}
