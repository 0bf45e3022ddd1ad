//! `nginx -t` of a candidate, aside: nothing live is touched.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::generation::{Candidate, Place};
use super::scope::Scope;
use super::{certificate, standalone};
use crate::diag::Diagnostic;
use crate::host::{
    Command, DockerAnswer, DockerOperation, FileOperation, Host, HostError, Output, private_mounts,
};
use crate::nginx::{NginxMessage, parse_error};
use crate::plan::action::Access;
use crate::plan::observation::ContainerRef;
use crate::plan::{Answer, NodeSpec, NodeWork, ProxyMode, Query};
use crate::state::StoredNode;

/// The code of the diagnostic that nginx refuses a generation; its detail holds nginx's messages, a line each.
pub const REFUSED: &str = "nginx_refused";

/// Longer than the largest configuration takes.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);

/// What a test of a candidate came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tested {
    /// nginx accepts it.
    Passed {
        /// nginx's remarks, a line each.
        warnings: Vec<String>,
    },
    /// nginx accepts vsa's own files; the node's other files, its ports and its certificates were not part of it.
    PassedStandalone {
        /// nginx's remarks, a line each.
        warnings: Vec<String>,
    },
    /// nginx refuses it, or would give one site's name to another.
    Refused {
        /// nginx's messages, a line each; vsa's files are named relative to the generation.
        messages: Vec<String>,
    },
    /// nginx refuses its own configuration, vsa's files left out of it.
    BrokenBefore {
        /// nginx's messages, a line each.
        messages: Vec<String>,
    },
    /// It could not be tested.
    NotTested {
        /// Why.
        why: String,
    },
}

/// Tests the next generation of a node where nothing of the node's is touched: for `plan`.
pub async fn preflight(
    host: &dyn Host,
    run: &str,
    work: &NodeWork,
    stored: Option<&StoredNode>,
    number: u64,
    marker: &str,
) -> Result<Tested, Diagnostic> {
    if let Some(why) = cannot_test(host, work).await {
        return Ok(Tested::NotTested { why });
    }
    if work.node.spec.mode == ProxyMode::Host && !host.privileged() {
        return standalone::test(host, run, work, number, marker).await;
    }
    let place = Place::for_test(run, &work.node.spec);
    let candidate = match Candidate::make(host, work, stored, number, marker, place).await {
        // A container sees the node's directory alone, which a plan of somebody else than root's may not write to.
        Err(error) if work.node.spec.mode == ProxyMode::Container && !host.privileged() => {
            return Ok(Tested::NotTested { why: error.summary });
        }
        made => made?,
    };
    let tested = test(host, work, &candidate, &Scope::Whole).await;
    candidate.discard(host).await?;
    tested
}

/// Why a candidate cannot be tested on a host, if it cannot.
async fn cannot_test(host: &dyn Host, work: &NodeWork) -> Option<String> {
    if let Some(why) = &work.untestable {
        return Some(why.clone());
    }
    let spec = &work.node.spec;
    let answer = host.observe(&[spec.version_query()]).await.pop();
    let program = spec.nginx.display();
    match answer {
        Some(Answer::Text(_)) => None,
        Some(Answer::Absent) if spec.mode == ProxyMode::Container => Some(nowhere(spec)),
        Some(Answer::Failed(reason)) => Some(format!("{program} cannot be asked for its version: {reason}")),
        _ => Some(format!("there is no nginx at {program}")),
    }
}

/// That a container has no nginx yet.
fn nowhere(spec: &NodeSpec) -> String {
    let container = spec.container.as_deref().unwrap_or_default();
    format!("no nginx runs in the container `{container}` yet; the apply tests it there before the switch")
}

/// Why a node's next generation cannot be tested before an apply begins, as far as its plan knows that.
pub fn untested(work: &NodeWork) -> Option<String> {
    let spec = &work.node.spec;
    let absent = work.observed.get(&spec.version_query()) == Some(&Answer::Absent);
    let nowhere = || (absent && spec.mode == ProxyMode::Container).then(|| nowhere(spec));
    work.untestable.clone().or_else(nowhere)
}

