//! Targets of redirects.

use super::{HostName, Invalid, Text, one_line, only};

super::text_type! {
    /// Where a redirect leads: an absolute URL of `http` or `https`, or a path on the same host (RFC 3986).
    RedirectTarget, "redirect target", "a URL such as `https://example.com/new`, or a path such as `/new`; up to 2048 bytes",
    ["https://example.com", "/new"], canonical
}

fn canonical(text: &str) -> Result<String, Invalid> {
    one_line(text, 2048)?;
    let allowed = |char: char| char.is_ascii_alphanumeric() || "-._~:/?#[]@!&'()*+,;=%".contains(char);
    only(text, allowed, "the characters of a URL, without `$`")
        .map_err(|invalid| invalid.help("write other characters percent-encoded"))?;
    if text.starts_with('/') {
        if text.starts_with("//") {
            return Err(Invalid::new("begins with `//`, which browsers take for another host"));
        }
        return Ok(text.to_owned());
    }
    let Some((scheme @ ("http" | "https"), rest)) = text.split_once("://") else {
        return Err(Invalid::new("is neither an `http` or `https` URL nor a path")
            .help(format!("did you mean `https://{text}`?")));
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err(Invalid::new("has a user"));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inside) => match inside.parse::<std::net::Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => return Err(Invalid::new("has no IPv6 address between its brackets")),
        },
        None => match host.parse::<std::net::Ipv4Addr>() {
            Ok(address) => address.to_string(),
            Err(_) => HostName::parse(host)
                .map_err(|invalid| Invalid::new(format!("has a host that {}", invalid.reason)))?
                .as_str()
                .to_owned(),
        },
    };
    match port {
        None => Ok(format!("{scheme}://{host}{path}")),
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(format!("{scheme}://{host}:{port}{path}")),
            _ => Err(Invalid::new(format!("has the port {port:?}"))),
        },
    }
}
