//! Labels of resources.

use super::Invalid;

super::text_type! {
    /// The label of a resource other than a domain: `[a-z][a-z0-9-]{0,31}`. It names directories and files.
    Slug, "label", "a lower-case letter, then up to 31 lower-case letters, digits and hyphens", ["shop", "acme-2"], canonical
}

pub(super) fn canonical(text: &str) -> Result<String, Invalid> {
    let mut bytes = text.bytes();
    let first = bytes.next().ok_or_else(|| Invalid::new("is empty"))?;
    if !first.is_ascii_lowercase() {
        return Err(Invalid::new("does not begin with a lower-case letter"));
    }
    if let Some(bad) =
        text.chars().find(|char| !(char.is_ascii_lowercase() || char.is_ascii_digit() || *char == '-'))
    {
        return Err(Invalid::new(format!(
            "contains {bad:?}; only lower-case letters, digits and hyphens may stand in it"
        )));
    }
    if text.len() > 32 {
        return Err(Invalid::new(format!("has {} characters, 32 at most", text.len())));
    }
    Ok(text.to_owned())
}
