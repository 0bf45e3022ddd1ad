//! The nginx of a node: finding it, starting it, having it reload, stopping it.

mod reload;

use std::time::Duration;

pub(super) use reload::{Running, Unproven};

use super::generation::current_manifest;
use super::orphans::{self, Until};
use super::{container, not_started};
use crate::diag::Diagnostic;
use crate::host::{Command, Host, Output, Signal, Status};
use crate::plan::{Answer, NodeSpec, Orphans, ProxyMode, Query, hears_nothing};

/// The longest that nginx may take to start or to read its configuration again.
const PATIENCE: Duration = Duration::from_mins(2);
/// The longest that nginx may take to stop when told to at once.
const STOP: Duration = Duration::from_secs(10);
/// What is there where systemd runs the machine (`sd_booted(3)`).
const SYSTEMD: &str = "/run/systemd/system";
/// How `systemctl` ends where there is no such unit.
const NO_SUCH_UNIT: Status = Status::Exited(5);
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

    /// Whether it has a container, which runs without nginx: it waits for its first generation.
    pub(super) async fn waits(&self) -> bool {
        self.spec.container.is_some()
            && matches!(self.ask(self.spec.running_query()).await, Answer::Processes(_))
    }

    /// Starts nginx: the managed one on the current generation, the system's as the system does.
    pub(super) async fn start(&self) -> Result<(), Diagnostic> {
        let failed = |output: &Output| not_started::explain(self.spec, &output.errors());
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
                Err(failed(&output).help(format!(
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
        if output.success() { Ok(()) } else { Err(failed(&output)) }
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
