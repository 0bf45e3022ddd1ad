//! What an authority's refusal means for people: what was wrong, and what to do.

use std::path::Path;

use super::authority::{Reason, Refused};
use crate::diag::{Diagnostic, moment};
use crate::host::clock;
use crate::plan::issuance::{LONGEST_WAIT, host_of};

/// A refusal as an error about a certificate that was asked for, with the account that is kept in a file.
pub fn explain(refused: &Refused, directory: &str, certificate: &str, account: &Path) -> Diagnostic {
    let host = host_of(directory);
    let what = if is_unasked(refused.reason) {
        format!("the authority {host} cannot be asked for `{certificate}`: {}", refused.detail)
    } else {
        format!("the authority {host} does not issue `{certificate}`: {}", refused.detail)
    };
    let help = match refused.reason {
        Reason::Account => format!(
            "the account was closed, or is of another authority: move `{}` away, and a new one is made",
            account.display()
        ),
        _ => help(refused),
    };
    told(what, code(refused.reason), help, refused)
}

/// A refusal as an error about a certificate that was to be revoked.
pub fn explain_revocation(refused: &Refused, directory: &str, certificate: &str) -> Diagnostic {
    let host = host_of(directory);
    let what = if is_unasked(refused.reason) {
        format!("the authority {host} cannot be asked to revoke `{certificate}`: {}", refused.detail)
    } else {
        format!("the authority {host} does not revoke `{certificate}`: {}", refused.detail)
    };
    let help = match refused.reason {
        Reason::Unreachable | Reason::Slow | Reason::BadNonce => {
            "nothing was revoked: see whether the node reaches it, and whether it has an outage, and try again".to_owned()
        }
        Reason::Untrusted | Reason::Malformed | Reason::RateLimited => help(refused),
        Reason::NotOwner => {
            "it revokes for the account that it issued the certificate to, and for who has the certificate's key: see \
             that both are of this certificate"
                .to_owned()
        }
        _ => "see what it says; `-reason` names another reason, and its own pages may take requests too".to_owned(),
    };
    let code = if is_unasked(refused.reason) { code(refused.reason) } else { "not_revoked" };
    told(what, code, help, refused)
}

/// Whether the authority did not come to judge what it was asked.
fn is_unasked(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Unreachable | Reason::Slow | Reason::Untrusted | Reason::Malformed | Reason::BadNonce
    )
}

fn told(what: String, code: &'static str, help: String, refused: &Refused) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(what).code(code).help(help);
    let about: Vec<String> = refused.names.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    if !about.is_empty() {
        diagnostic = diagnostic.detail(about.join("\n"));
    }
    diagnostic
}

fn code(reason: Reason) -> &'static str {
    match reason {
        Reason::Unreachable | Reason::Slow | Reason::Malformed | Reason::BadNonce => "authority_down",
        Reason::Untrusted => "authority_untrusted",
        Reason::RateLimited => "rate_limited",
        Reason::WrongProof | Reason::Connection => "challenge_failed",
        Reason::Dns => "unresolved_name",
        Reason::Caa => "caa_forbids",
        Reason::RejectedName => "rejected_name",
        Reason::ExternalAccount | Reason::Account => "account_refused",
        Reason::Profile => "no_such_profile",
        Reason::AlreadyReplaced
        | Reason::AlreadyRevoked
        | Reason::NotOwner
        | Reason::Order
        | Reason::NotReady
        | Reason::Other => "not_issued",
    }
}

fn help(refused: &Refused) -> String {
    match refused.reason {
        Reason::Unreachable => {
            "see whether the node reaches it (firewall, proxy, DNS), and whether it has an outage; what was begun is taken \
             up by the next apply or renewal, once the pause has ended"
                .to_owned()
        }
        Reason::Slow | Reason::NotReady => {
            "what was begun is taken up by the next apply or renewal, once the pause has ended".to_owned()
        }
        Reason::Untrusted if refused.detail.contains("not valid yet") || refused.detail.contains("xpired") => {
            "see whether the clock of this machine is right (`timedatectl`): if it is, the authority's own certificate is not \
             valid now"
                .to_owned()
        }
        Reason::Untrusted => {
            "of a private authority, name its root certificate with `acme { ca = \"/etc/…\" }`".to_owned()
        }
        Reason::Malformed => "see whether `acme { directory }` is the address of an ACME directory".to_owned(),
        Reason::BadNonce => "something between may be answering in its place: try again later".to_owned(),
        Reason::RateLimited => match refused.again {
            Some(again) => {
                let is_long = again > clock().as_second().saturating_add(LONGEST_WAIT);
                let capped =
                    if is_long { "; vsa waits for no more than 7 days, and asks again then" } else { "" };
                format!("it says that it may be asked again from {} on{capped}", moment(again))
            }
            None => "wait: too many were asked for in a short time; several names can share one certificate (`names`)"
                .to_owned(),
        },
        Reason::WrongProof => {
            "the name leads to a server that answers something else: see that its A and AAAA records name this node, \
             and that nothing before nginx answers `/.well-known/acme-challenge/`"
                .to_owned()
        }
        Reason::Connection => {
            "the authority must reach port 80 of the name's addresses: see its A and AAAA records, and the firewall"
                .to_owned()
        }
        Reason::Dns => "add A or AAAA records for the name that lead to this node; new ones take a while".to_owned(),
        Reason::Caa => "the name's CAA records name other authorities: add one for this authority".to_owned(),
        Reason::RejectedName => "it does not issue for this name: leave it away, or ask another authority".to_owned(),
        Reason::ExternalAccount => {
            "give the key that the authority handed out: `acme { eab { key_id = \"…\" hmac_key = var.… } }`".to_owned()
        }
        Reason::Account => "the account was closed, or is of another authority".to_owned(),
        Reason::Profile => "leave `profile` away, or name one that the authority has".to_owned(),
        Reason::AlreadyReplaced
        | Reason::AlreadyRevoked
        | Reason::NotOwner
        | Reason::Order
        | Reason::Other => {
            "`vsa cert renew`, or its timer, begins a new order once the pause has ended".to_owned()
        }
    }
}
