//! Questions to nginx itself.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::plan::Answer;

const PATIENCE: Duration = Duration::from_secs(2);
/// Longer than any marker.
const MOST: u64 = 4096;

/// What the marker server answers on a loopback port; nothing where the answer is not its own.
pub(super) fn marker(port: u16, host: &str) -> Answer {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, PATIENCE) else { return Answer::Absent };
    let request = format!("GET / HTTP/1.0\r\nHost: {host}\r\nUser-Agent: vsa\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let asked = stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
        .and_then(|()| stream.write_all(request.as_bytes()))
        .and_then(|()| stream.take(MOST).read_to_end(&mut answer));
    if asked.is_err() {
        return Answer::Absent;
    }
    let answer = String::from_utf8_lossy(&answer);
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return Answer::Absent };
    let status = head.split(' ').nth(1);
    if status == Some("200") { Answer::Text(body.trim().to_owned()) } else { Answer::Absent }
}
