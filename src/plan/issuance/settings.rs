//! What an `acme` block says: which authority issues, and how control over names is proven to it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::authority::{Authority, ChallengeType};
use super::dns::{DnsProvider, TsigAlgorithm};
use super::order::{DNS_SECRET, EAB_KEY};
use crate::names::{
    AuthorityDirectory, CommandWord, DisplayName, DomainName, Duration, EmailAddress, FilePath, KeyId,
    NameServer, ProfileName, RedirectTarget, ResolverAddress, Text as _,
};
use crate::value::Secret;

/// The port at which every public authority asks for files (RFC 8555, section 8.3).
pub(super) const HTTP: u16 = 80;

/// How long DNS servers may take unless something else is said, in seconds.
const PROPAGATION: u32 = 120;

/// What an `acme` block says.
#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    /// The authority.
    pub directory: AuthorityDirectory,
    /// Where it writes to.
    pub email: Option<EmailAddress>,
    /// Its own root.
    pub ca: Option<FilePath>,
    /// The account there that is known already.
    pub eab: Option<ExternalAccount>,
    /// Which of its profiles certificates get.
    pub profile: Option<ProfileName>,
    /// Who issued the topmost certificate of the chain that is wanted.
    pub preferred_chain: Option<DisplayName>,
    /// How control over names is proven.
    challenge: Option<ChallengeType>,
    /// The port at which it looks for files.
    pub validation_port: u16,
    /// Whether names are looked at before it is asked.
    pub check_names: bool,
    /// Who is asked about names.
    pub resolvers: Vec<ResolverAddress>,
    /// The program that is told of a failure, and its first arguments.
    pub on_failure: Vec<CommandWord>,
    /// The program that is told of what is served now.
    on_renewal: Option<Vec<CommandWord>>,
    /// How long DNS servers may take to answer with a new record.
    propagation: Option<Duration>,
    exec: Option<Exec>,
    rfc2136: Option<Rfc2136>,
    cloudflare: Option<Api>,
    hetzner: Option<Api>,
}

#[derive(Clone, Debug, Deserialize)]
struct Exec {
    command: Vec<CommandWord>,
}

#[derive(Clone, Debug, Deserialize)]
struct Rfc2136 {
    server: NameServer,
    zone: Option<DomainName>,
    key_name: DomainName,
    key_algorithm: TsigAlgorithm,
    key: Secret,
}

#[derive(Clone, Debug, Deserialize)]
struct Api {
    token: Secret,
    api: RedirectTarget,
}

/// An account that an authority knows by a key it gave (RFC 8555, section 7.3.4).
#[derive(Clone, Debug, Deserialize)]
pub struct ExternalAccount {
    /// The key's id.
    pub key_id: KeyId,
    /// The key, in base64.
    pub hmac_key: Secret,
}

impl Settings {
    /// Those of an authority of which nothing more is said.
    pub fn of(directory: AuthorityDirectory) -> Self {
        Self {
            directory,
            email: None,
            ca: None,
            eab: None,
            profile: None,
            preferred_chain: None,
            challenge: None,
            validation_port: HTTP,
            check_names: true,
            resolvers: Vec::new(),
            on_failure: Vec::new(),
            on_renewal: None,
            propagation: None,
            exec: None,
            rfc2136: None,
            cloudflare: None,
            hetzner: None,
        }
    }

    /// The program that is told of a certificate that is served now, and its arguments.
    pub fn on_renewal(&self) -> Option<Vec<String>> {
        let words = self.on_renewal.as_deref().filter(|words| !words.is_empty())?;
        Some(words.iter().map(ToString::to_string).collect())
    }

    /// How long DNS servers may take to answer with a new record, in seconds.
    pub fn propagation(&self) -> u32 {
        let said = self.propagation.as_ref().and_then(|said| u32::try_from(said.seconds()).ok());
        said.unwrap_or(PROPAGATION)
    }

    /// Who changes DNS records, without the secret that this takes; with the secret beside. The first one that is named.
    pub fn dns(&self) -> Option<(DnsProvider, Option<&Secret>)> {
        let exec = self.exec.as_ref().map(|exec| {
            let command = exec.command.iter().map(ToString::to_string).collect();
            (DnsProvider::Exec { command }, None)
        });
        let rfc2136 = self.rfc2136.as_ref().map(|said| {
            let provider = DnsProvider::Rfc2136 {
                server: said.server.clone(),
                zone: said.zone.clone(),
                key_name: said.key_name.clone(),
                key_algorithm: said.key_algorithm,
            };
            (provider, Some(&said.key))
        });
        let address = |said: &Api| said.api.as_str().to_owned();
        let cloudflare = self.cloudflare.as_ref();
        let cloudflare =
            cloudflare.map(|said| (DnsProvider::Cloudflare { api: address(said) }, Some(&said.token)));
        let hetzner = self.hetzner.as_ref();
        let hetzner = hetzner.map(|said| (DnsProvider::Hetzner { api: address(said) }, Some(&said.token)));
        exec.or(rfc2136).or(cloudflare).or(hetzner)
    }

    /// The names of the blocks that say who changes DNS records: one at most is right.
    pub fn dns_blocks(&self) -> Vec<&'static str> {
        let blocks = [
            ("exec", self.exec.is_some()),
            ("rfc2136", self.rfc2136.is_some()),
            ("cloudflare", self.cloudflare.is_some()),
            ("hetzner", self.hetzner.is_some()),
        ];
        blocks.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect()
    }

    /// How control over names is proven.
    pub fn challenge(&self) -> ChallengeType {
        let usual = if self.dns_blocks().is_empty() { ChallengeType::Http01 } else { ChallengeType::Dns01 };
        self.challenge.unwrap_or(usual)
    }

    /// What it takes beside all that: the key of an account, what changes DNS records.
    pub fn secrets(&self) -> BTreeMap<&'static str, Secret> {
        let key = self.eab.as_ref().map(|eab| (EAB_KEY, eab.hmac_key.clone()));
        let dns = self.dns().and_then(|(_, secret)| Some((DNS_SECRET, secret?.clone())));
        key.into_iter().chain(dns).collect()
    }

    /// The authority as operations name it.
    pub fn authority(&self) -> Authority {
        Authority {
            directory: self.directory.url().to_owned(),
            email: self.email.as_ref().map(ToString::to_string),
            ca: self.ca.as_ref().map(|path| path.as_str().into()),
            key_id: self.eab.as_ref().map(|eab| eab.key_id.to_string()),
        }
    }
}
