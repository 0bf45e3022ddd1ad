//! Published ports, short and long.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::node::{Node, Text, Value};
use crate::diag::{Diagnostic, Span};

/// One entry of `ports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The address of the node that it is published on, as written; none for all of them.
    pub address: Option<Text>,
    /// The ports of the node; none for any that is free.
    pub published: Option<RangeInclusive<u16>>,
    /// The ports of the container.
    pub target: RangeInclusive<u16>,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Where it stands.
    pub span: Span,
}

impl Port {
    /// Whether only the node itself can reach it.
    pub fn is_loopback(&self) -> bool {
        let address =
            self.address.as_ref().map(|text| text.text.trim_start_matches('[').trim_end_matches(']'));
        address
            .and_then(|address| address.parse::<IpAddr>().ok())
            .is_some_and(|address| address.is_loopback())
    }

    /// As the short form writes it.
    pub fn short(&self) -> String {
        let range = |range: &RangeInclusive<u16>| {
            if range.start() == range.end() {
                range.start().to_string()
            } else {
                format!("{}-{}", range.start(), range.end())
            }
        };
        let address = self.address.as_ref().map_or(String::new(), |address| format!("{}:", address.shown()));
        let published = self.published.as_ref().map_or(String::new(), |ports| format!("{}:", range(ports)));
        format!("{address}{published}{}/{}", range(&self.target), self.protocol)
    }
}

/// What makes two entries one: address, both ports, protocol.
pub(super) fn identity(node: &Node) -> Option<String> {
    match read(node) {
        Ok(port) => {
            let address = port.address.as_ref().map_or("0.0.0.0", |text| &*text.text);
            Some(format!("{address}:{:?}:{:?}/{}", port.published, port.target, port.protocol))
        }
        Err(_) => node.text().map(|text| text.text.to_string()),
    }
}

fn wrong(at: Span, why: impl Into<String>) -> Diagnostic {
    Diagnostic::error(why)
        .code("compose_ports")
        .at(at)
        .help("write it as `\"127.0.0.1:8080:80\"`: address, port of the node, port of the container")
}

/// Decimal digits alone: `0xCEA` and `06352` are ports to some readers of YAML and texts to others.
fn number(text: &str) -> Option<u16> {
    let decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| decimal && (text == "0" || !text.starts_with('0')))
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (start, end) = text.split_once('-').unwrap_or((text, text));
    let (start, end) = (number(start)?, number(end)?);
    (start <= end).then_some(start..=end)
}

/// Reads one entry.
pub(super) fn read(node: &Node) -> Result<Port, Diagnostic> {
    match &node.value {
        Value::Text(text) => short(text),
        Value::Map(_) => long(node),
        _ => Err(wrong(node.span, "a port is a text or a mapping")),
    }
}

fn protocol(text: Option<&str>, at: Span) -> Result<String, Diagnostic> {
    let text = text.unwrap_or("tcp").to_ascii_lowercase();
    match text.as_str() {
        "tcp" | "udp" | "sctp" => Ok(text),
        _ => Err(wrong(at, "the protocol is not `tcp` or `udp`")),
    }
}

fn short(text: &Text) -> Result<Port, Diagnostic> {
    let whole = &*text.text;
    let sixty = |part: &str| part.len() <= 2 && part.parse::<u8>().is_ok_and(|part| part < 60);
    let mut parts = whole.split(':');
    let first = parts.next().is_some_and(|part| number(part).is_some());
    if text.plain && first && whole.contains(':') && parts.all(sixty) {
        return Err(wrong(text.span, "without quotes this is a number of base 60 to some readers of YAML")
            .help("put it into quotes"));
    }
    let (ports, protocol_of) = match whole.split_once('/') {
        Some((ports, protocol)) => (ports, Some(protocol)),
        None => (whole, None),
    };
    let protocol = protocol(protocol_of, text.span)?;
    let (before, target) = match ports.rsplit_once(':') {
        Some((before, target)) => (Some(before), target),
        None => (None, ports),
    };
    let (address, published) = match before {
        None => (None, None),
        Some(before) => match before.rsplit_once(':') {
            Some((address, published)) => (Some(address), Some(published)),
            None => (None, Some(before)),
        },
    };
    let invalid = || wrong(text.span, "this is not a port");
    let target = range(target).ok_or_else(invalid)?;
    let published = match published {
        None | Some("") => None,
        Some(published) => Some(range(published).ok_or_else(invalid)?).filter(|ports| *ports != (0..=0)),
    };
    let fits = |ports: &RangeInclusive<u16>| ports.len() == target.len() || target.len() == 1;
    if published.as_ref().is_some_and(|ports| !fits(ports)) {
        return Err(wrong(text.span, "the two ranges of ports are not equally long"));
    }
    let address = address.map(|address| address.trim_start_matches('[').trim_end_matches(']'));
    if address.is_some_and(|address| address.parse::<IpAddr>().is_err()) {
        return Err(wrong(text.span, "the address of a port is an IP address"));
    }
    Ok(Port {
        address: address.map(|address| text.with(address)),
        published,
        target,
        protocol,
        span: text.span,
    })
}

fn long(node: &Node) -> Result<Port, Diagnostic> {
    let Some(target) = node.text_of("target") else {
        return Err(wrong(node.span, "the port has no `target`"));
    };
    let invalid = |text: &Text| wrong(text.span, "this is not a port");
    let targets = number(&target.text).map(|port| port..=port).ok_or_else(|| invalid(target))?;
    let published = match node.text_of("published") {
        None => None,
        Some(text) if text.text.is_empty() => None,
        Some(text) => Some(range(&text.text).ok_or_else(|| invalid(text))?).filter(|ports| *ports != (0..=0)),
    };
    let protocol = protocol(node.text_of("protocol").map(|text| &*text.text), node.span)?;
    let address = node.text_of("host_ip").filter(|text| !text.text.is_empty());
    if let Some(address) = address
        && address.text.parse::<IpAddr>().is_err()
    {
        return Err(wrong(address.span, "the address of a port is an IP address"));
    }
    Ok(Port { address: address.cloned(), published, target: targets, protocol, span: node.span })
}
