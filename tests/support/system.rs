//! A machine of its own for the system's nginx: private mounts and a private network, the files of Debian's package
//! copied, so that tests run side by side and the machine's own `/etc/nginx` is never touched.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sched::{CloneFlags, setns};

use super::processes;

/// Directories that the machine has for itself, each empty at first.
const PRIVATE: [&str; 4] = ["/run", "/srv", "/var/lib", "/var/log"];

/// Mounts what is private over the machine's own, brings the loopback up, says so, and waits to be ended.
const SCRIPT: &str = r#"
set -eu
base=$1
shift
for directory in "$@"; do
  mkdir -p "$base$directory"
  mount --bind "$base$directory" "$directory"
done
mount --bind "$base/etc/nginx" /etc/nginx
mkdir -p /run/lock /var/lib/nginx /var/log/nginx
ip link set lo up
echo ready
exec sleep infinity
"#;

/// The machine; it ends, with its nginx, when this is dropped.
pub struct System {
    holder: Child,
    base: PathBuf,
}

impl System {
    /// A machine below `directory`. `None` where there is no root or no nginx, with a line that says so.
    pub fn new(directory: &Path) -> Option<Self> {
        super::nginx()?;
        if !super::root() {
            return None;
        }
        let base = directory.join("machine");
        fs::create_dir_all(base.join("etc")).unwrap();
        let copied =
            Command::new("cp").args(["-a", "/etc/nginx"]).arg(base.join("etc/nginx")).status().unwrap();
        assert!(copied.success(), "/etc/nginx can be copied");
        let mut holder = Command::new("unshare")
            .args(["--mount", "--net", "--propagation", "private", "sh", "-c", SCRIPT, "sh"])
            .arg(&base)
            .args(PRIVATE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        let read = holder.stdout.take().unwrap().read_exact(&mut ready);
        if read.is_err() {
            let _ = holder.wait();
            super::skipped("this machine does not allow namespaces");
            return None;
        }
        Some(Self { holder, base })
    }

    /// Where a path of the machine is, seen from outside.
    pub fn path(&self, path: &str) -> PathBuf {
        self.base.join(path.trim_start_matches('/'))
    }

    /// The process that holds it.
    pub fn id(&self) -> u32 {
        self.holder.id()
    }

    /// A command inside, in this working directory.
    pub fn command(&self, program: &str, directory: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.holder.id()))
            .args(["--mount", "--net", "sh", "-c", "cd \"$1\" && shift && exec \"$@\"", "sh"])
            .arg(directory)
            .arg(program);
        command
    }

    /// Starts the machine's nginx as Debian's service does.
    pub fn start_nginx(&self) {
        let status = self.command("/usr/sbin/nginx", Path::new("/")).status().unwrap();
        assert!(status.success(), "nginx starts");
    }

    /// The process id of the machine's nginx, where it runs.
    pub fn nginx_pid(&self) -> Option<i32> {
        let pid = fs::read_to_string(self.path("/run/nginx.pid")).ok()?.trim().parse().ok()?;
        processes::alive(pid).then_some(pid)
    }

    /// Runs `work` in the machine's network.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        in_network(File::open(format!("/proc/{}/ns/net", self.holder.id())).unwrap(), work)
    }
}

/// Runs `work` in a network.
pub fn in_network<T: Send>(network: File, work: impl FnOnce() -> T + Send) -> T {
    // A thread of its own: which network a thread is in cannot be taken back once it has gone elsewhere.
    std::thread::scope(|scope| {
        let inside = scope.spawn(move || {
            setns(network, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

impl Drop for System {
    fn drop(&mut self) {
        if let Some(pid) = self.nginx_pid() {
            processes::end(pid);
        }
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Request, Workspace, fetch};

    const SITE: &str = "server {
  listen 443 ssl;
  server_name a.example;
  ssl_certificate /srv/cert.pem;
  ssl_certificate_key /srv/key.pem;
  return 200 \"$ssl_server_name $host $request_method $remote_user\";
}
";

    #[test]
    fn the_machine_runs_debians_nginx_beside_the_real_one() {
        let Some(workspace) = Workspace::on_host() else { return };
        let system = workspace.system().unwrap();
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        std::fs::write(system.path("/srv/cert.pem"), cert.pem()).unwrap();
        std::fs::write(system.path("/srv/key.pem"), signing_key.serialize_pem()).unwrap();
        std::fs::write(system.path("/etc/nginx/conf.d/a.conf"), SITE).unwrap();
        system.start_nginx();
        let pid = system.nginx_pid().unwrap();
        workspace.within(|| {
            let answer = fetch(&Request::http(80, "localhost", "/")).unwrap();
            assert!(answer.text().contains("nginx"), "{answer:?}");
            let request =
                Request::https(443, "a.example", "/").sni("b.example").method("POST").password("me", "x");
            assert_eq!(fetch(&request).unwrap().text(), "b.example a.example POST me");
        });
        assert!(!std::path::Path::new("/etc/nginx/conf.d/a.conf").exists());
        drop(workspace);
        assert!(!super::processes::alive(pid));
    }
}
