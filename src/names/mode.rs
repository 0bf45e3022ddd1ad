//! Permission bits.

use super::Invalid;

super::text_type! {
    /// Permission bits of a directory in octal, kept with four digits. Others never write.
    DirectoryMode, "mode", "three or four octal digits; the owner may enter and others may not write",
    ["0750", "0711"], directory
}

impl DirectoryMode {
    /// The bits.
    pub fn bits(&self) -> u32 {
        u32::from_str_radix(super::Text::as_str(self), 8).unwrap_or(0o700)
    }
}

fn directory(text: &str) -> Result<String, Invalid> {
    let octal = text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let Some(bits) = u32::from_str_radix(text, 8).ok().filter(|_| octal && matches!(text.len(), 3 | 4))
    else {
        return Err(Invalid::new("is not three or four octal digits").help("write it as `\"0750\"`"));
    };
    if bits & 0o500 != 0o500 {
        return Err(Invalid::new("bars the owner from its own directory"));
    }
    if bits & 0o002 != 0 {
        return Err(Invalid::new("lets everybody write").help("`\"0775\"` lets the group write"));
    }
    if bits & 0o5000 != 0 {
        return Err(Invalid::new("has special bits that mean nothing on a directory of one tenant"));
    }
    Ok(format!("{bits:04o}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_a_directory_may_have() {
        for (text, canonical) in [("750", "0750"), ("0711", "0711"), ("2775", "2775")] {
            assert_eq!(directory(text), Ok(canonical.to_owned()));
        }
        for text in ["", "75", "0o750", "+750", "888", "0777", "0050", "4750", "1755", "07500"] {
            assert!(directory(text).is_err(), "{text}");
        }
    }
}
