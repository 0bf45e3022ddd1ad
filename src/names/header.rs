//! HTTP header names and values (RFC 9110, section 5).

use super::{Invalid, bounded, one_line, only};

super::text_type! {
    /// The name of an HTTP header field.
    HeaderName, "header name", "letters, digits and hyphens, up to 64", ["X-Robots-Tag"], name
}

super::text_type! {
    /// The value of an HTTP header field. It may use [`VARIABLES`] of nginx; any other `$` is refused, because nginx
    /// has no way to write one.
    HeaderValue, "header value",
    "up to 4096 bytes without control characters; `$` only in variables such as `$request_id`",
    ["noindex", "$request_id"], value
}

/// The variables of nginx that a header value may use: none of them names a file or a secret of another request.
pub const VARIABLES: &[&str] = &[
    "body_bytes_sent",
    "content_length",
    "content_type",
    "host",
    "hostname",
    "https",
    "msec",
    "remote_addr",
    "remote_port",
    "remote_user",
    "request_id",
    "request_length",
    "request_method",
    "request_time",
    "request_uri",
    "scheme",
    "server_name",
    "server_port",
    "server_protocol",
    "ssl_cipher",
    "ssl_protocol",
    "ssl_server_name",
    "status",
    "time_iso8601",
    "upstream_cache_status",
    "upstream_response_time",
    "upstream_status",
    "uri",
];

fn name(text: &str) -> Result<String, Invalid> {
    one_line(text, 64)?;
    only(text, |char| char.is_ascii_alphanumeric() || char == '-', "letters, digits and hyphens")?;
    Ok(text.to_owned())
}

fn value(text: &str) -> Result<String, Invalid> {
    bounded(text, 4096)?;
    if let Some(bad) = text.chars().find(|char| char.is_control() && *char != '\t') {
        return Err(Invalid::new(format!("contains the control character {bad:?}")));
    }
    if text.trim() != text {
        return Err(Invalid::new("has space around it, which HTTP drops"));
    }
    variables(text)?;
    Ok(text.to_owned())
}

fn variables(text: &str) -> Result<(), Invalid> {
    let known = |name: &str| VARIABLES.contains(&name);
    for (at, _) in text.match_indices('$') {
        let rest = &text[at + 1..];
        let (name, shown) = match rest.strip_prefix('{') {
            Some(braced) => {
                let end = braced.find('}').unwrap_or(braced.len());
                (&braced[..end], &text[at..(at + end + 3).min(text.len())])
            }
            None => {
                let end = rest
                    .find(|char: char| !(char.is_ascii_alphanumeric() || char == '_'))
                    .unwrap_or(rest.len());
                (&rest[..end], &text[at..=at + end])
            }
        };
        let closed = !rest.starts_with('{') || rest.contains('}');
        if !closed || !known(name) {
            return Err(Invalid::new(format!(
                "contains `{shown}`, which is no variable that nginx may use here, and nginx cannot write a plain `$`"
            ))
            .help(format!("use one of `${}`", VARIABLES.join("`, `$"))));
        }
    }
    Ok(())
}
