//! A certificate that is asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::authority::ChallengeType;
use super::{Authority, DnsProvider, Ordered};
use crate::digest::sha256;
use crate::names::{ResolverAddress, Text as _};
use crate::plan::NodeSpec;
use crate::value::Secret;

/// What an authority is asked for, and how it is shown that the names are ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateOrder {
    /// Who is asked.
    pub authority: Authority,
    /// The names.
    pub names: Vec<String>,
    /// The type of the key, as the kind calls it: `ecdsa-p256`, `rsa-2048`, ….
    pub key_type: String,
    /// A profile of the authority's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Which chain is wanted, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_chain: Option<String>,
    /// How control over the names is proven.
    pub challenge: ChallengeType,
    /// Who changes DNS records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsProvider>,
    /// How long DNS servers may take to answer with a new record, in seconds.
    #[serde(default)]
    pub propagation: u32,
    /// The port at which the authority asks for files.
    pub validation_port: u16,
    /// Whether the names are looked at before.
    pub check_names: bool,
    /// Who is asked about names; the system's servers where nobody is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolvers: Vec<String>,
    /// The program that is told when it fails, and its first arguments; none where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_failure: Vec<String>,
    /// The file with the certificate that it renews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<PathBuf>,
}

/// The name under which a run has the key of an external account.
pub const EAB_KEY: &str = "eab_key";

/// The name under which a run has what it takes to change DNS records.
pub const DNS_SECRET: &str = "dns_secret";

/// The file with the key of the order that is under way, beside the issues of its certificate.
pub const ORDER_KEY: &str = "order.pem";

impl CertificateOrder {
    /// As it counts against limits; `exempt` where it renews a certificate as the authority asked for.
    pub fn ordered(&self, at: i64, exempt: bool) -> Ordered {
        let (directory, names) = (self.authority.directory.clone(), self.names.clone());
        Ordered { at, directory, names, exempt, unproven: false, unanswered: false }
    }

    /// A digest of all that may mend a failure when it changes: who is asked and how, by which account, and where the
    /// node answers.
    pub fn circumstances(&self, spec: &NodeSpec, secrets: &BTreeMap<&'static str, Secret>) -> String {
        let lasting = Self { replaces: None, on_failure: Vec::new(), ..self.clone() };
        let text = serde_json::to_string(&(&lasting, spec.http_port, spec.mode)).unwrap_or_default();
        let secrets: String =
            secrets.iter().flat_map(|(name, secret)| ["\0", name, "\0", secret.expose()]).collect();
        // Sixteen bits tell that a secret is another one, and confirm nobody's guess of it.
        let secrets = sha256(Zeroizing::new(secrets).as_bytes());
        format!("{}-{}", sha256(text.as_bytes()), &secrets[..4])
    }

    /// Who is asked about names, as addresses; the system's servers where nobody is named.
    pub fn servers(&self) -> Vec<ResolverAddress> {
        self.resolvers.iter().filter_map(|server| ResolverAddress::parse(server).ok()).collect()
    }
}
