//! What a Docker engine is told to do, and what it then says, as data.
//!
//! Every operation may be done twice: what is already there, or already gone, is a success that changed nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Contents, HostError, Output, Signal};
use crate::plan::docker::{Container, Image};
use crate::plan::{BlobKind, NetworkSettings};
use crate::value::Secret;

/// What a Docker engine is told to do. Containers and networks are named by name or id.
#[derive(Clone, Debug)]
pub enum DockerOperation {
    /// Makes a network; one of that name that is there must be the same. Answered with [`DockerAnswer::Done`].
    CreateNetwork {
        /// The network.
        network: NetworkSettings,
    },
    /// Removes a network that nothing is attached to. Answered with [`DockerAnswer::Done`].
    RemoveNetwork {
        /// The network.
        name: String,
    },
    /// Attaches a container to a network; one that is attached without some of the aliases is attached anew.
    /// Answered with [`DockerAnswer::Done`].
    Connect {
        /// The network.
        network: String,
        /// The container.
        container: String,
        /// Names that it answers to there, besides its own.
        aliases: Vec<String>,
    },
    /// Takes a container from a network. Answered with [`DockerAnswer::Done`].
    Disconnect {
        /// The network.
        network: String,
        /// The container.
        container: String,
    },
    /// Starts a container. Answered with [`DockerAnswer::Done`].
    Start {
        /// The container.
        container: String,
    },
    /// Lets a container go on that was paused (`docker pause`). Answered with [`DockerAnswer::Done`].
    Unpause {
        /// The container.
        container: String,
    },
    /// Gives a container another name. Answered with [`DockerAnswer::Done`].
    Rename {
        /// The container.
        container: String,
        /// Its new name.
        name: String,
    },
    /// Stops a container. Answered with [`DockerAnswer::Done`].
    Stop {
        /// The container.
        container: String,
        /// How long it may take to end by itself, in whole seconds; then it is killed.
        patience: Duration,
    },
    /// Stops a container and starts it again. Answered with [`DockerAnswer::Done`].
    Restart {
        /// The container.
        container: String,
        /// How long it may take to end by itself, in whole seconds; then it is killed.
        patience: Duration,
    },
    /// Removes a container, running or not, and its volumes without a name. Answered with [`DockerAnswer::Done`].
    Remove {
        /// The container.
        container: String,
    },
    /// Sends a signal to a container's first process. Answered with [`DockerAnswer::Done`].
    Signal {
        /// The container.
        container: String,
        /// The signal.
        signal: Signal,
    },
    /// Runs a program in a running container, to its end. Answered with [`DockerAnswer::Output`].
    Exec {
        /// The container.
        container: String,
        /// The argument vector. Never a secret: who may list the container's processes can read it.
        command: Vec<String>,
        /// When it is given up; the program goes on, as the engine has no way to end it.
        timeout: Duration,
    },
    /// The end of a container's log. Answered with [`DockerAnswer::Log`].
    Logs {
        /// The container.
        container: String,
        /// How many lines at most.
        lines: usize,
        /// How many bytes at most: whole lines from the end.
        bytes: usize,
    },
    /// The end of the log of a swarm's task, on whichever of its nodes it is. Answered with [`DockerAnswer::Log`].
    TaskLogs {
        /// The task's id.
        task: String,
        /// How many lines at most.
        lines: usize,
        /// How many bytes at most: whole lines from the end.
        bytes: usize,
    },
    /// A container's log, piece by piece. Answered with [`DockerAnswer::Following`].
    Follow {
        /// The container.
        container: String,
        /// How many lines of the past come first; all where that is not said.
        lines: Option<usize>,
        /// Whether it ends with what is there, or goes on as the log grows.
        until_now: bool,
        /// Whether each line begins with its time, in RFC 3339 and UTC, and a space.
        timestamps: bool,
    },
    /// Sees to it that an image is there. Answered with [`DockerAnswer::Image`].
    Pull {
        /// The image; without a tag or digest, `latest`.
        reference: String,
        /// When a registry is asked.
        policy: PullPolicy,
        /// Who asks.
        login: Option<RegistryLogin>,
    },
    /// Waits until a container does its work. Answered with [`DockerAnswer::Readiness`].
    AwaitReady {
        /// The container.
        container: String,
        /// How long to wait.
        patience: Duration,
        /// How long one without a health check must stay up.
        settle: Duration,
    },
    /// Removes the named volumes of a Compose project, and all that is in them. Answered with
    /// [`DockerAnswer::Volumes`].
    RemoveVolumes {
        /// The project.
        project: String,
    },
    /// As [`DockerOperation::RemoveVolumes`], of a stack of a swarm; those of this node alone.
    RemoveStackVolumes {
        /// The stack.
        stack: String,
    },
    /// Gives a swarm a secret or a config, unless it has one of that name. Answered with [`DockerAnswer::Done`].
    KeepBlob {
        /// Which of the two.
        kind: BlobKind,
        /// The stack that it belongs to.
        stack: String,
        /// The name that the swarm knows it by.
        name: String,
        /// What it holds.
        content: Contents,
    },
    /// Removes the services of a stack that are not among these, and the secrets, configs and networks that none of these
    /// has. Answered with [`DockerAnswer::Done`].
    PruneStack {
        /// The stack.
        stack: String,
        /// The names of the services that stay, as the swarm knows them.
        services: BTreeSet<String>,
    },
    /// Removes a stack of a swarm, and waits until its containers on this node and its networks have gone. Answered
    /// with [`DockerAnswer::Done`].
    RemoveStack {
        /// The stack.
        stack: String,
        /// How long that may take.
        patience: Duration,
    },
    /// What only an inspection of one container knows. Answered with [`DockerAnswer::Container`].
    Inspect {
        /// The container.
        container: String,
    },
}

