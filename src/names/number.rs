//! Numbers that count generations, issues and writes, in documents and as names of directories.

/// The highest number that is counted to: the last whole number that every reader of JSON reads exactly (RFC 8259,
/// section 6). No history reaches it, so that counting on from it cannot overflow.
pub const MOST_COUNTED: u64 = (1 << 53) - 1;

/// The number that a directory of this name has; nothing where vsa would not have named it so.
pub fn number(name: &str) -> Option<u64> {
    let number = name.parse().ok().filter(|number| (1..=MOST_COUNTED).contains(number))?;
    (number.to_string() == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_vsa_writes_them() {
        assert_eq!(number("7"), Some(7));
        assert_eq!(number("9007199254740991"), Some(MOST_COUNTED));
        for other in ["", "0", "007", "+7", "-7", "7 ", "9007199254740992", "9223372036854775807", "1e3"] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
