//! The nginx of a node: finding it, starting it, telling it to reload, asking it what it serves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::error_log::{Log, Refused};
use super::generation::current_manifest;
use super::orphans::{self, Until};
use super::{container, preflight};
use crate::diag::Diagnostic;
use crate::host::{Command, Host, HostError, Output, Signal, Status};
use crate::nginx::NginxMessage;
use crate::plan::observation::FileType;
use crate::plan::{Answer, NodeSpec, Orphans, ProxyMode, Query, hears_nothing};

/// The longest that nginx may take to start or to read its configuration again.
const PATIENCE: Duration = Duration::from_mins(2);
/// The longest that nginx may take to stop when told to at once.
const STOP: Duration = Duration::from_secs(10);
/// What is there where systemd runs the machine (`sd_booted(3)`).
const SYSTEMD: &str = "/run/systemd/system";
/// How `systemctl` ends where there is no such unit.
const NO_SUCH_UNIT: Status = Status::Exited(5);
/// How long a master process may be stopped that was told to reload.
const HEARS: Duration = Duration::from_secs(5);
/// How long workers from before a reload are waited for that do not say that they take no more connections: one may hang.
const WITHDRAWS: Duration = Duration::from_secs(3);
/// How often nginx is asked.
const OFTEN: Duration = Duration::from_millis(5);

/// How an nginx is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyStatus {
    /// Its master process.
    pub master: Option<u32>,
    /// Whether that is stopped, and hears no signal.
    pub suspended: bool,
    /// Processes that answer on although the pid file leads to no master.
    pub orphans: Orphans,
    /// What its marker answers: the generation's number and token.
    pub serves: Option<String>,
}

/// A node's nginx.
#[derive(Clone, Copy, Debug)]
pub struct Proxy<'a> {
    host: &'a dyn Host,
    spec: &'a NodeSpec,
}

/// What must be known of a running nginx before it is told to reload.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) master: u32,
    workers: BTreeSet<u32>,
    /// The error log and its size.
    log: Option<(PathBuf, u64)>,
    /// How it calls itself in there; in a container, by a number that nobody else knows.
    logs_as: Option<u32>,
}

