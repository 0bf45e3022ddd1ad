//! A name server of a test's own: BIND, with zones that take signed updates.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use tempfile::TempDir;
use vsa::acme::resolver::Resolver;
use vsa::names::{DomainName, NameServer, ResolverAddress, Text as _};
use vsa::plan::issuance::{DnsProvider, TsigAlgorithm};
use vsa::value::Secret;

use super::ports::Port;
use super::service::{Service, program};

/// The server. It answers for its zones, and says of all other names that they do not exist. It ends when this is
/// dropped.
pub struct Named {
    port: Port,
    address: Ipv4Addr,
    service: Service,
    _directory: TempDir,
}

/// A zone.
pub struct Zone<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its records beside SOA and NS, as a zone file has them. `None`: a file that is not there, so that every question
    /// for the zone fails (SERVFAIL).
    pub records: Option<&'a str>,
    /// Who may change it, as BIND's `update-policy` has it.
    pub policy: &'a str,
}

/// What the key `vsa` may: everything.
pub const ALL: &str = "grant vsa zonesub ANY;";

/// The keys that it knows, all of one secret.
const KEYS: [(&str, &str); 4] =
    [("vsa", "hmac-sha256"), ("guest", "hmac-sha256"), ("middle", "hmac-sha384"), ("long", "hmac-sha512")];

/// The secret of the keys.
pub fn secret() -> Secret {
    Secret::new(base64::engine::general_purpose::STANDARD.encode([7; 32]))
}

impl<'a> Zone<'a> {
    /// A zone that the key `vsa` may change.
    pub fn new(name: &'a str, records: &'a str) -> Self {
        Self { name, records: Some(records), policy: ALL }
    }
}

impl Named {
    /// Starts one in the network that the caller is in, on a port of its own. It is also asked on port 53 of an address
    /// of its own (by UDP), where its zones' NS records lead to. `None` where it cannot run, with a line that says so.
    pub fn start(zones: &[Zone<'_>]) -> Option<Self> {
        Self::with_servers(zones, |own| vec![own])
    }

    /// Starts one whose zones' NS records lead to other addresses than to its own.
    pub fn with_servers(zones: &[Zone<'_>], servers: impl FnOnce(Ipv4Addr) -> Vec<Ipv4Addr>) -> Option<Self> {
        let program = program("named").filter(|_| super::root())?;
        let (port, directory) = (Port::reserve(), tempfile::tempdir().unwrap());
        // Nobody else has the port, hence nobody else the address.
        let [high, low] = port.number.to_be_bytes();
        let address = Ipv4Addr::new(127, 53, high, low);
        let at = directory.path().display().to_string();
        let mut configuration = format!(
            "options {{ directory \"{at}\"; pid-file none; session-keyfile \"{at}/session.key\";\n\
             listen-on port {} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
             recursion no; dnssec-validation no; notify no; allow-query {{ any; }}; }};\ncontrols {{ }};\n",
            port.number
        );
        for (key, algorithm) in KEYS {
            let secret = secret();
            let secret = secret.expose();
            let _ = writeln!(configuration, "key {key} {{ algorithm {algorithm}; secret \"{secret}\"; }};");
        }
        let servers = servers(address);
        // Of names above the zones, and of all others, it is certain that they do not exist.
        let root = Zone { name: ".", records: Some(""), policy: "" };
        for (index, zone) in zones.iter().chain([&root]).enumerate() {
            let policy = if zone.policy.is_empty() {
                String::new()
            } else {
                format!("update-policy {{ {} }};", zone.policy)
            };
            let _ = writeln!(
                configuration,
                "zone \"{}\" {{ type primary; file \"{index}.zone\"; {policy} }};",
                zone.name
            );
            let Some(records) = zone.records else { continue };
            let mut file = "$TTL 1\n@ SOA ns0.vsa-test. ops.vsa-test. 1 60 60 600 1\n".to_owned();
            for number in 0..servers.len() {
                let _ = writeln!(file, "@ NS ns{number}.vsa-test.");
            }
            if zone.name == "." {
                for (number, address) in servers.iter().enumerate() {
                    let _ = writeln!(file, "ns{number}.vsa-test. A {address}");
                }
            }
            fs::write(directory.path().join(format!("{index}.zone")), file + records + "\n").unwrap();
        }
        fs::write(directory.path().join("named.conf"), configuration).unwrap();
        let mut command = Command::new(program);
        command.args(["-g", "-n", "1", "-c"]).arg(directory.path().join("named.conf"));
        let this = Self { service: Service::start(&mut command), port, address, _directory: directory };
        this.service.wait_until(|| this.service.printed().lines().any(|line| line.ends_with(" running")));
        relay(UdpSocket::bind((address, 53)).unwrap(), this.port.number);
        Some(this)
    }

    /// Where it listens: `127.0.0.1:4711`.
    pub fn server(&self) -> String {
        format!("127.0.0.1:{}", self.port.number)
    }

    /// Its address that is asked on port 53.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Asks it.
    pub fn resolver(&self) -> Resolver {
        Resolver::new(&[ResolverAddress::parse(&self.server()).unwrap()]).unwrap()
    }

    /// How it is told to change its zones with the key `vsa`.
    pub fn provider(&self) -> DnsProvider {
        self.provider_with("vsa", TsigAlgorithm::HmacSha256, None)
    }

    /// How it is told to change a zone, or the one that it finds, with a key.
    pub fn provider_with(&self, key: &str, key_algorithm: TsigAlgorithm, zone: Option<&str>) -> DnsProvider {
        let name = |name| DomainName::parse(name).unwrap();
        let server = NameServer::parse(&self.server()).unwrap();
        DnsProvider::Rfc2136 { server, zone: zone.map(name), key_name: name(key), key_algorithm }
    }

    /// What it has printed.
    pub fn printed(&self) -> String {
        self.service.printed()
    }
}

/// Passes questions on to a port, until the test's process ends: BIND itself listens at no address that no interface has.
fn relay(socket: UdpSocket, port: u16) {
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok((length, client)) = socket.recv_from(&mut bytes) {
            let (question, socket) = (bytes[..length].to_vec(), socket.try_clone().unwrap());
            std::thread::spawn(move || {
                let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                server.set_read_timeout(Some(Duration::from_secs(5)))?;
                server.send_to(&question, (Ipv4Addr::LOCALHOST, port))?;
                let mut answer = [0; 4096];
                let length = server.recv(&mut answer)?;
                socket.send_to(&answer[..length], client)
            });
        }
    });
}
