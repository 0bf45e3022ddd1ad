//! What a TLS handshake presents.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use crate::host::certificate_facts;
use crate::plan::Answer;
use crate::plan::observation::CertificateFacts;

/// How long one handshake may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long all of them may take.
const ALL: Duration = Duration::from_secs(20);
/// How many there are at once.
const AT_ONCE: usize = 16;

/// A verifier that looks: whether a certificate is trusted is not asked here. That the server has its key is.
#[derive(Debug)]
struct Looks(Arc<CryptoProvider>);

impl ServerCertVerifier for Looks {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What a loopback port presents to who asks for each of these names.
pub(super) fn all(port: u16, names: &[String]) -> Answer {
    let provider = Arc::new(ring::default_provider());
    let versions =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let config = match versions {
        Ok(builder) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Looks(provider)))
            .with_no_client_auth(),
        Err(error) => return Answer::Failed(error.to_string()),
    };
    let (config, end) = (Arc::new(config), Instant::now() + ALL);
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(names.len()) {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let served = one(port, name, &config, end.min(Instant::now() + PATIENCE));
                    found.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), served);
                }
            });
        }
    });
    Answer::Served(found.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn one(port: u16, name: &str, config: &Arc<ClientConfig>, end: Instant) -> Result<CertificateFacts, String> {
    let slow = || "it answers too slowly".to_owned();
    let left = || end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()).ok_or_else(slow);
    let server = ServerName::try_from(name.to_owned()).map_err(|_| "it is no host name".to_owned())?;
    let mut connection =
        ClientConnection::new(Arc::clone(config), server).map_err(|error| error.to_string())?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, left()?)
        .map_err(|_| format!("nobody answers on port {port}"))?;
    let broken = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => slow(),
        _ => format!("the connection broke: {error}"),
    };
    loop {
        while connection.wants_write() {
            stream.set_write_timeout(Some(left()?)).map_err(broken)?;
            connection.write_tls(&mut stream).map_err(broken)?;
        }
        if !connection.is_handshaking() {
            break;
        }
        stream.set_read_timeout(Some(left()?)).map_err(broken)?;
        if connection.read_tls(&mut stream).map_err(broken)? == 0 {
            return Err("the connection was closed".to_owned());
        }
        connection.process_new_packets().map_err(|error| match error {
            rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => {
                "no site has that name".to_owned()
            }
            error => error.to_string(),
        })?;
    }
    let first = connection.peer_certificates().and_then(<[_]>::first);
    certificate_facts(first.ok_or("no certificate was presented")?)
}