/// When a registry is asked for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    /// Each time.
    Always,
    /// Where the engine has none of that name.
    IfMissing,
    /// Never: it must be there.
    Never,
}

/// Who asks a registry.
#[derive(Clone, Debug)]
pub struct RegistryLogin {
    /// The user.
    pub user: String,
    /// The password, or a token in place of one.
    pub password: Secret,
}

/// What a Docker engine says to an operation.
#[derive(Debug)]
pub enum DockerAnswer {
    /// It is so.
    Done {
        /// Whether it was not so before.
        changed: bool,
    },
    /// What a program left.
    Output(Output),
    /// The end of a log, standard output and error as they came.
    Log(Log),
    /// A log, piece by piece.
    Following(Following),
    /// The image that is there.
    Image(Image),
    /// How waiting for a container ended.
    Readiness(Readiness),
    /// The names of the volumes that were removed.
    Volumes(Vec<String>),
    /// The container; `None` where there is none.
    Container(Option<Box<Container>>),
}

/// The end of a log. `Debug` shows its length alone: nobody knows what a program writes.
#[derive(Clone, PartialEq, Eq)]
pub struct Log(pub Vec<u8>);

impl Log {
    /// As text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes)", self.0.len())
    }
}

/// A piece of a log that is followed.
#[derive(Clone, PartialEq, Eq)]
pub struct LogPiece {
    /// Whether it was written to standard error.
    pub error: bool,
    /// The bytes, mostly a line with its end.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for LogPiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogPiece").field("error", &self.error).field("bytes", &self.bytes.len()).finish()
    }
}

/// A log, piece by piece; the engine is let go when this is dropped.
#[derive(Debug)]
pub struct Following(pub(super) mpsc::Receiver<Result<LogPiece, HostError>>);

impl Following {
    /// The next piece; `None` once there are no more.
    pub async fn next(&mut self) -> Option<Result<LogPiece, HostError>> {
        self.0.recv().await
    }
}

/// How waiting for a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It does its work: its health check passes, or it has stayed up.
    Ready,
    /// Its health check fails.
    Unhealthy {
        /// What the check said last. Secrets may be in it.
        said: Log,
    },
    /// It ended, and the engine does not start it again.
    Exited {
        /// With this code.
        code: i32,
    },
    /// There is no such container, or no more.
    Gone,
    /// The time is up.
    TimedOut {
        /// The container as it was then.
        last: Box<Container>,
    },
}
