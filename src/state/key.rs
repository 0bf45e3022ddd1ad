//! The key of a state: what fingerprints and salts are made with. Pure; its file is `store`'s.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::address::Address;
use crate::digest::hex;

/// The length of a key in bytes.
pub const KEY_LENGTH: usize = 32;

/// The block of HMAC-SHA256, to which RFC 2104 fills a shorter key up with zeros.
const BLOCK: usize = 64;

/// The key of a state. Wiped from memory when dropped, never shown by `Debug`.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; BLOCK]>);

/// A text that is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKey;

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key is {} hexadecimal digits", KEY_LENGTH * 2)
    }
}

impl std::error::Error for InvalidKey {}

impl Key {
    /// A key of these bytes.
    pub fn new(bytes: &[u8; KEY_LENGTH]) -> Self {
        let mut block = Zeroizing::new([0; BLOCK]);
        block[..KEY_LENGTH].copy_from_slice(bytes);
        Self(block)
    }

    /// Reads the hexadecimal form; white space around it does not matter.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let digits = text.trim().as_bytes();
        if digits.len() != KEY_LENGTH * 2 {
            return Err(InvalidKey);
        }
        let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self::new(&bytes))
    }

    /// The hexadecimal form, for the one file that holds it.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex(&self.0[..KEY_LENGTH]))
    }

    /// What tells this key from another one, and nothing about either.
    pub fn fingerprint_of_itself(&self) -> String {
        hex(&self.mac("key", &[])[..8])
    }

    /// What stands for a sensitive value where the value must not: equal for equal values at one place, and telling
    /// nothing to somebody without the key. `path` is the attribute or file that holds the value.
    pub fn fingerprint(&self, address: &Address, path: &str, value: &str) -> String {
        hex(&self.mac("fingerprint", &[&address.to_string(), path, value])[..16])
    }

    /// The salt of a password's bcrypt hash, so that the same password is hashed to the same text again.
    pub fn salt(&self, address: &Address, user: &str, password: &str) -> [u8; 16] {
        let mac = self.mac("salt", &[&address.to_string(), user, password]);
        let mut salt = [0; 16];
        salt.copy_from_slice(&mac[..16]);
        salt
    }

    /// HMAC-SHA256 (RFC 2104) over the purpose and the parts, each with its length before it, so that no two lists
    /// of parts are one message.
    fn mac(&self, purpose: &str, parts: &[&str]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new((&*self.0).into());
        for part in std::iter::once(&purpose).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(key)")
    }
}

fn nibble(digit: u8) -> Result<u8, InvalidKey> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(InvalidKey),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new(&[7; KEY_LENGTH])
    }

    #[test]
    fn reads_what_it_writes() {
        let hex = key().to_hex();
        assert_eq!(hex.len(), 64);
        assert_eq!(*Key::parse(&format!("{}\n", *hex)).unwrap().to_hex(), *hex);
        for bad in ["", "07", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(Key::parse(bad).unwrap_err(), InvalidKey);
        }
    }

    #[test]
    fn fingerprints_tell_places_and_keys_apart() {
        let auth = Address::new("auth", "staff");
        let one = key().fingerprint(&auth, "user.alice.password", "secret");
        assert_eq!(one, key().fingerprint(&auth, "user.alice.password", "secret"));
        assert_ne!(one, key().fingerprint(&auth, "user.bob.password", "secret"));
        assert_ne!(one, key().fingerprint(&auth, "user.alice.password", "secret2"));
        assert_ne!(one, key().fingerprint(&Address::new("auth", "other"), "user.alice.password", "secret"));
        assert_ne!(one, Key::new(&[8; KEY_LENGTH]).fingerprint(&auth, "user.alice.password", "secret"));
        assert_ne!(key().fingerprint(&auth, "ab", "c"), key().fingerprint(&auth, "a", "bc"));
    }

    #[test]
    fn keys_are_told_apart() {
        assert_eq!(key().fingerprint_of_itself(), key().fingerprint_of_itself());
        assert_ne!(key().fingerprint_of_itself(), Key::new(&[8; KEY_LENGTH]).fingerprint_of_itself());
    }

    #[test]
    fn never_shows_itself() {
        assert_eq!(format!("{:?}", key()), "(key)");
    }

    #[test]
    fn is_hmac_sha256() {
        // RFC 4231, test case 2, through the same construction.
        let mut block = [0; BLOCK];
        block[..4].copy_from_slice(b"Jefe");
        let mut mac = Hmac::<Sha256>::new((&block).into());
        mac.update(b"what do ya want for nothing?");
        let bytes: [u8; 32] = mac.finalize().into_bytes().into();
        assert_eq!(hex(&bytes), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
