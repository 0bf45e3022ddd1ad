//! What a `domain` block may hold.

use crate::names::{
    AddressRange, ContainerName, Duration, FileName, FilePath, HeaderName, HeaderValue, HostName, Policy,
    Rate, RedirectTarget, ServiceName, Size, Snippet, Text as _, UpstreamAddress, UriPath,
};
use crate::nginx::base::LOG_FORMATS;
use crate::schema::{Attribute, Block, Export, Nested, Nesting, Schema, Ty, attribute, nested};
use crate::value::Value;

const ALIAS_MODES: &[(&str, &str)] =
    &[("redirect", "to the domain's name"), ("serve", "the same site under each name")];

const ACCESS_LOGS: &[(&str, &str)] = &[
    ("shared", "in the node's log, where each line names the site"),
    ("own", "in `logs/<name>.access.log` below the node's `root`"),
    ("off", "nowhere"),
];

const ERROR_LOGS: &[(&str, &str)] =
    &[("shared", "in the node's log"), ("own", "in `logs/<name>.error.log` below the node's `root`")];

const LEVELS: &[(&str, &str)] = &[
    ("crit", "what needs attention at once"),
    ("error", "errors"),
    ("warn", "warnings too"),
    ("notice", "notices too"),
    ("info", "information too"),
];

const SATISFY: &[(&str, &str)] =
    &[("all", "an allowed address and a password"), ("any", "an allowed address or a password")];

const RATE_KEYS: &[(&str, &str)] =
    &[("client", "each client address by itself"), ("site", "all requests to the site together")];

const UNTIL_ISSUED: &[(&str, &str)] = &[
    ("self_signed", "it answers with a certificate that browsers warn of"),
    ("http", "it answers without TLS, passwords and all"),
    ("none", "it does not answer"),
];

const FRAME_OPTIONS: &[(&str, &str)] = &[
    ("DENY", "no page may frame the site"),
    ("SAMEORIGIN", "only pages of the site may"),
    ("off", "any page may"),
];

const REFERRER_POLICIES: &[(&str, &str)] = &[
    ("strict-origin-when-cross-origin", "other sites learn the origin only"),
    ("no-referrer", "nobody learns anything"),
    ("same-origin", "other sites learn nothing"),
    ("origin", "everybody learns the origin only"),
    ("strict-origin", "everybody learns the origin only, and nothing without TLS"),
    ("origin-when-cross-origin", "other sites learn the origin only, without TLS too"),
    ("no-referrer-when-downgrade", "everything, but nothing without TLS"),
    ("unsafe-url", "everybody learns everything"),
    ("off", "no such header"),
];

fn text(text: &str) -> Value {
    Value::from(text)
}

fn upstream() -> Block {
    Block {
        attributes: vec![
            attribute(
                "address",
                Ty::Text(&UpstreamAddress::TYPE),
                "Where requests are passed on to. A name is looked up while requests come (with the node's \
                 `resolver`), so that one that does not resolve breaks this site alone.",
            ),
            attribute(
                "stack",
                Ty::Ref("stack"),
                "The stack of the same tenant that requests are passed on to, in the place of `address`.",
            ),
            attribute("service", Ty::Text(&ServiceName::TYPE), "With `stack`: its service."),
            attribute(
                "container",
                Ty::Text(&ContainerName::TYPE),
                "The name of a container that vsa does not own, in the place of `address`.",
            ),
            attribute(
                "port",
                Ty::Integer(1..=65535),
                "With `stack` or `container`: the port inside the containers.",
            ),
            attribute(
                "host_header",
                Ty::Text(&HeaderValue::TYPE),
                "The `Host` that the upstream sees: that of the request unless set.",
            ),
            attribute(
                "keepalive",
                Ty::Integer(1..=1024),
                "Idle connections that each worker keeps open to the upstream: none unless set. To services and containers \
                 from an nginx in a container: with nginx 1.27.3 or later.",
            ),
            attribute(
                "tls_name",
                Ty::Text(&HostName::TYPE),
                "The name on the upstream's certificate (`https://`): its host unless set.",
            ),
            attribute(
                "ca",
                Ty::Text(&FilePath::TYPE),
                "Certificates of the authorities that the upstream's certificate is checked against \
                 (`https://`): those of the system unless set.",
            ),
        ],
        blocks: vec![nested(
            "detect",
            Nesting::Optional,
            "Finds the container that serves a port of the node, in the place of `address`. It is looked for in every \
             plan.",
            Block {
                attributes: vec![
                    attribute(
                        "external_port",
                        Ty::Integer(1..=65535),
                        "The port that the container publishes.",
                    )
                    .required(),
                ],
                blocks: Vec::new(),
            },
        )],
    }
}

