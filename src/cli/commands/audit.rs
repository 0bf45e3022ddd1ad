//! `vsa audit`

use std::fmt::Write as _;

use clap::{Args, Subcommand};

use crate::audit::{Event, Filter, Verification};
use crate::cli::{Exit, Failure, Invocation};
use crate::diag::{Diagnostic, visible};
use crate::state::AuditHead;

/// Look into the audit log
#[derive(Debug, Args)]
pub struct Audit {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// List records, oldest first
    List {
        #[command(flatten)]
        filter: FilterFlags,
        /// As JSON, one array
        #[arg(long)]
        json: bool,
    },
    /// Look for records that were edited, deleted, inserted, reordered or cut off
    Verify {
        /// How many records the log is known to have had: the number that a run printed
        #[arg(long, requires = "head")]
        count: Option<u64>,
        /// The hash of the last of them
        #[arg(long, requires = "count")]
        head: Option<String>,
    },
    /// Print records as JSON lines, as they stand in the log
    Export {
        #[command(flatten)]
        filter: FilterFlags,
    },
}

/// Which records.
#[derive(Debug, Args)]
struct FilterFlags {
    /// At this time or later: `2026-11-01T00:00:00Z`
    #[arg(long, value_name = "TIME")]
    since: Option<jiff::Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    until: Option<jiff::Timestamp>,
    /// Of this command: `apply`
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
    /// About this resource
    #[arg(long, value_name = "ADDRESS")]
    resource: Option<String>,
    /// Of this event: `action_failed`
    #[arg(long, value_parser = event)]
    event: Option<Event>,
    /// Of this run
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// The last so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<u32>,
}

fn event(text: &str) -> Result<Event, String> {
    let names = || Event::ALL.map(Event::as_str).join(", ");
    let found = Event::ALL.into_iter().find(|event| event.as_str() == text);
    found.ok_or_else(|| format!("`{text}` is not an event; there are {}", names()))
}

impl FilterFlags {
    fn filter(&self) -> Filter {
        Filter {
            since: self.since,
            until: self.until,
            command: self.of.clone(),
            resource: self.resource.clone(),
            event: self.event,
            run: self.run.clone(),
            limit: self.limit,
        }
    }
}

impl Audit {
    /// Whether it looks for changes.
    pub fn verifies(&self) -> bool {
        matches!(self.command, Subcommands::Verify { .. })
    }

    /// Runs the command.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        match &self.command {
            Subcommands::List { filter, json } => list(invocation, &filter.filter(), *json),
            Subcommands::Verify { count, head } => {
                let given = count.zip(head.clone()).map(|(count, head)| AuditHead { count, head });
                check(invocation, given)
            }
            Subcommands::Export { filter } => {
                let lines = invocation.with_audit(|audit| audit.lines(&filter.filter()))?;
                let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
                invocation.terminal.print(&text);
                Ok(Exit::Done)
            }
        }
    }
}

fn list(invocation: &Invocation, filter: &Filter, json: bool) -> Result<Exit, Failure> {
    let records = invocation.with_audit(|audit| audit.list(filter))?;
    if json {
        let text = serde_json::to_string_pretty(&records).unwrap_or_default();
        invocation.terminal.line(&text);
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for record in records {
        let who = format!("{}@{}", visible(&record.actor.user), visible(&record.actor.host));
        let mut line = format!(
            "{:>6}  {}  {who}  {}  {}",
            record.seq,
            record.time,
            visible(&record.command),
            record.event
        );
        let more = [&record.resource, &record.action, &record.result, &record.detail];
        for part in more.into_iter().flatten() {
            line.push_str("  ");
            line.push_str(&visible(part));
        }
        if let Some(code) = record.exit_code {
            let _ = write!(line, "  exit {code}");
        }
        text.push_str(&line);
        text.push('\n');
    }
    invocation.terminal.print(&text);
    Ok(Exit::Done)
}

fn check(invocation: &Invocation, given: Option<AuditHead>) -> Result<Exit, Failure> {
    let state = invocation.state();
    let known = state.iter().flatten().map(|state| state.audit.clone()).filter(|head| head.count > 0);
    let heads: Vec<AuditHead> = known.chain(given).collect();
    let Verification { head, faults, repairs } = invocation.verify_audit(&heads)?;
    // Without the state there may be no head to compare with, and a cut of both copies is not seen.
    state?;
    let mut text = String::new();
    for seq in repairs {
        let _ =
            writeln!(text, "record {seq} notes that the log's end was mended; `vsa audit list` shows how");
    }
    if faults.is_empty() {
        let _ =
            writeln!(text, "{} records, none edited, deleted, inserted, reordered or cut off", head.count);
        invocation.terminal.print(&text);
        return Ok(Exit::Done);
    }
    invocation.terminal.print(&text);
    let errors = faults.iter().map(|fault| {
        Diagnostic::error(fault.to_string())
            .code("audit_tampered")
            .help("compare both copies with a log that was shipped elsewhere, and keep them as evidence")
    });
    Err(Failure { exit: Exit::Error, diagnostics: errors.collect() })
}
