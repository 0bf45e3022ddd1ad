//! CAA records, and what stands in them.

use std::fmt;

/// One CAA record (RFC 8659, section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaaRecord {
    /// The flags.
    pub flags: u8,
    /// The property: `issue`, `issuewild`, ….
    pub tag: String,
    /// Its value.
    pub value: String,
}

/// The CAA records that count for a name: those of the nearest name above it (or itself) that has any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaaSet {
    /// The name that has them; empty where none has.
    pub owner: String,
    /// The records.
    pub records: Vec<CaaRecord>,
}

impl fmt::Display for CaaRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"");
        write!(f, "{} {} \"{value}\"", self.flags, self.tag)
    }
}

impl CaaRecord {
    /// Whether who does not understand it must not issue. The lowest bit is taken for the highest, as authorities do:
    /// many set it by mistake.
    pub(super) fn is_critical(&self) -> bool {
        self.flags & 0b1000_0001 != 0
    }

    pub(super) fn is(&self, tag: &str) -> bool {
        self.tag.eq_ignore_ascii_case(tag)
    }
}

/// The value of `issue` and `issuewild` (RFC 8659, section 4.2).
pub(super) struct Issuer<'a> {
    /// Who may issue; empty: nobody.
    pub(super) domain: &'a str,
    pub(super) parameters: Vec<(&'a str, &'a str)>,
}

/// Reads a value; one that cannot be read allows nobody.
pub(super) fn issuer(value: &str) -> Option<Issuer<'_>> {
    let blank = |char| char == ' ' || char == '\t';
    let mut parts = value.split(';').map(|part| part.trim_matches(blank));
    let domain = parts.next().unwrap_or_default();
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    if !domain.chars().all(plain) {
        return None;
    }
    let parameters = parts.filter(|part| !part.is_empty()).map(|part| {
        let (tag, value) = part.split_once('=')?;
        Some((tag.trim_end_matches(blank), value.trim_start_matches(blank)))
    });
    Some(Issuer { domain, parameters: parameters.collect::<Option<_>>()? })
}
