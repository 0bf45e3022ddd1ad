//! Free texts.

use super::{Invalid, bounded, one_line};

super::text_type! {
    /// One word of a command: a program or an argument, as it is given to it. No shell reads it.
    CommandWord, "word of a command", "one line of up to 4096 bytes", ["/usr/local/bin/dns-hook"], word
}

super::text_type! {
    /// A name for people, on one line.
    DisplayName, "name", "one line of up to 128 bytes", ["Acme Ltd"], display
}

super::text_type! {
    /// A piece of nginx configuration, as text; the kinds check its grammar and its directives.
    Snippet, "nginx snippet", "directives of nginx, up to 16384 bytes", ["proxy_buffering off;"], snippet
}

fn display(text: &str) -> Result<String, Invalid> {
    one_line(text, 128)?;
    if text.trim() != text {
        return Err(Invalid::new("has space around it"));
    }
    Ok(text.to_owned())
}

fn snippet(text: &str) -> Result<String, Invalid> {
    bounded(text, 16_384)?;
    let text = text.replace("\r\n", "\n");
    if let Some(bad) = text.chars().find(|char| char.is_control() && !matches!(char, '\n' | '\t')) {
        return Err(Invalid::new(format!("contains the control character {bad:?}")));
    }
    Ok(text.trim().to_owned())
}

fn word(text: &str) -> Result<String, Invalid> {
    one_line(text, 4096)?;
    Ok(text.to_owned())
}
