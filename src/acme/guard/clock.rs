//! Whether the clock of this machine is right, as far as the authority knows the time.

use super::NOT_ASKED;
use crate::diag::Diagnostic;

/// How far clocks may be apart, in seconds. Certificates begin an hour before they are issued: with more than that
/// they would seem to begin later.
const APART: i64 = 3600;

/// Whether a clock that is so many seconds ahead of the authority's is right enough.
///
/// # Errors
/// It is not.
pub fn check(ahead: Option<i64>, authority: &str) -> Result<(), Diagnostic> {
    let Some(ahead) = ahead.filter(|ahead| ahead.saturating_abs() > APART) else { return Ok(()) };
    let minutes = ahead.saturating_abs() / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let far = if days > 0 { format!("{days} d {hours} h") } else { format!("{hours} h {minutes} min") };
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    Err(Diagnostic::error(format!("the clock of this machine is {far} {side} that of the authority {authority}"))
        .code("clock")
        .detail(NOT_ASKED)
        .help("set it right (`timedatectl set-ntp true`): certificates would seem not to be valid yet, or to have ended"))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_clock_may_be_an_hour_off() {
        let said = |ahead| check(Some(ahead), "ca.example").map_err(|error| error.summary);
        assert_eq!((said(3600), said(-3600), check(None, "ca.example").is_ok()), (Ok(()), Ok(()), true));
        insta::assert_snapshot!(said(-7300).unwrap_err(), @"the clock of this machine is 2 h 1 min behind that of the authority ca.example");
        insta::assert_snapshot!(said(90_000).unwrap_err(), @"the clock of this machine is 1 d 1 h ahead of that of the authority ca.example");
    }
}
