//! A program that runs beside a test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::NamedTempFile;

/// The program; it ends when this is dropped.
pub struct Service {
    child: Child,
    /// What it prints. A file: what it has printed before it answers stands there when the answer comes.
    output: NamedTempFile,
}

impl Service {
    /// Starts a program in the network that the caller is in, and keeps what it prints.
    pub fn start(command: &mut Command) -> Self {
        let output = NamedTempFile::new().unwrap();
        let writer = || std::fs::OpenOptions::new().append(true).open(output.path()).unwrap();
        let child = command.stdin(Stdio::null()).stdout(writer()).stderr(writer()).spawn().unwrap();
        Self { child, output }
    }

    /// What it has printed, on both outputs.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.output.path()).unwrap()).into_owned()
    }

    /// How many of its lines hold a text.
    pub fn count(&self, text: &str) -> usize {
        self.printed().lines().filter(|line| line.contains(text)).count()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it is ready, at most ten seconds.
    pub fn wait_until(&self, ready: impl FnMut() -> bool) {
        let is = super::processes::wait_until(Duration::from_secs(10), ready);
        assert!(is, "it does not start:\n{}", self.printed());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a program is. `None` where it is not installed, with a line that says that the test is skipped.
pub fn program(name: &str) -> Option<PathBuf> {
    let places = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
    let found = places.map(|place| Path::new(place).join(name)).into_iter().find(|path| path.exists());
    if found.is_none() {
        super::skipped(&format!("{name} is not installed; run `make setup`"));
    }
    found
}
