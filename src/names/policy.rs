//! Values of security headers with a grammar of their own.

use super::{Invalid, one_line, only};

super::text_type! {
    /// A `Content-Security-Policy` or `Permissions-Policy`: printable ASCII without `$` and `\`.
    Policy, "policy", "printable ASCII without `$` and `\\`, up to 4096 bytes",
    ["default-src 'self'; img-src *", "camera=(), microphone=()"], canonical
}

fn canonical(text: &str) -> Result<String, Invalid> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line(&text, 4096)?;
    only(
        &text,
        |char| matches!(char, ' '..='~') && !matches!(char, '$' | '\\'),
        "printable ASCII without `$` and `\\`",
    )?;
    Ok(text)
}
