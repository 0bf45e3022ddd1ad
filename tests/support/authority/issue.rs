//! The authority's own keys, and what it issues.

use std::time::Duration;

use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::pki_types::CertificateSigningRequestDer;

use super::state::Issued;
use super::{Problem, jws};
use crate::support::private_ca::root_params;

/// What the authority does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// It certifies a key that nobody asked for.
    OtherKey,
    /// It leaves the last name out.
    MissingName,
}

/// What goes into a certificate beside the request.
pub(super) struct Terms {
    pub(super) account: usize,
    pub(super) names: Vec<String>,
    pub(super) profile: Option<String>,
    pub(super) replaces: Option<String>,
    pub(super) now: i64,
    pub(super) lifetime: Duration,
    pub(super) mistake: Option<Mistake>,
}

/// One intermediate below two roots.
pub(super) struct Issuers {
    pub(super) roots: [String; 2],
    intermediates: [String; 2],
    issuer: Issuer<'static, KeyPair>,
}

impl Issuers {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = root_params("Mock Intermediate E1");
        params.use_authority_key_identifier_extension = true;
        let made = ["Mock Root X1", "Mock Root X2"].map(|name| {
            let (root, root_key) = (root_params(name), KeyPair::generate().unwrap());
            let certificate = root.self_signed(&root_key).unwrap();
            let below = params.signed_by(&key, &Issuer::new(root, root_key)).unwrap();
            (certificate.pem(), below.pem())
        });
        let [(root, intermediate), (other_root, other_intermediate)] = made;
        Self {
            roots: [root, other_root],
            intermediates: [intermediate, other_intermediate],
            issuer: Issuer::new(params, key),
        }
    }

    /// Issues what a request (PKCS#10, unpadded base64url) asks for, if that is what was ordered.
    pub(super) fn issue(&self, csr: &str, terms: Terms) -> Result<Issued, Problem> {
        let bad = |detail: String| Problem::new(400, "badCSR", &detail);
        let der = CertificateSigningRequestDer::from(jws::bytes(csr)?);
        let request = CertificateSigningRequestParams::from_der(&der);
        let mut request = request.map_err(|error| bad(format!("the request cannot be read: {error}")))?;
        let mut asked: Vec<_> = request.params.subject_alt_names.iter().map(name).collect();
        asked.sort();
        let mut ordered = terms.names.clone();
        ordered.sort();
        if asked != ordered {
            return Err(bad(format!("the request is for {asked:?}, the order for {ordered:?}")));
        }
        let mut serial = *uuid::Uuid::new_v4().as_bytes();
        // A number whose highest bit is set has a zero before it in DER.
        serial[0] |= 0x80;
        let params = &mut request.params;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.distinguished_name = DistinguishedName::new();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_dates(params, &terms);
        if terms.mistake == Some(Mistake::MissingName) {
            params.subject_alt_names.pop();
        }
        let signed = match terms.mistake {
            Some(Mistake::OtherKey) => params.signed_by(&KeyPair::generate().unwrap(), &self.issuer),
            _ => request.signed_by(&self.issuer),
        };
        let leaf = signed.map_err(|error| bad(format!("the request cannot be granted: {error}")))?;
        let chain = |intermediate: &String| format!("{}{intermediate}", leaf.pem());
        let (id, serial) = identify(leaf.der());
        Ok(Issued {
            account: terms.account,
            id,
            serial,
            names: terms.names,
            profile: terms.profile,
            replaces: terms.replaces,
            not_before: terms.now - BACKDATED,
            not_after: terms.now + terms.lifetime.as_secs().cast_signed() - BACKDATED,
            chains: self.intermediates.each_ref().map(chain),
            der: leaf.der().to_vec(),
            revoked: None,
        })
    }
}

/// Seconds that a certificate is older than its order, for clocks that are slow.
const BACKDATED: i64 = 3600;

fn set_dates(params: &mut CertificateParams, terms: &Terms) {
    let at = |seconds: i64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds.cast_unsigned());
    params.not_before = at(terms.now - BACKDATED);
    params.not_after = at(terms.now - BACKDATED) + terms.lifetime;
}

fn name(name: &SanType) -> String {
    match name {
        SanType::DnsName(name) => name.to_string(),
        other => format!("{other:?}"),
    }
}

/// A certificate's identifier (RFC 9773 section 4.1), and its serial number in hexadecimal.
fn identify(der: &[u8]) -> (String, String) {
    use x509_parser::extensions::ParsedExtension::AuthorityKeyIdentifier;
    let (_, certificate) = x509_parser::parse_x509_certificate(der).unwrap();
    let mut extensions = certificate.extensions().iter();
    let issuer = extensions.find_map(|extension| match extension.parsed_extension() {
        AuthorityKeyIdentifier(identifier) => identifier.key_identifier.as_ref(),
        _ => None,
    });
    let serial = certificate.raw_serial();
    (
        format!("{}.{}", jws::encode(issuer.unwrap().0), jws::encode(serial)),
        format!("{:x}", certificate.serial),
    )
}