/// Whether there is an nginx to test with.
pub(super) async fn is_at_hand(host: &dyn Host, work: &NodeWork) -> bool {
    cannot_test(host, work).await.is_none()
}

/// Tests a candidate, or as much of it as `scope` says.
pub(super) async fn test(
    host: &dyn Host,
    work: &NodeWork,
    candidate: &Candidate,
    scope: &Scope,
) -> Result<Tested, Diagnostic> {
    let spec = &work.node.spec;
    if let Some(directory) = candidate.placeholder() {
        certificate::write_placeholder(host, &directory).await?;
    }
    let directory = match spec.mode {
        ProxyMode::Managed | ProxyMode::Container => candidate.shown(host, work, scope).await?,
        ProxyMode::Host => spec.current(),
    };
    // How the tested copy of the generation is called in nginx's messages.
    let prefix = format!("{}/", directory.display());
    let output = match (spec.mode, spec.in_container()) {
        (ProxyMode::Host, _) => {
            host.run(aside(host, spec, &candidate.scratch(), Some(candidate)).await?).await
        }
        (_, Some(container)) => inside(host, container, by_itself(work, &directory)).await,
        (_, None) => host.run(by_itself(work, &directory)).await,
    };
    let output = match output {
        Ok(output) => output,
        Err(error) => return Ok(Tested::NotTested { why: error.to_string() }),
    };
    if let Some(why) = mounts_failed(spec, &output) {
        return Ok(Tested::NotTested { why });
    }
    let messages = messages(&output, &prefix);
    let conflicts = conflicts(&messages);
    let tested_well = output.success();
    if tested_well && conflicts.is_empty() {
        return Ok(Tested::Passed { warnings: messages });
    }
    if spec.mode == ProxyMode::Host {
        let output = host.run(aside(host, spec, &candidate.scratch(), None).await?).await?;
        let before = self::messages(&output, &prefix);
        if !output.success() {
            return Ok(Tested::BrokenBefore { messages: before });
        }
        let (known, own) = (self::conflicts(&before), own_hosts(work));
        let is_old = |conflict: &NginxMessage| {
            known.contains(conflict) && !conflict.conflicting_name().is_some_and(|name| own.contains(name))
        };
        if tested_well && conflicts.iter().all(is_old) {
            return Ok(Tested::Passed { warnings: messages });
        }
    }
    Ok(Tested::Refused { messages })
}

/// Runs a command in a container.
async fn inside(host: &dyn Host, at: ContainerRef, command: Command) -> Result<Output, HostError> {
    let Command { program, arguments, timeout, .. } = command;
    let words = std::iter::once(program.into_os_string()).chain(arguments);
    let command = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let operation = DockerOperation::Exec { container: at.container, command, timeout };
    match host.docker(&at.socket, operation).await? {
        DockerAnswer::Output(output) => Ok(output),
        _ => Err(HostError::because("run", "nginx", "the engine did not say how it ended")),
    }
}

/// A test of a generation that is all that nginx reads.
fn by_itself(work: &NodeWork, directory: &Path) -> Command {
    let spec = &work.node.spec;
    let command = Command::new(&spec.nginx).timeout(PATIENCE).arg("-t");
    let command = if says_early(work) { command.arg("-e").arg("stderr") } else { command };
    command.arg("-p").arg(format!("{}/", directory.display())).arg("-c").arg(directory.join(spec.entry()))
}

/// Whether nginx can be told where to write what it has to say before it has read where (1.19.5).
pub(super) fn says_early(work: &NodeWork) -> bool {
    work.node.nginx.version >= semver::Version::new(1, 19, 5)
}

