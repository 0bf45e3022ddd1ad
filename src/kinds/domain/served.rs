//! Which names a site answers for over TLS, and with which certificate, for those who look at the state.

use std::sync::Arc;

use serde::Deserialize;

use crate::address::Address;
use crate::state::Stored;

/// What of a site's attributes counts for that, as the state keeps them.
#[derive(Deserialize)]
struct Attributes {
    #[serde(default)]
    aliases: Vec<Arc<str>>,
    #[serde(default)]
    tls: Tls,
}

#[derive(Default, Deserialize)]
struct Tls {
    enabled: Option<bool>,
    certificate: Option<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "$ref")]
    address: Address,
}

/// The certificate of a site that the state knows, and the names that are served with it; `None` of what is no site, or one
/// without TLS.
pub fn served_with(address: &Address, stored: &Stored) -> Option<(Address, Vec<Arc<str>>)> {
    if address.kind() != super::KIND {
        return None;
    }
    let Attributes { aliases, tls } = serde_json::from_str(stored.attributes.get()).ok()?;
    if tls.enabled == Some(false) {
        return None;
    }
    let certificate = match tls.certificate {
        Some(named) => named.address,
        None => super::own_certificate(address, Arc::clone(&stored.name)),
    };
    Some((certificate, std::iter::once(Arc::clone(&stored.name)).chain(aliases).collect()))
}
