//! Host names.

use super::Invalid;

super::text_type! {
    /// A host name (RFC 1123), kept in lower case as A-labels (RFC 5891).
    HostName, "host name", "a host name; international ones are accepted and stored as A-labels (`xn--…`)",
    ["shop.example.com", "münchen.example"], canonical
}

fn canonical(text: &str) -> Result<String, Invalid> {
    if text.is_empty() {
        return Err(Invalid::new("is empty"));
    }
    if text.ends_with('.') {
        return Err(Invalid::new("ends in a dot").help("leave the dot at the end away"));
    }
    let ascii = idna::domain_to_ascii_strict(text).map_err(|_| {
        Invalid::new("is not a host name")
            .help("write it as `shop.example.com`, without scheme, port or path")
    })?;
    if ascii.len() > 253 {
        return Err(Invalid::new(format!("has {} characters, 253 at most", ascii.len())));
    }
    if ascii.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(Invalid::new("is an address, not a host name"));
    }
    Ok(ascii)
}
