//! Why a server does not take an update.

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigError;

use crate::acme::resolver::rcode;

/// Why a server does not take an update (RFC 2136, section 2.2; RFC 8945, section 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It does not know the key, or not with this algorithm.
    BadKey,
    /// The signature is not made with the key that it knows by this name.
    BadSignature,
    /// The clocks are apart, by so many seconds where it says so.
    BadTime(Option<i64>),
    /// Whoever has the key may not do this.
    Refused,
    /// It does not have the zone.
    NotAuthoritative,
    /// The name is not in the zone.
    NotInZone,
    /// Anything else, by its code.
    Other(String),
}

/// Why the server refused, where it did. `now` is the time that the question was signed with, in seconds since 1970.
pub(super) fn refusal(answer: &Message, now: u64) -> Option<Refusal> {
    let code = answer.metadata.response_code;
    if code == ResponseCode::NoError {
        return None;
    }
    let signature = answer.signature().map(|record| &record.data);
    Some(match signature.and_then(|signature| signature.error.as_ref()) {
        Some(TsigError::BadKey) => Refusal::BadKey,
        Some(TsigError::BadSig | TsigError::BadTrunc) => Refusal::BadSignature,
        Some(TsigError::BadTime) => {
            Refusal::BadTime(signature.and_then(|signature| apart(&signature.other, now)))
        }
        Some(TsigError::Unknown(_)) | None => match code {
            ResponseCode::Refused => Refusal::Refused,
            ResponseCode::NotAuth => Refusal::NotAuthoritative,
            ResponseCode::NotZone => Refusal::NotInZone,
            other => Refusal::Other(rcode(other)),
        },
    })
}

/// By how much the server's clock, which it sends along in 48 bits, is before ours.
fn apart(other: &[u8], now: u64) -> Option<i64> {
    let theirs = other.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let known = other.len() == 6;
    known.then(|| i64::try_from(theirs).ok()?.checked_sub(i64::try_from(now).ok()?)).flatten()
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{Message, ResponseCode};
    use hickory_proto::rr::rdata::TSIG;
    use hickory_proto::rr::rdata::tsig::{TsigAlgorithm, TsigError};
    use hickory_proto::rr::{Name, Record};

    use super::{Refusal, refusal};

    const NOW: u64 = 1_700_000_000;

    /// Why an answer with this code is none, with this error of its signature, and what is sent along with that.
    fn why(code: ResponseCode, error: Option<TsigError>, other: &[u8]) -> Option<Refusal> {
        let mut answer = Message::query();
        answer.metadata.response_code = code;
        let signature = TSIG::new(
            TsigAlgorithm::HmacSha256,
            NOW,
            300,
            Vec::new(),
            answer.metadata.id,
            error,
            other.to_vec(),
        );
        answer.set_signature(Box::new(Record::from_rdata(Name::root(), 0, signature)));
        refusal(&answer, NOW)
    }

    #[test]
    fn a_clock_that_is_wrong_is_told_by_how_much() {
        let bad = |other: &[u8]| why(ResponseCode::NotAuth, Some(TsigError::BadTime), other);
        let clock = |time: u64| bad(&time.to_be_bytes()[2..]);
        assert_eq!(clock(NOW + 3600), Some(Refusal::BadTime(Some(3600))));
        assert_eq!(clock(NOW - 7200), Some(Refusal::BadTime(Some(-7200))));
        assert_eq!(bad(&[]), Some(Refusal::BadTime(None)));
    }

    #[test]
    fn the_signatures_error_goes_before_the_answers_code() {
        assert_eq!(why(ResponseCode::NoError, None, &[]), None);
        assert_eq!(why(ResponseCode::NotAuth, Some(TsigError::BadKey), &[]), Some(Refusal::BadKey));
        assert_eq!(why(ResponseCode::NotAuth, Some(TsigError::BadSig), &[]), Some(Refusal::BadSignature));
        assert_eq!(why(ResponseCode::NotAuth, None, &[]), Some(Refusal::NotAuthoritative));
        assert_eq!(why(ResponseCode::NotZone, None, &[]), Some(Refusal::NotInZone));
        assert_eq!(why(ResponseCode::Refused, None, &[]), Some(Refusal::Refused));
        let other = why(ResponseCode::ServFail, None, &[]);
        assert_eq!(other, Some(Refusal::Other("SERVFAIL".to_owned())));
    }
}
