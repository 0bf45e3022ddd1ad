//! A socket in front of an engine's that counts what is asked.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// The socket; it listens as long as the test's process runs.
pub struct Counting {
    /// Where.
    pub socket: PathBuf,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Counting {
    /// A socket below `directory` in front of `engine`.
    pub fn before(engine: &Path, directory: &Path) -> Self {
        let socket = directory.join("counting.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let engine = engine.to_owned();
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), UnixStream::connect(&engine).unwrap());
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || copy(client, server, |bytes| note(bytes, &seen)));
                std::thread::spawn(move || copy(back.0, back.1, |_| {}));
            }
        });
        Self { socket, requests }
    }

    /// The request lines since the last time, in no order.
    pub fn take(&self) -> Vec<String> {
        let mut taken = std::mem::take(&mut *self.requests.lock().unwrap());
        taken.sort();
        taken
    }
}

fn note(bytes: &[u8], seen: &Mutex<Vec<String>>) {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter_map(|line| line.strip_suffix(" HTTP/1.1"));
    seen.lock().unwrap().extend(lines.map(str::to_owned));
}

fn copy(mut from: UnixStream, mut to: UnixStream, each: impl Fn(&[u8])) {
    let mut buffer = [0; 1 << 14];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        each(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The other side may have gone already.
    let _ = to.shutdown(Shutdown::Write);
}
