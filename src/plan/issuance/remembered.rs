//! What a node remembers of one certificate: failures, what its authority wants, the order that is under way.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Revoked, Window};
use crate::names::DomainName;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How long nothing is tried after the first failure; each further one makes it four times as long.
const FIRST_PAUSE: i64 = MINUTE;
/// The longest of those pauses.
const LONGEST_PAUSE: i64 = 6 * HOUR;
/// After how many failures it is tried once a day only.
const STUBBORN: u32 = 6;

/// The longest pause that an authority can ask for: no limit of theirs needs more, and a word that is wrong would end
/// renewals for good.
pub const LONGEST_WAIT: i64 = 7 * DAY;

/// What is remembered of one certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The failures since it was issued last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failed>,
    /// When the authority wants it renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<RenewalInfo>,
    /// The order that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<UnderWay>,
    /// The TXT records that were published, and are not known to have been withdrawn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<TxtRecord>,
    /// What was revoked, the oldest first: going back to a former generation may go back to one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<Revoked>,
    /// The digests of certificates whose key others may have read, where nothing on the disk shows that any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<String>,
    /// Whether the certificate was removed: what was revoked or exposed is all that is left to know.
    #[serde(default, rename = "gone", skip_serializing_if = "std::ops::Not::not")]
    pub is_gone: bool,
}

/// A TXT record that proves control over a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TxtRecord {
    /// The name that has it: `_acme-challenge.shop.example.com`, or where an alias there leads to.
    pub name: DomainName,
    /// Its value (RFC 8555, section 8.4).
    pub value: String,
}

impl TxtRecord {
    /// That nobody withdraws it, for people.
    pub fn stays(&self) -> String {
        let Self { name, value } = self;
        format!("a former record stays in the DNS, take it out by hand: `{name}` TXT \"{value}\"")
    }
}

/// Failures one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// How many that others were asked in vain for: what went wrong on the node alone is none of them.
    pub times: u32,
    /// When the last one was, in seconds since 1970.
    pub at: i64,
    /// Before when it is not tried again, in seconds since 1970.
    pub again: i64,
    /// What went wrong, in one line.
    pub why: String,
    /// What was asked for; another request is tried at once.
    pub request: String,
    /// A digest of what it was asked with ([`super::CertificateOrder::circumstances`]): where that has changed it is
    /// tried at once, too. A former vsa did not write it down.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub with: String,
    /// Whether it says nothing about what was asked for, but that nobody could be asked then: each plan tries that again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passing: bool,
}

impl Failed {
    /// Whether it is not tried yet. What was written down by a clock that went ahead is not waited for: nobody knows when
    /// that was.
    pub fn waits(&self, now: i64) -> bool {
        self.again > now && self.at <= now && self.again <= now.saturating_add(LONGEST_WAIT)
    }

    /// That it did, and how often, for people.
    pub fn said(&self) -> String {
        match self.times {
            0 => "failed".to_owned(),
            1 => "failed once".to_owned(),
            times => format!("failed {times} times"),
        }
    }

    /// Whether it is about a request that is made in these circumstances.
    fn is_of(&self, is_the_same: impl Fn(&str) -> bool, with: &str) -> bool {
        is_the_same(&self.request) && (self.with.is_empty() || self.with == with)
    }
}

/// When an authority wants a certificate renewed (RFC 9773).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewalInfo {
    /// The digest of the certificate that it is about, as the state has it.
    pub digest: String,
    /// When; nothing where the authority does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// When to ask again, in seconds since 1970: a day after it was asked at the latest.
    pub ask_again: i64,
}

/// An order that was begun and has not come to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWay {
    /// Its address.
    pub url: String,
    /// The account that it is of.
    pub account: String,
    /// What was asked for.
    pub request: String,
}

impl Remembered {
    /// Takes note of an issue: no failure and no order is left of it.
    pub fn succeed(&mut self) {
        (self.failed, self.order) = (None, None);
    }

    /// Takes note of a failure; `again` is what the authority said itself, which counts for [`LONGEST_WAIT`] at most.
    pub fn fail(
        &mut self,
        now: i64,
        why: &str,
        (request, with): (&str, &str),
        again: Option<i64>,
    ) -> &mut Failed {
        let before = self.failed.as_ref().filter(|failed| failed.is_of(|former| former == request, with));
        let times = before.map_or(0, |failed| failed.times).saturating_add(1);
        let pause = if times > STUBBORN {
            DAY
        } else {
            FIRST_PAUSE.saturating_mul(4_i64.saturating_pow(times - 1)).min(LONGEST_PAUSE)
        };
        let asked = again.unwrap_or(0).min(now.saturating_add(LONGEST_WAIT));
        let again = asked.max(now.saturating_add(pause));
        let (why, request, with) = (why.to_owned(), request.to_owned(), with.to_owned());
        self.failed.insert(Failed { times, at: now, again, why, request, with, passing: false })
    }

    /// Takes note of a failure that is the node's own, as where its disk is full: it makes nothing wait,
    /// and where all goes on without, a renewal tries it again and no plan that is about something else.
    pub fn stumble(&mut self, now: i64, why: &str, (request, with): (&str, &str)) {
        let before = self.failed.as_ref().filter(|failed| failed.is_of(|former| former == request, with));
        let (times, again) = before.map_or((0, now), |failed| (failed.times, failed.again));
        let (why, request, with) = (why.to_owned(), request.to_owned(), with.to_owned());
        self.failed = Some(Failed { times, at: now, again, why, request, with, passing: false });
    }