fn redirect() -> Block {
    Block {
        attributes: vec![
            attribute("to", Ty::Text(&RedirectTarget::TYPE), "Where to.").required(),
            attribute(
                "status",
                Ty::Integer(301..=308),
                "301, 302, 303, 307 or 308. Unless set: 301 for GET and HEAD, 308 for other methods.",
            ),
            attribute("preserve_path", Ty::Bool, "Whether path and query are appended to `to`.")
                .default(true),
        ],
        blocks: Vec::new(),
    }
}

fn rate_limit() -> Block {
    Block {
        attributes: vec![
            attribute("enabled", Ty::Bool, "Whether requests are limited.").default(true),
            attribute("rate", Ty::Text(&Rate::TYPE), "How many in a time: 50r/s over all sites unless set."),
            attribute(
                "burst",
                Ty::Integer(0..=100_000),
                "How many more at once: 20 with a `rate` of its own, else 200.",
            ),
            attribute("key", Ty::Enum(RATE_KEYS), "What is counted.").default(text("client")),
        ],
        blocks: Vec::new(),
    }
}

fn timeouts() -> Block {
    let duration = |name, doc| attribute(name, Ty::Text(&Duration::TYPE), doc);
    Block {
        attributes: vec![
            duration("connect", "To reach the upstream: 60s unless set."),
            duration("read", "Between two reads from the upstream: 60s unless set, 1h with `websocket`."),
            duration("send", "Between two writes to the upstream: 60s unless set, 1h with `websocket`."),
        ],
        blocks: Vec::new(),
    }
}

/// What the site and its locations share.
fn place() -> (Vec<Attribute>, Vec<Nested>) {
    let ranges = || Ty::List(Box::new(Ty::Text(&AddressRange::TYPE)));
    let headers = || Ty::Map(&HeaderName::TYPE, Box::new(Ty::Text(&HeaderValue::TYPE)));
    let attributes = vec![
        attribute(
            "root",
            Ty::Text(&FilePath::TYPE),
            "A directory of files to serve, which nginx's workers can read. A relative path is relative to the \
             configuration.",
        ),
        attribute(
            "index",
            Ty::List(Box::new(Ty::Text(&FileName::TYPE))),
            "Files that stand for their directory: `index.html` unless set.",
        ),
        attribute("spa", Ty::Bool, "Whether a path without a file answers with `index.html`."),
        attribute("autoindex", Ty::Bool, "Whether a directory without an index is listed."),
        attribute("hidden_files", Ty::Bool, "Whether files and directories with a dot in front are served."),
        attribute("expires", Ty::Text(&Duration::TYPE), "How long clients may keep the files."),
        attribute("auth", Ty::Ref("auth"), "Who may enter, with a password. Of the same tenant."),
        attribute("allow", ranges(), "Client addresses that may enter; all others may not."),
        attribute("deny", ranges(), "Client addresses that may not enter; goes before `allow`."),
        attribute("satisfy", Ty::Enum(SATISFY), "With `allow` and `auth`: whether one of them is enough."),
        attribute(
            "headers",
            headers(),
            "Headers of each answer. They take the place of the upstream's; an empty value removes a header.",
        ),
        attribute(
            "proxy_headers",
            headers(),
            "Headers that the upstream gets. An empty value removes a header.",
        ),
        attribute("websocket", Ty::Bool, "Whether connections may become WebSockets."),
        attribute(
            "body_size",
            Ty::Text(&Size::TYPE),
            "The largest body of a request: 10m unless set; 0 is unlimited.",
        ),
        attribute(
            "extra_config",
            Ty::Text(&Snippet::TYPE),
            "Directives of nginx that tune what vsa wrote; only those of an allow list.",
        ),
    ];
    let blocks = vec![
        nested("upstream", Nesting::Optional, "Requests are passed on.", upstream()),
        nested("redirect", Nesting::Optional, "Requests are sent elsewhere.", redirect()),
        nested("timeouts", Nesting::Optional, "How long the upstream may take.", timeouts()),
    ];
    (attributes, blocks)
}

fn location() -> Block {
    let (mut attributes, mut blocks) = place();
    attributes.extend([
        attribute("exact", Ty::Bool, "Whether the path alone is meant, not those below it.").default(false),
        attribute("public", Ty::Bool, "Whether the password of the domain is not asked for here.")
            .default(false),
        attribute("strip_prefix", Ty::Bool, "Whether the upstream sees the path without the label.")
            .default(false),
    ]);
    blocks.push(nested("rate_limit", Nesting::Optional, "How many requests are served here.", rate_limit()));
    Block { attributes, blocks }
}

