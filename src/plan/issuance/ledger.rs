//! What a node remembers of its certificates beside the state: it outlasts a run that is taken back.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Remembered;
use crate::diag::Diagnostic;

/// The version of the document that this vsa writes.
const VERSION: u32 = 1;

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

/// How long an order stands in the ledger: no limit looks further back.
const REMEMBERED: i64 = 7 * DAY;

/// What a node remembers of its certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The version of the document.
    pub version: u32,
    /// By the certificates' names.
    #[serde(default)]
    pub certificates: BTreeMap<String, Remembered>,
    /// The orders of the last seven days, the oldest first.
    #[serde(default)]
    pub orders: Vec<Ordered>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { version: VERSION, certificates: BTreeMap::new(), orders: Vec::new() }
    }
}

/// An order that counts against limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// When, in seconds since 1970.
    pub at: i64,
    /// The authority's directory.
    pub directory: String,
    /// The names, in their order.
    pub names: Vec<String>,
    /// Whether it renews a certificate as the authority asked for: such ones are exempt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exempt: bool,
    /// Whether control over names was not proven.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproven: bool,
    /// Whether nobody knows that it was begun: the authority's answer did not come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unanswered: bool,
}

impl Ledger {
    /// What a document says.
    ///
    /// # Errors
    /// It is of a later version, or damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|error| format!("it is damaged ({error})"))?;
        if head.version > VERSION {
            return Err(format!(
                "it has version {}, which a later vsa wrote: this one knows {VERSION}",
                head.version
            ));
        }
        serde_json::from_slice(bytes).map_err(|error| format!("it is damaged ({error})"))
    }

    /// That what a node remembers is there and cannot be read: what is not known must not be taken for nothing.
    pub fn unreadable(path: &Path, why: &str) -> Diagnostic {
        // Nothing is wrong with one that somebody else may read.
        let help = if why.to_ascii_lowercase().contains("permission denied") {
            "plan as the user that applies, or as root: failed attempts, what counts against limits and what was revoked are \
             not known to others"
        } else {
            "it holds failed attempts, what counts against limits and what was revoked: mend it or put a copy back, or remove \
             it to begin anew"
        };
        Diagnostic::error(format!("cannot read `{}`: {why}", path.display()))
            .code("unreadable_ledger")
            .help(help)
    }

    /// As a document.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Forgets a certificate that goes, but for what was revoked or exposed: an old generation may keep it, and it is never taken again.
    pub fn forget(&mut self, name: &str) {
        let Some(Remembered { revoked, exposed, .. }) = self.certificates.remove(name) else { return };
        if revoked.is_empty() && exposed.is_empty() {
            return;
        }
        let left = Remembered { revoked, exposed, is_gone: true, ..Remembered::default() };
        self.certificates.insert(name.to_owned(), left);
    }

    /// What is remembered of a certificate, to be changed: it is there, or there again.
    pub fn of(&mut self, name: &str) -> &mut Remembered {
        let known = self.certificates.entry(name.to_owned()).or_default();
        known.is_gone = false;
        known
    }

    /// Takes note that the proofs of an order were not taken.
    pub fn unproven(&mut self, now: i64, directory: &str, names: &[String]) {
        let of_it =
            |order: &&mut Ordered| !order.unproven && order.directory == directory && order.names == names;
        if let Some(order) = self.orders.iter_mut().rev().find(of_it) {
            (order.unproven, order.at) = (true, now);
            // The orders stand by their times.
            self.orders.sort_by_key(|order| order.at);
        }
    }

    /// Takes an order out again that was not begun.
    pub fn not_ordered(&mut self, order: &Ordered) {
        if let Some(index) = self.orders.iter().rposition(|noted| noted == order) {
            self.orders.remove(index);
        }
    }

    /// Has an order stand as what became of it.
    pub fn really(&mut self, order: &Ordered, change: impl FnOnce(&mut Ordered)) {
        if let Some(noted) = self.orders.iter_mut().rev().find(|noted| *noted == order) {
            change(noted);
        }
    }

    /// Takes note of an order.
    pub fn ordered(&mut self, order: Ordered) {
        let now = order.at;
        self.orders.retain(|order| order.counts(now));
        self.orders.push(order);
    }
}

