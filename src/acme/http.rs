//! The one HTTP client: TLS is always verified, against the system's authorities and those that are given by file.

use std::fmt;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{ClientConfig, RootCertStore};

use crate::diag::{Diagnostic, moment};

/// How vsa names itself.
const AGENT: &str = concat!("vsa/", env!("CARGO_PKG_VERSION"));

/// The longest answer that is read, in bytes: a chain of certificates has some ten thousand.
const LONGEST: usize = 1 << 20;

/// How long a connection may take.
const CONNECTS: Duration = Duration::from_secs(10);

/// A client of HTTP and HTTPS; clones share their connections.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// The address is none.
    Address(String),
    /// Nobody answers, or the connection ended.
    Unreachable(String),
    /// Whoever answers has no certificate that is trusted.
    Untrusted(String),
    /// No answer in time, which was this long.
    Slow(Duration),
    /// The answer is too long.
    TooLong,
    /// What was asked for is not there, or no longer, by this status; with its address.
    Gone(u16, String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(why) => write!(f, "it is no address: {why}"),
            Self::Unreachable(why) => write!(f, "it cannot be reached: {why}"),
            Self::Untrusted(why) => write!(f, "its certificate is not trusted: {why}"),
            Self::Slow(patience) => write!(f, "it did not answer within {} s", patience.as_secs()),
            Self::Gone(status, _) => write!(f, "what was asked for is not there (status {status})"),
            Self::TooLong => write!(f, "its answer is longer than {LONGEST} bytes"),
        }
    }
}

impl std::error::Error for HttpError {}

impl Http {
    /// A client that trusts the system's authorities, and those of a PEM text beside them.
    ///
    /// # Errors
    /// The text holds no certificate.
    pub fn new(private: Option<&[u8]>) -> Result<Self, Diagnostic> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(pem) = private {
            let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
            let (taken, _) = roots.add_parsable_certificates(certificates.unwrap_or_default());
            if taken == 0 {
                return Err(Diagnostic::error("there is no certificate of an authority in it")
                    .help("it must be a PEM file with the authority's root certificate"));
            }
        }
        Self::trusting(roots)
    }

    /// A client for plain HTTP; it trusts no server of HTTPS.
    pub fn plain() -> Result<Self, Diagnostic> {
        Self::trusting(RootCertStore::empty())
    }

    fn trusting(roots: RootCertStore) -> Result<Self, Diagnostic> {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Diagnostic::error(format!("TLS cannot be spoken: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECTS));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// Sends a request, and reads the answer to its end.
    pub async fn send(
        &self,
        method: Method,
        address: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: impl Into<Bytes>,
        patience: Duration,
    ) -> Result<Response, HttpError> {
        let mut request = Request::builder().method(method).uri(address);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body.into()));
        self.exchange(request.map_err(|error| HttpError::Address(error.to_string()))?, patience).await
    }

    /// Sends a request as it is, and reads the answer to its end.
    pub(super) async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Response, HttpError> {
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let answer = async {
            let (parts, body) = self.client.request(request).await.map_err(|error| why(&error))?.into_parts();
            let body = Limited::new(body, LONGEST).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    HttpError::TooLong
                } else {
                    HttpError::Unreachable(error.to_string())
                }
            })?;
            Ok(Response { status: parts.status, headers: parts.headers, body: body.to_bytes() })
        };
        tokio::time::timeout(patience, answer).await.unwrap_or(Err(HttpError::Slow(patience)))
    }
}

/// The innermost reason of a failure, which alone says something to people.
fn why(error: &(dyn std::error::Error + 'static)) -> HttpError {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if let Some(error) = tls(error) {
        return HttpError::Untrusted(distrust(error));
    }
    let text = innermost.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    HttpError::Unreachable(first + chars.as_str())
}

/// Why a certificate is not trusted; a library would give its times as numbers.
fn distrust(error: &rustls::Error) -> String {
    use rustls::CertificateError::{ExpiredContext, NotValidYetContext};
    let said = |seconds: UnixTime| i64::try_from(seconds.as_secs()).map_or_else(|_| String::new(), moment);
    match error {
        rustls::Error::InvalidCertificate(NotValidYetContext { time, not_before }) => {
            format!(
                "it is not valid yet: it begins on {}, and this machine's clock says {}",
                said(*not_before),
                said(*time)
            )
        }
        rustls::Error::InvalidCertificate(ExpiredContext { time, not_after }) => {
            format!(
                "it has expired: it ended on {}, and this machine's clock says {}",
                said(*not_after),
                said(*time)
            )
        }
        other => other.to_string(),
    }
}

/// What TLS found wrong with a certificate. It stands inside of I/O errors, which do not call it their source.
fn tls<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found @ rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return Some(found);
        }
        let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match held {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}
