//! Moments for people, and for programs: all are seconds since 1970, in UTC.

use jiff::Timestamp;

fn shown(seconds: i64, format: &str) -> String {
    // What others say may lie beyond all years that there are.
    let seconds = seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let time = Timestamp::from_second(seconds);
    time.map_or_else(|_| seconds.to_string(), |time| time.strftime(format).to_string())
}

/// The day, for people: so that a plan says the same all day long.
pub fn day(seconds: i64) -> String {
    shown(seconds, "%Y-%m-%d")
}

/// The moment, for people.
pub fn moment(seconds: i64) -> String {
    shown(seconds, "%Y-%m-%d %H:%M:%S UTC")
}

/// The moment, for programs (RFC 3339).
pub fn rfc3339(seconds: i64) -> String {
    shown(seconds, "%Y-%m-%dT%H:%M:%SZ")
}

#[cfg(test)]
mod tests {
    use super::{day, moment, rfc3339};

    #[test]
    fn whatever_the_number_it_is_shown() {
        assert_eq!(day(1_800_000_000), "2027-01-15");
        assert_eq!(moment(1_800_000_000), "2027-01-15 08:00:00 UTC");
        assert_eq!(rfc3339(1_800_000_000), "2027-01-15T08:00:00Z");
        assert_eq!(moment(i64::MAX), "9999-12-30 22:00:00 UTC", "no year has more");
    }
}