impl Running {
    /// How many workers it had.
    pub(super) fn workers(&self) -> usize {
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
pub(super) struct Unproven {
    /// Why, for people.
    pub(super) error: Diagnostic,
    /// Whether nginx has said that it keeps what it served before: the way back then needs no reload, which might fail
    /// for the same reason.
    pub(super) kept: bool,
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

impl<'a> Proxy<'a> {
    /// The nginx of this node.
    pub fn new(host: &'a dyn Host, spec: &'a NodeSpec) -> Self {
        Self { host, spec }
    }

    async fn ask(&self, query: Query) -> Answer {
        self.host.observe(&[query]).await.pop().unwrap_or(Answer::Absent)
    }

    /// How it is.
    pub async fn status(&self) -> ProxyStatus {
        let serves = match self.ask(self.spec.marker_query()).await {
            Answer::Text(text) => Some(text),
            _ => None,
        };
        let master = self.master().await;
        let suspended = match master {
            Some(master) => self.refuse_suspended(master).await.is_err(),
            None => false,
        };
        let orphans = if master.is_some() || self.spec.container.is_some() {
            Orphans::default()
        } else {
            orphans::find(self.host, self.spec).await
        };
        ProxyStatus { master, suspended, orphans, serves }
    }

    /// Refuses to tell something to a master process that would not hear it.
    pub(super) async fn refuse_suspended(&self, master: u32) -> Result<(), Diagnostic> {
        if self.ask(self.spec.stopped_query(master)).await == Answer::Stopped(true) {
            return Err(hears_nothing(self.spec, master));
        }
        Ok(())
    }

    /// Ends what is left of the node's nginx where its pid file leads to no master.
    ///
    /// # Errors
    /// There are some that may be anybody's, or sites answer on, whoever does it.
    async fn end_orphans(&self, until: Until) -> Result<bool, Diagnostic> {
        let ended = orphans::end(self.host, self.spec, until).await?;
        if until == Until::Silent {
            return Ok(ended);
        }
        // Another node's nginx answers with another token.
        let live = current_manifest(self.host, self.spec).await.ok().flatten();
        let served = self.ask(self.spec.marker_query()).await;
        if live.is_none_or(|live| served != Answer::Text(live.marker_answer())) {
            return Ok(ended);
        }
        Err(Diagnostic::error(format!("the sites of `{}` answer on", self.spec.address))
            .code("nginx_orphaned")
            .detail(format!(
                "an nginx on port {} serves them, and {} names no process of it",
                self.spec.http_port,
                self.spec.pid_file.display()
            ))
            .help("look for it as root, with `ss -ltnp`, and end it")
            .on(&self.spec.address))
    }

    /// Refuses to take sites away from a system's nginx that cannot be told so.
    pub(super) async fn refuse_orphans(&self) -> Result<(), Diagnostic> {
        self.end_orphans(Until::Gone).await.map(drop)
    }

    /// The master process, if it is proven: the pid file names it, it is an nginx, and where all that it reads is
    /// vsa's, its command line names this node's root. In a container, the one whose command line does.
    pub(super) async fn master(&self) -> Option<u32> {
        let master = self.spec.master(&self.ask(self.spec.running_query()).await)?;
        // In a container, it was found by its command line.
        if self.spec.mode != ProxyMode::Managed {
            return Some(master);
        }
        match self.ask(Query::CommandLine(master)).await {
            Answer::Text(line) if line.contains(&self.spec.prefix()) => Some(master),
            _ => None,
        }
    }

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
    pub(super) async fn running(&self) -> Option<Running> {
        let master = self.master().await?;
        let workers = match self.ask(self.processes_query(master)).await {
            Answer::Processes(children) => workers(&children),
            _ => BTreeSet::new(),
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

    /// Whether it has a container, which runs without nginx: it waits for its first generation.
    pub(super) async fn waits(&self) -> bool {
        self.spec.container.is_some()
            && matches!(self.ask(self.spec.running_query()).await, Answer::Processes(_))
    }

    /// Starts nginx: the managed one on the current generation, the system's as the system does.
    pub(super) async fn start(&self) -> Result<(), Diagnostic> {
        let failed = |detail: String| {
            Diagnostic::error("nginx does not start")
                .code("nginx_start")
                .detail(detail)
                .on(&self.spec.address)
        };
        if let Some(at) = self.spec.in_container() {
            return container::start(self.host, self.spec, &at).await;
        }
        self.end_orphans(Until::Silent).await?;
        if self.spec.mode == ProxyMode::Host {
            let output = self.start_system().await?;
            return if output.success() {
                Ok(())
            } else {
                let pid_file = self.spec.pid_file.display();
                Err(failed(output.errors().trim().to_owned()).help(format!(
                    "{pid_file} names no nginx that runs: where one does, name its own with `proxy {{ pid_file }}`"
                )))
            };
        }
        let command = Command::new(&self.spec.nginx)
            .timeout(PATIENCE)
            .arg("-p")
            .arg(self.spec.prefix())
            .arg("-c")
            .arg(self.spec.current().join(self.spec.entry()));
        let output = self.host.run(command).await?;
        if output.success() { Ok(()) } else { Err(failed(output.errors().trim().to_owned())) }
    }

    /// By systemd, where that runs the machine and knows nginx, so that it goes on being its service; else by itself.
    async fn start_system(&self) -> Result<Output, Diagnostic> {
        if matches!(self.ask(Query::Stat(SYSTEMD.into())).await, Answer::Stat(_)) {
            let command = Command::new("systemctl").timeout(PATIENCE).arg("start").arg("nginx.service");
            let output = self.host.run(command).await?;
            if output.status != NO_SUCH_UNIT {
                return Ok(output);
            }
        }
        let command = Command::new(&self.spec.nginx).timeout(PATIENCE).arg("-c").arg(&self.spec.nginx_conf);
        Ok(self.host.run(command).await?)
    }

    /// Tells it to read its configuration again.
    pub(super) async fn reload(&self, running: &Running) -> Result<(), Diagnostic> {
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
    pub(super) async fn prove(
        &self,
        expected: Option<&str>,
        reloaded: Option<&Running>,
        give_up: impl Fn() -> bool,
    ) -> Result<(), Unproven> {
        let since = self.host.elapsed();
        let mut answered_since = None;
        let error = |detail: String| {
            Diagnostic::error("nginx does not serve the next generation")
                .code("nginx_not_live")
                .detail(detail)
                .on(&self.spec.address)
        };
        loop {
            let mut queries = vec![self.spec.marker_query()];
            if let Some(running) = reloaded {
                queries.push(self.alive_query(running.master));
                queries.extend(running.log_query());
            } else if expected.is_some() && self.spec.container.is_some() {
                queries.push(self.spec.running_query());
            }
            let answers = self.host.observe(&queries).await;
            let answered = match (answers.first(), expected) {
                (Some(Answer::Text(text)), Some(expected)) => text == expected,
                (Some(Answer::Text(text)), None) => !is_marker(text),
                (Some(_), None) => true,
                _ => false,
            };
            // Looking through all processes takes time from nginx, which is busy: only once it matters.
            let turned_over = match reloaded {
                Some(running) if answered => {
                    let begun = *answered_since.get_or_insert_with(|| self.host.elapsed());
                    let all = self.host.elapsed().saturating_sub(begun) < WITHDRAWS;
                    self.has_new_workers(running, all).await
                }
                _ => true,
            };
            let log = match (reloaded, answers.get(2)) {
                (Some(running), Some(answer)) => running.log(answer),
                _ => Log::default(),
            };
            if answered && turned_over {
                // What it has warned of by now, and not what it had when the marker was asked for.
                let log = match reloaded.and_then(|running| Some((running.log_query()?, running))) {
                    Some((query, running)) => running.log(&self.ask(query).await),
                    None => Log::default(),
                };
                return Ok(self.refuse_conflicts(&log)?);
            }
            if let Some(refused) = log.refusal() {
                let error = match refused {
                    Refused::Files(messages) => self.refused(&messages),
                    Refused::Other(lines) => error(lines),
                };
                return Err(Unproven { error, kept: true });
            }
            if let Some(running) = reloaded
                && self.host.elapsed().saturating_sub(since) > HEARS
                && let Err(error) = self.refuse_suspended(running.master).await
            {
                return Err(error.into());
            }
            if answers.get(1) == Some(&Answer::Absent) {
                let said = match self.spec.in_container() {
                    Some(at) => container::said_by_nginx(self.host, &at).await,
                    None => None,
                };
                let said = said.map(|said| format!("; its container's log ends with:\n{said}"));
                let ended = format!("its master process has ended{}", said.unwrap_or_default());
                return Err(error(ended).into());
            }
            if let Some(Answer::Failed(reason)) = answers.first() {
                return Err(error(reason.clone()).into());
            }
            if give_up() {
                return Err(error("the run was interrupted".to_owned()).into());
            }
            if self.host.elapsed().saturating_sub(since) > PATIENCE {
                return Err(error(format!("it did not say so within {} s", PATIENCE.as_secs())).into());
            }
            self.host.sleep(OFTEN).await;
        }
    }

    /// Whether there are other workers than before; with `alone`, and none of those takes connections any more.
    async fn has_new_workers(&self, running: &Running, alone: bool) -> bool {
        let Answer::Processes(children) = self.ask(self.processes_query(running.master)).await else {
            return true;
        };
        let is_old = |worker: &u32| running.workers.contains(worker);
        // One that takes no more says so: `nginx: worker process is shutting down`.
        let takes =
            |(worker, line): (&u32, &String)| is_old(worker) && line.trim_end() == "nginx: worker process";
        workers(&children).iter().any(|worker| !is_old(worker)) && !(alone && children.iter().any(takes))
    }

    /// Where vsa owns every file that nginx reads, a name that nginx ignores is one site's that another one has: not
    /// what was planned, whatever the test aside saw.
    fn refuse_conflicts(&self, log: &Log) -> Result<(), Diagnostic> {
        let conflicts = log.conflicts();
        if conflicts.is_empty() || self.spec.mode == ProxyMode::Host {
            return Ok(());
        }
        Err(self.refused(&conflicts))
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
    pub(super) async fn drain(&self, running: &Running) {
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
                _ => false,
            };
            if !answers.iter().any(alive) {
                return;
            }
            self.host.sleep(OFTEN).await;
        }
    }

    /// Stops nginx: gracefully within the node's drain time, then at once.
    pub(super) async fn stop(&self) -> Result<bool, Diagnostic> {
        let drain = Duration::from_secs(self.spec.drain_seconds.into());
        if let Some(at) = self.spec.in_container() {
            if let Some(master) = self.master().await {
                self.refuse_suspended(master).await?;
            }
            return container::stop(self.host, &at, drain).await;
        }
        for (signal, patience) in [(Signal::Quit, drain), (Signal::Terminate, STOP)] {
            let Some(master) = self.master().await else {
                let ended = self.end_orphans(Until::Gone).await?;
                return Ok(ended || signal == Signal::Terminate);
            };
            self.refuse_suspended(master).await?;
            // It may end by itself between the look and the signal.
            if let Err(error) = self.host.signal(master, signal).await
                && self.master().await.is_some()
            {
                return Err(error.into());
            }
            let since = self.host.elapsed();
            while self.host.elapsed().saturating_sub(since) < patience {
                if self.ask(Query::CommandLine(master)).await == Answer::Absent {
                    return Ok(true);
                }
                self.host.sleep(OFTEN).await;
            }
        }
        Err(Diagnostic::error("nginx does not stop").on(&self.spec.address))
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
