//! A private authority, such as a company has, and a certificate of it for a server of this machine.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

/// The root, and what a server below it presents.
pub struct PrivateCa {
    /// The root's certificate, PEM.
    pub root: String,
    /// The server's certificate, PEM, for `localhost` and `127.0.0.1`.
    pub certificate: String,
    /// The server's private key, PEM.
    pub key: String,
}

impl PrivateCa {
    /// Makes a root and a server's certificate.
    pub fn new() -> Self {
        Self::valid_from(1975)
    }

    /// As [`PrivateCa::new`], with a server's certificate that begins with a year.
    pub fn valid_from(year: i32) -> Self {
        let root_key = KeyPair::generate().unwrap();
        let root = root_params("Private Root of a Test");
        let root_certificate = root.self_signed(&root_key).unwrap();
        let issuer = Issuer::new(root, root_key);
        let mut server = CertificateParams::new(["localhost".to_owned()]).unwrap();
        server.subject_alt_names.push(SanType::IpAddress(Ipv4Addr::LOCALHOST.into()));
        server.distinguished_name.push(DnType::CommonName, "localhost");
        server.not_before = rcgen::date_time_ymd(year, 1, 1);
        server.use_authority_key_identifier_extension = true;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = server.signed_by(&key, &issuer).unwrap();
        Self { root: root_certificate.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Writes `root.pem`, `server.pem` and `server.key`, and says where the root is.
    pub fn write(&self, directory: &Path) -> PathBuf {
        std::fs::write(directory.join("server.pem"), &self.certificate).unwrap();
        std::fs::write(directory.join("server.key"), &self.key).unwrap();
        let root = directory.join("root.pem");
        std::fs::write(&root, &self.root).unwrap();
        root
    }
}

/// Whether who trusts a root trusts a chain (both PEM) for a name, now.
pub fn trusted(root: &str, chain: &str, name: &str) -> Result<(), rustls::Error> {
    let read =
        |pem: &str| CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
    let mut roots = RootCertStore::empty();
    assert_eq!(roots.add_parsable_certificates(read(root)), (1, 0));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let chain = read(chain);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now()).map(|_| ())
}

/// What an authority's own certificate says.
pub fn root_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}
