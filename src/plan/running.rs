//! Whether the nginx of a node runs on the host and hears what it is told, in a plan.

use crate::diag::Diagnostic;
use crate::state::StoredNode;

use super::kind::Drift;
use super::node::{NodeSpec, ProxyMode};
use super::observation::{Answer, Observations, Query};

/// Processes of nginx's that a node's pid file does not lead to, as far as they bear on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphans {
    /// Those of the nginx that vsa runs: they have files of the node's directory open, which is vsa's alone.
    pub ours: Vec<u32>,
    /// Workers without a master that listen on the node's ports, and may be anybody's.
    pub others: Vec<u32>,
    /// Whether one of vsa's is a master, or has one.
    pub led: bool,
    /// Whether one of vsa's still listens.
    pub listen: bool,
}

impl Orphans {
    /// From an answer to [`Query::NginxProcesses`].
    pub fn of(spec: &NodeSpec, answer: Option<&Answer>) -> Self {
        let mut found = Self::default();
        let Some(Answer::NginxProcesses(processes)) = answer else { return found };
        for (id, process) in processes {
            let is_ours = spec.mode == ProxyMode::Managed && process.files.iter().any(|path| spec.owns(path));
            if is_ours {
                found.ours.push(*id);
                found.listen |= !process.ports.is_empty();
                found.led |= process.led;
            } else if !process.led
                && [spec.http_port, spec.https_port].iter().any(|port| process.ports.contains(port))
            {
                found.others.push(*id);
            }
        }
        found
    }

    /// All of them.
    pub fn all(&self) -> Vec<u32> {
        [self.ours.as_slice(), &self.others].concat()
    }

    /// What an nginx is whose processes these are, all of them or those of vsa's; `None` where there are none.
    pub fn state(&self, processes: &[u32]) -> Option<String> {
        let all = processes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let (lost, whose) = if self.led { ("pid file", "processes") } else { ("master process", "workers") };
        (!all.is_empty()).then(|| format!("has lost its {lost}, and its {whose} {all} answer on"))
    }

    /// Why nothing can be done about those that may be anybody's.
    pub fn refusal(&self, spec: &NodeSpec) -> Option<Diagnostic> {
        let all = self.others.iter().map(ToString::to_string).collect::<Vec<_>>();
        (!all.is_empty()).then(|| {
            Diagnostic::error(format!("nginx's workers answer for `{}`, and their master has ended", spec.address))
                .code("nginx_orphaned")
                .detail(format!(
                    "nobody can tell the processes {} to read another configuration, and no other nginx can listen on \
                     ports {} and {}",
                    all.join(", "),
                    spec.http_port,
                    spec.https_port,
                ))
                .help(format!("let them finish what they do and end: `kill -QUIT {}`", all.join(" ")))
                .help("then apply: it starts nginx again")
                .on(&spec.address)
        })
    }
}

/// What has to be known besides of a node's nginx on the host, by whether it runs.
pub(super) fn inquiries(stored: &StoredNode, observed: &Observations) -> Option<Query> {
    match observed.get(&stored.spec.running_query())? {
        Answer::Absent if stored.spec.container.is_none() => Some(Query::NginxProcesses),
        answer => Some(stored.spec.stopped_query(stored.spec.master(answer)?)),
    }
}

/// How an nginx that does not run is said to be.
pub(super) fn drift(spec: &NodeSpec, observed: &Observations) -> Drift {
    let orphans = Orphans::of(spec, observed.get(&Query::NginxProcesses));
    let what = orphans.state(&orphans.ours).unwrap_or_else(|| "is not running".to_owned());
    let (address, subject) = (spec.address.clone(), "nginx".to_owned());
    Drift { address, subject, what, repaired: true, diff: None }
}

/// Says that nginx hears nothing; `needed` where the plan has something to tell it.
pub(super) fn suspended(spec: &NodeSpec, observed: &Observations, needed: bool) -> Option<Diagnostic> {
    let master = spec.master(observed.get(&spec.running_query())?)?;
    let is_stopped = observed.get(&spec.stopped_query(master)) == Some(&Answer::Stopped(true));
    is_stopped.then(|| {
        let error = hears_nothing(spec, master);
        if needed { error } else { Diagnostic { severity: crate::diag::Severity::Warning, ..error } }
    })
}

/// Why a master process that is stopped cannot be told anything.
pub fn hears_nothing(spec: &NodeSpec, master: u32) -> Diagnostic {
    let node = &spec.address;
    let paused = if spec.container.is_some() { "its container is paused, " } else { "" };
    Diagnostic::error(format!(
        "the nginx of `{node}` is stopped: its master process {master} hears no signal"
    ))
    .code("nginx_suspended")
    .detail(format!(
        "{paused}somebody sent it SIGSTOP, or a debugger holds it: its workers answer on, with what they read before{}",
        if paused.is_empty() { "" } else { ", unless they are paused too" }
    ))
    .help(format!("let it go on: {}", goes_on(spec, master)))
    .on(node)
}

/// How a master process that is stopped goes on, as commands.
pub fn goes_on(spec: &NodeSpec, master: u32) -> String {
    match &spec.container {
        Some(name) => {
            format!("`docker unpause {name}` where it is paused, else `docker kill --signal CONT {name}`")
        }
        None => format!("`kill -CONT {master}`"),
    }
}
