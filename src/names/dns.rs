//! Names in the DNS that are not of hosts, and its servers.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{HostName, Invalid, Text as _, one_line, only};

super::text_type! {
    /// A name in the DNS (RFC 1035), kept in lower case and without the dot at its end. Unlike a host's it may hold
    /// underscores (RFC 8552).
    DomainName, "domain name", "a name in the DNS such as `example.com` or `_acme-challenge.example.com`",
    ["example.com", "_acme-challenge.example.com"], domain
}

super::text_type! {
    /// A DNS server by name or address, with a port: 53 where none is said.
    NameServer, "name server", "a host name or an IP address with an optional port, such as `ns1.example.com` or `[2001:db8::53]:5353`",
    ["ns1.example.com:53", "192.0.2.53:53"], server
}

impl NameServer {
    /// The host without brackets.
    pub fn host(&self) -> &str {
        let host = self.as_str().rsplit_once(':').map_or(self.as_str(), |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.as_str().rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(53)
    }
}

fn domain(text: &str) -> Result<String, Invalid> {
    one_line(text, 254)?;
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    only(
        &name,
        |char| char.is_ascii_alphanumeric() || "-_.".contains(char),
        "letters, digits, `-`, `_` and `.`",
    )?;
    if name.len() > 253 {
        return Err(Invalid::new(format!("has {} characters, 253 at most", name.len())));
    }
    match name.split('.').find(|label| label.is_empty() || label.len() > 63) {
        Some("") => Err(Invalid::new("has an empty label")),
        Some(label) => {
            Err(Invalid::new(format!("has the label `{label}`, which is longer than 63 characters")))
        }
        None => Ok(name),
    }
}

fn server(text: &str) -> Result<String, Invalid> {
    one_line(text, 300)?;
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Ok(format!("[{address}]:53"));
    }
    if let Some((address, rest)) = super::network::bracketed(text)? {
        let port =
            if rest.is_empty() { 53 } else { super::network::port(rest.strip_prefix(':').unwrap_or(rest))? };
        return Ok(format!("[{address}]:{port}"));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, super::network::port(port)?),
        None => (text, 53),
    };
    match host.parse::<Ipv4Addr>() {
        Ok(address) => Ok(format!("{address}:{port}")),
        Err(_) => Ok(format!("{}:{port}", HostName::parse(host)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Text as _;
    use super::{DomainName, NameServer};

    #[test]
    fn a_name_server_has_a_host_and_a_port() {
        for (text, host, port) in [
            ("ns1.example.com", "ns1.example.com", 53),
            ("NS1.example.com:5353", "ns1.example.com", 5353),
            ("192.0.2.53", "192.0.2.53", 53),
            ("192.0.2.53:8053", "192.0.2.53", 8053),
            ("2001:db8::53", "2001:db8::53", 53),
            ("[2001:db8::53]", "2001:db8::53", 53),
            ("[2001:db8::53]:8053", "2001:db8::53", 8053),
        ] {
            let server = NameServer::parse(text).unwrap();
            assert_eq!((server.host(), server.port()), (host, port), "{text}");
        }
        for bad in
            ["", "ns1.example.com:0", "ns1.example.com:x", "[192.0.2.1]", "a b", "https://ns1.example.com"]
        {
            assert!(NameServer::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_may_have_underscores() {
        let name = |text: &str| {
            DomainName::parse(text).map(|name| name.to_string()).map_err(|invalid| invalid.reason)
        };
        assert_eq!(name("_ACME-challenge.Example.com."), Ok("_acme-challenge.example.com".to_owned()));
        for bad in ["", ".", "a..b", "a b", "*.example.com", "é.example"] {
            assert!(name(bad).is_err(), "{bad}");
        }
        assert!(name(&"a".repeat(64)).is_err());
        assert!(name(&["a"; 128].join(".")).is_err());
    }
}
