//! Users and realms of HTTP basic authentication (RFC 7617).

use super::{Invalid, one_line};

super::text_type! {
    /// A user of HTTP basic authentication: the part before the first `:` of a line in a password file.
    UserName, "user name", "up to 64 bytes without `:` and control characters; not `#` in front, no space around it",
    ["alice", "ops@example.com"], user
}

super::text_type! {
    /// A realm: what a browser shows when it asks for a password. nginx writes it between quotes unescaped.
    Realm, "realm", "up to 128 bytes without `\"`, `\\`, `$` and control characters; not `off`",
    ["Staff only"], realm
}

fn user(text: &str) -> Result<String, Invalid> {
    one_line(text, 64)?;
    if text.contains(':') {
        return Err(Invalid::new("contains `:`, which ends a user name in a password file"));
    }
    if text.starts_with('#') {
        return Err(Invalid::new("begins with `#`, which makes a line of a password file a comment"));
    }
    if text.trim() != text {
        return Err(Invalid::new("has space around it"));
    }
    Ok(text.to_owned())
}

fn realm(text: &str) -> Result<String, Invalid> {
    one_line(text, 128)?;
    if let Some(bad) = text.chars().find(|char| matches!(char, '"' | '\\' | '$')) {
        return Err(Invalid::new(format!("contains `{bad}`, which nginx cannot write in a realm")));
    }
    if text == "off" {
        return Err(Invalid::new("is `off`, which would turn the password off"));
    }
    Ok(text.to_owned())
}
