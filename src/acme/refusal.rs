//! What the library's errors mean.

use std::collections::BTreeMap;

use instant_acme::{Error, Problem};

use super::authority::{Reason, Refused};
use super::http::HttpError;
use super::wire::Noted;
use crate::diag::said;

/// About how many names a refusal is kept at most: no certificate has more.
const MOST: usize = 100;

/// What stands before the type of each problem of ACME's (RFC 8555, section 6.7).
const URN: &str = "urn:ietf:params:acme:error:";

fn problem_type(problem: &Problem) -> &str {
    problem.r#type.as_deref().and_then(|name| name.strip_prefix(URN)).unwrap_or_default()
}

/// Whether a nonce was refused.
pub(super) fn is_bad_nonce(error: &Error) -> bool {
    matches!(error, Error::Api(problem) if problem_type(problem) == "badNonce")
}

/// Whether it is about what a new certificate replaces (RFC 9773, section 5).
pub(super) fn is_about_replacing(error: &Error) -> bool {
    matches!(error, Error::Api(problem) if {
        let detail = problem.detail.as_deref().unwrap_or_default();
        problem_type(problem) == "alreadyReplaced" || detail.contains("replace")
    })
}

/// What sort of reason a problem is.
pub(super) fn reason(problem: &Problem) -> Reason {
    match problem_type(problem) {
        "rateLimited" => Reason::RateLimited,
        "badNonce" => Reason::BadNonce,
        "unauthorized" | "incorrectResponse" => Reason::WrongProof,
        "connection" | "tls" => Reason::Connection,
        "dns" => Reason::Dns,
        "caa" => Reason::Caa,
        "rejectedIdentifier" | "unsupportedIdentifier" => Reason::RejectedName,
        "externalAccountRequired" => Reason::ExternalAccount,
        "accountDoesNotExist" => Reason::Account,
        "invalidProfile" => Reason::Profile,
        "alreadyReplaced" => Reason::AlreadyReplaced,
        "alreadyRevoked" => Reason::AlreadyRevoked,
        "orderNotReady" => Reason::NotReady,
        _ => Reason::Other,
    }
}

/// An authority's words, in one line.
pub(super) fn words(problem: &Problem) -> String {
    let detail = problem.detail.as_deref().filter(|detail| !detail.trim().is_empty());
    said(detail.or(problem.r#type.as_deref()).unwrap_or("it does not say why"))
}

/// Why there was no answer.
pub(super) fn unanswered(error: &HttpError) -> Refused {
    let reason = match error {
        HttpError::Untrusted(_) => Reason::Untrusted,
        HttpError::Slow(_) => Reason::Slow,
        HttpError::Address(_) | HttpError::TooLong => Reason::Malformed,
        // That nothing is there without a problem document is no authority's way to say so: something stands before it.
        HttpError::Unreachable(_) | HttpError::Gone(..) => Reason::Unreachable,
    };
    Refused::new(reason, error.to_string())
}

/// As [`refused`], where an order was to be taken up: that there is none means that it is gone, and that the authority
/// has a failure of its own means nothing.
pub(super) fn of_order(error: Error, url: &str, noted: &Noted) -> Refused {
    let reason = match &error {
        Error::Other(why) => match why.downcast_ref::<HttpError>() {
            Some(HttpError::Gone(_, address)) if address == url => Some(Reason::Order),
            _ => None,
        },
        Error::Api(problem) => match problem.status {
            Some(404 | 410) => Some(Reason::Order),
            _ if problem_type(problem) == "serverInternal" => Some(Reason::Unreachable),
            Some(500..) => Some(Reason::Unreachable),
            _ => None,
        },
        _ => None,
    };
    let refused = refused(error, noted);
    Refused { reason: reason.unwrap_or(refused.reason), ..refused }
}

/// What an error means, with what the answers said beside.
pub(super) fn refused(error: Error, noted: &Noted) -> Refused {
    match error {
        Error::Api(problem) => {
            let about = problem.subproblems.iter().filter_map(|about| {
                let name = about.identifier.as_ref()?.authorized(false).to_string();
                Some((said(&name), said(about.detail.as_deref().unwrap_or_default())))
            });
            let names: BTreeMap<_, _> = about.take(MOST).collect();
            let reason = reason(&problem);
            let again = noted.again.filter(|_| reason == Reason::RateLimited);
            Refused { reason, detail: words(&problem), again, names }
        }
        Error::Other(why) => match why.downcast_ref::<HttpError>() {
            Some(error) => unanswered(error),
            None => Refused::new(Reason::Malformed, why.to_string()),
        },
        Error::Timeout(_) => Refused::new(Reason::Slow, "it is not done in time"),
        Error::Json(why) => Refused::new(Reason::Malformed, format!("its answer cannot be read: {why}")),
        Error::Unsupported(what) => Refused::new(Reason::Other, format!("it does not offer {what}")),
        Error::KeyRejected | Error::Crypto => {
            Refused::new(Reason::Account, "the key of the account cannot be used")
        }
        other => Refused::new(Reason::Malformed, other.to_string()),
    }
}
