//! What is known of a certificate now, and how bad that is.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::known::{Known, revoked_json};
use super::served::{Served, served};
use crate::cli::Invocation;
use crate::diag::{day, rfc3339};
use crate::host::clock;
use crate::kinds::certificate::Source;

const DAY: i64 = 86_400;

/// What is known of a certificate now.
pub(super) struct Row<'a> {
    pub(super) known: &'a Known<'a>,
    pub(super) served: Served,
    pub(super) now: i64,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    Ok,
    Warning,
    Critical,
}

impl Row<'_> {
    /// Whole days until its end; less than none after it.
    pub(super) fn days(&self) -> Option<i64> {
        let live = self.known.live.as_ref().ok()?;
        Some(live.not_after.saturating_sub(self.now).div_euclid(DAY))
    }

    pub(super) fn renews(&self) -> String {
        match (self.known.held.renews, self.known.held.source) {
            _ if self.known.held.revoked.is_some() => "revoked: due".to_owned(),
            (Some(moment), _) if moment <= self.now => "due".to_owned(),
            (Some(moment), _) => day(moment),
            (None, Source::Files) => "elsewhere".to_owned(),
            (None, _) => "once issued".to_owned(),
        }
    }

    /// What is wrong with it, and how bad that is.
    pub(super) fn wrong(&self) -> Option<(Severity, String)> {
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
        if let Some(why) = &self.known.files.unusable {
            return Some((Severity::Warning, format!("is copied from files that cannot be used: {why}")));
        }
        if held.ends_soon_from.is_some_and(|from| from <= self.now) {
            let ends = day(live.not_after);
            let what = if self.known.files.differ {
                format!("ends on {ends}, and another one is in its files: `vsa cert renew` copies it")
            } else {
                format!("ends on {ends}, and nobody has put another one into its files")
            };
            return Some((Severity::Warning, what));
        }
        let margin = held.renews.map_or(i64::MAX, |renews| live.not_after.saturating_sub(renews));
        let lacks = self.known.lacks();
        if failed.is_some() && self.fails() {
            // A third of the time for renewals is left.
            let is_late = live.not_after.saturating_sub(self.now) < margin / 3;
            let is_critical = is_late && held.renews.is_some();
            let severity = if is_critical { Severity::Critical } else { Severity::Warning };
            let what = match held.number {
                0 => "could not be issued".to_owned(),
                _ if lacks.is_empty() => "could not be renewed".to_owned(),
                _ => format!("could not be issued for {}: clients are warned there", listed(&lacks)),
            };
            return Some((severity, what));
        }
        if !lacks.is_empty() {
            let what = format!("is not for {}: clients are warned there", listed(&lacks));
            return Some((Severity::Warning, what));
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
    pub(super) fn is_bad(&self) -> bool {
        let has_ended = self.known.live.as_ref().map_or(true, |live| live.not_after <= self.now);
        let is_spoilt = self.known.held.revoked.is_some() || self.known.files.unusable.is_some();
        has_ended || self.fails() || is_spoilt
    }

    /// Whether a failure is one still: it is tried again, or waits. What a run asked for in vain that was taken back says
    /// nothing about the certificate that there is once its pause has ended.
    fn fails(&self) -> bool {
        let failed = self.known.failed.as_ref();
        failed.is_some_and(|failed| failed.waits(self.now) || self.known.is_owed(failed))
    }

    /// What is presented, and what it is not for.
    pub(super) fn presented(&self) -> String {
        let lacks = self.known.lacks();
        let without = if lacks.is_empty() { String::new() } else { format!(", without {}", listed(&lacks)) };
        format!("{}{without}", self.served.text())
    }

    pub(super) fn json(&self) -> serde_json::Value {
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
            "lacks": self.known.lacks(),
            "revoked": held.revoked.as_ref().map(revoked_json),
            "error": live.as_ref().err(),
            "unusable": self.known.files.unusable,
            "failed": failed.as_ref().map(|failed| serde_json::json!({
                "times": failed.times,
                "why": failed.why,
                "at": rfc3339(failed.at),
                "again": rfc3339(failed.again),
            })),
        })
    }
}

fn listed(names: &BTreeSet<Arc<str>>) -> String {
    names.iter().map(|name| &**name).collect::<Vec<_>>().join(", ")
}

/// What is known of each.
pub(super) fn rows<'a>(invocation: &Invocation, known: &'a [Known<'a>]) -> Vec<Row<'a>> {
    let now = clock().as_second();
    let served = served(invocation, known);
    known.iter().zip(served).map(|(known, served)| Row { known, served, now }).collect()
}
