//! When another issue is due: by the authority's word, or by what is left of the last one.

use super::acme::remembered;
use super::attributes::margin;
use super::facts::Facts;
use super::known::Known;
use crate::diag::day;
use crate::names::Duration;
use crate::plan::Subject;
use crate::plan::issuance::{Remembered, RenewalInfo, Revoked};
use crate::resource::Resource;

/// By whose word an issue is to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By<'a> {
    /// It was revoked.
    Revoked(&'a Revoked),
    /// The authority's.
    Authority,
    /// By what is left of its lifetime.
    Time,
}

/// From when on an issue is to be renewed, in seconds since 1970: at once where it was revoked, else by the authority's
/// word, else a third of its lifetime before its end. Whatever is said, a new one has a third of its lifetime, and none
/// is let end.
pub(super) fn due_from<'a>(
    facts: &Facts,
    renew_before: Option<&Duration>,
    remembered: Option<&'a Remembered>,
) -> (i64, By<'a>) {
    if let Some(revoked) = remembered.and_then(|remembered| remembered.revoked(&facts.digest)) {
        return (revoked.at, By::Revoked(revoked));
    }
    let renewal = remembered.and_then(|remembered| remembered.renewal.as_ref());
    let renewal = renewal.filter(|renewal| renewal.digest == facts.digest);
    let lifetime = facts.not_after.saturating_sub(facts.not_before);
    let margin = margin(renew_before, lifetime);
    let by_time = facts.not_after.saturating_sub(margin).saturating_add(1);
    let latest = facts.not_after.saturating_sub(lifetime / 6);
    match renewal.and_then(RenewalInfo::moment) {
        // The authority's word goes before the rule of thumb, but not before what somebody wrote down.
        Some(moment) if moment <= by_time || renew_before.is_none() => {
            (moment.min(latest), if moment <= latest { By::Authority } else { By::Time })
        }
        _ => (by_time, By::Time),
    }
}

/// Why the last issue is to be renewed, where it is.
pub(super) fn renewal(subject: Subject<'_>, resource: &Resource, known: &Known) -> Option<String> {
    let remembered = remembered(subject, &resource.name, known);
    let (from, by) = due_from(&known.facts, known.attributes.renew_before.as_ref(), remembered.as_deref());
    let whose = match by {
        By::Revoked(revoked) => format!("it {}; ", revoked.said()),
        By::Authority => format!("the authority wants it from {} on; ", day(from)),
        By::Time => String::new(),
    };
    let end = day(known.facts.not_after);
    // Whatever clock wrote down when it was revoked.
    let is_due = from <= subject.now || matches!(by, By::Revoked(_));
    is_due.then(|| format!("renewal is due: {whose}it ends on {end}"))
}

/// Whether a renewal is late: a third of the time has passed that was left for it. Then whoever can tries it.
pub(super) fn is_late(subject: Subject<'_>, resource: &Resource, known: &Known) -> bool {
    let remembered = remembered(subject, &resource.name, known);
    let (from, _) = due_from(&known.facts, known.attributes.renew_before.as_ref(), remembered.as_deref());
    known.facts.issue > 0 && late_from(from, known.facts.not_after) <= subject.now
}

/// From when on a renewal is late that is due from a moment on, of what ends at another.
fn late_from(due: i64, end: i64) -> i64 {
    due.saturating_add(end.saturating_sub(due).max(0) / 3)
}

#[cfg(test)]
mod tests {
    use super::super::DAY;
    use super::*;
    use crate::names::Text as _;
    use crate::plan::issuance::Window;

    /// On which day of its ninety a certificate is renewed, and whether the authority says so.
    fn renewed(before: Option<&str>, window: Option<i64>) -> (i64, bool) {
        let facts = Facts { issue: 1, not_after: 90 * DAY, digest: "d".to_owned(), ..Facts::default() };
        let window = window.map(|day| Window { start: day * DAY, end: day * DAY });
        let renewal = RenewalInfo { digest: "d".to_owned(), window, ask_again: 0 };
        let remembered = Remembered { renewal: Some(renewal), ..Remembered::default() };
        let before = before.map(|before| Duration::parse(before).unwrap());
        let (from, by) = due_from(&facts, before.as_ref(), Some(&remembered));
        (from / DAY, by == By::Authority)
    }

    #[test]
    fn a_third_of_what_was_left_for_it_makes_a_renewal_late() {
        assert_eq!(late_from(60 * DAY, 90 * DAY), 70 * DAY);
        assert_eq!(
            late_from(90 * DAY, 60 * DAY),
            90 * DAY,
            "one that has ended is late as soon as it is due"
        );
    }

    #[test]
    fn whatever_is_said_a_new_one_is_left_alone_and_none_is_let_end() {
        assert_eq!(renewed(None, None), (60, false));
        assert_eq!(renewed(None, Some(40)), (40, true));
        assert_eq!(renewed(None, Some(70)), (70, true));
        for late in [89, 91, 40_000] {
            assert_eq!(renewed(None, Some(late)), (75, false), "{late}");
        }
        assert_eq!(renewed(Some("20d"), Some(80)), (70, false));
        for early in ["90d", "400d"] {
            assert_eq!(renewed(Some(early), None), (30, false), "{early}");
        }
    }
}
