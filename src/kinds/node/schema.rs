//! What a `node` block may hold.

use crate::names::{
    Account, ContainerName, Duration, FilePath, NetworkLabel, ResolverAddress, Slug, Text as _,
};
use crate::nginx::base::LOG_FORMATS;
use crate::plan::issuance;
use crate::schema::{Block, Export, Nesting, Schema, Ty, attribute, nested};
use crate::value::Value;

const MODES: &[(&str, &str)] = &[
    ("managed", "vsa runs an nginx of its own below `root`, on high ports, without root"),
    ("host", "the system's nginx, with one include file of vsa's"),
    ("container", "an nginx in a container, which sees `root` under the same path"),
];

const LEVELS: &[(&str, &str)] =
    &[("error", "errors"), ("warn", "warnings too"), ("notice", "notices too"), ("info", "information too")];

fn port() -> Ty {
    Ty::Integer(1..=65535)
}

fn proxy() -> Block {
    let text = |text: &str| Value::from(text);
    Block {
        attributes: vec![
            attribute("mode", Ty::Enum(MODES), "How nginx runs.").default(text("managed")),
            attribute(
                "container",
                Ty::Text(&ContainerName::TYPE),
                "The container that nginx runs in (mode `container`). A stack of that label on the node runs it in \
                 its only service, or in the one that is called `nginx`; else it is a container that somebody else \
                 runs.",
            ),
            attribute("http_port", port(), "The HTTP port: 8080 in mode `managed`, else 80."),
            attribute("https_port", port(), "The HTTPS port: 8443 in mode `managed`, else 443."),
            attribute("ipv6", Ty::Bool, "Whether nginx listens on IPv6 too: not in mode `managed` unless set."),
            attribute("http2", Ty::Bool, "Whether HTTP/2 is spoken over TLS.").default(true),
            attribute(
                "default_server",
                Ty::Bool,
                "Whether vsa answers for unknown names: it closes the connection. Set it to `false` where another \
                 configuration of the same nginx has a `default_server`; vsa then answers only where nobody has one.",
            )
            .default(true),
            attribute(
                "resolver",
                Ty::List(Box::new(Ty::Text(&ResolverAddress::TYPE))),
                "DNS servers for upstreams that are given by name, as `/etc/resolv.conf` lists them.",
            )
            .default(Value::tuple([])),
            attribute(
                "drain",
                Ty::Text(&Duration::TYPE),
                "How long requests may go on in the old workers after a reload.",
            )
            .default(text("30s")),
            attribute("log_format", Ty::Enum(LOG_FORMATS), "The format of the node's access log.")
                .default(text("combined")),
            attribute("error_log", Ty::Enum(LEVELS), "What the node's error log holds (mode `managed`).")
                .default(text("warn")),
            attribute("nginx", Ty::Text(&FilePath::TYPE), "The nginx program.").default(text("/usr/sbin/nginx")),
            attribute(
                "user",
                Ty::Text(&Account::TYPE),
                "The user of nginx's workers, where nginx is started by root. It reads password files and static \
                 sites.",
            )
            .default(text("www-data")),
            attribute(
                "worker_processes",
                Ty::Integer(1..=1024),
                "How many workers (mode `managed`): one for each processor unless set.",
            ),
            attribute(
                "worker_connections",
                Ty::Integer(16..=1_048_576),
                "Connections of one worker (mode `managed`).",
            )
            .default(1024),
            attribute("nginx_conf", Ty::Text(&FilePath::TYPE), "nginx's main configuration (mode `host`).")
                .default(text("/etc/nginx/nginx.conf")),
            attribute(
                "include_file",
                Ty::Text(&FilePath::TYPE),
                "The one file of vsa's that nginx's configuration includes in its `http` block (mode `host`).",
            )
            .default(text("/etc/nginx/conf.d/vsa.conf")),
            attribute(
                "pid_file",
                Ty::Text(&FilePath::TYPE),
                "nginx's pid file (mode `host`): `/run/nginx.pid` unless set.",
            ),
            attribute(
                "server_names_hash",
                Ty::Bool,
                "Whether vsa sizes nginx's table of server names (mode `host`). Set it to `false` where nginx's own \
                 configuration does.",
            )
            .default(true),
        ],
        blocks: Vec::new(),
    }
}

pub(super) fn schema() -> Schema {
    let docker = Block {
        attributes: vec![
            attribute("socket", Ty::Text(&FilePath::TYPE), "The engine's socket.")
                .default(Value::from("/var/run/docker.sock")),
            attribute(
                "first_port",
                Ty::Integer(1024..=65535),
                "The first loopback port that services are published on for nginx.",
            )
            .default(20_000_i64),
            attribute("last_port", Ty::Integer(1024..=65535), "The last one.").default(29_999_i64),
        ],
        blocks: Vec::new(),
    };
    Schema {
        kind: "node",
        doc: "A server that resources live on, and the nginx that answers on it.\n\nWithout any `node`, there is \
              `node.local`: an nginx of vsa's own on high ports.",
        label: &Slug::TYPE,
        instance_name: None,
        implied_label: Some("local"),
        body: Block {
            attributes: vec![
                attribute(
                    "root",
                    Ty::Text(&FilePath::TYPE),
                    "vsa's own directory: `.vsa/nodes/<name>` in mode `managed`, else `/var/lib/vsa/<name>`. A \
                     relative path is relative to the configuration.",
                )
                .forces_replacement(),
                attribute(
                    "srv_root",
                    Ty::Text(&FilePath::TYPE),
                    "Where tenants have their directories: `<root>/srv` in mode `managed`, else `/srv`.",
                ),
                attribute(
                    "network",
                    Ty::Text(&NetworkLabel::TYPE),
                    "A network that the proxy's container and all services that sites name are in (mode \
                     `container`). Unless set, the proxy joins the network of each such stack, and tenants share \
                     none.",
                ),
            ],
            blocks: vec![
                nested("proxy", Nesting::Defaulted, "The nginx that answers.", proxy()),
                nested("docker", Nesting::Defaulted, "The Docker engine that stacks run on.", docker),
                nested(
                    "acme",
                    Nesting::Optional,
                    "The authority that issues certificates by ACME (RFC 8555). Without it they are self-signed.",
                    issuance::block(),
                ),
            ],
        },
        exports: vec![
            Export { name: "http_port", doc: "The HTTP port." },
            Export { name: "https_port", doc: "The HTTPS port." },
            Export { name: "mode", doc: "How nginx runs." },
            Export { name: "ipv6", doc: "Whether nginx listens on IPv6." },
            Export { name: "http2", doc: "Whether HTTP/2 is spoken." },
            Export { name: "resolver", doc: "DNS servers for upstreams." },
            Export { name: "log_format", doc: "The format of the access log." },
            Export { name: "has_acme", doc: "Whether certificates come from an authority that browsers trust." },
            Export { name: "acme", doc: "Its `acme` block." },
        ],
    }
}
