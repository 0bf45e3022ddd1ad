//! A command that was run to its end, and what it printed.

use std::io::{ErrorKind, Read};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// How long a command may take before the test fails.
const PATIENCE: Duration = Duration::from_mins(3);

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Run {
    /// The exit code; `None` where a signal ended it.
    pub exit: Option<i32>,
    /// Standard out.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    pub(super) line: String,
}

impl Run {
    /// Runs a command to its end, with patience.
    pub fn of(command: Command) -> Self {
        Self::of_patient(command, PATIENCE)
    }

    /// Runs a command that may take long to its end.
    pub fn of_patient(mut command: Command, patience: Duration) -> Self {
        let line = format!("{command:?}");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Printed::read(child.stdout.take().unwrap());
        let stderr = Printed::read(child.stderr.take().unwrap());
        if !(stdout.ends_within(patience) && stderr.ends_within(patience)) {
            let _ = child.kill();
            let (stdout, stderr) = (stdout.text(), stderr.text());
            panic!("{line}\nheld its output open for more than {patience:?}\n{stderr}\n{stdout}");
        }
        let (stdout, stderr) = (stdout.text(), stderr.text());
        let exit = child.wait().unwrap().code();
        Self { exit, stdout, stderr, line }
    }

    /// Checks the exit code.
    #[must_use = "the run can be looked at further, or dropped with `drop`"]
    pub fn code(self, expected: i32) -> Self {
        assert_eq!(self.exit, Some(expected), "{self}");
        self
    }

    /// Checks that the output, or the diagnostics, hold this text.
    #[must_use = "the run can be looked at further, or dropped with `drop`"]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "{text:?} is not said\n{self}");
        self
    }

    /// Standard out as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }
}

/// What a command prints to a pipe, as it does.
struct Printed {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: mpsc::Receiver<()>,
}

impl Printed {
    fn read(mut pipe: impl Read + Send + 'static) -> Self {
        let (bytes, (done, end)) = (Arc::new(Mutex::new(Vec::new())), mpsc::channel());
        let into = Arc::clone(&bytes);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match pipe.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(read) => into.lock().unwrap().extend_from_slice(&buffer[..read]),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            let _ = done.send(());
        });
        Self { bytes, end }
    }

    fn ends_within(&self, patience: Duration) -> bool {
        self.end.recv_timeout(patience).is_ok()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { exit, stdout, stderr, line } = self;
        // The errors come first: of a long plan, a log may keep no more than the beginning.
        write!(f, "{line}\nexit code {exit:?}\n--- standard error\n{stderr}\n--- standard out\n{stdout}")
    }
}
