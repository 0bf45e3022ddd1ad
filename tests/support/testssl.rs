//! testssl.sh: an independent judge of what a server offers by TLS.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::service::program;

/// Seconds that it may take.
const PATIENCE: &str = "210";

/// One finding of testssl.sh.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Finding {
    /// The check.
    pub id: String,
    /// `OK`, `INFO`, `LOW`, `MEDIUM`, `HIGH`, `CRITICAL`; `WARN` and `FATAL` are about testssl.sh itself.
    pub severity: String,
    /// What was found.
    #[serde(rename = "finding")]
    pub summary: String,
}

impl Finding {
    /// Whether it is worse than low.
    pub fn is_grave(&self) -> bool {
        matches!(self.severity.as_str(), "MEDIUM" | "HIGH" | "CRITICAL" | "FATAL")
    }
}

/// What testssl.sh finds at a port of 127.0.0.1, for a name, if it trusts the roots of a PEM file. `checks` are its
/// options (`--protocols`, `--headers`, …); none: all that it has, which takes a minute or two. `None` where it is not
/// installed, with a line that says so.
pub fn testssl(port: u16, name: &str, ca: &Path, checks: &[&str]) -> Option<Vec<Finding>> {
    let program = program("testssl")?;
    let directory = tempfile::tempdir().unwrap();
    let found = directory.path().join("found.json");
    let run = Command::new("timeout")
        .arg(PATIENCE)
        .arg(program)
        .args(["--quiet", "--color", "0", "--warnings", "batch", "--ip", "127.0.0.1", "--add-ca"])
        .arg(ca)
        .arg("--jsonfile")
        .arg(&found)
        .args(checks)
        .arg(format!("{name}:{port}"))
        .env("TMPDIR", directory.path())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&run.stdout);
    assert_ne!(run.status.code(), Some(124), "it took longer than {PATIENCE} s: {printed}");
    let text = std::fs::read(&found).unwrap_or_else(|error| panic!("{error}: {printed}"));
    Some(serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{error}: {printed}")))
}

#[cfg(test)]
mod tests {
    use super::super::ports::Port;
    use super::super::private_ca::PrivateCa;
    use super::super::service::Service;
    use super::*;

    #[test]
    fn judges_see_which_protocols_are_offered() {
        let (Some(nginx), Some(_)) = (super::super::nginx(), program("testssl")) else { return };
        let (directory, port) = (tempfile::tempdir().unwrap(), Port::reserve());
        let ca = PrivateCa::new().write(directory.path());
        let conf = directory.path().join("nginx.conf");
        let at = directory.path().display();
        let text = format!(
            "daemon off; pid {at}/pid; error_log {at}/error.log; events {{}}\nhttp {{ access_log off;\n\
             ssl_protocols TLSv1.2;\nserver {{ listen 127.0.0.1:{port} ssl; ssl_certificate {at}/server.pem;\n\
             ssl_certificate_key {at}/server.key; return 200; }} }}\n",
            port = port.number,
        );
        std::fs::write(&conf, text).unwrap();
        let server = Service::start(Command::new(nginx).arg("-c").arg(conf));
        server.wait_until(|| std::net::TcpStream::connect(("127.0.0.1", port.number)).is_ok());
        let findings = testssl(port.number, "localhost", &ca, &["--protocols"]).unwrap();
        let of = |id: &str| {
            let found = findings.iter().find(|finding| finding.id == id);
            found.map(|finding| (finding.severity.as_str(), finding.summary.as_str()))
        };
        assert_eq!(of("TLS1_2"), Some(("OK", "offered")), "{findings:#?}");
        assert_eq!(of("TLS1"), Some(("INFO", "not offered")));
        assert_eq!(
            of("TLS1_3").map(|(_, summary)| summary),
            Some("not offered + downgraded to weaker protocol")
        );
        let Some(lacks) = super::super::sslyze::sslyze(port.number, "localhost", &ca) else { return };
        assert!(lacks.iter().any(|lack| lack.starts_with("ciphers: ")), "{lacks:#?}");
    }
}
