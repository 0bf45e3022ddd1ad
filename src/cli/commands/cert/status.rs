//! `vsa cert status`

use clap::Args;

use super::known::{Known, Served, every, served};
use crate::cli::{Exit, Failure, Invocation, render};
use crate::diag::{Diagnostic, day, moment, rfc3339, visible};
use crate::host::clock;
use crate::kinds::certificate::Source;

const DAY: i64 = 86_400;

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

/// What is known of a certificate now.
struct Row<'a> {
    known: &'a Known<'a>,
    served: Served,
    now: i64,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Ok,
    Warning,
    Critical,
}

impl Row<'_> {
    /// Whole days until its end; less than none after it.
    fn days(&self) -> Option<i64> {
        let live = self.known.live.as_ref().ok()?;
        Some(live.not_after.saturating_sub(self.now).div_euclid(DAY))
    }

    fn renews(&self) -> String {
        match (self.known.held.renews, self.known.held.source) {
            _ if self.known.held.revoked.is_some() => "revoked: due".to_owned(),
            (Some(moment), _) if moment <= self.now => "due".to_owned(),
            (Some(moment), _) => day(moment),
            (None, Source::Files) => "elsewhere".to_owned(),
            (None, _) => "once issued".to_owned(),
        }
    }

    /// What is wrong with it, and how bad that is.
    fn wrong(&self) -> Option<(Severity, String)> {
        let Known { live, failed, held, forgotten, .. } = self.known;
        let live = match live {
            Ok(live) => live,
            Err(why) => return Some((Severity::Critical, format!("cannot be read: {why}"))),
        };
        if live.not_after <= self.now {
            return Some((Severity::Critical, format!("ended on {}", day(live.not_after))));
        }
        if let Some(revoked) = &held.revoked {
            return Some((Severity::Critical, revoked.said()));
        }
        if let Some(why) = forgotten {
            return Some((
                Severity::Warning,
                format!("is served, but what is remembered of it cannot be read: {}", why.summary),
            ));
        }
        let margin = held.renews.map_or(i64::MAX, |renews| live.not_after.saturating_sub(renews));
        if failed.is_some() {
            // A third of the time for renewals is left.
            let is_late = live.not_after.saturating_sub(self.now) < margin / 3;
            let severity =
                if is_late && held.renews.is_some() { Severity::Critical } else { Severity::Warning };
            return Some((
                severity,
                format!("could not be {}", if held.number == 0 { "issued" } else { "renewed" }),
            ));
        }
        if let Served::Another(_) | Served::None(_) = self.served {
            return Some((Severity::Warning, format!("is not served ({})", self.served.text())));
        }
        if let Some(window) = held.window.filter(|window| window.end <= self.now) {
            let when = day(window.end);
            let what = format!(
                "is due now: its authority wants it renewed since {when}, as it does of what it revokes"
            );
            return Some((Severity::Warning, what));
        }
        let is_overdue = held.renews.is_some_and(|renews| renews.saturating_add(2 * DAY) < self.now);
        if is_overdue {
            return Some((Severity::Warning, "is overdue for renewal: does the timer run?".to_owned()));
        }
        (held.source == Source::StandIn).then(|| (Severity::Warning, "is not issued yet".to_owned()))
    }

    /// Whether somebody has to do something.
    fn is_bad(&self) -> bool {
        let has_ended = self.known.live.as_ref().map_or(true, |live| live.not_after <= self.now);
        has_ended || self.known.failed.is_some() || self.known.held.revoked.is_some()
    }

    fn json(&self) -> serde_json::Value {
        let Known { address, stored, live, held, failed, .. } = self.known;
        let live_text =
            |text: fn(&crate::plan::observation::CertificateFacts) -> String| live.as_ref().ok().map(text);
        serde_json::json!({
            "address": address,
            "name": stored.name,
            "node": stored.node,
            "names": live.as_ref().ok().map(|live| &live.names),
            "issuer": live_text(|live| live.issuer.clone()),
            "not_after": live.as_ref().ok().map(|live| rfc3339(live.not_after)),
            "days_left": self.days(),
            "renews": held.renews.map(rfc3339),
            "source": held.source.word(),
            "served": self.served == Served::Yes,
            "presented": self.served.text(),
            "revoked": held.revoked.as_ref().map(super::known::revoked_json),
            "error": live.as_ref().err(),
            "failed": failed.as_ref().map(|failed| serde_json::json!({
                "times": failed.times,
                "why": failed.why,
                "at": rfc3339(failed.at),
                "again": rfc3339(failed.again),
            })),
        })
    }
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
                    visible(&row.served.text()).to_string(),
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
            let failures =
                rows.iter().filter_map(|row| Some((&row.known.stored.name, row.known.failed.as_ref()?)));
            for (name, failed) in failures {
                let now = clock().as_second();
                let from = if failed.waits(now) {
                    format!(" from {} on", moment(failed.again))
                } else {
                    String::new()
                };
                terminal.line(&format!("\n{name} {}: {}", failed.said(), visible(&failed.why)));
                terminal.line(&format!(
                    "  `vsa cert renew`, or its timer, tries it again{from}; `vsa cert issue {name}` tries at once"
                ));
            }
        }
        Ok(if rows.iter().any(Row::is_bad) { Exit::Error } else { Exit::Done })
    }
}

fn rows<'a>(invocation: &Invocation, known: &'a [Known<'a>]) -> Vec<Row<'a>> {
    let now = clock().as_second();
    let served = served(invocation, known);
    known.iter().zip(served).map(|(known, served)| Row { known, served, now }).collect()
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
