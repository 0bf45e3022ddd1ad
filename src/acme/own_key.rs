//! Requests that are signed with the key of a certificate, in the place of an account's (RFC 8555, sections 6.2 and 7.6):
//! the library signs with accounts alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::value::Secret;

/// A certificate's private key.
pub(super) enum OwnKey {
    Ecdsa { pair: EcdsaKeyPair, algorithm: &'static str, curve: &'static str },
    Rsa(RsaKeyPair),
}

impl OwnKey {
    /// Reads a PEM text; `None` where requests cannot be signed with the key that it holds.
    pub(super) fn parse(pem: &Secret) -> Option<Self> {
        let key = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).ok()?;
        let der = match &key {
            PrivateKeyDer::Pkcs8(key) => key.secret_pkcs8_der(),
            PrivateKeyDer::Pkcs1(key) => {
                return RsaKeyPair::from_der(key.secret_pkcs1_der()).ok().map(Self::Rsa);
            }
            _ => return None,
        };
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

    /// A request to an address (RFC 7515, section 7.2.2); `None` where signing fails.
    pub(super) fn request(&self, address: &str, nonce: &str, payload: &Value) -> Option<String> {
        let (jwk, algorithm) = self.public();
        let protected = json!({ "alg": algorithm, "jwk": jwk, "nonce": nonce, "url": address });
        let (protected, payload) =
            (encoded(protected.to_string().as_bytes()), encoded(payload.to_string().as_bytes()));
        let signature = self.sign(format!("{protected}.{payload}").as_bytes())?;
        let signed = json!({ "protected": protected, "payload": payload, "signature": encoded(&signature) });
        Some(signed.to_string())
    }
}

pub(super) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
