//! What an `acme` block may hold.

use super::dns::{CLOUDFLARE_API, HETZNER_API};
use super::settings::HTTP;
use crate::names::password::{API_TOKEN, SECRET_KEY};
use crate::names::{
    AuthorityDirectory, CommandWord, DisplayName, DomainName, Duration, EmailAddress, FilePath, KeyId,
    NameServer, ProfileName, RedirectTarget, ResolverAddress, Text as _,
};
use crate::schema::{Block, Nesting, Ty, attribute, nested};
use crate::value::Value;

const CHALLENGES: &[(&str, &str)] = &[
    ("http-01", "by a file that nginx answers with on port 80"),
    ("dns-01", "by a TXT record; wildcards need it"),
];

const ALGORITHMS: &[(&str, &str)] = &[
    ("hmac-sha256", "HMAC with SHA-256"),
    ("hmac-sha384", "HMAC with SHA-384"),
    ("hmac-sha512", "HMAC with SHA-512"),
];

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
            attribute("email", Ty::Text(&EmailAddress::TYPE), "Where the authority writes to: it is told of another address with the next order."),
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
                "on_renewal",
                Ty::List(Box::new(Ty::Text(&CommandWord::TYPE))),
                "A program on the node, and its arguments, for other programs that read a certificate (`[\"systemctl\", \
                 \"reload\", \"postfix\"]`): it is started once nginx serves one that was issued, the first or a later \
                 one, with `RENEWED_LINEAGE` (the directory of `fullchain.pem` and `privkey.pem`) and `RENEWED_DOMAINS` \
                 (the names, with spaces between) in its environment, as certbot starts a deploy hook. No shell reads it, \
                 and it has a minute. That it fails is a warning.",
            ),
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
