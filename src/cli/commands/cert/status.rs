//! `vsa cert status`

use clap::Args;

use super::known::every;
use super::row::{Row, Severity, rows};
use crate::cli::{Exit, Failure, Invocation, render};
use crate::diag::{Diagnostic, moment, visible};
use crate::plan::issuance::Failed;

/// List the certificates in the state: until when, when renewed, and what a TLS handshake presents
#[derive(Debug, Args)]
pub(super) struct Status {
    /// As JSON
    #[arg(long, conflicts_with = "nagios")]
    json: bool,
    /// One line and an exit code (0, 1, 2 or 3) for monitoring
    #[arg(long)]
    nagios: bool,
}

impl Status {
    /// Runs the command.
    pub(super) fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        if !self.nagios {
            return self.list(invocation);
        }
        match invocation.existing_state() {
            Ok(state) => {
                let known = every(invocation, &state);
                Ok(nagios(invocation, &rows(invocation, &known)))
            }
            Err(failure) => {
                let why = failure.diagnostics.iter().next().map_or("", |error: &Diagnostic| &error.summary);
                invocation.terminal.line(&format!("CERTIFICATES UNKNOWN - {}", plain(why)));
                Ok(Exit::UNKNOWN)
            }
        }
    }

    fn list(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let state = invocation.existing_state()?;
        let known = every(invocation, &state);
        let rows = rows(invocation, &known);
        let terminal = invocation.terminal;
        if self.json {
            let all = rows.iter().map(Row::json).collect();
            terminal.line(&format!("{:#}", serde_json::Value::Array(all)));
        } else {
            let cells = |row: &Row<'_>| {
                let live = row.known.live.as_ref();
                [
                    row.known.stored.name.to_string(),
                    live.map_or_else(|_| "unknown".to_owned(), |live| visible(&live.issuer).to_string()),
                    row.days().map_or_else(|| "unknown".to_owned(), |days| days.to_string()),
                    row.renews(),
                    row.known.held.source.word().to_owned(),
                    visible(&row.presented()).to_string(),
                ]
            };
            let header = ["NAME", "ISSUER", "DAYS LEFT", "RENEWAL", "SOURCE", "SERVED"];
            terminal.print(&render::table(header, &rows.iter().map(cells).collect::<Vec<_>>()));
            for row in &rows {
                if let Some(revoked) = &row.known.held.revoked {
                    let name = &row.known.stored.name;
                    terminal.line(&format!("\n{name} {}", revoked.said()));
                    terminal.line(
                        "  it is served on until `vsa cert renew` has another one issued, with a new key",
                    );
                }
            }
            for row in &rows {
                if let Some(why) = &row.known.files.unusable {
                    let name = &row.known.stored.name;
                    let why = visible(why);
                    terminal.line(&format!("\n{name} is copied from files that cannot be used: {why}"));
                    terminal.line("  the copy that vsa made of the former ones goes on serving");
                }
                if let Some(failed) = &row.known.failed {
                    failure(invocation, row, failed);
                }
            }
        }
        Ok(if rows.iter().any(Row::is_bad) { Exit::Error } else { Exit::Done })
    }
}

/// Says what has failed, and who tries it again.
fn failure(invocation: &Invocation, row: &Row<'_>, failed: &Failed) {
    let name = &row.known.stored.name;
    let from =
        if failed.waits(row.now) { format!(" from {} on", moment(failed.again)) } else { String::new() };
    let again = if row.known.is_owed(failed) {
        format!("`vsa cert renew`, or its timer, tries it again{from}")
    } else {
        format!(
            "it was asked for what is not applied: `vsa apply` tries that again{from}, where it is wanted"
        )
    };
    let terminal = invocation.terminal;
    terminal.line(&format!("\n{name} {}: {}", failed.said(), visible(&failed.why)));
    terminal.line(&format!("  {again}; `vsa cert issue {name}` tries at once"));
}

/// What stands in a line for monitoring: `|` begins its figures.
fn plain(text: &str) -> String {
    visible(text).to_string().replace('|', "/")
}

/// One line, and an exit code (<https://nagios-plugins.org/doc/guidelines.html>).
fn nagios(invocation: &Invocation, rows: &[Row<'_>]) -> Exit {
    let wrong = |row: &Row<'_>| {
        let (severity, what) = row.wrong()?;
        Some((severity, format!("{} {what}", row.known.stored.name)))
    };
    let mut wrong: Vec<_> = rows.iter().filter_map(wrong).collect();
    wrong.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
    let severity = wrong.first().map_or(Severity::Ok, |(severity, _)| *severity);
    let (word, exit) = match severity {
        Severity::Ok => ("OK", Exit::Done),
        Severity::Warning => ("WARNING", Exit::WARNING),
        Severity::Critical => ("CRITICAL", Exit::CRITICAL),
    };
    let first = rows.iter().filter_map(|row| Some((row.days()?, &row.known.stored.name))).min();
    let what = match (wrong.is_empty(), first) {
        (false, _) => wrong.iter().map(|(_, what)| what.as_str()).collect::<Vec<_>>().join(", "),
        (true, Some((days, name))) => {
            format!("{} in order, the first to end is {name} in {days} days", rows.len())
        }
        (true, None) => "there are none".to_owned(),
    };
    let figures = rows.iter().filter_map(|row| Some(format!(" '{}'={}", row.known.stored.name, row.days()?)));
    invocation.terminal.line(&format!(
        "CERTIFICATES {word} - {} |{}",
        plain(&what),
        figures.collect::<String>()
    ));
    exit
}
