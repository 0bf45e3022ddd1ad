//! Host names.

use super::Invalid;

super::text_type! {
    /// A host name (RFC 1123), kept in lower case as A-labels (RFC 5891).
    HostName, "host name", "a host name; international ones are accepted and stored as A-labels (`xn--…`)",
    ["shop.example.com", "münchen.example"], canonical
}

/// Whether a certificate's name is for a host (RFC 9525, section 6.3): itself, or one whole label in a wildcard's place.
pub fn covers(certified: &str, host: &str) -> bool {
    let wildcard = certified.strip_prefix("*.").zip(host.split_once('.'));
    certified.eq_ignore_ascii_case(host)
        || wildcard.is_some_and(|(parent, (_, rest))| parent.eq_ignore_ascii_case(rest))
}

fn canonical(text: &str) -> Result<String, Invalid> {
    if text.is_empty() {
        return Err(Invalid::new("is empty"));
    }
    if text.ends_with('.') {
        return Err(Invalid::new("ends in a dot").help("leave the dot at the end away"));
    }
    if let Some(bad) = text.chars().find(|char| is_dropped(*char)) {
        return Err(Invalid::new(format!("contains {bad:?}, which is not seen"))
            .help("write the name again by hand: it was copied with a character that is not seen"));
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

/// Whether a character is left out when a name is made one of A-labels (UTS 46, status `ignored`): the name that is kept
/// would not be the one that was written.
fn is_dropped(char: char) -> bool {
    !char.is_ascii() && idna::domain_to_ascii_strict(&format!("a{char}b")).is_ok_and(|ascii| ascii == "ab")
}

#[cfg(test)]
mod tests {
    use super::{HostName, covers};
    use crate::names::Text as _;

    #[test]
    fn no_character_is_left_out_in_silence() {
        for bad in ['\u{feff}', '\u{ad}', '\u{200b}', '\u{2060}', '\u{fe0f}', '\u{e0100}'] {
            for name in [format!("{bad}a.example.com"), format!("a.exam{bad}ple.com"), format!("a{bad}.com")]
            {
                let reason = HostName::parse(&name).map_err(|invalid| invalid.reason);
                assert_eq!(reason, Err(format!("contains {bad:?}, which is not seen")));
            }
        }
        for (name, kept) in
            [("MÜNCHEN.example", "xn--mnchen-3ya.example"), ("日本.example", "xn--wgv71a.example")]
        {
            assert_eq!(HostName::parse(name).map(|name| name.to_string()), Ok(kept.to_owned()));
        }
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let covered = |host| ["example.com", "*.Example.com"].iter().any(|certified| covers(certified, host));
        for host in ["example.com", "www.example.com"] {
            assert!(covered(host), "{host}");
        }
        for host in ["a.b.example.com", "example.org", "com", "localhost"] {
            assert!(!covered(host), "{host}");
        }
    }
}
