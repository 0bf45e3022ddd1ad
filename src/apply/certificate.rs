//! Keys and certificates that vsa makes itself.

use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};
use zeroize::Zeroizing;

use super::required;
use crate::diag::Diagnostic;
use crate::host::{Contents, FileOperation, Host};
use crate::plan::action::Access;
use crate::plan::issuance::Piece;
use crate::plan::issuance::lineage::{FILE_MODE, KEY_MODE, split_chain};
use crate::value::Secret;

/// The key's file, in the directory of an issue.
pub(super) const KEY: &str = Piece::Privkey.file();
/// The certificate's file with its chain, in the directory of an issue.
pub(super) const CHAIN: &str = Piece::Fullchain.file();

const DAY: u64 = 24 * 60 * 60;

/// A key and its certificate, both as PEM.
pub(super) struct Pair {
    pub(super) key: Zeroizing<String>,
    pub(super) chain: String,
}

impl Pair {
    /// Reads both.
    pub(super) async fn read(host: &dyn Host, chain: &Path, key: &Path) -> Result<Self, Diagnostic> {
        let [chain_bytes, key_bytes] = required::read(host, [chain, key]).await?;
        let text = |path: &Path, bytes| {
            let unreadable =
                |_| Diagnostic::error(format!("cannot read `{}`: it is not a PEM file", path.display()));
            String::from_utf8(bytes).map_err(unreadable)
        };
        Ok(Self { chain: text(chain, chain_bytes)?, key: text(key, key_bytes)?.into() })
    }
}

/// A private key that a certificate is asked for with.
pub(super) struct Key {
    /// As PKCS #8 in PEM (RFC 7468).
    pub(super) pem: Zeroizing<String>,
    pair: KeyPair,
}

impl Key {
    /// Makes one, of a type as the kind calls it. An RSA key takes seconds.
    pub(super) fn make(key_type: &str) -> Result<Self, Diagnostic> {
        let pem = match key_type {
            "rsa-2048" => rsa(2048)?,
            "rsa-3072" => rsa(3072)?,
            "rsa-4096" => rsa(4096)?,
            _ => {
                let key = KeyPair::generate_for(algorithm(key_type));
                Zeroizing::new(key.map_err(|error| unmade(&error))?.serialize_pem())
            }
        };
        Self::parse(&Secret::new(pem.as_str()))
    }

    /// Reads one.
    pub(super) fn parse(pem: &Secret) -> Result<Self, Diagnostic> {
        let pair = KeyPair::from_pem(pem.expose()).map_err(|error| unmade(&error))?;
        Ok(Self { pem: Zeroizing::new(pem.expose().to_owned()), pair })
    }
}

fn unmade(error: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::error(format!("a key cannot be made: {error}"))
}

fn rsa(bits: usize) -> Result<Zeroizing<String>, Diagnostic> {
    use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, bits).map_err(|error| unmade(&error))?;
    key.to_pkcs8_pem(LineEnding::LF).map_err(|error| unmade(&error))
}

/// A request for a certificate (PKCS #10, RFC 2986) with these names, as DER.
pub(super) fn request(key: &Key, names: &[String]) -> Result<Vec<u8>, Diagnostic> {
    let failed = |error: rcgen::Error| {
        Diagnostic::error(format!("a request for a certificate cannot be made: {error}"))
    };
    let mut params = CertificateParams::new(names).map_err(failed)?;
    // The names that count are the alternative ones; authorities fill in the rest.
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(&key.pair).map_err(failed)?.der().to_vec())
}

fn algorithm(key_type: &str) -> &'static rcgen::SignatureAlgorithm {
    if key_type == "ecdsa-p384" { &rcgen::PKCS_ECDSA_P384_SHA384 } else { &rcgen::PKCS_ECDSA_P256_SHA256 }
}

/// Makes a key and a self-signed certificate, valid from an hour ago (clocks differ).
pub(super) fn self_signed(names: &[String], key_type: &str, days: u32, now: i64) -> Result<Pair, Diagnostic> {
    let failed = |error: rcgen::Error| Diagnostic::error(format!("a certificate cannot be made: {error}"));
    let pair = Key::make(key_type)?;
    let key = &pair.pair;
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    // RFC 5280 allows 64 characters in a common name; the names that count are the alternative ones.
    let common_name = names.first().map_or("vsa", |name| if name.len() > 64 { "vsa" } else { name });
    params.distinguished_name.push(DnType::CommonName, common_name);
    let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(now).unwrap_or_default());
    params.not_before = now - Duration::from_hours(1);
    params.not_after = now + Duration::from_secs(u64::from(days) * DAY);
    let certificate = params.self_signed(key).map_err(failed)?;
    Ok(Pair { chain: certificate.pem(), key: pair.pem })
}

impl Pair {
    /// The four files of the issue that it is, with their permission bits. nginx's master reads two of them; a chain that
    /// holds the key too, as other programs like it, is nobody else's to read.
    pub(super) fn pieces(&self) -> [(Piece, u32, Contents); 4] {
        let (cert, chain) = split_chain(&self.chain);
        [
            (Piece::Privkey, KEY_MODE, self.key.as_str().into()),
            (Piece::Cert, FILE_MODE, cert.into()),
            (Piece::Chain, FILE_MODE, chain.into()),
            // Last, so that what was changed after it was changed by somebody else.
            (Piece::Fullchain, chain_mode(self.chain.as_bytes()), self.chain.as_str().into()),
        ]
    }
}

/// The operations that write a pair into a directory that is there.
pub(super) fn write(directory: &Path, pair: &Pair) -> Vec<FileOperation> {
    let create = |(piece, mode, bytes): (Piece, u32, Contents)| FileOperation::Create {
        path: directory.join(piece.file()),
        access: Access { owner: None, group: None, mode },
        bytes,
    };
    pair.pieces().map(create).into()
}

/// The permission bits of a chain.
pub(super) fn chain_mode(chain: &[u8]) -> u32 {
    const PRIVATE: &[u8] = b"PRIVATE KEY-----";
    if chain.windows(PRIVATE.len()).any(|part| part == PRIVATE) { KEY_MODE } else { FILE_MODE }
}

/// Writes the pair that stands for certificates not issued yet; nginx does not compare names.
pub(super) async fn write_placeholder(host: &dyn Host, directory: &Path) -> Result<(), Diagnostic> {
    let pair = self_signed(&["placeholder.invalid".to_owned()], "ecdsa-p256", 1, host.now().await)?;
    let mut operations: Vec<_> =
        Piece::ALL.map(|piece| FileOperation::Remove { path: directory.join(piece.file()) }).into();
    operations.extend(write(directory, &pair));
    Ok(host.files(operations).await?)
}
