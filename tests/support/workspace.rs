//! A directory with a configuration, and the real `vsa` run in it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::client::{Request, Response};
use super::container::Container;
use super::ports::Port;
use super::processes;
use super::run::Run;
use super::system::System;

/// A hermetic directory with a configuration. Its nginx, where one was started, ends with it.
pub struct Workspace {
    // Dropped first: it finds its nginx by a file in the directory.
    system: Option<System>,
    container: Option<Container>,
    directory: tempfile::TempDir,
    /// The port for HTTP.
    pub http: Port,
    /// The port for HTTPS.
    pub https: Port,
    environment: Vec<(OsString, OsString)>,
}

impl Workspace {
    /// An empty one, for a managed nginx on free ports. `None` where there is no nginx, with a line that says so.
    pub fn managed() -> Option<Self> {
        super::nginx().map(|_| Self::new())
    }

    /// An empty one, for what needs no nginx.
    pub fn new() -> Self {
        // nginx's workers run as another user where vsa runs as root: they must get in.
        let directory = tempfile::Builder::new().prefix("vsa-test-").tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let this = Self {
            directory,
            http: Port::reserve(),
            https: Port::reserve(),
            environment: Vec::new(),
            system: None,
            container: None,
        };
        fs::create_dir(this.configuration()).unwrap();
        this
    }

    /// An empty one inside a machine of its own: the system's nginx, on ports 80 and 443. `None` where there is no
    /// root, or no nginx, with a line that says so.
    pub fn on_host() -> Option<Self> {
        let mut this = Self::new();
        this.system = Some(System::new(this.path())?);
        Some(this)
    }

    /// An empty one whose nginx runs in a container. `None` where there is no root, no Docker or no nginx, with a line that
    /// says so.
    pub fn in_container() -> Option<Self> {
        let mut this = Self::new();
        let name = format!("proxy-{}", this.http.number);
        this.container = Some(Container::new(name, this.path(), this.node_root())?);
        Some(this)
    }

    /// The directory that holds everything of the test.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The directory of the configuration.
    pub fn configuration(&self) -> PathBuf {
        self.path().join("site")
    }

    /// The machine that the commands run in, where it is not this one.
    pub fn system(&self) -> Option<&System> {
        self.system.as_ref()
    }

    /// The container that nginx runs in, where it does.
    pub fn container(&self) -> Option<&Container> {
        self.container.as_ref()
    }

