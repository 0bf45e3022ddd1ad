//! Nodes and their proxy, as the engine and the kinds see them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::digest::sha256;
use crate::names;

use super::issuance::budget::Spent;
use super::issuance::{Authority, Piece, REVOKED, host_of};
use super::kind::Distrust;
use super::observation::{Answer, ContainerRef, Query};

/// How nginx's first process shows itself.
pub(super) const MASTER: &str = "nginx: master process";

/// How nginx runs on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyMode {
    /// vsa runs its own nginx under the node's directory.
    Managed,
    /// The system's nginx, with one include file of vsa's.
    Host,
    /// An nginx in a container, which sees the node's directory under the same path.
    Container,
}

impl ProxyMode {
    /// Whether all that nginx reads is vsa's: nginx's prefix is the generation itself.
    pub fn owns_all(self) -> bool {
        self != Self::Host
    }
}

/// A node's Docker engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Docker {
    /// Its socket.
    pub socket: PathBuf,
    /// The first loopback port that services are published on for nginx.
    pub first_port: u16,
    /// The last one.
    pub last_port: u16,
}

impl Docker {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Docker {
    fn default() -> Self {
        Self { socket: PathBuf::from("/var/run/docker.sock"), first_port: 20_000, last_port: 29_999 }
    }
}

/// What the node's configuration says, in absolute paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSpec {
    /// The node's address.
    pub address: Address,
    /// Its label.
    pub name: Arc<str>,
    /// How nginx runs.
    pub mode: ProxyMode,
    /// vsa's directory on the node: `generations/`, `current`, `certificates/`, `logs/`, `run/`, `owner.json`.
    pub root: PathBuf,
    /// `<srv_root>/<tenant>`.
    pub srv_root: PathBuf,
    /// The nginx program.
    pub nginx: PathBuf,
    /// nginx's main configuration file (mode `host`).
    pub nginx_conf: PathBuf,
    /// The one file of vsa's in nginx's own directory (mode `host`).
    pub include_file: PathBuf,
    /// nginx's pid file.
    pub pid_file: PathBuf,
    /// HTTP port.
    pub http_port: u16,
    /// HTTPS port.
    pub https_port: u16,
    /// The user that nginx's workers run as, where nginx is started as root.
    pub worker_user: Option<Arc<str>>,
    /// Whether the default server is vsa's.
    pub default_server: bool,
    /// How long old workers may finish their requests, in seconds.
    pub drain_seconds: u32,
    /// Its Docker engine.
    #[serde(default, skip_serializing_if = "Docker::is_default")]
    pub docker: Docker,
    /// The container that nginx runs in (mode `container`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Arc<str>>,
    /// The one network that the proxy shares with the services that sites name, in the place of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Arc<str>>,
}

impl NodeSpec {
    /// The link to the live generation.
    pub fn current(&self) -> PathBuf {
        self.root.join("current")
    }

    /// The file that names its owner; see [`super::Owner`].
    pub fn owner_file(&self) -> PathBuf {
        self.root.join("owner.json")
    }

    /// The directory of a generation.
    pub fn generation(&self, number: u64) -> PathBuf {
        self.root.join("generations").join(number.to_string())
    }

    /// The number of the generation that a target of the `current` link names.
    pub fn number(target: &Path) -> Option<u64> {
        names::number(target.file_name()?.to_str()?)
    }

    /// What is vsa's alone in its directory, whatever else is there: the link, and the directories that it fills and
    /// empties.
    pub fn own(&self) -> [PathBuf; 9] {
        let below = |name| self.root.join(name);
        [
            self.current(),
            self.candidate(),
            self.base_candidate(),
            below("generations"),
            below("certificates"),
            below("live"),
            below("archive"),
            below("renewal"),
            self.accounts(),
        ]
    }

    /// Where the next generation is made.
    pub fn candidate(&self) -> PathBuf {
        self.root.join("candidate")
    }

    /// Where the generation before it is made, which answers for what certificate authorities look at.
    pub fn base_candidate(&self) -> PathBuf {
        self.root.join("candidate-base")
    }

