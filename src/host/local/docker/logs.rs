//! Logs of containers.

use std::path::Path;
use std::pin::pin;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;

use super::failure::Failure;
use super::{PATIENCE, within};
use crate::host::docker_operation::{Following, Log, LogPiece};
use crate::host::{DockerAnswer, HostError};

/// How many pieces of a followed log wait for their reader.
const WAITING: usize = 256;

pub(super) fn options(lines: Option<usize>) -> LogsOptions {
    let tail = lines.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
    LogsOptions { stdout: true, stderr: true, tail, ..Default::default() }
}

/// The end of a log: at most so many bytes.
pub(super) async fn tail(
    pieces: impl Stream<Item = Result<LogOutput, bollard::errors::Error>>,
    bytes: usize,
) -> Result<DockerAnswer, Failure> {
    let mut pieces = pin!(pieces);
    let mut kept: Vec<u8> = Vec::new();
    let read = async {
        while let Some(piece) = pieces.next().await {
            kept.extend_from_slice(piece?.as_ref());
            if kept.len() > bytes.saturating_mul(2) {
                shorten(&mut kept, bytes);
            }
        }
        Ok(())
    };
    within(PATIENCE, read).await?;
    shorten(&mut kept, bytes);
    Ok(DockerAnswer::Log(Log(kept)))
}

/// Keeps at most so many bytes of the end, from the beginning of a line on where there is one.
fn shorten(kept: &mut Vec<u8>, bytes: usize) {
    let Some(over) = kept.len().checked_sub(bytes).filter(|over| *over > 0) else { return };
    let line = kept[over - 1..].iter().position(|byte| *byte == b'\n').map(|end| over + end);
    let from = line.filter(|from| *from < kept.len()).unwrap_or(over);
    kept.drain(..from);
}

/// What of a log is read, and how.
#[derive(Clone, Copy)]
pub(super) struct Read {
    pub(super) lines: Option<usize>,
    pub(super) until_now: bool,
    pub(super) timestamps: bool,
}

pub(super) fn follow(docker: &Docker, socket: &Path, container: &str, read: Read) -> DockerAnswer {
    let Read { lines, until_now, timestamps } = read;
    let options = LogsOptions { follow: !until_now, timestamps, ..options(lines) };
    let pieces = docker.logs(container, Some(options));
    let (sender, receiver) = mpsc::channel(WAITING);
    let (socket, container) = (socket.to_owned(), container.to_owned());
    let error = move |error| {
        let reason = Failure::of(error).reason(&socket);
        HostError::because("read the log of the container", &container, reason)
    };
    tokio::spawn(forward(pieces, sender, error));
    DockerAnswer::Following(Following(receiver))
}

async fn forward(
    mut pieces: impl Stream<Item = Result<LogOutput, bollard::errors::Error>> + Unpin,
    sender: mpsc::Sender<Result<LogPiece, HostError>>,
    error: impl Fn(bollard::errors::Error) -> HostError,
) {
    loop {
        let piece = tokio::select! {
            piece = pieces.next() => piece,
            () = sender.closed() => return,
        };
        let Some(piece) = piece else { return };
        let piece = piece.map_err(&error).map(|piece| LogPiece {
            error: matches!(piece, LogOutput::StdErr { .. }),
            bytes: piece.into_bytes().to_vec(),
        });
        let last = piece.is_err();
        if sender.send(piece).await.is_err() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_shortened_to_whole_lines_where_it_has_them() {
        for (text, bytes, end) in [
            ("one\ntwo\nthree\n", 100, "one\ntwo\nthree\n"),
            ("one\ntwo\nthree\n", 10, "two\nthree\n"),
            ("one\ntwo\nthree\n", 9, "three\n"),
            ("one\ntwo\nthree\n", 4, "ree\n"),
            ("abcdef", 3, "def"),
            ("abc", 0, ""),
        ] {
            let mut kept = text.as_bytes().to_vec();
            shorten(&mut kept, bytes);
            assert_eq!(String::from_utf8(kept).unwrap(), end, "{text:?} to {bytes}");
        }
    }
}
