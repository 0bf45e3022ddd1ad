//! Do: every effect on a node goes through one [`Host`].
//!
//! The primitives are few and batched, so that a host across a network costs one exchange where this machine costs
//! one call: questions are answered all at once, files are changed by an ordered batch. Nothing above assumes that
//! the host is this machine; paths are absolute and on the host.
#![expect(clippy::disallowed_methods, reason = "the one home of a node's files, processes and clock")]

mod addresses;
mod certificate;
mod command;
pub mod compose;
pub mod docker_operation;
mod durable;
mod error;
mod file_operation;
mod local;
pub mod pause;
pub mod private_mounts;
pub mod swarm;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;

pub use addresses::{is_own, outgoing};
pub use certificate::{certificate_facts, first_certificate, first_der, is_key_of, issuers, private_key};
pub use command::{Bind, Command, Output, Overlay, Status};
pub use docker_operation::{DockerAnswer, DockerOperation};
pub use durable::{FileError, beside, open_file, read_file, read_file_within, require_file, sync_parent};
pub use error::HostError;
pub(crate) use error::reason;
pub use file_operation::{Contents, FileOperation};
pub use local::LocalHost;

use crate::plan::{Answer, Query};

/// The clock of the machine that this program runs on: for records of what the program does.
pub fn clock() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// A signal for a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Reload (nginx: read the configuration again).
    Hangup,
    /// End gracefully.
    Quit,
    /// End at once.
    Terminate,
    /// End without a word: the kernel does it.
    Kill,
}

/// A lock that is held until it is dropped.
pub trait Lock: Send + Sync + std::fmt::Debug {}

/// Where a node's resources live: this machine, later one across SSH.
#[async_trait]
pub trait Host: Send + Sync + std::fmt::Debug {
    /// Answers all questions, in their order. Reads only.
    async fn observe(&self, queries: &[Query]) -> Vec<Answer>;

    /// Does file operations in their order; the first that fails ends the batch.
    async fn files(&self, operations: Vec<FileOperation>) -> Result<(), HostError>;

    /// Runs a program to its end.
    async fn run(&self, command: Command) -> Result<Output, HostError>;

    /// Has the Docker engine that listens at a socket do an operation.
    async fn docker(&self, socket: &Path, operation: DockerOperation) -> Result<DockerAnswer, HostError>;

    /// Sends a signal; that the process has gone is an error.
    async fn signal(&self, process: u32, signal: Signal) -> Result<(), HostError>;

    /// Whether something accepts TCP connections at an address of the host.
    async fn accepts(&self, address: SocketAddr) -> bool;

    /// Takes an exclusive lock on a file, which is made where it is missing; `None` where somebody else holds it.
    async fn lock(&self, path: &Path) -> Result<Option<Box<dyn Lock>>, HostError>;

    /// Seconds since 1970 by the host's clock.
    async fn now(&self) -> i64;

    /// Waits; a host of a test may not.
    async fn sleep(&self, duration: Duration);

    /// Time since an arbitrary moment, never running backwards.
    fn elapsed(&self) -> Duration;

    /// Whether operations are done as root.
    fn privileged(&self) -> bool;
}
