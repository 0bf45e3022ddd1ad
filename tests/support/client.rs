//! A small HTTP/1.1 client over plain TCP and TLS that shows what a site really answers.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long one request may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A request to a server of this machine.
#[derive(Clone, Debug)]
pub struct Request {
    /// The port.
    pub port: u16,
    /// The name in the TLS handshake; `None` for plain HTTP.
    pub tls: Option<String>,
    /// The `Host` header.
    pub host: String,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// `GET` over plain HTTP.
    pub fn http(port: u16, host: &str, path: &str) -> Self {
        Self {
            port,
            tls: None,
            host: host.to_owned(),
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// `GET` over TLS, the host's name in the handshake too.
    pub fn https(port: u16, host: &str, path: &str) -> Self {
        Self { tls: Some(host.to_owned()), ..Self::http(port, host, path) }
    }

    /// With another name in the handshake than in the `Host` header.
    #[must_use]
    pub fn sni(mut self, name: &str) -> Self {
        self.tls = Some(name.to_owned());
        self
    }

    /// With another method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a user and a password.
    #[must_use]
    pub fn password(self, user: &str, password: &str) -> Self {
        let credentials = super::canary::base64(format!("{user}:{password}").as_bytes());
        self.header("Authorization", &format!("Basic {credentials}"))
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    fn head(&self) -> String {
        let Self { method, path, host, headers, body, .. } = self;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !body.is_empty() {
            head.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
        }
        head + "\r\n"
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header, where it stands once or more: the first.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// The connection ended before any byte of the answer.
    ClosedBeforeAnswer,
    /// Anything else.
    Other(io::Error),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ClosedBeforeAnswer => f.write_str("closed before any byte of the answer"),
            Self::Other(error) => write!(f, "{error}"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Other(error)
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// An open connection.
pub struct Connection {
    stream: Box<dyn Stream>,
    /// Bytes that were read and belong to no answer yet.
    read: Vec<u8>,
    /// Whether another request may follow.
    pub reusable: bool,
}

impl Connection {
    /// Opens one for a request.
    pub async fn open(request: &Request) -> io::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, request.port));
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &request.tls {
            None => Box::new(tcp),
            Some(name) => {
                let name = ServerName::try_from(name.clone()).map_err(io::Error::other)?;
                let connector = TlsConnector::from(Arc::clone(&TLS));
                Box::new(connector.connect(name, tcp).await?)
            }
        };
        Ok(Self { stream, read: Vec::new(), reusable: true })
    }

    /// Sends a request and reads its answer.
    pub async fn send(&mut self, request: &Request) -> Result<Response, Failure> {
        let exchange = async {
            let mut bytes = request.head().into_bytes();
            bytes.extend_from_slice(&request.body);
            let sent = async {
                self.stream.write_all(&bytes).await?;
                self.stream.flush().await
            };
            if let Err(error) = sent.await {
                return Err(if closed(&error) { Failure::ClosedBeforeAnswer } else { error.into() });
            }
            self.answer(&request.method).await
        };
        let answer = tokio::time::timeout(PATIENCE, exchange).await;
        answer.unwrap_or_else(|_| Err(Failure::Other(io::ErrorKind::TimedOut.into())))
    }

    async fn answer(&mut self, method: &str) -> Result<Response, Failure> {
        let head = loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                let head: Vec<u8> = self.read.drain(..end + 4).collect();
                break String::from_utf8_lossy(&head).into_owned();
            }
            let fresh = self.read.is_empty();
            match self.more().await {
                Ok(0) if fresh => return Err(Failure::ClosedBeforeAnswer),
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Err(error) if fresh && closed(&error) => return Err(Failure::ClosedBeforeAnswer),
                other => other?,
            };
        };
        let mut lines = head.lines();
        let status_line = lines.next().unwrap_or_default();
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("not a status line: {status_line:?}")))?;
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        let mut response = Response { status, headers, body: Vec::new() };
        let says = |name: &str, what: &str| {
            response.header(name).is_some_and(|value| value.to_lowercase().contains(what))
        };
        let chunked = says("transfer-encoding", "chunked");
        self.reusable = !says("connection", "close");
        let length = response.header("content-length").and_then(|length| length.parse::<usize>().ok());
        response.body = if method == "HEAD" || matches!(status, 100..=199 | 204 | 304) {
            Vec::new()
        } else if chunked {
            self.chunks().await?
        } else if let Some(length) = length {
            self.exactly(length).await?
        } else {
            self.reusable = false;
            while self.more().await? > 0 {}
            std::mem::take(&mut self.read)
        };
        Ok(response)
    }

    async fn more(&mut self) -> io::Result<usize> {
        self.stream.read_buf(&mut self.read).await
    }

    async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.read.len() < length {
            if self.more().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.read.drain(..length).collect())
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(end) = find(&self.read, b"\r\n") {
                    break end;
                }
                if self.more().await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            };
            let line = self.exactly(end + 2).await?;
            let size = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let chunk = self.exactly(size + 2).await?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}

/// Sends one request on a connection of its own and waits for the answer.
pub fn fetch(request: &Request) -> Result<Response, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let open = tokio::time::timeout(PATIENCE, Connection::open(request)).await;
        let mut connection = open.map_err(|_| Failure::Other(io::ErrorKind::TimedOut.into()))??;
        connection.send(request).await
    })
}

/// The chain that a handshake with a port of this machine presents for a name, DER.
pub fn presented(port: u16, name: &str) -> Vec<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        // One that takes up a former session sees the certificate of that one.
        let mut config = (**TLS).clone();
        config.resumption = rustls::client::Resumption::disabled();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
        let chain = stream.get_ref().1.peer_certificates().unwrap();
        chain.iter().map(|certificate| certificate.to_vec()).collect()
    })
}

/// The tests' certificates are signed by themselves: which one is shown is looked at elsewhere.
#[derive(Debug)]
struct AnyCertificate(rustls::crypto::CryptoProvider);

impl ServerCertVerifier for AnyCertificate {
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
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

static TLS: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let provider = rustls::crypto::ring::default_provider();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider.clone()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().dangerous();
    let builder = builder.with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)));
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
});
