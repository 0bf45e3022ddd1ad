//! Containers as a listing of the whole engine shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A container, running or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its id, 64 hexadecimal digits.
    pub id: String,
    /// Its name, without the leading slash.
    pub name: String,
    /// What Compose says of it, where Compose made it.
    pub compose: Option<ComposeLabels>,
    /// What a swarm says of it, where it is a task of a stack's service.
    pub swarm: Option<SwarmLabels>,
    /// The labels of vsa's own, by their whole name.
    pub labels: BTreeMap<String, String>,
    /// The image as it was asked for; the id where that name has gone to another image.
    pub image: String,
    /// The image's id (`sha256:…`).
    pub image_id: String,
    /// What it does.
    pub state: ContainerState,
    /// What its health check says; `None` where it has none, or does not run.
    pub health: Option<Health>,
    /// What it ended with; `None` while it runs, and where it never did.
    pub exit_code: Option<i32>,
    /// How often the engine has restarted it; only an inspection knows.
    pub restarts: Option<u32>,
    /// Whether it is to run on, because its restart policy or a health check says so: one that has ended was stopped.
    /// Only an inspection knows.
    pub runs_on: Option<bool>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// The networks it is attached to, by name.
    pub networks: BTreeMap<String, Attachment>,
    /// Ports published on the host, one entry for each address.
    pub published: BTreeSet<PublishedPort>,
    /// Ports of the container that its image or its configuration names, published or not.
    pub exposed: BTreeSet<(u16, Protocol)>,
    /// What is mounted into it.
    pub mounts: Vec<Mount>,
}

impl Container {
    /// Whether it is one of the containers that a Compose project runs (one-off runs are not).
    pub fn belongs_to(&self, project: &str) -> bool {
        self.compose.as_ref().is_some_and(|labels| labels.project == project && !labels.oneoff)
    }

    /// Whether it is one of the containers that run a swarm's stack.
    pub fn is_task_of(&self, stack: &str) -> bool {
        self.swarm.as_ref().is_some_and(|labels| labels.stack == stack)
    }

    /// The service of its Compose project, or of its stack of a swarm, that it runs.
    pub fn service(&self) -> Option<&str> {
        let of_compose = self.compose.as_ref().map(|labels| &labels.service);
        of_compose.or(self.swarm.as_ref().map(|labels| &labels.service)).map(String::as_str)
    }

    /// Which of its service's replicas it is, from 1 on; 0 where nobody counts.
    pub fn number(&self) -> u32 {
        let of_compose = self.compose.as_ref().map(|labels| labels.number);
        of_compose.or(self.swarm.as_ref().and_then(|labels| labels.slot)).unwrap_or_default()
    }

    /// Whether a path of the host stands under the same path in there.
    pub fn sees(&self, path: &Path, writable: bool) -> bool {
        Mount::show(&self.mounts, path, writable)
    }

    /// Whether it is one of the containers that a service of a Compose project runs (one-off runs are not).
    pub fn serves(&self, project: &str, service: &str) -> bool {
        self.belongs_to(project) && self.service() == Some(service)
    }

    /// Whether it does its work: it runs, and no health check says otherwise.
    pub fn is_ready(&self) -> bool {
        self.state == ContainerState::Running && matches!(self.health, None | Some(Health::Healthy))
    }
}

/// What Compose writes on each container that it makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposeLabels {
    /// `com.docker.compose.project`.
    pub project: String,
    /// `com.docker.compose.service`.
    pub service: String,
    /// `com.docker.compose.container-number`: 1 for the first replica.
    pub number: u32,
    /// `com.docker.compose.config-hash`: equal to what `config --hash` says of an unchanged service.
    pub config_hash: Option<String>,
    /// `com.docker.compose.oneoff`: made by `run`, not by `up`.
    pub oneoff: bool,
    /// `com.docker.compose.project.working_dir`: where whoever started the project did so.
    pub working_dir: Option<PathBuf>,
}

/// What a swarm writes on each container of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwarmLabels {
    /// `com.docker.stack.namespace`.
    pub stack: String,
    /// The service, as the stack's files call it.
    pub service: String,
    /// The replica's number; `None` of a service that runs once on each node.
    pub slot: Option<u32>,
}

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, and never started.
    Created,
    /// It runs.
    Running,
    /// Stopped in its tracks (`docker pause`).
    Paused,
    /// It ended, and the engine starts it again.
    Restarting,
    /// It ended.
    Exited,
    /// It is being removed.
    Removing,
    /// The engine could not remove it.
    Dead,
    /// A state of an engine newer than this vsa.
    Unknown,
}

impl fmt::Display for ContainerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Removing => "removing",
            Self::Dead => "dead",
            Self::Unknown => "unknown",
        })
    }
}

/// What a health check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It has not passed yet, and has not failed often enough.
    Starting,
    /// It passes.
    Healthy,
    /// It fails.
    Unhealthy,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        })
    }
}

/// A container's place in a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The network's id.
    pub network: String,
    /// Its addresses there; none while it does not run.
    pub addresses: Vec<IpAddr>,
    /// The names that it answers to there; only an inspection knows.
    pub aliases: Option<BTreeSet<String>>,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// A port of the host that leads into a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedPort {
    /// The host's address; `0.0.0.0` and `::` are all of them.
    pub host_ip: IpAddr,
    /// The host's port.
    pub host_port: u16,
    /// The container's port.
    pub container_port: u16,
    /// The protocol.
    pub protocol: Protocol,
}

/// Something of the host that stands in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The name of a volume; `None` for a directory or file of the host, and for memory.
    pub volume: Option<String>,
    /// Where it is on the host; empty for memory.
    pub source: PathBuf,
    /// Where it stands in the container.
    pub destination: PathBuf,
    /// Whether the container may write to it.
    pub writable: bool,
}

impl Mount {
    /// Whether a path of the host stands under the same path in a container with these mounts.
    pub fn show(mounts: &[Self], path: &Path, writable: bool) -> bool {
        let over = mounts.iter().filter(|mount| path.starts_with(&mount.destination));
        let nearest = over.max_by_key(|mount| mount.destination.components().count());
        nearest.is_some_and(|mount| {
            let below = path.strip_prefix(&mount.destination).unwrap_or(path);
            mount.volume.is_none() && mount.source.join(below) == path && (mount.writable || !writable)
        })
    }
}
