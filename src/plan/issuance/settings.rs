//! The `acme` block: which authority issues, and how control over names is proven to it.

use serde::Deserialize;

use super::authority::{Authority, ChallengeType};
use super::dns::{CLOUDFLARE_API, DnsProvider, HETZNER_API, TsigAlgorithm};
use crate::names::password::{API_TOKEN, SECRET_KEY};
use crate::names::{
    AuthorityDirectory, CommandWord, DisplayName, DomainName, Duration, EmailAddress, FilePath, KeyId,
    NameServer, ProfileName, RedirectTarget, ResolverAddress, Text as _,
};
use crate::schema::{Block, Nesting, Ty, attribute, nested};
use crate::value::{Secret, Value};

/// The port at which every public authority asks for files (RFC 8555, section 8.3).
const HTTP: u16 = 80;

/// How long DNS servers may take unless something else is said, in seconds.
const PROPAGATION: u32 = 120;

const ALGORITHMS: &[(&str, &str)] = &[
    ("hmac-sha256", "HMAC with SHA-256"),
    ("hmac-sha384", "HMAC with SHA-384"),
    ("hmac-sha512", "HMAC with SHA-512"),
];

const CHALLENGES: &[(&str, &str)] = &[
    ("http-01", "by a file that nginx answers with on port 80"),
    ("dns-01", "by a TXT record; wildcards need it"),
];

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
            propagation: None,
            exec: None,
            rfc2136: None,
            cloudflare: None,
            hetzner: None,
        }
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

/// What an `acme` block may hold.
pub fn block() -> Block {
    let eab = Block {
        attributes: vec![
            attribute("key_id", Ty::Text(&KeyId::TYPE), "The key's id.").required(),
            attribute("hmac_key", Ty::Text(&SECRET_KEY), "The key, in base64.").required().sensitive(),
        ],
        blocks: Vec::new(),
    };
    Block {
        attributes: vec![
            attribute(
                "directory",
                Ty::Text(&AuthorityDirectory::TYPE),
                "The authority: Let's Encrypt, its staging environment (which browsers do not trust), or the address \
                 of another one's ACME directory.",
            )
            .default(Value::from("letsencrypt")),
            attribute("email", Ty::Text(&EmailAddress::TYPE), "Where the authority writes to."),
            attribute(
                "ca",
                Ty::Text(&FilePath::TYPE),
                "A PEM file on the node with the root certificate of a private authority, which its own server is \
                 checked against.",
            ),
            attribute(
                "profile",
                Ty::Text(&ProfileName::TYPE),
                "Which of the authority's profiles certificates get: its usual one unless set.",
            ),
            attribute(
                "preferred_chain",
                Ty::Text(&DisplayName::TYPE),
                "Of several chains, the one whose topmost certificate was issued by this common name.",
            ),
            attribute(
                "challenge",
                Ty::Enum(CHALLENGES),
                "How control over names is proven: `dns-01` unless set where a block says who changes DNS records, else \
                 `http-01`.",
            ),
            attribute(
                "validation_port",
                Ty::Integer(1..=65535),
                "The port at which the authority asks for the file (`http-01`): 80 with every public one.",
            )
            .default(i64::from(HTTP)),
            attribute(
                "check_names",
                Ty::Bool,
                "Whether vsa finds out, before the authority is asked, that names lead to this node and CAA records \
                 allow the authority. Each failed attempt counts against its limits.",
            )
            .default(Value::from(true)),
            attribute(
                "resolvers",
                Ty::List(Box::new(Ty::Text(&ResolverAddress::TYPE))),
                "DNS servers that vsa asks about names: the system's unless set.",
            )
            .default(Value::tuple([])),
            attribute(
                "on_failure",
                Ty::List(Box::new(Ty::Text(&CommandWord::TYPE))),
                "A program on the node, and what stands before its further arguments: it is started when a certificate \
                 could not be issued or renewed, with the certificate's name and what went wrong. No shell reads it, \
                 and it has a minute.",
            )
            .default(Value::tuple([])),
            attribute(
                "propagation",
                Ty::Text(&Duration::TYPE),
                "How long DNS servers may take to answer with a new record (`dns-01`): two minutes unless set.",
            ),
        ],
        blocks: vec![
            nested(
                "eab",
                Nesting::Optional,
                "An account that the authority knows by a key it gave (external account binding).",
                eab,
            ),
            nested(
                "exec",
                Nesting::Optional,
                "A program on the node that changes DNS records (`dns-01`): it is started with `present` or `cleanup`, the \
                 record's name and its value.",
                exec(),
            ),
            nested(
                "rfc2136",
                Nesting::Optional,
                "A name server that takes signed updates (`dns-01`; RFC 2136 and RFC 8945): BIND, Knot, PowerDNS, ….",
                rfc2136(),
            ),
            nested(
                "cloudflare",
                Nesting::Optional,
                "DNS at Cloudflare (`dns-01`). Tested against recorded answers.",
                api(CLOUDFLARE_API, "An API token that may edit DNS of the zone."),
            ),
            nested(
                "hetzner",
                Nesting::Optional,
                "DNS at Hetzner (`dns-01`). Tested against recorded answers.",
                api(HETZNER_API, "An API token of the project that may write."),
            ),
        ],
    }
}

fn exec() -> Block {
    let command = attribute(
        "command",
        Ty::List(Box::new(Ty::Text(&CommandWord::TYPE))),
        "The program and what stands before those arguments. No shell reads it.",
    );
    Block { attributes: vec![command.required()], blocks: Vec::new() }
}

fn rfc2136() -> Block {
    Block {
        attributes: vec![
            attribute("server", Ty::Text(&NameServer::TYPE), "The server.").required(),
            attribute(
                "zone",
                Ty::Text(&DomainName::TYPE),
                "The zone that the records are in: found by asking unless set.",
            ),
            attribute("key_name", Ty::Text(&DomainName::TYPE), "The key's name, as the server knows it.")
                .required(),
            attribute("key_algorithm", Ty::Enum(ALGORITHMS), "What the key is used with.")
                .default(Value::from("hmac-sha256")),
            attribute("key", Ty::Text(&SECRET_KEY), "The key, in base64.").required().sensitive(),
        ],
        blocks: Vec::new(),
    }
}

fn api(address: &'static str, token: &'static str) -> Block {
    Block {
        attributes: vec![
            attribute("token", Ty::Text(&API_TOKEN), token).required().sensitive(),
            attribute("api", Ty::Text(&RedirectTarget::TYPE), "Where the API is.")
                .default(Value::from(address)),
        ],
        blocks: Vec::new(),
    }
}
