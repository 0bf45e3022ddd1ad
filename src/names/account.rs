//! Accounts of the operating system.

use super::{Invalid, one_line, only};

super::text_type! {
    /// The name of a user or group of the operating system.
    Account, "account", "a user or group of the node: lower-case letters, digits, `_` and `-`, up to 32",
    ["www-data", "nginx"], canonical
}

fn canonical(text: &str) -> Result<String, Invalid> {
    one_line(text, 32)?;
    if !text.starts_with(|first: char| first.is_ascii_lowercase() || first == '_') {
        return Err(Invalid::new("does not begin with a lower-case letter or `_`"));
    }
    let allowed =
        |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '_' | '-');
    only(text, allowed, "lower-case letters, digits, `_` and `-`")?;
    Ok(text.to_owned())
}