/// A test of the system's nginx with a candidate, or without any file of vsa's, in the place of what is live.
async fn aside(
    host: &dyn Host,
    spec: &NodeSpec,
    scratch: &Path,
    candidate: Option<&Candidate>,
) -> Result<Command, Diagnostic> {
    let mut command =
        Command::new(&spec.nginx).timeout(PATIENCE).arg("-t").arg("-c").arg(spec.nginx_conf.clone());
    let access = Access { owner: None, group: None, mode: 0o640 };
    let include = scratch.join("include.conf");
    let text = if candidate.is_some() { spec.include_text() } else { String::new() };
    let mut operations =
        vec![FileOperation::Replace { path: include.clone(), access: access.clone(), bytes: text.into() }];
    let found =
        host.observe(&[Query::Stat(spec.pid_file.clone()), Query::Stat(spec.include_file.clone())]).await;
    if let Some(candidate) = candidate {
        // What has not changed is a link to the live file, which the candidate is about to cover.
        if let Some((live, seen)) = candidate.covered() {
            command = command.bind(live, seen);
        }
        command = command.bind(candidate.directory(), spec.current());
    }
    if candidate.is_some() || found.get(1) != Some(&Answer::Absent) {
        command = command.bind(include, spec.include_file.clone());
    }
    // `nginx -t` makes the pid file where there is none.
    if found.first() == Some(&Answer::Absent) {
        let pid = scratch.join("nginx.pid");
        operations.push(FileOperation::Replace { path: pid.clone(), access, bytes: Vec::new().into() });
        command = command.bind(pid, spec.pid_file.clone());
    }
    host.files(operations).await?;
    Ok(command)
}

fn mounts_failed(spec: &NodeSpec, output: &Output) -> Option<String> {
    let failed = spec.mode == ProxyMode::Host
        && output.status == crate::host::Status::Exited(i32::from(private_mounts::FAILED));
    failed.then(|| output.errors().trim().to_owned())
}

/// nginx's messages with vsa's files named relative to the generation.
pub(super) fn messages(output: &Output, prefix: &str) -> Vec<String> {
    let errors = output.errors();
    let lines = errors.lines().map(|line| line.replace(prefix, ""));
    lines.filter(|line| line.contains('[') && !line.trim().is_empty()).collect()
}

/// A second server of one name on one address: nginx ignores it, and says so in a warning only.
pub(super) fn conflicts(messages: &[String]) -> Vec<NginxMessage> {
    let mut found = parse_error(&messages.join("\n"));
    found.retain(|message| message.conflicting_name().is_some());
    found
}

/// The names of vsa's sites, as they stand in its files.
fn own_hosts(work: &NodeWork) -> BTreeSet<&str> {
    let texts = work.files.files.values().filter_map(|rendered| match &rendered.file.body {
        crate::plan::FileBody::Text(content) => content.as_text(),
        crate::plan::FileBody::Link { .. } => None,
    });
    let lines = texts.flat_map(str::lines).filter_map(|line| line.trim().strip_prefix("server_name "));
    lines
        .flat_map(|names| names.trim_end_matches(';').split_whitespace())
        .map(|name| name.trim_matches('"'))
        .collect()
}

/// That nginx refuses the next generation, in its own words: [`crate::nginx::parse_error`] reads them again.
pub(super) fn refused(spec: &NodeSpec, messages: &[String]) -> Diagnostic {
    Diagnostic::error("nginx refuses the next generation")
        .code(REFUSED)
        .detail(messages.join("\n"))
        .on(&spec.address)
}

/// Why a generation with this test cannot go live; `None` where it passed.
pub fn refusal(spec: &NodeSpec, tested: &Tested) -> Option<Diagnostic> {
    let detail = |messages: &[String]| messages.join("\n");
    let not_tested = |why: &str| {
        Diagnostic::error("the next generation cannot be tested on the node")
            .code("nginx_not_tested")
            .detail(why)
    };
    let diagnostic = match tested {
        Tested::Passed { .. } => return None,
        Tested::Refused { messages } => return Some(refused(spec, messages)),
        Tested::BrokenBefore { messages } => {
            Diagnostic::error("nginx refuses its own configuration, without any file of vsa's")
                .code("nginx_broken_before")
                .detail(detail(messages))
                .help("mend the file that it names first")
        }
        Tested::PassedStandalone { .. } => not_tested("only vsa's own files were tested"),
        Tested::NotTested { why } => not_tested(why),
    };
    Some(diagnostic.on(&spec.address))
}
