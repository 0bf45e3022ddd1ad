//! What is said of a certificate that could not be had, and waits.

use super::facts::Facts;
use crate::diag::{Diagnostic, day, moment};
use crate::names::covers;
use crate::plan::issuance::{Failed, asked_names, asks_the_same};

/// A certificate that an authority is to issue, and what there is of it.
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    /// The names that it is to be for.
    pub(super) names: &'a [String],
    /// What it is asked for with.
    pub(super) request: &'a str,
    /// What the state knows of the last issue.
    pub(super) facts: &'a Facts,
    /// The moment, in seconds since 1970.
    pub(super) now: i64,
}

impl Wanted<'_> {
    /// Says that it is not tried now, because it failed before: `vsa cert renew` does, once its pause has ended.
    pub(super) fn waits(&self, failed: &Failed) -> Diagnostic {
        let Self { name, now, .. } = self;
        let last = if failed.times == 0 { "" } else { ", the last time" };
        let again =
            if failed.waits(*now) { format!(" from {} on", moment(failed.again)) } else { String::new() };
        let who = if failed.passing { "`vsa apply`, `vsa cert renew`" } else { "`vsa cert renew`" };
        let lacks = if self.lacks().is_empty() {
            ""
        } else {
            "\nwhat is served meanwhile is not for all names: clients are warned there"
        };
        self.left().detail(format!("it {}{last} because {}{lacks}", failed.said(), failed.why)).help(format!(
            "{who}, or its timer, tries it again{again}; `vsa cert issue {name}` tries at once"
        ))
    }

    /// That it could not be had.
    pub(super) fn left(&self) -> Diagnostic {
        let Self { name, facts, .. } = self;
        let lacks = self.lacks();
        let what = if facts.issue == 0 {
            "issued".to_owned()
        } else if asks_the_same(&facts.request, self.request) {
            "renewed".to_owned()
        } else if lacks.is_empty() {
            "issued anew".to_owned()
        } else {
            format!("issued for {}", quoted(&lacks))
        };
        let ended = if facts.issue > 0 && facts.not_after <= self.now {
            format!(" ended on {},", day(facts.not_after))
        } else {
            String::new()
        };
        Diagnostic::warning(format!("`{name}`{ended} could not be {what}, and waits")).code("issuance_waits")
    }

    /// Why it is asked for, which it was not as it is now.
    pub(super) fn why_asked(&self) -> String {
        let lacks = self.lacks();
        match self.facts.issue {
            0 => "it is not issued yet".to_owned(),
            _ if lacks.is_empty() => "what it is asked for with has changed".to_owned(),
            _ => format!("it is not issued for {} yet", quoted(&lacks)),
        }
    }

    /// The names that the last issue is not for.
    fn lacks(&self) -> Vec<&str> {
        let has = asked_names(&self.facts.request);
        let is_lacking = |name: &&str| !has.iter().any(|certified| covers(certified, name));
        // Of what no authority has issued it is not known.
        if has.is_empty() {
            return Vec::new();
        }
        self.names.iter().map(String::as_str).filter(is_lacking).collect()
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
