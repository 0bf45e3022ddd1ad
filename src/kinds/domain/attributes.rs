//! What a `domain` block says.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::Error as _;

use crate::names::{
    AddressRange, ContainerName, Duration, FileName, FilePath, HeaderName, HeaderValue, HostName, Policy,
    Rate, Realm, RedirectTarget, ResolverAddress, Size, Snippet, Text as _, UpstreamAddress, UriPath,
};
use crate::plan::{Endpoint, Endpoints, Nginx, ProxyMode, Reach, Target};
use crate::resource::Resource;
use crate::value::{DecodeError, Object, Value};

/// The whole block.
#[derive(Debug)]
pub(super) struct Attributes {
    pub(super) site: Site,
    pub(super) place: Place,
    pub(super) locations: Vec<Location>,
}

impl Attributes {
    pub(super) fn of(resource: &Resource) -> Result<Self, DecodeError> {
        let labelled = resource.get("location").as_object().into_iter().flatten();
        let locations = labelled.map(|(label, value)| {
            let path = UriPath::parse(label).map_err(DecodeError::custom)?;
            Ok(Location {
                path,
                flags: value.decode()?,
                place: Place::of(value.decode()?, value.get("upstream")),
            })
        });
        Ok(Self {
            site: resource.decode()?,
            place: Place::of(resource.decode()?, Some(resource.get("upstream"))),
            locations: locations.collect::<Result<_, DecodeError>>()?,
        })
    }

    /// Whether an administrator's own directives stand somewhere in it.
    pub(super) fn has_extra_config(&self) -> bool {
        let mut places = self.locations.iter().map(|location| &location.place).chain([&self.place]);
        places.any(|place| place.extra_config.is_some())
    }
}

/// What only the whole site may say.
#[derive(Debug, Deserialize)]
pub(super) struct Site {
    pub(super) tenant: Tenant,
    pub(super) node: Node,
    pub(super) aliases: Vec<HostName>,
    pub(super) alias_mode: AliasMode,
    pub(super) https_redirect: bool,
    pub(super) maintenance: bool,
    pub(super) gzip: bool,
    pub(super) access_log: AccessLog,
    pub(super) log_format: Option<String>,
    pub(super) error_log: ErrorLog,
    pub(super) error_log_level: String,
    pub(super) tls: Tls,
    pub(super) hsts: Hsts,
    pub(super) csp: Csp,
    pub(super) security_headers: SecurityHeaders,
}

/// What the whole site and each location may say.
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    pub(super) upstream: Option<Upstream>,
    pub(super) root: Option<FilePath>,
    pub(super) redirect: Option<Redirect>,
    pub(super) index: Option<Vec<FileName>>,
    pub(super) spa: Option<bool>,
    pub(super) autoindex: Option<bool>,
    pub(super) hidden_files: Option<bool>,
    pub(super) expires: Option<Duration>,
    pub(super) auth: Option<Auth>,
    pub(super) allow: Option<Vec<AddressRange>>,
    pub(super) deny: Option<Vec<AddressRange>>,
    pub(super) satisfy: Option<Satisfy>,
    pub(super) headers: Option<BTreeMap<HeaderName, HeaderValue>>,
    pub(super) proxy_headers: Option<BTreeMap<HeaderName, HeaderValue>>,
    pub(super) websocket: Option<bool>,
    pub(super) body_size: Option<Size>,
    pub(super) timeouts: Option<Timeouts>,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) extra_config: Option<Snippet>,
}

impl Place {
    /// With what its upstream names: a stack is a reference, which only the value knows.
    fn of(mut place: Self, upstream: Option<&Value>) -> Self {
        if let (Some(said), Some(value)) = (&mut place.upstream, upstream) {
            let stack = value.get("stack").and_then(Value::as_object).and_then(Object::resource);
            let service = stack.zip(said.service.clone()).zip(said.port).map(|((target, service), port)| {
                Target::Service(Endpoint { target: target.clone(), service, port })
            });
            let container = said.container.as_ref().zip(said.port);
            let container =
                container.map(|(name, port)| Target::Container { name: name.as_str().into(), port });
            let published =
                said.detect.as_ref().map(|detect| Target::Published { port: detect.external_port });
            said.target = service.or(container).or(published);
        }
        place
    }
}

/// A `location` block.
#[derive(Debug)]
pub(super) struct Location {
    pub(super) path: UriPath,
    pub(super) flags: Flags,
    pub(super) place: Place,
}

/// What only a location may say.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Flags {
    pub(super) exact: bool,
    pub(super) public: bool,
    pub(super) strip_prefix: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Tenant {
    pub(super) name: Arc<str>,
    #[serde(default)]
    pub(super) status: Option<Arc<str>>,
}

