//! Hashes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha512};

use crate::value::Type;

use super::function::{Function, function, parameter};

pub(super) fn functions() -> Vec<Function> {
    let text = || parameter("str", Type::String);
    vec![
        function("sha256", "The SHA-256 hash of a text, in hexadecimal digits.")
            .takes(text())
            .gives(Type::String, |args| Ok(hex(&Sha256::digest(args.text(0))).into())),
        function("sha512", "The SHA-512 hash of a text, in hexadecimal digits.")
            .takes(text())
            .gives(Type::String, |args| Ok(hex(&Sha512::digest(args.text(0))).into())),
        function("base64sha256", "The SHA-256 hash of a text, in Base64.")
            .takes(text())
            .gives(Type::String, |args| Ok(STANDARD.encode(Sha256::digest(args.text(0))).into())),
        function("base64sha512", "The SHA-512 hash of a text, in Base64.")
            .takes(text())
            .gives(Type::String, |args| Ok(STANDARD.encode(Sha512::digest(args.text(0))).into())),
    ]
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        _ = write!(text, "{byte:02x}");
    }
    text
}