    /// The generation's file that nginx reads first: its main configuration (managed), or what the one include file
    /// of vsa's includes, inside `http {}` (host).
    pub fn entry(&self) -> &'static str {
        match self.mode {
            ProxyMode::Managed | ProxyMode::Container => "nginx.conf",
            ProxyMode::Host => "vsa.conf",
        }
    }

    /// The text of the one file of vsa's in nginx's own directory (mode `host`).
    pub fn include_text(&self) -> String {
        format!(
            "# Written by vsa; changes here are lost. The sites are in {root}.\ninclude {root}/{entry};\n",
            root = self.current().display(),
            entry = self.entry(),
        )
    }

    /// How a file of the generation is named inside nginx files: relative where nginx's prefix is the generation
    /// itself, else through the `current` link.
    pub fn inside(&self, path: &str) -> String {
        if self.mode.owns_all() {
            return path.to_owned();
        }
        self.current().join(path).to_string_lossy().into_owned()
    }

    /// nginx's prefix, where all that it reads is vsa's: what relative names in its configuration are relative to.
    pub fn prefix(&self) -> String {
        format!("{}/", self.current().display())
    }

    /// The container that nginx runs in, with the engine's socket.
    pub fn in_container(&self) -> Option<ContainerRef> {
        let container = self.container.as_ref()?;
        Some(ContainerRef { socket: self.docker.socket.clone(), container: container.to_string() })
    }

    /// Asks nginx which generation it serves.
    pub fn marker_query(&self) -> Query {
        let (port, host) = (self.http_port, self.marker_host());
        match self.in_container() {
            Some(container) => Query::ContainerMarker { container, port, host },
            None => Query::Marker { port, host },
        }
    }

    /// Asks nginx for its version.
    pub fn version_query(&self) -> Query {
        let program = self.nginx.clone();
        match self.in_container() {
            Some(container) => Query::ContainerNginx { container, program },
            None => Query::NginxVersion(program),
        }
    }

    /// Asks whether nginx runs: answered with a process or processes, absent where it does not.
    pub fn running_query(&self) -> Query {
        match self.in_container() {
            Some(container) => Query::ContainerProcesses(container),
            None => Query::Master(self.pid_file.clone()),
        }
    }

    /// The master process that an answer to [`Self::running_query`] names: in a container, the one that reads what vsa
    /// writes.
    pub fn master(&self, answer: &Answer) -> Option<u32> {
        match answer {
            Answer::Process(master) => Some(*master),
            Answer::Processes(processes) => {
                let prefix = self.prefix();
                let ours = |line: &str| line.starts_with(MASTER) && line.contains(&prefix);
                processes.iter().find(|(_, line)| ours(line)).map(|(id, _)| *id)
            }
            _ => None,
        }
    }

    /// Asks whether a master process hears no signal.
    pub fn stopped_query(&self, process: u32) -> Query {
        match self.in_container() {
            Some(container) => Query::ContainerStopped { container, process },
            None => Query::Stopped(process),
        }
    }

    /// The marker server's name.
    pub fn marker_host(&self) -> String {
        format!("vsa-{}.invalid", self.name)
    }

    /// The directory of a tenant.
    pub fn tenant(&self, tenant: &str) -> PathBuf {
        self.srv_root.join(tenant)
    }

    /// The directory of the stack that a path is inside of: its containers may write there. Tenants' own directories, and
    /// those above them, are the administrator's.
    pub fn stack_around(&self, path: &Path) -> Option<PathBuf> {
        let mut names = path.strip_prefix(&self.srv_root).ok()?.components();
        let (tenant, stack) = (names.next()?, names.next()?);
        names.next().map(|_| self.srv_root.join(tenant).join(stack))
    }

    /// The directory of one issue of a certificate.
    pub fn certificate(&self, name: &str, issue: u64) -> PathBuf {
        self.certificates().join(name).join(issue.to_string())
    }

    /// The directory with the issues of all certificates.
    pub fn certificates(&self) -> PathBuf {
        self.root.join("certificates")
    }

    /// One question for all certificates that nginx reads. No key is read for it.
    pub fn linked_certificates(&self) -> Query {
        let directory = self.current().join("certificates");
        let [read, unread] = [Piece::Fullchain, Piece::Privkey].map(Piece::file);
        Query::Linked { directory, read, unread, rare: REVOKED }
    }

    /// The name of the certificate that the directory of one issue is of.
    pub fn certificate_name(issue: &Path) -> &str {
        issue.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// What the node remembers of its certificates; see [`super::issuance::Ledger`].
    pub fn ledger(&self) -> PathBuf {
        self.accounts().join("ledger.json")
    }

    /// Where files that prove control over names are answered from.
    pub fn challenges(&self) -> PathBuf {
        self.root.join("acme")
    }

    /// Where the accounts with authorities are kept.
    pub fn accounts(&self) -> PathBuf {
        self.root.join("accounts")
    }

    /// Where the account with an authority is kept: by the authority, and the key that names it there.
    pub fn account(&self, authority: &Authority) -> PathBuf {
        let host: String = host_of(&authority.directory)
            .chars()
            .map(|char| if char.is_ascii_alphanumeric() || char == '.' { char } else { '-' })
            .collect();
        let what = format!("{} {}", authority.directory, authority.key_id.as_deref().unwrap_or_default());
        let digest = sha256(what.as_bytes());
        self.accounts().join(format!("{host}-{}.json", digest.get(..12).unwrap_or_default()))
    }

    /// Whether a path is inside the node's root.
    pub fn owns(&self, path: &Path) -> bool {
        path.starts_with(&self.root)
    }
}

