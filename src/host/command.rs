//! Programs to run, as data.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A file or directory that stands over another one, for one program's eyes only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// What is shown.
    pub from: PathBuf,
    /// Where; what is there need not exist.
    pub to: PathBuf,
}

/// A directory that a program sees with these files in it and nothing else. They are in memory alone: no disk has them.
#[derive(Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The directory; it need not exist.
    pub directory: PathBuf,
    /// Files by their paths inside it.
    pub files: BTreeMap<PathBuf, Arc<[u8]>>,
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} files)", self.directory.display(), self.files.len())
    }
}

/// A program to run: an argument vector, never a shell line. Its environment is empty but for `PATH`, `LANG=C` and what
/// is said here, and so is its standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program: a path, or a name to look up in `PATH`.
    pub program: PathBuf,
    /// Its arguments. Never a secret: every user of the host can read them.
    pub arguments: Vec<OsString>,
    /// Variables of its environment. Never a secret either.
    pub environment: BTreeMap<&'static str, OsString>,
    /// When it is killed.
    pub timeout: Duration,
    /// Mounts of its own (root only).
    pub binds: Vec<Bind>,
    /// Directories with other files in them than everybody else sees (root only).
    pub overlays: Vec<Overlay>,
}

impl Command {
    /// A program without arguments, killed after a minute.
    pub fn new(program: impl AsRef<Path>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            timeout: Duration::from_mins(1),
            binds: Vec::new(),
            overlays: Vec::new(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name, value.into());
        self
    }

    /// Sets when it is killed.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Shows `from` to the program where it looks for `to`.
    #[must_use]
    pub fn bind(mut self, from: impl Into<PathBuf>, to: impl Into<PathBuf>) -> Self {
        self.binds.push(Bind { from: from.into(), to: to.into() });
        self
    }

    /// Shows these files to the program, and nothing else, where it looks into a directory.
    #[must_use]
    pub fn overlay(mut self, overlay: Overlay) -> Self {
        self.overlays.push(overlay);
        self
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// With this exit code.
    Exited(i32),
    /// By a signal.
    Killed,
    /// It was killed because its time was up.
    TimedOut,
}

/// What a program left. `Debug` shows how much it wrote, not what: nobody knows what a program repeats.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: Status,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("status", &self.status)
            .field("stdout", &self.stdout.len())
            .field("stderr", &self.stderr.len())
            .finish()
    }
}

impl Output {
    /// Whether it ended with exit code 0.
    pub fn success(&self) -> bool {
        self.status == Status::Exited(0)
    }

    /// How it ended, for people; `what` is what ran.
    pub fn ending(&self, what: &str) -> String {
        match self.status {
            Status::Exited(code) => format!("{what} ended with exit code {code}"),
            Status::Killed => format!("{what} was killed"),
            Status::TimedOut => format!("{what} did not end in time"),
        }
    }

    /// Its standard error as text.
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}
