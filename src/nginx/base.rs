//! What all sites of a node share: zones, security headers, headers of requests, listen addresses.

use sha2::{Digest as _, Sha256};

use super::param::Param;
use crate::template::View;

/// The formats of access logs, by what follows `vsa_` in their names in `base/variables.conf`, with what each is.
pub const LOG_FORMATS: &[(&str, &str)] = &[
    ("combined", "the usual line, with the site, the time taken and the request's id"),
    ("json", "one JSON object a line"),
];

/// A zone of `limit_req`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone<'a> {
    /// What it counts for, in its name.
    pub name: &'a str,
    /// What requests are counted by: a variable.
    pub key: &'static str,
    /// Its memory.
    pub size: &'static str,
    /// Requests in a time.
    pub rate: &'a str,
}

/// What every site is limited to unless it says otherwise.
pub const CLIENT_ZONE: Zone<'static> = Zone { name: "client", key: BY_CLIENT, size: "10m", rate: "50r/s" };

/// What places with a password are limited to: each request costs a bcrypt check in the worker.
pub const PASSWORD_ZONE: Zone<'static> =
    Zone { name: "password", key: BY_CLIENT, size: "10m", rate: "10r/s" };

/// Counts by the client's address.
pub const BY_CLIENT: &str = "$binary_remote_addr";
/// Counts all requests to a site together.
pub const BY_SITE: &str = "$server_name";

impl Zone<'_> {
    /// Its name in nginx: nginx keeps the old configuration when a zone of one name changes its key or size, so the
    /// name changes with them.
    pub fn id(&self) -> String {
        let word: String =
            self.name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
        format!("vsa_{word}_{}", name_hash(&[self.name, self.key, self.size, self.rate]))
    }

    /// For a template.
    pub fn view(&self) -> View {
        View::new()
            .with("name", Param::bare(self.id()))
            .with("key", Param::fixed(if self.key == BY_SITE { BY_SITE } else { BY_CLIENT }))
            .with("size", Param::fixed(self.size))
            .with("rate", Param::bare(self.rate))
    }
}

/// How many digits of base 36 hold 64 bits.
const DIGITS: usize = 13;

/// The part of a name that tells it from all others of the node: 64 bits that change with any of `parts`. Two equal ones
/// would be one upstream, zone or variable for two sites. It is as short as that allows, in letters of one case, which
/// nginx does not tell apart in variables: its table of variables takes few long names on a host that does not
/// enlarge it.
pub fn name_hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let mut left = hash.finalize().iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let mut name = String::with_capacity(DIGITS);
    for _ in 0..DIGITS {
        name.extend(u32::try_from(left % 36).ok().and_then(|digit| char::from_digit(digit, 36)));
        left /= 36;
    }
    name
}

/// A security header that every site sends by default, unless its upstream sets one itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecurityHeader {
    /// Its name.
    pub name: &'static str,
    /// What the map looks at.
    pub source: &'static str,
    /// What `source` is when vsa's header is wanted.
    pub from: &'static str,
    /// The variable of the map.
    pub variable: &'static str,
    /// Its default value.
    pub value: &'static str,
}

/// Strict transport security (RFC 6797): over TLS only, one year.
pub const HSTS: SecurityHeader = SecurityHeader {
    name: "Strict-Transport-Security",
    source: "$https:$upstream_http_strict_transport_security",
    from: "on:",
    variable: "$vsa_hsts",
    value: "max-age=31536000",
};

/// The security headers of `base/security_headers.conf`.
pub const SECURITY_HEADERS: [SecurityHeader; 4] = [
    SecurityHeader {
        name: "X-Frame-Options",
        source: "$upstream_http_x_frame_options",
        from: "",
        variable: "$vsa_x_frame_options",
        value: "DENY",
    },
    SecurityHeader {
        name: "X-Content-Type-Options",
        source: "$upstream_http_x_content_type_options",
        from: "",
        variable: "$vsa_x_content_type_options",
        value: "nosniff",
    },
    SecurityHeader {
        name: "Referrer-Policy",
        source: "$upstream_http_referrer_policy",
        from: "",
        variable: "$vsa_referrer_policy",
        value: "strict-origin-when-cross-origin",
    },
    SecurityHeader {
        name: "Content-Security-Policy",
        source: "$upstream_http_content_security_policy",
        from: "",
        variable: "$vsa_content_security_policy",
        value: "base-uri 'self'; object-src 'none'; frame-ancestors 'none'",
    },
];

impl SecurityHeader {
    /// For a template.
    pub fn view(&self) -> View {
        View::new()
            .with("name", Param::fixed(self.name))
            .with("source", Param::fixed(self.source))
            .with("from", Param::literal(self.from))
            .with("variable", Param::fixed(self.variable))
            .with("value", Param::literal(self.value))
    }
}

/// What an upstream learns of the client. A client's own claims are overwritten; an empty value removes a header.
pub const PROXY_HEADERS: [(&str, &str); 16] = [
    ("X-Real-IP", "$remote_addr"),
    ("X-Forwarded-For", "$remote_addr"),
    ("X-Forwarded-Proto", "$scheme"),
    ("X-Forwarded-Host", "$host$vsa_port"),
    ("X-Forwarded-Port", "$server_port"),
    ("X-Request-Id", "$request_id"),
    ("Forwarded", ""),
    ("Proxy", ""),
    ("X-Client-IP", ""),
    ("X-Forwarded-Prefix", ""),
    ("X-Forwarded-Scheme", ""),
    ("X-Forwarded-Server", ""),
    ("X-Forwarded-Ssl", ""),
    // Frameworks take these for the path: past the password of a location.
    ("X-Original-Host", ""),
    ("X-Original-URL", ""),
    ("X-Rewrite-URL", ""),
];

/// What `listen` takes for a port: on all IPv4 addresses, and on all IPv6 addresses.
pub fn listens(port: u16, ipv6: bool) -> Vec<Param> {
    let mut listens = vec![Param::bare(port.to_string())];
    if ipv6 {
        listens.push(Param::bare(format!("[::]:{port}")));
    }
    listens
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_of_very_many_names_are_equal() {
        let names: HashSet<_> =
            (0..150_000).map(|site| name_hash(&[&format!("s{site}.example.com"), "0"])).collect();
        assert_eq!(names.len(), 150_000);
        assert_ne!(name_hash(&["ab", "c"]), name_hash(&["a", "bc"]));
    }
}
