//! Certificates as they stand in PEM files.

use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

use crate::plan::observation::CertificateFacts;

/// The facts of the first certificate of a PEM text, or why there are none.
pub fn first_certificate(pem: &[u8]) -> Result<CertificateFacts, String> {
    let block = Pem::iter_from_buffer(pem)
        .find(|block| block.as_ref().map_or(true, |block| block.label == "CERTIFICATE"))
        .ok_or("there is no certificate in it")?
        .map_err(|_| "it is not a PEM file")?;
    let certificate = block.parse_x509().map_err(|_| "its certificate cannot be parsed")?;
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
    })
}
