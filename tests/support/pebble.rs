//! pebble, the small ACME server that Let's Encrypt tests clients with, in its strict mode.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::fake_dns::FakeDns;
use super::ports::Port;
use super::private_ca::PrivateCa;
use super::service::{Service, program};
use super::{Request, fetch};

/// How a pebble behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port that it asks for http-01.
    pub http_port: u16,
    /// The percentage of good nonces that it rejects.
    pub rejected_nonces: u8,
    /// The percentage of authorizations that are valid already, where the account has them.
    pub reused_authorizations: u8,
    /// External accounts, one of which a new account must be bound to, where there are any: key id and HMAC key, in
    /// unpadded base64url.
    pub external_accounts: Vec<(String, String)>,
    /// How many roots it has beside the first; each gives an alternate chain.
    pub alternate_roots: u32,
    /// How many intermediates a chain has.
    pub chain_length: u32,
    /// How long certificates last; five years where not given.
    pub validity: Option<Duration>,
    /// Where certificates say that their revocation can be asked for; nobody need answer there.
    pub ocsp_responder: Option<String>,
    /// Names, and all below them, that it refuses.
    pub blocked: Vec<String>,
    /// A DNS server to use in place of one of its own: `127.0.0.1:4711`.
    pub dns_server: Option<String>,
}

impl Options {
    /// What asks this port for http-01, and never gets in the way.
    pub fn new(http_port: u16) -> Self {
        Self {
            http_port,
            rejected_nonces: 0,
            reused_authorizations: 0,
            external_accounts: Vec::new(),
            alternate_roots: 0,
            chain_length: 1,
            validity: None,
            ocsp_responder: None,
            blocked: Vec::new(),
            dns_server: None,
        }
    }
}

/// A pebble; it ends when this is dropped.
pub struct Pebble {
    /// Its DNS server.
    pub dns: FakeDns,
    service: Service,
    port: Port,
    management: Port,
    directory: TempDir,
    ca: PathBuf,
}

impl Pebble {
    /// Starts one in the network that the caller is in. `None` where it is not installed, with a line that says so.
    pub fn start(options: &Options) -> Option<Self> {
        let program = program("pebble")?;
        let dns = FakeDns::start()?;
        let directory = tempfile::tempdir().unwrap();
        let ca = PrivateCa::new().write(directory.path());
        let (port, management) = (Port::reserve(), Port::reserve());
        let at = |port: &Port| format!("127.0.0.1:{}", port.number);
        let accounts: serde_json::Map<_, _> =
            options.external_accounts.iter().map(|(id, key)| (id.clone(), json!(key))).collect();
        let mut config = json!({
            "listenAddress": at(&port),
            "managementListenAddress": at(&management),
            "certificate": directory.path().join("server.pem"),
            "privateKey": directory.path().join("server.key"),
            "httpPort": options.http_port,
            "tlsPort": 1,
            "ocspResponderURL": options.ocsp_responder.clone().unwrap_or_default(),
            "externalAccountBindingRequired": !accounts.is_empty(),
            "externalAccountMACKeys": accounts,
            "domainBlocklist": options.blocked,
        });
        if let Some(validity) = options.validity {
            config["certificateValidityPeriod"] = validity.as_secs().into();
        }
        let file = directory.path().join("pebble.json");
        std::fs::write(&file, json!({ "pebble": config }).to_string()).unwrap();
        let mut command = Command::new(program);
        command
            .arg("-strict")
            .arg("-config")
            .arg(file)
            .arg("-dnsserver")
            .arg(options.dns_server.clone().unwrap_or_else(|| dns.server()))
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", options.rejected_nonces.to_string())
            .env("PEBBLE_AUTHZREUSE", options.reused_authorizations.to_string())
            .env("PEBBLE_ALTERNATE_ROOTS", options.alternate_roots.to_string())
            .env("PEBBLE_CHAIN_LENGTH", options.chain_length.to_string());
        let this = Self { dns, service: Service::start(&mut command), port, management, directory, ca };
        this.service.wait_until(|| {
            let answers = |port: &Port, path| fetch(&Request::https(port.number, "localhost", path)).is_ok();
            answers(&this.port, "/dir") && answers(&this.management, "/roots/0")
        });
        Some(this)
    }

    /// Its directory's URL.
    pub fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port.number)
    }

    /// The PEM file of the root that its own certificate is signed with.
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// A root that it issues below, PEM; those beside the first are alternate ones.
    pub fn root(&self, number: u32) -> String {
        self.managed(&format!("/roots/{number}"))
    }

    /// The intermediate that issues, PEM.
    pub fn intermediate(&self, number: u32) -> String {
        self.managed(&format!("/intermediates/{number}"))
    }

    /// Whether a certificate is revoked. The serial number is in hexadecimal, without zeros at the front.
    pub fn revoked(&self, serial: &str) -> bool {
        let status = self.managed(&format!("/cert-status-by-serial/{serial}"));
        let status: Value = serde_json::from_str(&status).unwrap();
        match status["Status"].as_str().unwrap() {
            "Revoked" => true,
            "Valid" => false,
            other => panic!("{serial} is {other}"),
        }
    }

    /// How many accounts were made.
    pub fn accounts(&self) -> usize {
        self.service.count(" accounts in memory")
    }

    /// How many orders were made.
    pub fn orders(&self) -> usize {
        self.service.count("Added order ")
    }

    /// How many certificates were issued.
    pub fn issued(&self) -> usize {
        self.service.count("Issued certificate serial ")
    }

    /// How often it has asked for what shows that a name is its own: three times each http-01 challenge.
    pub fn fetched(&self) -> usize {
        self.service.count("Attempting to validate w/ HTTP: ")
    }

    /// What it has printed.
    pub fn printed(&self) -> String {
        self.service.printed()
    }

    /// Stops it in the middle of what it does (`SIGSTOP`), or lets it go on.
    pub fn pause(&self, paused: bool) {
        use nix::sys::signal::{Signal, kill};
        let signal = if paused { Signal::SIGSTOP } else { Signal::SIGCONT };
        kill(nix::unistd::Pid::from_raw(self.service.id().cast_signed()), signal).unwrap();
    }

    fn managed(&self, path: &str) -> String {
        let answer = fetch(&Request::https(self.management.number, "localhost", path)).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }
}
