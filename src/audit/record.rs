//! Records and their chain.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::digest::sha256;
use crate::state::AuditHead;

use super::Error;

/// The version of the record format that this vsa writes.
pub const VERSION: u32 = 1;

/// Who runs a command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The user's name, or its id where it has none.
    pub user: String,
    /// The user's id.
    pub uid: u32,
    /// The host's name.
    pub host: String,
    /// Who became this user with sudo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo_user: Option<String>,
    /// The CI job, where the environment names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}

/// One run of a command: what all its records have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Unique.
    pub id: String,
    /// Who runs it.
    pub actor: Actor,
    /// The command: `apply`, `state list`.
    pub command: String,
    /// Its arguments, masked by the caller.
    pub arguments: Vec<String>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A command began.
    RunStarted,
    /// A command was refused before it did anything.
    RunRefused,
    /// An earlier apply was found killed before its end; this run finishes it.
    RunInterrupted,
    /// An action is about to be done.
    ActionStarted,
    /// An action was done.
    ActionDone,
    /// An action failed.
    ActionFailed,
    /// An action was taken back.
    ActionUndone,
    /// A generation was proven live.
    Committed,
    /// All that was done before the commit was taken back.
    RolledBack,
    /// A command ended.
    RunFinished,
    /// What a killed run, or somebody, left of the log was put right.
    LogRepaired,
}

impl Event {
    /// All events.
    pub const ALL: [Self; 11] = [
        Self::RunStarted,
        Self::RunRefused,
        Self::RunInterrupted,
        Self::ActionStarted,
        Self::ActionDone,
        Self::ActionFailed,
        Self::ActionUndone,
        Self::Committed,
        Self::RolledBack,
        Self::RunFinished,
        Self::LogRepaired,
    ];

    /// Its name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunStarted => "run_started",
            Self::RunRefused => "run_refused",
            Self::RunInterrupted => "run_interrupted",
            Self::ActionStarted => "action_started",
            Self::ActionDone => "action_done",
            Self::ActionFailed => "action_failed",
            Self::ActionUndone => "action_undone",
            Self::Committed => "committed",
            Self::RolledBack => "rolled_back",
            Self::RunFinished => "run_finished",
            Self::LogRepaired => "log_repaired",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is to be recorded of an event, beside what its run says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What happened.
    pub event: Event,
    /// The resource's address.
    pub resource: Option<String>,
    /// The action.
    pub action: Option<String>,
    /// How it went: `created`, `failed`, ….
    pub result: Option<String>,
    /// The command's exit code.
    pub exit_code: Option<i32>,
    /// More; holds no secret.
    pub detail: Option<String>,
}

impl Entry {
    /// Of this event.
    pub fn new(event: Event) -> Self {
        Self { event, resource: None, action: None, result: None, exit_code: None, detail: None }
    }

    /// Names the resource.
    #[must_use]
    pub fn resource(mut self, resource: &Address) -> Self {
        self.resource = Some(resource.to_string());
        self
    }

    /// Names the action.
    #[must_use]
    pub fn action(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }

    /// Says how it went.
    #[must_use]
    pub fn result(mut self, result: impl Into<String>) -> Self {
        self.result = Some(result.into());
        self
    }

    /// Sets the exit code.
    #[must_use]
    pub fn exit_code(mut self, exit_code: i32) -> Self {
        self.exit_code = Some(exit_code);
        self
    }

    /// Says more; no secret may be in it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(super) fn repair(detail: impl Into<String>) -> Self {
        Self::new(Event::LogRepaired).detail(detail)
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The version of the format.
    pub version: u32,
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// When, in RFC 3339 and UTC with milliseconds.
    pub time: String,
    /// The run.
    pub run: String,
    /// Who ran it.
    pub actor: Actor,
    /// The command.
    pub command: String,
    /// Its arguments, masked.
    pub arguments: Vec<String>,
    /// What happened.
    pub event: Event,
    /// The resource's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// How it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The command's exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// More.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The hash of the record before; empty for the first.
    pub previous: String,
    /// SHA-256, in hexadecimal, over the canonical JSON of all members before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
}

/// How the times of records are written; sorts as text.
pub(super) fn time_text(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// The line of the next record, without newline, and the head after it.
pub(super) fn seal(
    run: &Run,
    now: Timestamp,
    entry: &Entry,
    head: &AuditHead,
) -> Result<(String, AuditHead), Error> {
    let entry = entry.clone();
    let record = Record {
        version: VERSION,
        seq: head.count + 1,
        time: time_text(now),
        run: run.id.clone(),
        actor: run.actor.clone(),
        command: run.command.clone(),
        arguments: run.arguments.clone(),
        event: entry.event,
        resource: entry.resource,
        action: entry.action,
        result: entry.result,
        exit_code: entry.exit_code,
        detail: entry.detail,
        previous: head.head.clone(),
        hash: String::new(),
    };
    let mut line = serde_json::to_string(&record).map_err(Error::Encode)?;
    let hash = sha256(line.as_bytes());
    line.pop();
    line.push_str(HASH);
    line.push_str(&hash);
    line.push_str("\"}");
    Ok((line, AuditHead { count: record.seq, head: hash }))
}

const HASH: &str = ",\"hash\":\"";

/// The hash that a line ends with, where it is the right one.
pub(super) fn hash_of(line: &str) -> Option<&str> {
    let (content, hash) = line.strip_suffix("\"}")?.rsplit_once(HASH)?;
    (sha256(format!("{content}}}").as_bytes()) == hash).then_some(hash)
}

/// What the chain needs of a record, whatever its version.
#[derive(Deserialize)]
struct Link {
    seq: u64,
    previous: String,
}

/// A record's place in the chain: the head before it and the head after it; `None` where its hash is not right.
pub(super) fn link(line: &str) -> Option<(AuditHead, AuditHead)> {
    let hash = hash_of(line)?;
    let Link { seq, previous } = serde_json::from_str(line).ok()?;
    let before = AuditHead { count: seq.checked_sub(1)?, head: previous };
    Some((before, AuditHead { count: seq, head: hash.to_owned() }))
}

/// Whether the record notes a repair of the log. Inside a text of the record the quotes would be escaped.
pub(super) fn is_repair(line: &str) -> bool {
    line.contains(r#""event":"log_repaired""#)
}

/// Whether `lines` follow `head` in an unbroken chain.
pub(super) fn continues(head: &AuditHead, lines: &[String]) -> bool {
    let mut head = head.clone();
    lines.iter().all(|line| match link(line) {
        Some((before, after)) if before == head => {
            head = after;
            true
        }
        _ => false,
    })
}

/// Reads a record. One of a later vsa is told from one that is damaged.
pub(super) fn parse(line: &str, path: &Path) -> Result<Record, Error> {
    #[derive(Deserialize)]
    struct Header {
        version: u32,
    }
    let malformed = |source| Error::Malformed { path: path.to_owned(), source };
    match serde_json::from_str(line).map_err(malformed)? {
        Header { version } if version > VERSION => Err(Error::Later { path: path.to_owned(), version }),
        Header { .. } => serde_json::from_str(line).map_err(malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_record_is_not_called_damaged() {
        let parsed = |line| parse(line, Path::new("audit.jsonl"));
        assert!(matches!(
            parsed(r#"{"version":2,"event":"teleported"}"#),
            Err(Error::Later { version: 2, .. })
        ));
        assert!(matches!(parsed(r#"{"version":1,"event":"teleported"}"#), Err(Error::Malformed { .. })));
    }
}