    /// Whether the certificate with this digest was revoked.
    pub fn revoked(&self, digest: &str) -> Option<&Revoked> {
        self.revoked.iter().rev().find(|revoked| revoked.digest == digest)
    }

    /// Takes note that others may have read the key of the certificate with this digest.
    pub fn expose(&mut self, digest: &str) {
        if !self.is_exposed(digest) {
            self.exposed.push(digest.to_owned());
        }
    }

    /// Whether others may have read the key of the certificate with this digest.
    pub fn is_exposed(&self, digest: &str) -> bool {
        self.exposed.iter().any(|exposed| exposed == digest)
    }

    /// What is remembered, with what is noted beside the issue: what the node remembers may have been lost.
    pub fn with(known: Option<&Self>, noted: Option<Revoked>) -> Option<Cow<'_, Self>> {
        let Some(noted) = noted else { return known.map(Cow::Borrowed) };
        let mut known = known.cloned().unwrap_or_default();
        known.revoke(noted);
        Some(Cow::Owned(known))
    }

    /// Takes note that a certificate was revoked; one that is known to be stays as it is.
    pub fn revoke(&mut self, revoked: Revoked) {
        if self.revoked(&revoked.digest).is_none() {
            self.revoked.push(revoked);
        }
    }

    /// The failures of a request that is made in these circumstances.
    pub fn failed(&self, is_the_same: impl Fn(&str) -> bool, with: &str) -> Option<&Failed> {
        self.failed.as_ref().filter(|failed| failed.is_of(is_the_same, with))
    }
}

impl RenewalInfo {
    /// Whether the authority is not asked yet; an answer that a clock that went ahead wrote down is none.
    pub fn holds(&self, now: i64) -> bool {
        self.ask_again > now && self.ask_again <= now.saturating_add(DAY)
    }

    /// The moment in the window at which it is renewed, the same in each plan: spread over the certificates, so that an
    /// authority is not asked for all at once (RFC 9773, section 4.2).
    pub fn moment(&self) -> Option<i64> {
        let window = self.window?;
        let length = u64::try_from(window.end.saturating_sub(window.start)).ok()?;
        let seed = self.digest.get(..15).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0);
        let offset = i64::try_from(seed.checked_rem(length).unwrap_or(0)).ok()?;
        Some(window.start.saturating_add(offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_tried_again_ever_more_seldom() {
        let mut remembered = Remembered::default();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            remembered.fail(1_000, "no", ("r", "w"), None);
            pauses.push(remembered.failed.as_ref().unwrap().again - 1_000);
        }
        assert_eq!(pauses, [60, 240, 960, 3_840, 15_360, 21_600, 86_400, 86_400, 86_400]);
        let failed = |request: &str, with| remembered.failed(|former| former == request, with).cloned();
        assert!(failed("r", "w").is_some_and(|failed| failed.waits(2_000) && !failed.waits(87_400)));
        assert!(failed("another", "w").is_none(), "another request");
        assert!(failed("r", "another account").is_none(), "what it was asked with has changed");
        remembered.fail(1_000, "no", ("another", "w"), Some(5_000));
        assert_eq!(
            remembered.failed.as_ref().unwrap().again,
            5_000,
            "the authority's word, and a first failure"
        );
        remembered.fail(1_000, "no", ("another", "w"), Some(i64::MAX));
        assert_eq!(remembered.failed.as_ref().unwrap().again, 1_000 + LONGEST_WAIT);
    }

    #[test]
    fn what_goes_wrong_on_the_node_makes_nothing_wait() {
        let mut remembered = Remembered::default();
        let failed = |remembered: &Remembered| remembered.failed.clone().unwrap();
        remembered.stumble(1_000, "the disk is full", ("r", "w"));
        assert!(!failed(&remembered).waits(1_000) && !failed(&remembered).passing);
        assert_eq!(failed(&remembered).said(), "failed");
        remembered.fail(1_001, "no", ("r", "w"), None);
        assert_eq!(
            (failed(&remembered).said(), failed(&remembered).again),
            ("failed once".to_owned(), 1_061)
        );
        // What the authority said before holds.
        remembered.stumble(1_010, "the disk is full", ("r", "w"));
        assert_eq!((failed(&remembered).times, failed(&remembered).again), (1, 1_061));
        assert!(!failed(&remembered).passing, "what lasts does so still");
        remembered.stumble(1_020, "the disk is full", ("another", "w"));
        assert_eq!((failed(&remembered).times, failed(&remembered).again), (0, 1_020));
    }

    #[test]
    fn the_moment_of_renewal_lies_in_the_window_and_stays() {
        let renewal = |digest: &str, start, end| {
            let renewal =
                RenewalInfo { digest: digest.into(), window: Some(Window { start, end }), ask_again: 0 };
            renewal.moment().unwrap()
        };
        let digest = crate::digest::sha256(b"a certificate");
        let moment = renewal(&digest, 1_000, 2_000);
        assert!((1_000..2_000).contains(&moment));
        assert_eq!(moment, renewal(&digest, 1_000, 2_000));
        assert_eq!(renewal(&digest, 1_000, 1_000), 1_000);
        assert_ne!(moment, renewal(&crate::digest::sha256(b"another one"), 1_000, 2_000));
    }
}
