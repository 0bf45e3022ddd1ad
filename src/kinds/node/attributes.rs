//! What a `node` block says.

use serde::Deserialize;

use crate::names::{Account, ContainerName, Duration, FilePath, NetworkLabel, ResolverAddress};
use crate::plan::issuance::Settings;

#[derive(Debug, Deserialize)]
pub(super) struct Attributes {
    pub(super) root: Option<FilePath>,
    pub(super) srv_root: Option<FilePath>,
    pub(super) proxy: Proxy,
    pub(super) acme: Option<Settings>,
    pub(super) docker: Docker,
    pub(super) network: Option<NetworkLabel>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Docker {
    pub(super) socket: FilePath,
    pub(super) first_port: u16,
    pub(super) last_port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    Managed,
    Host,
    Container,
}

impl Mode {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::Host => "host",
            Self::Container => "container",
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Proxy {
    pub(super) mode: Mode,
    pub(super) container: Option<ContainerName>,
    pub(super) http_port: Option<u16>,
    pub(super) https_port: Option<u16>,
    pub(super) ipv6: Option<bool>,
    pub(super) http2: bool,
    pub(super) default_server: bool,
    pub(super) resolver: Vec<ResolverAddress>,
    pub(super) drain: Duration,
    pub(super) log_format: String,
    pub(super) error_log: String,
    pub(super) nginx: FilePath,
    pub(super) user: Account,
    pub(super) worker_processes: Option<u32>,
    pub(super) worker_connections: u32,
    pub(super) nginx_conf: FilePath,
    pub(super) include_file: FilePath,
    pub(super) pid_file: Option<FilePath>,
    pub(super) server_names_hash: bool,
}

impl Proxy {
    pub(super) fn http_port(&self) -> u16 {
        self.http_port.unwrap_or(if self.mode == Mode::Managed { 8080 } else { 80 })
    }

    pub(super) fn https_port(&self) -> u16 {
        self.https_port.unwrap_or(if self.mode == Mode::Managed { 8443 } else { 443 })
    }

    pub(super) fn ipv6(&self) -> bool {
        self.ipv6.unwrap_or(self.mode != Mode::Managed)
    }
}
