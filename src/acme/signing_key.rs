//! Requests that are signed with a key, in the place of an account (RFC 8555, section 6.2): to make one, and to revoke a
//! certificate with its own. The library makes the keys of accounts itself, and knows no others.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::value::Secret;

/// A private key that requests are signed with.
pub(super) enum SigningKey {
    Ecdsa { pair: EcdsaKeyPair, algorithm: &'static str, curve: &'static str },
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// Makes one for an account, as PKCS #8 (RFC 5958).
    pub(super) fn make() -> Option<Zeroizing<Vec<u8>>> {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        made.ok().map(|key| key.as_ref().to_vec().into())
    }

    /// Reads a PEM text; `None` where requests cannot be signed with the key that it holds.
    pub(super) fn parse(pem: &Secret) -> Option<Self> {
        match &PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).ok()? {
            PrivateKeyDer::Pkcs8(key) => Self::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()).ok().map(Self::Rsa),
            _ => None,
        }
    }

    /// As [`Self::parse`], of PKCS #8.
    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let random = SystemRandom::new();
        let curves = [
            (&ECDSA_P256_SHA256_FIXED_SIGNING, "ES256", "P-256"),
            (&ECDSA_P384_SHA384_FIXED_SIGNING, "ES384", "P-384"),
        ];
        let ecdsa = curves.into_iter().find_map(|(kind, algorithm, curve)| {
            let pair = EcdsaKeyPair::from_pkcs8(kind, der, &random).ok()?;
            Some(Self::Ecdsa { pair, algorithm, curve })
        });
        ecdsa.or_else(|| RsaKeyPair::from_pkcs8(der).ok().map(Self::Rsa))
    }

    /// The public key (RFC 7517), and how it signs (RFC 7518, section 3.1).
    fn public(&self) -> (Value, &'static str) {
        match self {
            Self::Ecdsa { pair, algorithm, curve } => {
                // An uncompressed point: a byte that says so, then both coordinates.
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                (json!({ "kty": "EC", "crv": curve, "x": encoded(x), "y": encoded(y) }), algorithm)
            }
            Self::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                (json!({ "kty": "RSA", "n": encoded(&n), "e": encoded(&e) }), "RS256")
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa { pair, .. } => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }

    /// A request to an address; `None` where signing fails.
    pub(super) fn request(&self, address: &str, nonce: &str, payload: &Value) -> Option<Value> {
        let (jwk, algorithm) = self.public();
        let protected = json!({ "alg": algorithm, "jwk": jwk, "nonce": nonce, "url": address });
        serialized(&protected, payload, |message| self.sign(message))
    }

    /// That the owner of an account that the authority knows already has this key (RFC 8555, section 7.3.4).
    pub(super) fn bound(&self, address: &str, key_id: &str, hmac_key: &[u8]) -> Option<Value> {
        let protected = json!({ "alg": "HS256", "kid": key_id, "url": address });
        let key = hmac::Key::new(hmac::HMAC_SHA256, hmac_key);
        serialized(&protected, &self.public().0, |message| Some(hmac::sign(&key, message).as_ref().to_vec()))
    }
}

/// What is signed, in the flattened form (RFC 7515, section 7.2.2).
fn serialized(
    protected: &Value,
    payload: &Value,
    sign: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Option<Value> {
    let [protected, payload] = [protected, payload].map(|part| encoded(part.to_string().as_bytes()));
    let signature = sign(format!("{protected}.{payload}").as_bytes())?;
    Some(json!({ "protected": protected, "payload": payload, "signature": encoded(&signature) }))
}

pub(super) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
