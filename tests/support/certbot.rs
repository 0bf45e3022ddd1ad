//! certbot: the other client that makes `live/` and `archive/`, and reads them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::service::program;

/// certbot with a configuration directory of a test's own in the place of `/etc/letsencrypt`.
pub struct Certbot {
    program: PathBuf,
    base: PathBuf,
}

/// How certbot shows that names are its own.
#[derive(Clone, Copy, Debug)]
pub enum Shows<'a> {
    /// It writes below this directory, which somebody serves.
    Webroot(&'a Path),
    /// It listens on this port by itself.
    Standalone(u16),
}

/// A lineage as `certbot certificates` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    pub name: String,
    /// In hexadecimal.
    pub serial: String,
    /// `ECDSA` or `RSA`.
    pub key_type: String,
    pub names: Vec<String>,
    /// `VALID: 89 days`, `INVALID: EXPIRED`, …
    pub validity: String,
    pub fullchain: PathBuf,
    pub key: PathBuf,
}

impl Certbot {
    /// One that keeps all its files below `base`. `None` where it is not installed, with a line that says so.
    pub fn new(base: &Path) -> Option<Self> {
        Some(Self { program: program("certbot")?, base: base.join("certbot") })
    }

    /// What stands in the place of `/etc/letsencrypt`.
    pub fn directory(&self) -> PathBuf {
        self.base.join("letsencrypt")
    }

    /// Gets a certificate for these names from an authority whose own certificate a private root signed. The lineage is
    /// called after the first name.
    pub fn issue(&self, directory: &str, ca: &Path, shows: Shows<'_>, names: &[&str], more: &[&str]) {
        let mut command = self.command(&self.directory());
        command.args(["certonly", "--agree-tos", "--register-unsafely-without-email", "--server", directory]);
        match shows {
            Shows::Webroot(root) => command.arg("--webroot").arg("--webroot-path").arg(root),
            Shows::Standalone(port) => command
                .args(["--standalone", "--http-01-address", "127.0.0.1", "--http-01-port"])
                .arg(port.to_string()),
        };
        command.args(names.iter().flat_map(|name| ["--domain", name])).args(more);
        Self::run(command.env("REQUESTS_CA_BUNDLE", ca));
    }

    /// Runs `certbot renew` over all lineages, due or not, and says what it printed.
    pub fn renew(&self, ca: &Path) -> String {
        let mut command = self.command(&self.directory());
        command.args(["renew", "--force-renewal", "--no-random-sleep-on-renew"]);
        Self::run(command.env("REQUESTS_CA_BUNDLE", ca))
    }

    /// Runs `certbot renew` over those lineages that it finds due, and says what it printed.
    pub fn renew_due(&self, ca: &Path) -> String {
        let mut command = self.command(&self.directory());
        command.args(["renew", "--no-random-sleep-on-renew"]);
        Self::run(command.env("REQUESTS_CA_BUNDLE", ca))
    }

    /// Revokes a lineage's certificate, and leaves its files.
    pub fn revoke(&self, ca: &Path, name: &str) {
        let mut command = self.command(&self.directory());
        command.args(["revoke", "--cert-name", name, "--no-delete-after-revoke"]);
        Self::run(command.env("REQUESTS_CA_BUNDLE", ca));
    }

    /// The lineages that certbot finds in a configuration directory, its own or another's. An error: what it says is
    /// wrong with one.
    pub fn certificates(&self, directory: &Path) -> Result<Vec<Lineage>, String> {
        let text = Self::run(self.command(directory).arg("certificates"));
        if text.contains("were invalid") { Err(text) } else { Ok(lineages(&text)) }
    }

    fn command(&self, directory: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config-dir").arg(directory);
        for name in ["work", "logs"] {
            command.arg(format!("--{name}-dir")).arg(self.base.join(name));
        }
        // Its settings are the test's alone; a random sleep is for servers.
        command.args(["--config", "/dev/null", "--non-interactive"]).env("HOME", &self.base);
        command
    }

    fn run(command: &mut Command) -> String {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = [stdout, stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(status.success(), "{command:?}: {text}");
        text
    }
}

fn lineages(text: &str) -> Vec<Lineage> {
    let lineages = text.split("Certificate Name: ").skip(1).map(|lineage| {
        let field = |name: &str| {
            let mut lines = lineage.lines().filter_map(|line| line.trim().strip_prefix(name));
            lines.next().unwrap_or_default().trim_start_matches(':').trim().to_owned()
        };
        let validity = field("Expiry Date");
        Lineage {
            name: lineage.lines().next().unwrap_or_default().trim().to_owned(),
            serial: field("Serial Number"),
            key_type: field("Key Type"),
            names: field("Domains").split_whitespace().map(str::to_owned).collect(),
            validity: validity.split(['(', ')']).nth(1).unwrap_or_default().to_owned(),
            fullchain: field("Certificate Path").into(),
            key: field("Private Key Path").into(),
        }
    });
    lineages.collect()
}