/// The nginx at hand, from `nginx -V`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nginx {
    /// The version.
    pub version: Version,
    /// OpenSSL's version, where it is built with it.
    pub openssl: Option<Version>,
    /// `--with-…` arguments.
    pub modules: Vec<String>,
}

impl Nginx {
    /// Reads what `nginx -V` prints.
    pub fn parse(text: &str) -> Option<Self> {
        let version_after = |prefix: &str| {
            let (_, rest) = text.split_once(prefix)?;
            let end = rest.find(|char: char| !(char.is_ascii_digit() || char == '.')).unwrap_or(rest.len());
            Version::parse(&rest[..end]).ok()
        };
        let modules = text
            .split_whitespace()
            .filter_map(|word| word.strip_prefix("--with-"))
            .map(str::to_owned)
            .collect();
        let openssl = version_after("running with OpenSSL ").or_else(|| version_after("built with OpenSSL "));
        Some(Self { version: version_after("nginx/")?, openssl, modules })
    }

    /// Whether it takes all that is written for another one.
    pub fn takes_what_is_for(&self, other: &Self) -> bool {
        self.version >= other.version && (self.has_mlkem() || !other.has_mlkem())
    }

    /// `http2 on;` rather than `listen … http2` (1.25.1).
    pub fn has_http2_directive(&self) -> bool {
        self.version >= Version::new(1, 25, 1)
    }

    /// `resolve` of a `server` in an `upstream`, and `resolver` beside it (1.27.3): connections to what is looked up can be
    /// kept.
    pub fn has_resolved_servers(&self) -> bool {
        self.version >= Version::new(1, 27, 3)
    }

    /// `X25519MLKEM768` (OpenSSL 3.5).
    pub fn has_mlkem(&self) -> bool {
        self.openssl.as_ref().is_some_and(|openssl| *openssl >= Version::new(3, 5, 0))
    }

    /// `ssl_reject_handshake` (1.19.4).
    pub fn has_reject_handshake(&self) -> bool {
        self.version >= Version::new(1, 19, 4)
    }
}

/// A node as the kinds see it when they make files and steps.
#[derive(Clone, Debug)]
pub struct Node {
    /// What its configuration says.
    pub spec: NodeSpec,
    /// The configuration's directory, absolute: what relative paths are relative to.
    pub configuration: PathBuf,
    /// The nginx that its files are written for: as observed, else as the state last knew it, else that of the oldest
    /// supported system.
    pub nginx: Nginx,
    /// What carries the networks that resources of the node make, by name.
    pub networks: BTreeMap<String, Arc<str>>,
    /// The resources of the node whose provisions clients will not trust, where that is more than their attributes say.
    pub distrusted: Arc<BTreeMap<Address, Distrust>>,
    /// The resources of the node whose authority would not issue now, with the limit that is spent.
    pub overspent: Arc<BTreeMap<Address, Spent>>,
}
