//! Who changes the DNS records that prove control over names.

use serde::{Deserialize, Serialize};

use crate::names::{DomainName, NameServer};

/// Where the API of Cloudflare is.
pub const CLOUDFLARE_API: &str = "https://api.cloudflare.com/client/v4";

/// Where the API of Hetzner Cloud, which DNS is a part of, is.
pub const HETZNER_API: &str = "https://api.hetzner.cloud/v1";

/// Who publishes TXT records for dns-01 (RFC 8555, section 8.4), without the secret that this takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "provider", rename_all = "snake_case")]
pub enum DnsProvider {
    /// A program of the node's, started with `present` or `cleanup`, the record's name and its value.
    Exec {
        /// The program and what stands before those arguments.
        command: Vec<String>,
    },
    /// A name server that takes dynamic updates (RFC 2136) signed with a shared key (RFC 8945), which is the secret.
    Rfc2136 {
        /// The server.
        server: NameServer,
        /// The zone that the records are in; found by asking for it where it is not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<DomainName>,
        /// The key's name, as the server knows it.
        key_name: DomainName,
        /// What the key is used with.
        #[serde(default)]
        key_algorithm: TsigAlgorithm,
    },
    /// Cloudflare's API, version 4. The secret is an API token. Tested against recorded answers alone.
    Cloudflare {
        /// Where the API is.
        #[serde(default = "cloudflare")]
        api: String,
    },
    /// DNS in the API of Hetzner Cloud. The secret is a project's API token that may write. Tested against
    /// recorded answers alone.
    Hetzner {
        /// Where the API is.
        #[serde(default = "hetzner")]
        api: String,
    },
}

/// How updates are signed (RFC 8945, section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TsigAlgorithm {
    /// HMAC with SHA-256.
    #[default]
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// HMAC with SHA-384.
    #[serde(rename = "hmac-sha384")]
    HmacSha384,
    /// HMAC with SHA-512.
    #[serde(rename = "hmac-sha512")]
    HmacSha512,
}

fn cloudflare() -> String {
    CLOUDFLARE_API.to_owned()
}

fn hetzner() -> String {
    HETZNER_API.to_owned()
}

#[cfg(test)]
mod tests {
    use super::DnsProvider;

    #[test]
    fn what_is_left_out_has_its_default() {
        let read = |text: &str| {
            let provider: DnsProvider = serde_json::from_str(text).unwrap();
            serde_json::to_string(&provider).unwrap()
        };
        insta::assert_snapshot!(read(r#"{"provider":"cloudflare"}"#), @r#"{"provider":"cloudflare","api":"https://api.cloudflare.com/client/v4"}"#);
        insta::assert_snapshot!(read(r#"{"provider":"hetzner"}"#), @r#"{"provider":"hetzner","api":"https://api.hetzner.cloud/v1"}"#);
        insta::assert_snapshot!(
            read(r#"{"provider":"rfc2136","server":"NS.example.com","key_name":"vsa."}"#),
            @r#"{"provider":"rfc2136","server":"ns.example.com:53","key_name":"vsa","key_algorithm":"hmac-sha256"}"#
        );
    }
}
