//! Addresses of networks, resolvers and upstreams.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use super::{FilePath, HostName, Invalid, Text, one_line};

super::text_type! {
    /// An IP address or a range of them in CIDR notation (RFC 4632), host bits zero.
    AddressRange, "address range", "an IP address or a range such as `10.0.0.0/8`",
    ["10.0.0.0/8", "2001:db8::/32", "203.0.113.7"], range
}

super::text_type! {
    /// The address of a DNS resolver, with an optional port.
    ResolverAddress, "resolver", "an IP address with an optional port, such as `127.0.0.53` or `[::1]:5353`",
    ["127.0.0.53", "[2001:db8::53]:53"], resolver
}

super::text_type! {
    /// Where requests are passed on to: `http://host:port`, `https://host:port` or `unix:/path`.
    UpstreamAddress, "upstream address",
    "`host:port`, `http://host:port`, `https://host` or `unix:/path/to.sock`; without a path",
    ["127.0.0.1:3000", "https://api.example.com", "unix:/run/app.sock"], upstream
}

/// What the names end in that vsa gives to services. Names below `.internal` are private (ICANN, 2024): no name server
/// of the world answers for them.
pub const INTERNAL_DOMAIN: &str = "vsa.internal";

/// The protocol that an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamScheme {
    /// HTTP over TCP or a Unix socket.
    Http,
    /// HTTP over TLS.
    Https,
}

impl AddressRange {
    /// Whether all of another one lies in it.
    pub fn contains(&self, other: &Self) -> bool {
        let net = |range: &Self| {
            let text = range.as_str();
            text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()
        };
        net(self).zip(net(other)).is_some_and(|(own, other)| own.contains(&other))
    }
}

impl UpstreamAddress {
    /// The protocol.
    pub fn scheme(&self) -> UpstreamScheme {
        if self.as_str().starts_with("https://") { UpstreamScheme::Https } else { UpstreamScheme::Http }
    }

    /// What stands behind the scheme: `127.0.0.1:3000`, `unix:/run/app.sock`.
    pub fn authority(&self) -> &str {
        self.as_str().split_once("://").map_or(self.as_str(), |(_, authority)| authority)
    }

    /// The host without its port; empty for a Unix socket.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        if authority.starts_with("unix:") {
            return "";
        }
        match authority.find(']') {
            Some(end) => &authority[..=end],
            None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
        }
    }

    /// The port: that of the scheme where none is said; `None` of a Unix socket.
    pub fn port(&self) -> Option<u16> {
        let authority = self.authority();
        if authority.starts_with("unix:") {
            return None;
        }
        let said = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        Some(said.unwrap_or(match self.scheme() {
            UpstreamScheme::Http => 80,
            UpstreamScheme::Https => 443,
        }))
    }

    /// Whether the host is a name that has to be looked up; `localhost` is in every node's hosts file.
    pub fn is_name(&self) -> bool {
        let host = self.host();
        !host.is_empty() && !host.starts_with('[') && host.parse::<IpAddr>().is_err() && host != "localhost"
    }
}

fn range(text: &str) -> Result<String, Invalid> {
    one_line(text, 64)?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let range = text
        .parse::<IpNet>()
        .map_err(|_| Invalid::new("is not an IP address or a range such as `10.0.0.0/8`"))?;
    let canonical = range.trunc();
    if range.addr() != canonical.addr() {
        return Err(
            Invalid::new("has bits set behind its prefix").help(format!("did you mean `{canonical}`?"))
        );
    }
    if canonical.prefix_len() == canonical.max_prefix_len() {
        return Ok(canonical.addr().to_string());
    }
    Ok(canonical.to_string())
}

pub(super) fn port(text: &str) -> Result<u16, Invalid> {
    let digits = !text.is_empty() && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err(Invalid::new(format!("has the port {text:?}, not a number from 1 to 65535"))),
    }
}

/// An IPv6 address in brackets at the front, and what follows.
pub(super) fn bracketed(text: &str) -> Result<Option<(Ipv6Addr, &str)>, Invalid> {
    let Some(rest) = text.strip_prefix('[') else { return Ok(None) };
    let parsed = rest.split_once(']').and_then(|(inside, rest)| Some((inside.parse().ok()?, rest)));
    parsed.map(Some).ok_or_else(|| Invalid::new("has no IPv6 address between its brackets"))
}

fn resolver(text: &str) -> Result<String, Invalid> {
    one_line(text, 64)?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        });
    }
    let (address, rest) = match bracketed(text)? {
        Some((address, rest)) => (format!("[{address}]"), rest.strip_prefix(':')),
        None => {
            let (address, port) = text.split_once(':').unwrap_or((text, ""));
            let address: std::net::Ipv4Addr = address.parse().map_err(|_| {
                Invalid::new("is not an IP address").help("a resolver is given by its address, not by a name")
            })?;
            (address.to_string(), Some(port))
        }
    };
    match rest {
        None | Some("") => Ok(address),
        Some(number) => Ok(format!("{address}:{}", port(number)?)),
    }
}

fn upstream(text: &str) -> Result<String, Invalid> {
    one_line(text, 512)?;
    let bare = text.strip_prefix("http://").unwrap_or(text);
    if let Some(path) = bare.strip_prefix("unix:") {
        let path = FilePath::parse(path)?;
        if !path.is_absolute() {
            return Err(Invalid::new("has a relative path").help("write `unix:/run/app.sock`"));
        }
        if path.as_str().contains(':') || path.as_str().len() > 107 {
            return Err(Invalid::new("has a path that no Unix socket can have"));
        }
        return Ok(format!("http://unix:{path}"));
    }
    let (scheme, authority, default) = match text.split_once("://") {
        None => ("http", text, None),
        Some(("http", authority)) => ("http", authority, Some(80)),
        Some(("https", authority)) => ("https", authority, Some(443)),
        Some((other, _)) => {
            return Err(Invalid::new(format!("has the scheme {other:?}"))
                .help("`http://`, `https://` and `unix:` are supported"));
        }
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains(['/', '?', '#']) {
        return Err(
            Invalid::new("has a path").help("give host and port only; paths are passed on as they are")
        );
    }
    if authority.contains('@') {
        return Err(Invalid::new("has a user").help("send credentials with `proxy_headers`"));
    }
    let (host, number) = match bracketed(authority)? {
        Some((address, rest)) => (format!("[{address}]"), rest.strip_prefix(':')),
        None => {
            let (host, number) = match authority.split_once(':') {
                Some((host, number)) => (host, Some(number)),
                None => (authority, None),
            };
            let host = match host.parse::<IpAddr>() {
                Ok(address) => address.to_string(),
                Err(_) => host_name(host)?,
            };
            (host, number)
        }
    };
    match (number, default) {
        (Some(number), _) => Ok(format!("{scheme}://{host}:{}", port(number)?)),
        (None, Some(default)) => Ok(format!("{scheme}://{host}:{default}")),
        (None, None) => Err(Invalid::new("has no port").help(format!("write `{host}:3000`"))),
    }
}

/// A host name, or a name as Docker gives to containers, with `_` inside.
fn host_name(text: &str) -> Result<String, Invalid> {
    let plain = text.replace('_', "-");
    let name = HostName::parse(&plain)?;
    if text.contains('_') {
        if !text.is_ascii() || text.starts_with('_') {
            return Err(Invalid::new("is not a host name"));
        }
        return Ok(text.to_ascii_lowercase());
    }
    Ok(name.as_str().to_owned())
}