impl Tenant {
    pub(super) fn is_suspended(&self) -> bool {
        self.status.as_deref() == Some("suspended")
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub(super) mode: ProxyMode,
    pub(super) ipv6: bool,
    pub(super) http2: bool,
    #[serde(default)]
    pub(super) has_acme: bool,
    pub(super) resolver: Vec<ResolverAddress>,
    pub(super) log_format: Arc<str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Auth {
    pub(super) file: Arc<str>,
    pub(super) realm: Realm,
}

#[derive(Debug, Deserialize)]
pub(super) struct Certificate {
    pub(super) name: Arc<str>,
    #[serde(default)]
    pub(super) trusted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AliasMode {
    Redirect,
    Serve,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AccessLog {
    Shared,
    Own,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ErrorLog {
    Shared,
    Own,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Satisfy {
    All,
    Any,
}

#[derive(Debug, Deserialize)]
pub(super) struct Upstream {
    pub(super) address: Option<UpstreamAddress>,
    pub(super) stack: Option<Stack>,
    pub(super) service: Option<Arc<str>>,
    pub(super) port: Option<u16>,
    pub(super) container: Option<ContainerName>,
    pub(super) detect: Option<Detect>,
    /// What it names beside an address.
    #[serde(skip)]
    pub(super) target: Option<Target>,
    pub(super) host_header: Option<HeaderValue>,
    pub(super) keepalive: Option<u32>,
    pub(super) tls_name: Option<HostName>,
    pub(super) ca: Option<FilePath>,
}

/// How a container is found.
#[derive(Debug, Deserialize)]
pub(super) struct Detect {
    pub(super) external_port: u16,
}

/// Where requests are passed on to.
#[derive(Debug)]
pub(super) enum Servers {
    /// To these addresses in turn.
    Addresses(Vec<UpstreamAddress>),
    /// To whatever has a name in a network of Docker's: host and port.
    Container(String),
}

impl Upstream {
    /// Why connections to a container, which an nginx in another one looks up by name, cannot be kept. An `upstream`
    /// whose server has another name knows no address for the first moments after a reload, and one of a stack that is
    /// updated side by side has another name after each update.
    pub(super) fn unkept(&self, nginx: &Nginx) -> Option<&'static str> {
        if !nginx.has_resolved_servers() {
            return Some("only nginx 1.27.3 or later keeps them to what it looks up");
        }
        // A swarm replaces tasks behind one name.
        let is_rolling = |stack: &Stack| {
            stack.update.as_deref() == Some("rolling") && stack.engine.as_deref() != Some("swarm")
        };
        let rolls = self.stack.as_ref().is_some_and(is_rolling);
        rolls.then_some(
            "its stack has `update = \"rolling\"`, which leads nginx to other containers by another name",
        )
    }

    /// Where its requests are passed on to: its address, or where what it names is reached. `None` where files are
    /// made without the node's state, and it is not asked.
    pub(super) fn servers(&self, endpoints: &Endpoints) -> Option<Servers> {
        if let Some(address) = &self.address {
            return Some(Servers::Addresses(vec![address.clone()]));
        }
        match endpoints.get(self.target.as_ref()?)? {
            Reach::Name(name) => Some(Servers::Container(format!("{}:{}", name.host, name.port))),
            Reach::Ports(ports) => {
                let loopback = |port: &u16| UpstreamAddress::parse(&format!("127.0.0.1:{port}")).ok();
                Some(Servers::Addresses(ports.iter().filter_map(loopback).collect()))
            }
        }
    }
}

/// A stack, as an upstream refers to it.
#[derive(Debug, Deserialize)]
pub(super) struct Stack {
    pub(super) name: Arc<str>,
    update: Option<Arc<str>>,
    engine: Option<Arc<str>>,
    pub(super) tenant: Arc<str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Redirect {
    pub(super) to: RedirectTarget,
    pub(super) status: Option<u16>,
    pub(super) preserve_path: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Timeouts {
    pub(super) connect: Option<Duration>,
    pub(super) read: Option<Duration>,
    pub(super) send: Option<Duration>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RateLimit {
    pub(super) enabled: bool,
    pub(super) rate: Option<Rate>,
    pub(super) burst: Option<u32>,
    pub(super) key: RateKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RateKey {
    Client,
    Site,
}

#[derive(Debug, Deserialize)]
pub(super) struct Tls {
    pub(super) enabled: bool,
    pub(super) until_issued: UntilIssued,
    pub(super) certificate: Option<Certificate>,
}

/// What a site does while its certificate is not issued yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum UntilIssued {
    SelfSigned,
    Http,
    None,
}

#[derive(Debug, Deserialize)]
pub(super) struct Hsts {
    pub(super) enabled: bool,
    pub(super) max_age: Duration,
    pub(super) include_subdomains: bool,
    pub(super) preload: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Csp {
    pub(super) enabled: bool,
    pub(super) policy: Option<Policy>,
    pub(super) report_only: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct SecurityHeaders {
    pub(super) frame_options: Arc<str>,
    pub(super) content_type_options: bool,
    pub(super) referrer_policy: Arc<str>,
    pub(super) permissions_policy: Option<Policy>,
}
