//! A site whose certificate cannot be had at first, and then can.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::Value;

use super::issuing::{live, site};
use crate::support::authority::{Behaviour, Gate, Validation};
use crate::support::private_ca::trusted;
use crate::support::{Authority, FakeDns, Workspace};

pub(super) const NAME: &str = "shop.example.com";

/// A site that is to have a certificate.
pub(super) struct Story {
    pub(super) ground: Workspace,
    pub(super) authority: Authority,
    pub(super) dns: FakeDns,
}

impl Story {
    pub(super) fn new() -> Option<Self> {
        let ground = Workspace::managed()?;
        let dns = FakeDns::start()?;
        let authority = Authority::start(Behaviour::new(Validation::Asks(ground.http_port())));
        let story = Self { ground, authority, dns };
        story.write("", NAME);
        Some(story)
    }

    pub(super) fn write(&self, more: &str, name: &str) {
        let port = self.ground.http_port();
        self.configure(&self.authority.directory(), port, more, &[name]);
    }

    pub(super) fn configure(&self, directory: &str, validation_port: u16, more: &str, names: &[&str]) {
        let (ground, ca) = (&self.ground, self.authority.ca().display());
        let node = format!(
            "node \"local\" {{\n  proxy {{\n    http_port  = {}\n    https_port = {}\n  }}\n  acme {{\n    directory       = \"{directory}\"\n    \
             ca              = \"{ca}\"\n    validation_port = {validation_port}\n    resolvers       = [\"{}\"]\n    {more}\n  }}\n}}\ntenant \"acme\" {{}}\n",
            ground.http_port(),
            ground.https_port(),
            self.dns.server(),
        );
        let sites: String = names.iter().map(|name| site(ground, name, "")).collect();
        ground.write("main.hcl", node + &sites);
    }

    /// What a failed apply says of the certificate.
    pub(super) fn fails(&self) -> String {
        self.told(&self.ground.vsa(["apply", "-auto-approve"]).code(5).stderr)
    }

    /// The errors in what a run printed.
    pub(super) fn told(&self, printed: &str) -> String {
        let directory = self.authority.directory();
        let authority = directory.split('/').nth(2).unwrap();
        let text = printed.replace(authority, "[authority]");
        let text = text.replace(&self.ground.http_port().to_string(), "[port]");
        let text = text.replace(&self.ground.path().display().to_string(), "[ground]");
        let errors = text.find("\nerror").map_or(text.as_str(), |at| &text[at + 1..]);
        let errors = errors.split("\nerror: the apply failed").next().unwrap_or_default().trim_end();
        // The addresses of the machine that the tests run on.
        let Some((before, after)) = errors.split_once("leads to this node: ") else {
            return errors.to_owned();
        };
        format!("{before}leads to this node: [node]{}", after.find(';').map_or("", |at| &after[at..]))
    }

    /// Has the configuration say another thing.
    pub(super) fn replace(&self, from: &str, to: &str) {
        let text = self.ground.read("main.hcl");
        assert!(text.contains(from), "{text}");
        self.ground.write("main.hcl", text.replace(from, to));
    }

    pub(super) fn ledger(&self) -> Value {
        let text = fs::read(self.ground.node_root().join("accounts/ledger.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Lets the time pass for which nothing is tried again.
    pub(super) fn later(&self) {
        let path = self.ground.node_root().join("accounts/ledger.json");
        let mut ledger = self.ledger();
        // A run that was killed, or had no room, did not write down that it failed.
        if let Some(failed) = ledger["certificates"][NAME].get_mut("failed") {
            failed["again"] = 0.into();
            fs::write(path, ledger.to_string()).unwrap();
        }
    }

    /// Checks that the next apply has the certificate issued, and with how many orders in all.
    pub(super) fn goes_on(&self, orders: usize) {
        self.private();
        self.later();
        self.ground.apply();
        self.has(orders);
    }

    /// Checks that an apply leaves a certificate that things go on without, and that a renewal has it issued; with how many
    /// orders in all.
    pub(super) fn is_left_to_renewals(&self, orders: usize) {
        self.private();
        self.later();
        let asked = self.authority.requests().len();
        let _ =
            self.ground.apply().says("could not be issued, and waits").says("`vsa cert renew`, or its timer");
        assert_eq!(self.authority.requests().len(), asked);
        let _ = self.ground.vsa(["cert", "renew"]).code(0);
        self.has(orders);
    }

    /// Checks that the certificate is there and served, and with how many orders in all.
    pub(super) fn has(&self, orders: usize) {
        trusted(&self.authority.roots()[0], &live(&self.ground, NAME), NAME).unwrap();
        assert_eq!(self.ground.https(NAME, "/").status, 200);
        assert_eq!(self.authority.orders().len(), orders);
        assert_eq!(self.authority.accounts().len(), 1);
        self.private();
        self.ground.assert_nothing_to_do();
    }

    /// Checks that nobody else may read a private key, wherever one is; gives how many there are.
    pub(super) fn private(&self) -> usize {
        let mut found = 0;
        let mut directories = vec![self.ground.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    directories.push(entry.path());
                } else if kind.is_file() {
                    let text = fs::read(entry.path()).unwrap();
                    let text = String::from_utf8_lossy(&text);
                    if text.contains("PRIVATE KEY") || text.contains("key_pkcs8") {
                        found += 1;
                        let mode = entry.metadata().unwrap().permissions().mode();
                        assert_eq!(mode & 0o077, 0, "{} {mode:o}", entry.path().display());
                    }
                }
            }
        }
        found
    }

    /// An apply that is held at a step of the authority's, while something happens; what it says where it fails.
    pub(super) fn meanwhile(
        &self,
        gate: &Gate,
        what: impl FnOnce(&mut std::process::Child),
    ) -> (Option<i32>, String) {
        let mut command = self.ground.command(["apply", "-auto-approve"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        gate.wait_for_one();
        what(&mut child);
        gate.open();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), self.told(&String::from_utf8_lossy(&output.stderr)))
    }
}

/// Something that answers everything at a port with this status.
pub(super) fn stranger(status: &'static str) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    answers(listener, status);
    port
}

pub(super) fn answers(listener: TcpListener, status: &'static str) {
    use std::io::{Read as _, Write as _};
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
}
