//! What an engine could not do, in words that say what to do.

use std::io;
use std::path::Path;
use std::time::Duration;

use bollard::errors::Error;

use crate::plan::docker::no_engine;

/// Why a request failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no socket.
    NoSocket,
    /// The socket may not be used.
    Forbidden,
    /// Nobody listens.
    Refused,
    /// It took longer than this.
    Silent(Duration),
    /// The connection ended before the answer did: the engine was stopped.
    Broken,
    /// The engine refused: an HTTP status and its words.
    Status(u16, String),
    /// Anything else.
    Other(String),
}

impl Failure {
    pub(super) fn text(text: &str) -> Self {
        Self::Other(text.to_owned())
    }

    pub(super) fn of(error: Error) -> Self {
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                Self::Status(status_code, message.trim().to_owned())
            }
            Error::SocketNotFoundError(_) => Self::NoSocket,
            Error::RequestTimeoutError => Self::Silent(super::PATIENCE),
            Error::DockerStreamError { error } => Self::Other(error),
            other => Self::deeper(&other),
        }
    }

    /// What the operating system said is at the end of a chain of causes.
    fn deeper(error: &Error) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut last = error.to_string();
        while let Some(at) = cause {
            if let Some(error) = at.downcast_ref::<io::Error>() {
                match error.kind() {
                    io::ErrorKind::NotFound => return Self::NoSocket,
                    io::ErrorKind::PermissionDenied => return Self::Forbidden,
                    io::ErrorKind::ConnectionRefused => return Self::Refused,
                    io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::UnexpectedEof => return Self::Broken,
                    _ => {}
                }
            }
            last = at.to_string();
            cause = at.source();
        }
        // Of hyper, whose error types are not at hand here.
        if last.contains("closed before message completed") { Self::Broken } else { Self::Other(last) }
    }

    /// The reason in one sentence.
    pub(super) fn reason(&self, socket: &Path) -> String {
        let missing = || no_engine(socket);
        let socket = socket.display();
        match self {
            Self::NoSocket => missing(),
            Self::Forbidden => format!(
                "the socket `{socket}` may not be used; run vsa as root, or put its user into the group `docker`"
            ),
            Self::Refused => format!(
                "no Docker engine listens at `{socket}`; start it (`systemctl start docker`) and run vsa again"
            ),
            Self::Silent(patience) => format!(
                "the Docker engine at `{socket}` did not answer within {} s; look at its log (`journalctl -u docker`)",
                patience.as_secs()
            ),
            Self::Broken => format!(
                "the Docker engine at `{socket}` went away in the middle of its answer; start it (`systemctl start \
                 docker`) and run vsa again"
            ),
            Self::Status(_, message) | Self::Other(message) => message.clone(),
        }
    }
}