    /// Writes a file of the configuration.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.configuration().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Reads a file of the configuration's directory.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.configuration().join(name)).unwrap()
    }

    /// Writes `node.hcl` with these lines in its `proxy` block, beside mode and ports. With the system's nginx the
    /// default server stays Debian's.
    pub fn write_node(&self, proxy: &str) -> &Self {
        self.write_node_with_https(self.https_port(), proxy)
    }

    /// As [`Workspace::write_node`], with another port for HTTPS.
    pub fn write_node_with_https(&self, https: u16, proxy: &str) -> &Self {
        let (places, mode) = match (&self.system, &self.container) {
            (Some(_), _) => (String::new(), "mode = \"host\"\n    default_server = false".to_owned()),
            (_, Some(container)) => (
                format!(
                    "  root = \"{0}\"\n  srv_root = \"{0}/srv\"\n  docker {{\n    socket = \"{1}\"\n  }}\n",
                    self.node_root().display(),
                    container.engine.socket().display(),
                ),
                format!("mode = \"container\"\n    container = \"{}\"", container.name),
            ),
            (None, None) => (String::new(), "mode = \"managed\"".to_owned()),
        };
        let http = self.http_port();
        let lines = format!("{mode}\n    http_port = {http}\n    https_port = {https}\n    {proxy}");
        self.write("node.hcl", format!("node \"local\" {{\n{places}  proxy {{\n    {lines}\n  }}\n}}\n"))
    }

    /// The port that HTTP is served on.
    pub fn http_port(&self) -> u16 {
        if self.system.is_some() { 80 } else { self.http.number }
    }

    /// The port that HTTPS is served on.
    pub fn https_port(&self) -> u16 {
        if self.system.is_some() { 443 } else { self.https.number }
    }

    /// Sets an environment variable of every later command.
    pub fn env(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> &mut Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// A command on `vsa`, not yet started, with nothing of the test's own environment.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let program = env!("CARGO_BIN_EXE_vsa");
        let mut command = match &self.system {
            Some(system) => system.command(program, &self.configuration()),
            None => Command::new(program),
        };
        command
            .args(arguments)
            .current_dir(self.configuration())
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.path())
            .env("LANG", "C.UTF-8")
            .env("RUST_BACKTRACE", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// What standard out of `vsa plan -json` holds.
    pub fn plan(&self) -> serde_json::Value {
        self.vsa(["plan", "-json"]).code(0).json()
    }

    /// The node's own directory, seen from outside.
    pub fn node_root(&self) -> PathBuf {
        match &self.system {
            Some(system) => system.path("/var/lib/vsa/local"),
            None => self.configuration().join(".vsa/nodes/local"),
        }
    }

    /// The number of the live generation, as the link says.
    pub fn live_generation(&self) -> u64 {
        let link = fs::read_link(self.node_root().join("current")).unwrap();
        link.file_name().unwrap().to_str().unwrap().parse().unwrap()
    }

    /// The directory of a generation, seen from outside.
    pub fn generation(&self, number: u64) -> PathBuf {
        self.node_root().join("generations").join(number.to_string())
    }

    /// The process id of the node's nginx, where it runs.
    pub fn nginx_pid(&self) -> Option<i32> {
        match &self.system {
            Some(system) => system.nginx_pid(),
            None => processes::nginx_masters(self.path()).first().map(|master| master.pid),
        }
    }

    /// Runs `vsa` with these arguments.
    pub fn vsa<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Run {
        Run::of(self.command(arguments))
    }

    /// Starts `vsa` with these arguments; for those who kill it.
    pub fn start<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts an apply that stops itself (`SIGSTOP`) at an instant that a pause knows. `None` where it ended before.
    pub fn stopped_at(&self, instant: &str) -> Option<Child> {
        let mut command = self.command(["apply", "-auto-approve"]);
        let mut child =
            command.env("VSA_PAUSE", instant).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let mut ended = None;
        let decided = processes::wait_until(Duration::from_mins(1), || {
            ended = child.try_wait().unwrap();
            ended.is_some() || processes::stopped(pid)
        });
        assert!(decided, "the apply neither stopped at {instant} nor ended");
        if let Some(status) = ended {
            assert!(status.success(), "the apply that should have stopped at {instant} failed");
            return None;
        }
        Some(child)
    }

    /// An apply that stops itself at an instant that a pause knows, and goes on once something has happened.
    pub fn apply_meanwhile(&self, instant: &str, what: impl FnOnce()) -> Run {
        self.meanwhile(["apply", "-auto-approve"], instant, what)
    }

    /// A command that stops itself at an instant that a pause knows, and goes on once something has happened.
    pub fn meanwhile<const N: usize>(&self, arguments: [&str; N], instant: &str, what: impl FnOnce()) -> Run {
        let mut command = self.command(arguments);
        command.env("VSA_PAUSE", instant);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(processes::wait_until(Duration::from_mins(1), || processes::stopped(pid)), "{instant}");
        what();
        kill(Pid::from_raw(pid), Signal::SIGCONT).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Run { exit: output.status.code(), stdout, stderr, line: format!("{command:?}") }
    }

    /// Applies the configuration; the test ends where that fails.
    pub fn apply(&self) -> Run {
        self.vsa(["apply", "-auto-approve"]).code(0)
    }

    /// Checks that there is nothing to do.
    pub fn assert_nothing_to_do(&self) -> Run {
        self.vsa(["plan", "-detailed-exitcode"]).code(0)
    }

    /// What a site answers over plain HTTP.
    pub fn http(&self, host: &str, path: &str) -> Response {
        self.fetch(&Request::http(self.http_port(), host, path))
    }

    /// What a site answers over TLS.
    pub fn https(&self, host: &str, path: &str) -> Response {
        self.fetch(&Request::https(self.https_port(), host, path))
    }

    /// The answer to a request; the test ends where there is none.
    pub fn fetch(&self, request: &Request) -> Response {
        let answer = self.within(|| super::fetch(request));
        answer.unwrap_or_else(|failure| panic!("{request:?}: {failure}"))
    }

    /// Runs `work` where the sites can be reached: in the machine or the container of its own, or here.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match (&self.system, &self.container) {
            (Some(system), _) => system.within(work),
            (_, Some(container)) => container.within(work),
            (None, None) => work(),
        }
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        for master in processes::nginx_masters(self.path()) {
            processes::end(master.pid);
        }
        if std::thread::panicking() && std::env::var_os("VSA_TEST_KEEP").is_some() {
            self.directory.disable_cleanup(true);
            eprintln!("kept: {}", self.path().display());
        }
    }
}
