//! Certificates as they stand in PEM files.

use rustls::InconsistentKeys;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::digest::hex;
use crate::plan::observation::CertificateFacts;

const ENCRYPTED: &[u8] = b"Proc-Type: 4,ENCRYPTED";

/// Whether a PEM text holds a private key that needs no passphrase, or what is wrong.
pub fn private_key(pem: &[u8]) -> Result<(), String> {
    let block = Pem::iter_from_buffer(pem)
        .find(|block| block.as_ref().map_or(true, |block| block.label.ends_with("PRIVATE KEY")))
        .ok_or("there is no private key in it")?;
    // The older form of an encrypted key says so in a header inside of its block (RFC 1421, section 4.6.1.1).
    let is_encrypted = pem.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED)
        || block.as_ref().is_ok_and(|block| block.label.starts_with("ENCRYPTED"));
    if is_encrypted {
        return Err("its key is encrypted, and nginx would ask for the passphrase".to_owned());
    }
    block.map(drop).map_err(|_| "it is not a PEM file".to_owned())
}

/// Whether a key is that of the first certificate of a PEM text; `None` where either is of a kind not known here.
pub fn is_key_of(key: &[u8], certificate: &[u8]) -> Option<bool> {
    let key = any_supported_type(&PrivateKeyDer::from_pem_slice(key).ok()?).ok()?;
    let certificate = CertificateDer::from_pem_slice(certificate).ok()?;
    match CertifiedKey::new(vec![certificate], key).keys_match() {
        Ok(()) => Some(true),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Some(false),
        Err(_) => None,
    }
}

/// The facts of the first certificate of a PEM text, or why there are none.
pub fn first_certificate(pem: &[u8]) -> Result<CertificateFacts, String> {
    let block = Pem::iter_from_buffer(pem)
        .find(|block| block.as_ref().map_or(true, |block| block.label == "CERTIFICATE"))
        .ok_or("there is no certificate in it")?
        .map_err(|_| "it is not a PEM file")?;
    certificate_facts(&block.contents)
}

/// The facts of a certificate (DER), or why there are none.
pub fn certificate_facts(der: &[u8]) -> Result<CertificateFacts, String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| "its certificate cannot be parsed")?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| "its alternative names cannot be parsed")?
        .map(|extension| {
            let names = extension.value.general_names.iter();
            names
                .filter_map(|name| match name {
                    GeneralName::DNSName(name) => Some((*name).to_owned()),
                    _ => None,
                })
                .collect()
        })
        .unwrap_or_default();
    let common_name = certificate.issuer().iter_common_name().next();
    Ok(CertificateFacts {
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
        names,
        issuer: common_name.and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned(),
        issuer_name: certificate.issuer().to_string(),
        serial: hex(certificate.raw_serial()),
        authority_key_id: authority_key_id(&certificate),
        key_type: key_type(certificate.public_key()),
    })
}

/// The first certificate of a PEM text, as DER.
pub fn first_der(pem: &[u8]) -> Option<Vec<u8>> {
    CertificateDer::from_pem_slice(pem).ok().map(|certificate| certificate.to_vec())
}

/// The common names of those that issued the certificates of a PEM text, in their order.
pub fn issuers(pem: &[u8]) -> Vec<String> {
    let blocks =
        Pem::iter_from_buffer(pem).filter_map(Result::ok).filter(|block| block.label == "CERTIFICATE");
    let issuer = |block: Pem| {
        let certificate = block.parse_x509().ok()?;
        let name = certificate.issuer().iter_common_name().next()?;
        Some(name.as_str().ok()?.to_owned())
    };
    blocks.map(|block| issuer(block).unwrap_or_default()).collect()
}

fn authority_key_id(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(found) => Some(hex(found.key_identifier.as_ref()?.0)),
        _ => None,
    })
}

fn key_type(key: &SubjectPublicKeyInfo<'_>) -> String {
    let curve = || Some(key.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string());
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("rsa-{}", rsa.key_size()),
        Ok(PublicKey::EC(_)) => match curve().unwrap_or_default().as_str() {
            "1.2.840.10045.3.1.7" => "ecdsa-p256".to_owned(),
            "1.3.132.0.34" => "ecdsa-p384".to_owned(),
            "1.3.132.0.35" => "ecdsa-p521".to_owned(),
            other => format!("ecdsa {other}"),
        },
        _ => key.algorithm.algorithm.to_id_string(),
    }
}