impl Ordered {
    /// Whether limits may look at it: it is not too old, and no clock that went ahead wrote it down. Those that are begun
    /// at the same time are noted as it comes.
    pub fn counts(&self, now: i64) -> bool {
        self.at > now.saturating_sub(REMEMBERED) && self.at < now.saturating_add(HOUR)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Failed, RenewalInfo, Revocation, Revoked};
    use super::*;

    #[test]
    fn what_a_clock_that_went_ahead_wrote_down_is_not_waited_for() {
        let ahead = 400 * DAY;
        let mut ledger = Ledger::default();
        ledger.of("shop.example.com").fail(ahead, "the clock is wrong", ("r", "w"), None);
        let failed = ledger.certificates["shop.example.com"].failed.clone().unwrap();
        assert!(failed.waits(ahead) && !failed.waits(1_000));
        assert!(!Failed { at: 500, ..failed }.waits(1_000), "longer than anything is waited for");
        let renewal =
            |ask_again| RenewalInfo { digest: "d".to_owned(), window: None, ask_again }.holds(1_000);
        assert!(renewal(1_000 + DAY) && !renewal(1_000) && !renewal(ahead));
        let ordered = |at| Ordered {
            at,
            directory: "d".into(),
            names: vec![],
            exempt: false,
            unproven: false,
            unanswered: false,
        };
        for at in [ahead, 1_001, 1_000] {
            ledger.ordered(ordered(at));
        }
        assert_eq!(ledger.orders, [ordered(1_001), ordered(1_000)]);
    }

    #[test]
    fn what_was_revoked_is_remembered_of_what_goes_and_of_what_comes_again() {
        let revoked = |digest: &str| Revoked { digest: digest.into(), at: 1, reason: Revocation::Superseded };
        let mut ledger = Ledger::default();
        ledger.of("a.example").revoke(revoked("one"));
        ledger.of("b.example").succeed();
        ledger.forget("a.example");
        ledger.forget("b.example");
        assert!(ledger.certificates.keys().eq(["a.example"]) && ledger.certificates["a.example"].is_gone);
        assert_eq!(Ledger::parse(ledger.text().as_bytes()).as_ref(), Ok(&ledger));
        ledger.of("a.example").succeed();
        let known = &ledger.certificates["a.example"];
        assert!(!known.is_gone && known.revoked("one").is_some());
    }

    #[test]
    fn what_is_written_is_read() {
        let mut ledger = Ledger::default();
        ledger.of("shop.example.com").fail(1_000, "no", ("r", "w"), None);
        ledger.ordered(Ordered {
            at: 1,
            directory: "d".into(),
            names: vec![],
            exempt: false,
            unproven: true,
            unanswered: false,
        });
        ledger.ordered(Ordered {
            at: 8 * DAY,
            directory: "d".into(),
            names: vec![],
            exempt: true,
            unproven: false,
            unanswered: false,
        });
        assert_eq!(ledger.orders.len(), 1, "the old one has gone");
        assert_eq!(Ledger::parse(ledger.text().as_bytes()), Ok(ledger));
        insta::assert_snapshot!(Ledger::parse(br#"{"version":2}"#).unwrap_err(), @"it has version 2, which a later vsa wrote: this one knows 1");
        insta::assert_snapshot!(Ledger::parse(b"").unwrap_err(), @"it is damaged (EOF while parsing a value at line 1 column 0)");
    }

    #[test]
    fn only_what_is_damaged_is_to_be_removed() {
        let help = |why| Ledger::unreadable(Path::new("/ledger.json"), why).help.concat();
        assert!(
            help("Permission denied").contains("as root") && !help("permission denied").contains("remove")
        );
        assert!(help("expected value at line 1").contains("remove it to begin anew"));
    }
}
