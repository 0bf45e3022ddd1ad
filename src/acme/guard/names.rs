//! Whether names lead anywhere, and whether CAA records let the authority issue for them.

use std::net::IpAddr;

use futures_util::future::join_all;

use super::caa::{self, Asked};
use super::together;
use crate::acme::resolver::{Failure, LookupError, Resolver};
use crate::diag::Diagnostic;
use crate::host::outgoing;
use crate::names::registered_domain;

/// Names, each with its addresses.
pub type Addresses = Vec<(String, Vec<IpAddr>)>;

/// Where names lead to.
///
/// # Errors
/// One leads nowhere.
pub async fn resolve(resolver: &Resolver, names: &[String]) -> Result<Addresses, Diagnostic> {
    let asked = names.iter().map(|name| async move {
        let addresses = resolver.addresses(name).await.map_err(|error| unresolved(&error))?;
        Ok((name.clone(), addresses))
    });
    let (found, errors): (Vec<_>, Vec<_>) = join_all(asked).await.into_iter().partition(Result::is_ok);
    together(errors.into_iter().filter_map(Result::err).collect())?;
    Ok(found.into_iter().flatten().collect())
}

/// Whether anybody answers questions, as far as that is known: what was not found out is about no name then.
///
/// # Errors
/// Nobody does.
pub async fn answered(resolver: &Resolver) -> Result<(), Diagnostic> {
    let Some(servers) = resolver.silence().await else { return Ok(()) };
    Err(Diagnostic::error(format!("no DNS server answers: {servers}"))
        .code("dns")
        .detail("no other question was put to them in this run, and no authority was asked what needs their answers")
        .help(
            "see whether the node reaches them (`dig @<address> .`), or name others: `acme { resolvers = […] }`; the next \
             apply or renewal tries again",
        ))
}

/// The addresses that records should name, as far as they are known: a node behind a translation of addresses does not
/// know its own.
pub(super) fn wanted() -> String {
    let own: Vec<_> = outgoing().into_iter().filter(is_public).map(|address| address.to_string()).collect();
    if own.is_empty() { "its public address".to_owned() } else { format!("`{}`", own.join("`, `")) }
}

/// Whether an address is reached from everywhere.
pub(super) fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0b1100_0000 == 64;
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || shared)
        }
        IpAddr::V6(v6) => v6.segments()[0] & 0xe000 == 0x2000,
    }
}

fn unresolved(error: &LookupError) -> Diagnostic {
    let help = if error.failure.is_absence() {
        format!(
            "add an A (IPv4) or AAAA (IPv6) record for `{}` that leads to this node: {}; new records take a while",
            error.name,
            wanted()
        )
    } else {
        no_answer(&error.name)
    };
    Diagnostic::error(error.to_string()).code("unresolved_name").help(help)
}

fn no_answer(name: &str) -> String {
    format!(
        "see whether the DNS servers answer (`dig {name}`); `acme {{ resolvers = […] }}` names others to ask"
    )
}

/// Whether CAA records let an authority issue for all names; of [`Asked`], the name is each of them.
///
/// # Errors
/// They do not, or nobody could say.
pub async fn allowed(resolver: &Resolver, names: &[String], asked: Asked<'_>) -> Result<(), Diagnostic> {
    let judged = names.iter().map(|name| async move {
        match resolver.caa(name).await {
            Ok(set) => caa::check(&set, &Asked { name, ..asked }).map_err(Diagnostic::from),
            // Above what somebody registered, none is expected: that nobody answers there says nothing.
            Err(error) if error.name.len() < registered_domain(name).len() => Ok(()),
            Err(error) if error.failure == Failure::Refused => Ok(()),
            Err(error) => Err(Diagnostic::error(error.to_string())
                .code("caa")
                .detail("no authority issues while nobody can say what CAA records there are")
                .help(no_answer(&error.name))),
        }
    });
    together(join_all(judged).await.into_iter().filter_map(Result::err).collect())
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn public_addresses_are_reached_from_everywhere() {
        for (address, public) in [
            ("203.0.113.9", true),
            ("10.0.0.1", false),
            ("192.168.1.1", false),
            ("100.64.3.4", false),
            ("100.128.3.4", true),
            ("127.0.0.1", false),
            ("2001:db8::1", true),
            ("fd00::1", false),
            ("::1", false),
        ] {
            assert_eq!(is_public(&address.parse().unwrap()), public, "{address}");
        }
    }
}
