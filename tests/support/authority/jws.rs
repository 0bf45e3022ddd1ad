//! Signed requests (RFC 8555 section 6.2, RFC 7515): decoded, and their signatures verified.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

use super::Problem;

/// A request as it was signed.
pub(super) struct Signed {
    pub(super) protected: Value,
    /// `None`: empty, as for `POST` in the place of `GET`.
    pub(super) payload: Option<Value>,
    message: String,
    signature: Vec<u8>,
}

impl Signed {
    pub(super) fn decode(body: &Value) -> Result<Self, Problem> {
        let part = |name: &str| body[name].as_str().ok_or_else(|| malformed(&format!("`{name}` is missing")));
        let (protected, payload) = (part("protected")?, part("payload")?);
        Ok(Self {
            protected: json(&bytes(protected)?)?,
            payload: if payload.is_empty() { None } else { Some(json(&bytes(payload)?)?) },
            message: format!("{protected}.{payload}"),
            signature: bytes(part("signature")?)?,
        })
    }

    /// A field of the header.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.protected[name].as_str()
    }

    /// Whether a public key (RFC 7517) made the signature.
    pub(super) fn verify(&self, key: &Value) -> Result<(), Problem> {
        let part = |name: &str| bytes(key[name].as_str().unwrap_or_default());
        let message = self.message.as_bytes();
        let verified = match (self.text("alg"), key["kty"].as_str()) {
            (Some("ES256"), Some("EC")) => {
                let point = [vec![4], part("x")?, part("y")?].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, &self.signature)
            }
            (Some("RS256"), Some("RSA")) => {
                let key = RsaPublicKeyComponents { n: part("n")?, e: part("e")? };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, &self.signature)
            }
            _ => return Err(Problem::new(400, "badSignatureAlgorithm", "neither ES256 nor RS256")),
        };
        verified.map_err(|_| malformed("the signature is wrong"))
    }

    /// Whether a shared secret made the signature (RFC 8555 section 7.3.4).
    pub(super) fn verify_hmac(&self, key: &str) -> Result<(), Problem> {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &bytes(key)?);
        if self.text("alg") != Some("HS256") {
            return Err(Problem::new(400, "badSignatureAlgorithm", "an external account needs HS256"));
        }
        let verified = ring::hmac::verify(&key, self.message.as_bytes(), &self.signature);
        verified.map_err(|_| Problem::new(401, "unauthorized", "the external account's key is another"))
    }
}

/// What an account's key is known by (RFC 7638).
pub(super) fn thumbprint(key: &Value) -> String {
    let names: &[&str] = if key["kty"] == "EC" { &["crv", "kty", "x", "y"] } else { &["e", "kty", "n"] };
    let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":{}", key[name])).collect();
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("{{{}}}", members.join(",")).as_bytes());
    BASE64.encode(digest)
}

/// Unpadded base64url.
pub(super) fn bytes(text: &str) -> Result<Vec<u8>, Problem> {
    BASE64.decode(text).map_err(|error| malformed(&format!("this is no base64url: {error}")))
}

pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

fn json(bytes: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(bytes).map_err(|error| malformed(&format!("this is no JSON: {error}")))
}

fn malformed(detail: &str) -> Problem {
    Problem::new(400, "malformed", detail)
}
