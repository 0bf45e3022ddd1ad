//! TXT records that prove control over names (dns-01, RFC 8555, section 8.4): one provider a file.
//!
//! `exec` and `rfc2136` are tested against real programs and a real name server, `cloudflare` and `hetzner` against
//! recorded answers alone.

mod api;
mod cloudflare;
mod error;
mod exec;
mod hetzner;
mod record;
mod rfc2136;
mod wait;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

pub use error::DnsError;
pub use record::challenge_record;
pub use wait::wait_until_published;

use super::http::Http;
use crate::host::Host;
use crate::names::Text as _;
use crate::plan::issuance::{DnsProvider, TxtRecord};
use crate::value::Secret;

/// Somebody who changes TXT records.
///
/// What is said twice is done once: a record that is there already is published, one that is not there is withdrawn.
#[async_trait]
pub trait DnsChallenges: Send + Sync + fmt::Debug {
    /// Adds a value at a name, beside those that are there.
    async fn publish(&self, record: &TxtRecord) -> Result<(), DnsError>;

    /// Takes this value away from a name, and no other.
    async fn withdraw(&self, record: &TxtRecord) -> Result<(), DnsError>;
}

/// Who changes TXT records by these settings, with the secret that it takes. Programs run on `host`; with others,
/// this program speaks itself.
///
/// # Errors
/// The secret is missing or cannot be one.
pub fn provider(
    settings: &DnsProvider,
    secret: Option<&Secret>,
    host: &Arc<dyn Host>,
    http: &Http,
) -> Result<Box<dyn DnsChallenges>, DnsError> {
    let secret = |what: &str, at: &str| {
        let help = format!("set `{what}` in the provider's block");
        secret.ok_or_else(|| DnsError::new("the DNS provider's secret is missing", at, help))
    };
    Ok(match settings {
        DnsProvider::Exec { command } => {
            Box::new(exec::Exec { host: Arc::clone(host), command: command.clone() })
        }
        DnsProvider::Rfc2136 { server, zone, key_name, key_algorithm } => {
            let key = secret("key", server.as_str())?;
            Box::new(rfc2136::Rfc2136::new(server, zone.as_ref(), key_name, *key_algorithm, key)?)
        }
        DnsProvider::Cloudflare { api } => {
            let token = secret("token", api)?;
            Box::new(cloudflare::Cloudflare(api::Api::new("Cloudflare", api, token, http.clone())?))
        }
        DnsProvider::Hetzner { api } => {
            let token = secret("token", api)?;
            Box::new(hetzner::Hetzner(api::Api::new("Hetzner", api, token, http.clone())?))
        }
    })
}
