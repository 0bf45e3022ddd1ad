//! The Docker engine behind a socket of this machine.
//!
//! Requests carry no API version, so that an engine answers in the newest it speaks: what is read here is read
//! leniently, and has been in the API since 1.41 (Docker 20.10). Each request has a connection and an end of its
//! own: an engine that hangs is an error, never a wait for ever.

mod containers;
mod convert;
mod failure;
mod images;
mod inside;
mod inspected;
mod logs;
mod networks;
mod observe;
mod operate;
mod ready;
mod stacks;
mod tools;

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};

use self::failure::Failure;
pub(super) use self::observe::one as answer;
pub(super) use self::operate::operate;
pub(super) use self::tools::Tools;

/// How long the engine may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// After how long an engine that says nothing is asked whether it is there, and how long that may take: one that is busy
/// answers that at once.
const SOON: Duration = Duration::from_secs(5);

/// How often the engine is asked while something is waited for.
const EVERY: Duration = Duration::from_millis(200);

/// A client; nothing is asked yet.
fn connect(socket: &Path) -> Result<Docker, Failure> {
    let Some(path) = socket.to_str() else { return Err(Failure::text("the socket's path is not UTF-8")) };
    Docker::connect_with_unix(path, PATIENCE.as_secs(), API_DEFAULT_VERSION).map_err(Failure::of)
}

/// An answer of an engine that is there: one that hangs is not waited for as long as one that is busy.
async fn answered<T>(
    docker: &Docker,
    request: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, Failure> {
    let mut request = pin!(request);
    if let Ok(answer) = tokio::time::timeout(SOON, &mut request).await {
        return answer.map_err(Failure::of);
    }
    tokio::select! {
        answer = &mut request => return answer.map_err(Failure::of),
        there = within(SOON, docker.ping()) => {
            if let Err(Failure::Silent(_)) = there {
                return Err(Failure::Silent(2 * SOON));
            }
        }
    }
    within(PATIENCE, request).await
}

/// An answer of the engine, within `patience`.
async fn within<T>(
    patience: Duration,
    request: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(patience, request).await {
        Ok(answer) => answer.map_err(Failure::of),
        Err(_) => Err(Failure::Silent(patience)),
    }
}
