//! This machine.

mod access;
mod docker;
mod files;
mod lineages;
mod nginx_processes;
mod observe;
mod probe;
mod process;
mod published;
mod served;
mod tree;

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal as Number, kill};
use nix::unistd::{Pid, Uid};

use super::{
    Command, DockerAnswer, DockerOperation, FileOperation, Host, HostError, Lock, Output, Signal, pause,
};
use crate::plan::{Answer, Query};

/// This machine.
#[derive(Clone, Debug)]
pub struct LocalHost {
    program: PathBuf,
    started: Instant,
}

impl LocalHost {
    /// `program` is vsa itself, started again for [`super::private_mounts`].
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), started: Instant::now() }
    }
}

#[derive(Debug)]
struct FileLock {
    _held: Flock<std::fs::File>,
}

impl Lock for FileLock {}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, HostError> + Send + 'static,
) -> Result<T, HostError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(HostError::because(what, "/", "the work was given up")))
}

#[async_trait]
impl Host for LocalHost {
    async fn observe(&self, queries: &[Query]) -> Vec<Answer> {
        tracing::debug!(questions = queries.len(), "observe");
        tracing::trace!(?queries);
        let owned = queries.to_vec();
        let answers = blocking("observe", move || Ok(observe::all(&owned))).await;
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => return vec![Answer::Failed(error.to_string()); queries.len()],
        };
        let tools = docker::Tools::new();
        let answers = queries.iter().zip(answers).map(async |(query, answer)| match answer {
            Some(answer) => answer,
            None => docker::answer(&self.program, query, &tools).await,
        });
        futures_util::future::join_all(answers).await
    }

    async fn files(&self, operations: Vec<FileOperation>) -> Result<(), HostError> {
        // Their number alone: what is written may be a key.
        tracing::debug!(operations = operations.len(), "change files");
        blocking("change", move || files::all(&operations)).await
    }

    async fn run(&self, command: Command) -> Result<Output, HostError> {
        tracing::debug!(program = %command.program.display(), arguments = ?command.arguments, "run");
        let output = process::run(&self.program, command).await;
        tracing::trace!(?output);
        output
    }

    async fn docker(&self, socket: &Path, operation: DockerOperation) -> Result<DockerAnswer, HostError> {
        tracing::debug!(socket = %socket.display(), ?operation, "docker");
        let answer = docker::operate(socket, operation).await;
        tracing::trace!(?answer);
        answer
    }

    async fn signal(&self, process: u32, signal: Signal) -> Result<(), HostError> {
        tracing::debug!(process, ?signal, "signal");
        let number = match signal {
            Signal::Hangup => Number::SIGHUP,
            Signal::Quit => Number::SIGQUIT,
            Signal::Terminate => Number::SIGTERM,
            Signal::Kill => Number::SIGKILL,
        };
        let target = format!("process {process}");
        let id = i32::try_from(process).ok().filter(|id| *id > 1);
        let id = id.ok_or_else(|| HostError::because("signal", &target, "that is no process of nginx"))?;
        pause::around(|| kill(Pid::from_raw(id), number))
            .map_err(|error| HostError::new("signal", &target, error))
    }

    async fn accepts(&self, address: SocketAddr) -> bool {
        let connect = tokio::net::TcpStream::connect(address);
        matches!(tokio::time::timeout(Duration::from_secs(1), connect).await, Ok(Ok(_)))
    }

    async fn lock(&self, path: &Path) -> Result<Option<Box<dyn Lock>>, HostError> {
        let failed = |error| HostError::new("lock", path, error);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        loop {
            let file = pause::around(|| options.open(path)).map_err(failed)?;
            let held = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(held) => held,
                Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
                Err((_, error)) => return Err(HostError::new("lock", path, error)),
            };
            // Who held it before may have removed it: what has no name any more is nobody's lock.
            let opened = held.metadata().map_err(failed)?;
            match std::fs::symlink_metadata(path) {
                Ok(named) if (named.dev(), named.ino()) == (opened.dev(), opened.ino()) => {
                    return Ok(Some(Box::new(FileLock { _held: held })));
                }
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
    }

    async fn now(&self) -> i64 {
        super::clock().as_second()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn privileged(&self) -> bool {
        Uid::effective().is_root()
    }
}
