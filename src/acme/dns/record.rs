//! The record that proves control over a name.

use super::DnsError;
use crate::acme::resolver::Resolver;
use crate::names::{DomainName, Text as _};
use crate::plan::issuance::TxtRecord;

/// The record that proves control over a name of a certificate, `*.` before it or not. An alias (CNAME) at
/// `_acme-challenge.<name>` is followed: so the record may be kept in another zone, by a server that may be changed. One
/// that stands there only because all names below have it (`*`) is not.
///
/// # Errors
/// It cannot be found out whether there is an alias.
pub async fn challenge_record(
    resolver: &Resolver,
    name: &str,
    value: impl Into<String>,
) -> Result<TxtRecord, DnsError> {
    let name = challenge(name);
    let failed = |why: String| {
        DnsError::new(
            format!("cannot find out where the challenge's record `{name}` belongs: {why}"),
            name.clone(),
            "check that the zone is served, and `resolvers` of the `acme` block",
        )
    };
    let mut followed = resolver.canonical(&name).await.map_err(|error| failed(error.to_string()))?;
    // An alias of all names below (`*`) is not meant for the record, and gives way to one.
    if followed != name && resolver.canonical(&stranger(&name)).await.is_ok_and(|of_all| of_all == followed) {
        followed.clone_from(&name);
    }
    let name = DomainName::parse(&followed).map_err(|invalid| failed(format!("`{followed}` {invalid}")))?;
    Ok(TxtRecord { name, value: value.into() })
}

/// Where an authority looks for the record (RFC 8555, section 8.4).
fn challenge(name: &str) -> String {
    format!("_acme-challenge.{}", name.strip_prefix("*.").unwrap_or(name))
}

/// A name beside a challenge's that nobody has.
fn stranger(challenge: &str) -> String {
    challenge.replacen("_acme-challenge", "_vsa-asks-for-no-record", 1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_and_its_wildcard_share_their_records_name() {
        for name in ["example.com", "*.example.com"] {
            assert_eq!(super::challenge(name), "_acme-challenge.example.com");
        }
    }
}
