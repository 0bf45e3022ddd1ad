//! A DNS server that says what it is told to (`pebble-challtestsrv`).

use std::process::Command;

use serde_json::{Value, json};

use super::ports::Port;
use super::service::{Service, program};
use super::{Request, fetch};

/// The server. Every name has the address 127.0.0.1 and no other record until it is told otherwise. It ends when this
/// is dropped.
pub struct FakeDns {
    service: Service,
    dns: Port,
    management: Port,
}

impl FakeDns {
    /// Starts one in the network that the caller is in. `None` where it is not installed, with a line that says so.
    pub fn start() -> Option<Self> {
        let program = program("pebble-challtestsrv")?;
        let (dns, management) = (Port::reserve(), Port::reserve());
        let mut command = Command::new(program);
        command.arg("-dns01").arg(format!("127.0.0.1:{}", dns.number));
        command.arg("-management").arg(format!("127.0.0.1:{}", management.number));
        command.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]);
        let this = Self { service: Service::start(&mut command), dns, management };
        this.service.wait_until(|| {
            let listens = |port: &Port| std::net::TcpStream::connect(("127.0.0.1", port.number)).is_ok();
            listens(&this.dns) && listens(&this.management)
        });
        Some(this)
    }

    /// As a resolver's address: `127.0.0.1:4711`.
    pub fn server(&self) -> String {
        format!("127.0.0.1:{}", self.dns.number)
    }

    /// The IPv4 address of every name that has none of its own.
    pub fn by_default(&self, address: Option<&str>) {
        self.tell("set-default-ipv4", &json!({ "ip": address.unwrap_or_default() }));
    }

    /// A name's IPv4 addresses; none: that by default.
    pub fn a(&self, host: &str, addresses: &[&str]) {
        self.set("a", host, "addresses", addresses);
    }

    /// A name's IPv6 addresses.
    pub fn aaaa(&self, host: &str, addresses: &[&str]) {
        self.set("aaaa", host, "addresses", addresses);
    }

    /// A name's CAA records (RFC 8659): tag and value.
    pub fn caa(&self, host: &str, policies: &[(&str, &str)]) {
        let policies: Vec<_> =
            policies.iter().map(|(tag, value)| json!({ "tag": tag, "value": value })).collect();
        self.set("caa", host, "policies", &policies);
    }

    /// A name's TXT record; none: no longer any.
    pub fn txt(&self, host: &str, value: Option<&str>) {
        let host = format!("{}.", host.trim_end_matches('.'));
        match value {
            Some(value) => self.tell("set-txt", &json!({ "host": host, "value": value })),
            None => self.tell("clear-txt", &json!({ "host": host })),
        };
    }

    /// Makes a name an alias of another.
    pub fn cname(&self, host: &str, target: &str) {
        self.tell("set-cname", &json!({ "host": host, "target": target }));
    }

    /// Whether every question for a name fails (`SERVFAIL`).
    pub fn servfail(&self, host: &str, fails: bool) {
        let path = if fails { "set-servfail" } else { "clear-servfail" };
        self.tell(path, &json!({ "host": host }));
    }

    /// The types of the questions for a name: 1 (A), 16 (TXT), 28 (AAAA), 257 (CAA), …
    pub fn questions(&self, host: &str) -> Vec<u64> {
        let asked = self.tell("dns-request-history", &json!({ "host": host }));
        let asked = asked.as_array().cloned().unwrap_or_default();
        asked.iter().filter_map(|entry| entry["Question"]["Qtype"].as_u64()).collect()
    }

    fn set<T: serde::Serialize>(&self, record: &str, host: &str, key: &str, values: &[T]) {
        self.tell(&format!("clear-{record}"), &json!({ "host": host }));
        if !values.is_empty() {
            self.tell(&format!("add-{record}"), &json!({ "host": host, key: values }));
        }
    }

    fn tell(&self, path: &str, body: &Value) -> Value {
        let request = Request::http(self.management.number, "127.0.0.1", &format!("/{path}"));
        let answer = fetch(&request.method("POST").body(body.to_string())).unwrap();
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }
}
