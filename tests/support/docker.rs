//! A Docker engine for tests: its network, mounts and processes are its own, so that no other engine of the machine
//! is touched, and all of it is gone when its holder is.
//!
//! All tests of a run share one. The first that needs it starts it; it ends half a minute after the last has ended,
//! or with `scripts/test`. A test that stops or breaks an engine starts one of its own.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::System;
use super::processes::{self, wait_until};

/// Holds the namespaces until nobody has used the engine for `$2` seconds. It is the first process in there: with it
/// end the engine and every container, and what it has mounted. Its number outside is read before `/proc` is its own.
const HOLD: &str = r#"
set -eu
read -r holder rest </proc/self/stat
mount -t proc proc /proc
ip link set lo up
echo "$holder" >"$1/holder.new"
mv "$1/holder.new" "$1/holder"
exec 9>>"$1.users"
idle=0
while [ "$idle" -lt "$2" ]; do
  sleep 1
  if flock --nonblock --exclusive 9; then
    idle=$((idle + 1))
    [ "$idle" -ge "$2" ] || flock --unlock 9
  else
    idle=0
  fi
done
"#;

/// Holds, in the namespaces that `unshare` or what stands before it gives, then takes away what was left.
const AROUND: &str = r#"
base=$1 linger=$2 hold=$3 group=$4
shift 4
"$@" --mount --pid --fork --kill-child sh -c "$hold" sh "$base" "$linger"
for group in /sys/fs/cgroup/"$group" /sys/fs/cgroup/*/"$group"; do
  [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
done
rm -rf "$base"
"#;

/// Where programs are found: the engine needs `iptables`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where the second Compose is, the plugin, on a machine that has the first: `scripts/setup` puts it there, as the
/// tree below `/usr/local/lib` that Docker's command line looks into.
pub const PLUGIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/compose-plugin");

/// Seconds that the shared engine outlives its last test.
const LINGER: u32 = 30;

/// An engine. It ends when this is dropped, if it is a test's own.
pub struct Engine {
    base: PathBuf,
    own: bool,
    /// Locked while this test uses it.
    _using: File,
}

/// Where networks get their subnets from.
#[derive(Clone, Copy)]
pub struct Pool {
    /// The range.
    pub base: &'static str,
    /// The prefix length of each subnet.
    pub size: u8,
}

impl Pool {
    /// Room for 256 networks.
    pub const LARGE: Self = Self { base: "10.201.0.0/16", size: 24 };
}

impl Engine {
    /// The engine that all tests share. `None` where there is no root or no Docker, with a line that says so.
    pub fn shared() -> Option<Self> {
        available()?;
        let base = std::env::var_os("VSA_TEST_ENGINE").map_or_else(default_base, PathBuf::from);
        let start = lock_file(&base, "start");
        start.lock().unwrap();
        let engine = Self::at(base, false);
        if !engine.answers() {
            engine.hold(LINGER, &["unshare", "--net"])?;
            engine.start_with(Pool::LARGE);
        }
        drop(start);
        Some(engine)
    }

    /// An engine of a test's own, to be stopped and broken, below `directory`; without a pool, with Docker's own.
    pub fn own(directory: &Path, pool: impl Into<Option<Pool>>) -> Option<Self> {
        available()?;
        let engine = Self::at(directory.join("engine"), true);
        engine.hold(1, &["unshare", "--net"])?;
        engine.start_with(pool);
        Some(engine)
    }

    /// An engine of a machine of a test's own: it has that machine's network, and sees its files.
    pub fn inside(system: &System, directory: &Path) -> Option<Self> {
        available()?;
        let engine = Self::at(directory.join("engine"), true);
        let target = format!("--target={}", system.id());
        engine.hold(1, &["nsenter", &target, "--mount", "--net", "unshare"])?;
        engine.start_with(Pool::LARGE);
        Some(engine)
    }

    fn at(base: PathBuf, own: bool) -> Self {
        take_plugin();
        let using = lock_file(&base, "users");
        using.lock_shared().unwrap();
        Self { base, own, _using: using }
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.base.join("docker.sock")
    }

    /// The end of what it says of itself.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.base.join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    fn answers(&self) -> bool {
        UnixStream::connect(self.socket()).is_ok() && self.docker(&["version"]).status().unwrap().success()
    }

    /// Makes the namespaces; what a killed holder left is taken away first.
    fn hold(&self, linger: u32, within: &[&str]) -> Option<()> {
        self.end();
        let _ = fs::remove_dir_all(&self.base);
        fs::create_dir_all(&self.base).unwrap();
        let log = File::create(self.base.join("holder.log")).unwrap();
        let mut around = Command::new("setsid")
            .args(["sh", "-c", AROUND, "sh"])
            .arg(&self.base)
            .args([&linger.to_string(), HOLD, &self.group()])
            .args(within)
            .current_dir("/")
            .env("PATH", PATH)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let held = || self.holder().is_some();
        let ended = wait_until(Duration::from_secs(20), || held() || around.try_wait().unwrap().is_some());
        if ended && held() {
            // It outlives this test; whoever is there then waits for it.
            return Some(());
        }
        super::skipped("this machine does not allow namespaces");
        None
    }

    /// The holder's process, where it runs.
    fn holder(&self) -> Option<i32> {
        let pid = fs::read_to_string(self.base.join("holder")).ok()?.trim().parse().ok()?;
        let is_ours = |process: &processes::Process| {
            process.command.contains(&*self.base.to_string_lossy()) && process.command.contains("flock")
        };
        processes::read(pid).filter(is_ours).map(|process| process.pid)
    }

    fn group(&self) -> String {
        let name: String = self.base.to_string_lossy().chars().filter(char::is_ascii_alphanumeric).collect();
        format!("vsa-test-{name}")
    }

    fn start_with(&self, pool: impl Into<Option<Pool>>) {
        let pools = pool.into().map_or_else(String::new, |Pool { base, size }| {
            format!(r#""default-address-pools": [{{ "base": "{base}", "size": {size} }}], "#)
        });
        let config = format!(
            r#"{{ {pools}"bip": "10.200.0.1/24",
                 "exec-opts": ["native.cgroupdriver=cgroupfs"], "cgroup-parent": "/{}", "shutdown-timeout": 1 }}"#,
            self.group()
        );
        fs::write(self.base.join("daemon.json"), config).unwrap();
        self.start();
    }

    /// Starts it, as it was configured, and waits until it answers.
    pub fn start(&self) {
        let at = |name: &str| self.base.join(name);
        // A killed one leaves its number, which somebody else in there may have by now.
        let _ = fs::remove_file(at("pid"));
        let log = OpenOptions::new().create(true).append(true).open(at("log")).unwrap();
        let mut started = Command::new("setsid")
            .arg("nsenter")
            .arg(format!("--target={}", self.holder().unwrap()))
            .args(["--mount", "--net", "--pid", "dockerd"])
            .arg("--config-file")
            .arg(at("daemon.json"))
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("run"))
            .arg("--pidfile")
            .arg(at("pid"))
            .arg(format!("--host=unix://{}", self.socket().display()))
            .env_clear()
            .env("PATH", PATH)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let patience = Duration::from_mins(1);
        wait_until(patience, || self.answers() || started.try_wait().unwrap().is_some());
        assert!(self.answers(), "the engine starts; its log ends:\n{}", self.log());
    }

    /// The engine's process, where it runs.
    pub fn pid(&self) -> Option<i32> {
        let socket = self.socket().to_string_lossy().into_owned();
        let is_it = |process: &processes::Process| {
            process.command.starts_with("dockerd ") && process.command.contains(&socket)
        };
        processes::all().into_values().find(is_it).map(|process| process.pid)
    }

    /// Stops it, and its containers with it, as a machine does that goes down.
    pub fn stop(&self) {
        if let Some(pid) = self.pid() {
            processes::end(pid);
        }
    }

    /// Kills it: the containers go on.
    pub fn kill(&self) {
        if let Some(pid) = self.pid() {
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
            // Its threads end one by one, the one that listens not first.
            wait_until(Duration::from_secs(5), || UnixStream::connect(self.socket()).is_err());
        }
    }

    /// Moves this thread, and what it starts from now on, into the engine's network: published ports, and the
    /// addresses of containers, can be reached from there alone.
    pub fn enter(&self) {
        let network = format!("/proc/{}/ns/net", self.holder().unwrap());
        setns(File::open(network).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
    }

    /// The network of a container that runs.
    pub fn network_of(&self, container: &str) -> File {
        let pid = self.ask(&["inspect", "--format", "{{.State.Pid}}", container]);
        // It is numbered as the processes in there are.
        File::open(format!("/proc/{}/root/proc/{pid}/ns/net", self.holder().unwrap())).unwrap()
    }

    /// The Docker command line, speaking to this engine.
    pub fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.environment(&mut command);
        command
    }

    /// What the Docker command line prints; that it fails is the test's end.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let output = self.docker(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// `docker-compose` in a directory, with its output; that it fails is the test's end. `None` where there is none.
    pub fn compose(&self, directory: &Path, project: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("docker-compose");
        command.args(["--project-name", project]).args(arguments).current_dir(directory);
        self.environment(&mut command);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker-compose {arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The name of the first container of a service: the Compose tools do not agree on how it is made.
    pub fn container(&self, project: &str, service: &str) -> String {
        let of = |label: &str, value: &str| format!("label=com.docker.compose.{label}={value}");
        let (project, service) = (of("project", project), of("service", service));
        let all = ["ps", "--all", "--filter", &project, "--filter", &service, "--format", "{{.Names}}"];
        self.ask(&all).lines().min().unwrap_or_default().to_owned()
    }

    fn environment(&self, command: &mut Command) {
        let host = format!("unix://{}", self.socket().display());
        command.env_clear().env("PATH", PATH).env("DOCKER_HOST", host).env("HOME", "/nonexistent");
    }

    /// Makes an image of a directory's files, unless there is one of that name.
    pub fn import(&self, name: &str, changes: &[&str], fill: impl FnOnce(&Path)) {
        // Two tests may want the same.
        let lock = lock_file(&self.base, "images");
        lock.lock().unwrap();
        if self.docker(&["image", "inspect", name]).status().unwrap().success() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        fill(directory.path());
        let mut tar = Command::new("tar")
            .args(["--create", "--owner=0", "--group=0", "--directory"])
            .arg(directory.path())
            .arg(".")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let changes: Vec<_> = changes.iter().flat_map(|change| ["--change", *change]).collect();
        let arguments = [&["import"], &changes[..], &["-", name]].concat();
        let mut import = self.docker(&arguments);
        import.stdin(tar.stdout.take().unwrap()).stderr(Stdio::piped());
        let output = import.output().unwrap();
        let packed = tar.wait().unwrap().success();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(packed && output.status.success(), "{name} is imported: {errors}");
    }

    fn end(&self) {
        if let Some(holder) = self.holder() {
            // It may have gone just now.
            let _ = kill(Pid::from_raw(holder), Signal::SIGKILL);
            wait_until(Duration::from_secs(10), || !processes::alive(holder) && !self.base.exists());
        }
    }
}

/// Gives this thread, and what it starts from now on, the plugin, where `VSA_TEST_COMPOSE=plugin` asks for it.
fn take_plugin() {
    if std::env::var_os("VSA_TEST_COMPOSE").is_none_or(|asked| asked != "plugin") {
        return;
    }
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    mount(Some(PLUGIN), "/usr/local/lib", none, MsFlags::MS_BIND, none).unwrap();
    let mut asked = Command::new("docker");
    asked.args(["compose", "version"]).env_clear().env("PATH", PATH).env("HOME", "/nonexistent");
    assert!(asked.output().unwrap().status.success(), "{PLUGIN} has the plugin");
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.own {
            self.end();
        }
    }
}

fn default_base() -> PathBuf {
    // One for each checkout; short, because sockets have short paths.
    let checkout = vsa::digest::sha256(env!("CARGO_MANIFEST_DIR").as_bytes());
    std::env::temp_dir().join(format!("vsa-engine-{}", &checkout[..8]))
}

/// A lock file beside the engine's directory, which comes and goes.
fn lock_file(base: &Path, name: &str) -> File {
    let mut path = base.as_os_str().to_owned();
    path.push(format!(".{name}"));
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

/// Whether this machine can have an engine; says that the test is skipped where not.
fn available() -> Option<()> {
    let has = |program: &str| PATH.split(':').any(|directory| Path::new(directory).join(program).exists());
    for program in ["dockerd", "docker", "docker-compose", "iptables", "busybox"] {
        if !has(program) {
            super::skipped(&format!("{program} is not installed; run `make setup`"));
            return None;
        }
    }
    super::root().then_some(())
}
