//! `vsa stack logs`

use std::sync::Arc;

use clap::Args;
use tokio::sync::mpsc;

use super::{containers, of_services, one};
use crate::apply::compose;
use crate::cli::{Exit, Failure, Invocation, Terminal};
use crate::diag::Diagnostic;
use crate::host::docker_operation::Following;
use crate::host::{DockerAnswer, DockerOperation, Host, HostError};
use crate::plan::docker::Container;

/// A line longer than this is shown in parts.
const LONGEST: usize = 1 << 20;

/// How many lines of each container wait for being shown.
const WAITING: usize = 256;

/// Show what the containers of a stack wrote to their logs, without its secrets
#[derive(Debug, Args)]
pub(super) struct Logs {
    /// The stack
    name: String,
    /// Only these services
    services: Vec<String>,
    /// Go on as the logs grow
    #[arg(long, short)]
    follow: bool,
    /// How many lines of the past are shown of each container: a number, or `all`
    #[arg(long, short = 'n', value_name = "LINES", default_value = "all", value_parser = tail)]
    tail: Tail,
    /// Begin each line with its time, in UTC
    #[arg(long, short)]
    timestamps: bool,
}

/// How many lines of the past.
#[derive(Clone, Copy, Debug)]
struct Tail(Option<usize>);

fn tail(text: &str) -> Result<Tail, String> {
    match text {
        "all" => Ok(Tail(None)),
        _ => {
            let lines =
                text.parse().map_err(|_| format!("`{text}` is neither a number of lines nor `all`"))?;
            Ok(Tail(Some(lines)))
        }
    }
}

impl Logs {
    /// Runs the command.
    pub(super) fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let state = invocation.existing_state()?;
        let known = one(&state, &self.name)?;
        let stacks = [known];
        let found = containers(invocation, &stacks)?.pop().unwrap_or_default();
        let [known] = stacks;
        let found = of_services(&known, found, &self.services)?;
        if found.is_empty() {
            invocation.terminal.note(&format!("`{}` has no containers", known.address));
        }
        let project = &known.deployed.project;
        let host: &Arc<dyn Host> = &invocation.host;
        let width = found.iter().map(|container| title(container).chars().count()).max().unwrap_or(0);
        invocation.block_on(async {
            let secrets = compose::known_secrets(&**host, known.stored, &project.env_file).await;
            let mut logs = Vec::new();
            for container in &found {
                let operation = DockerOperation::Follow {
                    container: container.id.clone(),
                    lines: self.tail.0,
                    until_now: !self.follow,
                    // The lines of several containers are put in order by their times.
                    timestamps: true,
                };
                if let DockerAnswer::Following(log) = host.docker(&project.socket, operation).await? {
                    let title = format!("{:width$}  | ", title(container));
                    logs.push((title, Lines { log, begun: [Vec::new(), Vec::new()], ended: false }));
                }
            }
            let shown = Shown { terminal: invocation.terminal, secrets, timestamps: self.timestamps };
            if self.follow { follow(logs, &shown).await } else { merge(logs, &shown).await }
        })?;
        Ok(Exit::Done)
    }
}

/// What stands before a container's lines: `web-1`.
fn title(container: &Container) -> String {
    match (container.service(), container.number()) {
        (None, _) => container.name.clone(),
        (Some(service), 0) => service.to_owned(),
        (Some(service), number) => format!("{service}-{number}"),
    }
}

/// How lines are shown.
struct Shown {
    terminal: Terminal,
    secrets: Vec<String>,
    timestamps: bool,
}

impl Shown {
    /// Shows a line that begins with its time; gives whether somebody still reads.
    fn show(&self, title: &str, line: &[u8]) -> bool {
        let text = String::from_utf8_lossy(line);
        let text = match text.split_once(' ') {
            Some((_, text)) if !self.timestamps => text,
            _ => &text,
        };
        let text = compose::masked(text.to_owned(), &self.secrets);
        self.terminal.line(&format!("{title}{}", self.terminal.said(&text)));
        !self.terminal.is_closed()
    }
}

/// A container's log, line by line.
struct Lines {
    log: Following,
    /// The lines begun, of standard output and of standard error.
    begun: [Vec<u8>; 2],
    ended: bool,
}

impl Lines {
    /// The next line, without its end; `None` once there are no more.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, HostError> {
        loop {
            for begun in &mut self.begun {
                if let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
                    let rest = begun.split_off(end + 1);
                    let mut line = std::mem::replace(begun, rest);
                    line.pop();
                    if line.ends_with(b"\r") {
                        line.pop();
                    }
                    return Ok(Some(line));
                }
                if begun.len() > LONGEST || self.ended && !begun.is_empty() {
                    return Ok(Some(std::mem::take(begun)));
                }
            }
            if self.ended {
                return Ok(None);
            }
            match self.log.next().await {
                Some(piece) => {
                    let piece = piece?;
                    self.begun[usize::from(piece.error)].extend_from_slice(&piece.bytes);
                }
                None => self.ended = true,
            }
        }
    }
}

/// Shows what there is, all lines in the order of their times.
async fn merge(logs: Vec<(String, Lines)>, shown: &Shown) -> Result<(), Diagnostic> {
    let mut heads = Vec::new();
    for (title, mut lines) in logs {
        if let Some(line) = lines.next().await? {
            heads.push((line, title, lines));
        }
    }
    let time = |line: &[u8]| line.split(|byte| *byte == b' ').next().map(<[u8]>::to_vec);
    while let Some(first) = (0..heads.len()).min_by_key(|index| time(&heads[*index].0)) {
        let (line, title, lines) = &mut heads[first];
        if !shown.show(title, line) {
            return Ok(());
        }
        match lines.next().await? {
            Some(next) => *line = next,
            None => drop(heads.remove(first)),
        }
    }
    Ok(())
}

/// Shows lines as they come, until all containers have ended, nobody reads any more, or somebody interrupts.
async fn follow(logs: Vec<(String, Lines)>, shown: &Shown) -> Result<(), Diagnostic> {
    let (sender, mut receiver) = mpsc::channel(WAITING);
    for (title, mut lines) in logs {
        let sender = sender.clone();
        tokio::spawn(async move {
            let title: Arc<str> = title.into();
            loop {
                let next = lines.next().await.transpose();
                let Some(next) = next else { return };
                let last = next.is_err();
                if sender.send((Arc::clone(&title), next)).await.is_err() || last {
                    return;
                }
            }
        });
    }
    drop(sender);
    loop {
        tokio::select! {
            next = receiver.recv() => match next {
                Some((title, line)) => if !shown.show(&title, &line?) { return Ok(()) },
                None => return Ok(()),
            },
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}
