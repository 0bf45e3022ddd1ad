//! What a `certificate` block may hold.

use crate::names::{CertificateName, Duration, FileName, FilePath, HostName, Text as _};
use crate::plan::issuance;
use crate::schema::{Block, Export, Nesting, Schema, Ty, attribute, nested};

const ISSUERS: &[(&str, &str)] = &[
    (
        "acme",
        "the authority that the `acme` block of the certificate or of its node names, by ACME (RFC 8555)",
    ),
    ("letsencrypt", "Let's Encrypt, whatever that block names"),
    ("letsencrypt-staging", "the staging environment of Let's Encrypt, for trials; browsers do not trust it"),
    ("self_signed", "vsa itself; browsers do not trust it"),
    (
        "files",
        "somebody else, who keeps certificate and key in files on the node; vsa copies them whenever they change",
    ),
];

const KEY_TYPES: &[(&str, &str)] = &[
    ("ecdsa-p256", "ECDSA on the curve P-256, which every client knows"),
    ("ecdsa-p384", "ECDSA on the curve P-384"),
    ("rsa-2048", "RSA with 2048 bits, for clients that know nothing else"),
    ("rsa-3072", "RSA with 3072 bits"),
    ("rsa-4096", "RSA with 4096 bits"),
];

pub(super) fn schema() -> Schema {
    Schema {
        kind: "certificate",
        doc: "A key and a certificate for TLS.\n\nA domain that names none brings one along, with its own name as the \
              label and all its names in it; declaring one with that label takes its place.",
        label: &HostName::TYPE,
        instance_name: None,
        implied_label: None,
        body: Block {
            attributes: vec![
                attribute(
                    "names",
                    Ty::List(Box::new(Ty::Text(&CertificateName::TYPE))),
                    "The names that it is for: its label unless set. `*.example.com` stands for all names one label below.",
                ),
                attribute(
                    "issuer",
                    Ty::Enum(ISSUERS),
                    "Who makes it: `acme` unless set where there is an `acme` block, else `self_signed`.",
                ),
                attribute(
                    "certificate",
                    Ty::Text(&FilePath::TYPE),
                    "The PEM file with the certificate and its chain, on the node (issuer `files`).",
                ),
                attribute(
                    "key",
                    Ty::Text(&FilePath::TYPE),
                    "The PEM file with the private key, on the node (issuer `files`).",
                ),
                attribute(
                    "key_type",
                    Ty::Enum(KEY_TYPES),
                    "The type of the key, which is a new one with each issue.",
                )
                .default("ecdsa-p256"),
                attribute("days", Ty::Integer(1..=3650), "How long it is valid (issuer `self_signed`).")
                    .default(365),
                attribute(
                    "renew_before",
                    Ty::Text(&Duration::TYPE),
                    "How long before its end it is renewed, or one from files reported: a third of its lifetime unless set, half \
                     of one below ten days. Two thirds of its lifetime at most: a new one is never due.",
                ),
                attribute("must_staple", Ty::Bool, "Not supported: the error says why."),
                attribute(
                    "certbot",
                    Ty::Text(&FilePath::TYPE),
                    "The directory of certbot's (`/etc/letsencrypt`) that it is taken over from: certificate and key are used as \
                     they are, certbot's renewal of them is switched off, and what vsa issues later stands under certbot's \
                     paths too. `vsa cert import` writes it.",
                ),
                attribute(
                    "lineage",
                    Ty::Text(&FileName::TYPE),
                    "What certbot calls it (`certbot certificates`): the label unless set.",
                ),
                attribute("node", Ty::Ref("node"), "Where it is used.").only_one().forces_replacement(),
            ],
            blocks: vec![nested(
                "acme",
                Nesting::Optional,
                "The authority that issues it, in the place of the one that its node names.",
                issuance::block(),
            )],
        },
        exports: vec![
            Export {
                name: "directory",
                doc: "Its directory, relative to the generation's: `fullchain.pem` and `privkey.pem` are in it.",
            },
            Export { name: "trusted", doc: "Whether browsers can be expected to trust it." },
            Export { name: "names", doc: "The host names that it is for." },
        ],
    }
}