fn server_attributes() -> Vec<Attribute> {
    vec![
        attribute("tenant", Ty::Ref("tenant"), "Whose site it is.").required(),
        attribute("node", Ty::Ref("node"), "Where it is served.").only_one().forces_replacement(),
        attribute(
            "name",
            Ty::Text(&HostName::TYPE),
            "With `for_each`: the host name, `each.key` unless set.",
        )
        .forces_replacement(),
        attribute("aliases", Ty::List(Box::new(Ty::Text(&HostName::TYPE))), "Other host names of the site.")
            .default(Value::tuple([])),
        attribute("alias_mode", Ty::Enum(ALIAS_MODES), "What the aliases answer.").default(text("redirect")),
        attribute("https_redirect", Ty::Bool, "Whether HTTP leads to HTTPS.").default(true),
        attribute(
            "maintenance",
            Ty::Bool,
            "Whether the site answers 503 with a page that says so; passwords are still asked for.",
        )
        .default(false),
        attribute("gzip", Ty::Bool, "Whether answers are compressed.").default(true),
        attribute("access_log", Ty::Enum(ACCESS_LOGS), "Where requests are logged.").default(text("shared")),
        attribute(
            "log_format",
            Ty::Enum(LOG_FORMATS),
            "The format of the site's log: the node's unless set.",
        ),
        attribute("error_log", Ty::Enum(ERROR_LOGS), "Where errors are logged.").default(text("shared")),
        attribute("error_log_level", Ty::Enum(LEVELS), "What the error log holds.").default(text("warn")),
    ]
}

fn server_blocks() -> Vec<Nested> {
    let enabled = |doc| attribute("enabled", Ty::Bool, doc).default(true);
    let tls = vec![
        enabled("Whether the site speaks TLS."),
        attribute(
            "certificate",
            Ty::Ref("certificate"),
            "The certificate: one of the domain's own, brought along with it, unless set.",
        ),
        attribute(
            "until_issued",
            Ty::Enum(UNTIL_ISSUED),
            "What the site does while an authority has not issued its certificate yet, because that failed.",
        )
        .default(text("self_signed")),
    ];
    let hsts = vec![
        enabled("Whether browsers are told to use TLS only. Never with a self-signed certificate."),
        attribute("max_age", Ty::Text(&Duration::TYPE), "For how long.").default(text("365d")),
        attribute("include_subdomains", Ty::Bool, "Whether that holds for all names below.").default(false),
        attribute("preload", Ty::Bool, "Whether browsers may build it in.").default(false),
    ];
    let csp = vec![
        enabled("Whether a policy is sent. One of the upstream's own goes before it."),
        attribute(
            "policy",
            Ty::Text(&Policy::TYPE),
            "The policy. Unless set, it forbids plugins, foreign `<base>` and framing, and nothing else.",
        ),
        attribute("report_only", Ty::Bool, "Whether violations are reported only.").default(false),
    ];
    let security_headers = vec![
        attribute("frame_options", Ty::Enum(FRAME_OPTIONS), "Who may frame the site.").default(text("DENY")),
        attribute("content_type_options", Ty::Bool, "Whether browsers may not guess types (`nosniff`).")
            .default(true),
        attribute(
            "referrer_policy",
            Ty::Enum(REFERRER_POLICIES),
            "What other sites learn of where a visitor was.",
        )
        .default(text("strict-origin-when-cross-origin")),
        attribute(
            "permissions_policy",
            Ty::Text(&Policy::TYPE),
            "Which features of browsers the site may use.",
        ),
    ];
    let block = |attributes| Block { attributes, blocks: Vec::new() };
    vec![
        nested("tls", Nesting::Defaulted, "TLS.", block(tls)),
        nested("hsts", Nesting::Defaulted, "HTTP Strict Transport Security (RFC 6797).", block(hsts)),
        nested("csp", Nesting::Defaulted, "Content Security Policy.", block(csp)),
        nested("security_headers", Nesting::Defaulted, "Other security headers.", block(security_headers)),
        nested("rate_limit", Nesting::Defaulted, "How many requests are served.", rate_limit()),
        nested(
            "location",
            Nesting::Labelled(&UriPath::TYPE),
            "What differs below a path. What a location leaves out, it takes from the domain.",
            location(),
        ),
    ]
}

pub(super) fn schema() -> Schema {
    let (place_attributes, place_blocks) = place();
    let mut attributes = server_attributes();
    attributes.extend(place_attributes);
    let mut blocks = place_blocks;
    blocks.extend(server_blocks());
    Schema {
        kind: super::KIND,
        doc: "A site under a host name: proxied, static, or a redirect.\n\nIts label is the host name.",
        label: &HostName::TYPE,
        instance_name: Some("name"),
        implied_label: None,
        body: Block { attributes, blocks },
        exports: vec![
            Export { name: "url", doc: "The site's URL." },
            Export { name: "urls", doc: "The URLs of the site and its aliases." },
            Export { name: "aliases", doc: "The aliases." },
            Export { name: "tenant", doc: "The tenant's name." },
        ],
    }
}
