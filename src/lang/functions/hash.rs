//! Hashes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha512};

use crate::digest::{hex, sha256};
use crate::value::Type;

use super::function::{Function, function, parameter};

pub(super) fn functions() -> Vec<Function> {
    let text = || parameter("str", Type::String);
    vec![
        function("sha256", "The SHA-256 hash of a text, in hexadecimal digits.")
            .takes(text())
            .gives(Type::String, |args| Ok(sha256(args.text(0).as_bytes()).into())),
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
