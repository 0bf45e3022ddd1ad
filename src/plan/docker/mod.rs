//! Docker as a node sees it: what its listings say, as plain data.
//!
//! Everything here comes from listings that answer for the whole engine at once. What only an inspection of one
//! container knows (aliases, restarts) is `None` until it was asked for.

mod container;
mod engine;
mod image;
mod network;
mod swarm;
mod volume;

use std::path::{Path, PathBuf};

pub use container::{
    Attachment, ComposeLabels, Container, ContainerState, Health, Mount, Protocol, PublishedPort, SwarmLabels,
};
pub use engine::{AddressPool, Engine, SwarmMembership};
pub use image::{Image, same_reference};
pub use network::{COMPOSE_PROJECT, Network, attached, free_subnets};
pub use swarm::{Service, Task, UpdateState, service_name};
pub use volume::Volume;

/// Where Docker listens unless somebody has moved it.
pub const SOCKET: &str = "/var/run/docker.sock";

/// Where a container asks for names: Docker's own server, in every network but the default one.
pub const DNS_SERVER: &str = "127.0.0.11";

/// Labels of vsa's own begin so; only those, Compose's and Swarm's are kept of a container's labels.
pub const LABEL_PREFIX: &str = "vsa.";

/// The Compose tool of a node, as data: every command line begins with `program` and `prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposeTool {
    /// The program: `docker` or `docker-compose`.
    pub program: PathBuf,
    /// Arguments before the tool's own: `compose` for the plugin.
    pub prefix: Vec<String>,
    /// What it says of itself.
    pub version: semver::Version,
}

impl ComposeTool {
    /// The plugin of the Docker command line, `docker compose`.
    pub fn plugin(version: semver::Version) -> Self {
        Self { program: "docker".into(), prefix: vec!["compose".to_owned()], version }
    }

    /// The program of its own, `docker-compose`.
    pub fn standalone(version: semver::Version) -> Self {
        Self { program: "docker-compose".into(), prefix: Vec::new(), version }
    }

    /// What a version command printed, read leniently: packagers add to the three numbers (`v2.17.3+ds1-0~22.04`).
    pub fn version(text: &str) -> Option<semver::Version> {
        let text = text.trim().trim_start_matches('v');
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut numbers = text[..end].split('.').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(semver::Version::new(next()?, next()?, next()?))
    }
}

/// What to say where a node has no Docker.
pub fn no_engine(socket: &Path) -> String {
    format!(
        "there is no Docker on the node: no socket `{}`; install or start it, or name its socket",
        socket.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_packagers_write_them() {
        let read = |text| ComposeTool::version(text).map(|version| version.to_string());
        for (text, version) in [
            ("1.29.2\n", "1.29.2"),
            ("v2.2.3", "2.2.3"),
            ("2.17.3+ds1-0ubuntu1~22.04.1", "2.17.3"),
            ("2.20.2-desktop.1", "2.20.2"),
        ] {
            assert_eq!(read(text).as_deref(), Some(version));
        }
        assert_eq!(read("docker: 'compose' is not a docker command"), None);
        assert_eq!(read("2.1"), None);
        assert_eq!(read(""), None);
    }
}
