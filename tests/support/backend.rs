//! A small HTTP server to stand behind a proxied site.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// A server that answers every request with its name, the request line and the headers it got, a line each.
/// It ends when this is dropped.
pub struct Backend {
    /// The port.
    pub port: u16,
    _stop: oneshot::Sender<()>,
}

impl Backend {
    /// Starts one in the network that the caller is in.
    pub fn start(name: &str) -> Self {
        let name = name.to_owned();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(&listener, &name) => {}
                    // The sender is dropped, never used.
                    _ = stopped => {}
                }
            });
        });
        Self { port, _stop: stop }
    }

    /// As an upstream's address: `127.0.0.1:4711`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

async fn accept(listener: &TcpListener, name: &str) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let name = name.to_owned();
            tokio::spawn(async move {
                // A client that goes away is the client's affair.
                let _ = serve(stream, &name).await;
            });
        }
    }
}

async fn serve(mut stream: TcpStream, name: &str) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        };
        let head: Vec<u8> = read.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let header = |wanted: &str| {
            let headers = head.lines().filter_map(|line| line.split_once(": "));
            headers
                .into_iter()
                .find(|(found, _)| found.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value.to_owned())
        };
        let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while read.len() < length {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
        read.drain(..length);
        let body = format!("{name}\n{}\n", head.trim_end().replace("\r\n", "\n"));
        let keep = header("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close"));
        let keep = keep && head.contains("HTTP/1.1");
        let connection = if keep { "keep-alive" } else { "close" };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await?;
        if !keep {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Connections, Load, Request, fetch};
    use super::*;

    #[test]
    fn clients_and_loads_agree_with_the_backend() {
        let backend = Backend::start("one");
        let request =
            Request::http(backend.port, "a.example", "/x").header("X-Test", "yes").body("some text");
        let answer = fetch(&request).unwrap();
        assert_eq!(answer.status, 200);
        assert!(
            answer.text().starts_with("one\nGET /x HTTP/1.1\nHost: a.example\nX-Test: yes\n"),
            "{answer:?}"
        );
        for connections in [Connections::Fresh, Connections::KeptAlive] {
            let load = Load::start(200, connections, vec![request.clone()]);
            load.wait_for(20);
            let report = load.stop();
            report.assert_all_answered();
            assert_eq!(report.statuses.get(&200), Some(&report.sent));
        }
    }
}
