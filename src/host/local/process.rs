//! Processes of this machine.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use super::observe::answer;
use crate::host::{Command, HostError, Output, Status, pause, private_mounts, read_file_within};
use crate::plan::Answer;

/// Where programs are looked up, and where they look.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long output is still read after a program has ended: a daemon that it left may hold the pipe for ever.
const LEFT_OPEN: Duration = Duration::from_millis(200);

/// How long `nginx -V` may take, and how much it may say.
const ANSWERS: Duration = Duration::from_secs(10);
const MOST_SAID: u64 = 1 << 16;

/// Runs a program to its end. `vsa` starts it where it needs mounts of its own.
pub(super) async fn run(vsa: &Path, command: Command) -> Result<Output, HostError> {
    supervise(vsa, command, |process| pause::around(|| process.spawn())).await
}

/// As [`run`], for a program that changes nothing.
pub(super) async fn ask(vsa: &Path, command: Command) -> Result<Output, HostError> {
    supervise(vsa, command, tokio::process::Command::spawn).await
}

async fn supervise(
    vsa: &Path,
    command: Command,
    spawn: impl FnOnce(&mut tokio::process::Command) -> io::Result<tokio::process::Child>,
) -> Result<Output, HostError> {
    let Command { program, arguments, environment, timeout, binds, overlays } = &command;
    let failed = |error: io::Error| HostError::new("run", program, error);
    let mut process = if binds.is_empty() && overlays.is_empty() {
        let mut process = tokio::process::Command::new(program);
        process.args(arguments);
        process
    } else {
        let mut process = tokio::process::Command::new(vsa);
        process.args(private_mounts::arguments(&command, &resolve(program)));
        process
    };
    process
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C")
        .envs(environment)
        .current_dir("/")
        // A Ctrl-C is vsa's to handle: it lets the program end and takes back what was done.
        .process_group(0)
        .kill_on_drop(true)
        .stdin(if overlays.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = spawn(&mut process).map_err(failed)?;
    let mut group = Group(child.id());
    if let Some(mut pipe) = child.stdin.take() {
        let input = private_mounts::input(overlays);
        // One that ends before it has read all says itself why.
        tokio::spawn(async move { pipe.write_all(&input).await });
    }
    let (ended, end) = watch::channel(false);
    let stdout = tokio::spawn(read(child.stdout.take(), end.clone()));
    let stderr = tokio::spawn(read(child.stderr.take(), end));
    let status = if let Ok(status) = tokio::time::timeout(*timeout, child.wait()).await {
        status.map_err(failed)?.code().map_or(Status::Killed, Status::Exited)
    } else {
        group.kill();
        child.wait().await.map_err(failed)?;
        Status::TimedOut
    };
    group.0 = None;
    // The readers may have ended already.
    let _ = ended.send(true);
    Ok(Output { status, stdout: stdout.await.unwrap_or_default(), stderr: stderr.await.unwrap_or_default() })
}

/// The processes that a program leads, by its id. Whoever waits for it no longer ends it with all that it started: none
/// of it goes on once the node is free for another run.
struct Group(Option<u32>);

impl Group {
    fn kill(&mut self) {
        kill_group(self.0.take());
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Ends a process group at once, which the process of this id leads.
fn kill_group(leader: Option<u32>) {
    if let Some(group) = leader.and_then(|leader| i32::try_from(leader).ok()) {
        // It may have ended by itself.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}

/// Reads until the end, or until the program has ended and no more comes.
async fn read(pipe: Option<impl tokio::io::AsyncRead + Unpin>, mut end: watch::Receiver<bool>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(mut pipe) = pipe else { return bytes };
    let mut buffer = vec![0; 1 << 14];
    loop {
        let count = tokio::select! {
            biased;
            count = pipe.read(&mut buffer) => count,
            () = async { let _ = end.wait_for(|ended| *ended).await; tokio::time::sleep(LEFT_OPEN).await; } => Ok(0),
        };
        match count {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return bytes,
        }
    }
}

/// The path of a program that is named without one.
fn resolve(program: &Path) -> std::path::PathBuf {
    if program.components().count() > 1 {
        return program.to_owned();
    }
    let candidates = PATH.split(':').map(|directory| Path::new(directory).join(program));
    candidates.into_iter().find(|path| path.is_file()).unwrap_or_else(|| program.to_owned())
}

/// What `nginx -V` says; it writes to standard error.
pub(super) fn version(program: &Path) -> Answer {
    said_within(program, ANSWERS)
}

fn said_within(program: &Path, patience: Duration) -> Answer {
    let started = std::process::Command::new(program)
        .arg("-V")
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return answer(Err(error)),
    };
    let (said, hear) = mpsc::channel();
    if let Some(mut pipe) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.by_ref().take(MOST_SAID).read_to_end(&mut bytes);
            // Nobody listens any more where its time was up.
            let _ = said.send(bytes);
        });
    }
    let said = hear.recv_timeout(patience);
    // It has ended, or it is not what it should be: with all that it started, it goes.
    kill_group(Some(child.id()));
    let _ = child.wait();
    match said {
        Ok(bytes) => Answer::Text(String::from_utf8_lossy(&bytes).into_owned()),
        Err(_) => Answer::Failed(format!("it said nothing within {} s", patience.as_secs())),
    }
}

/// How large a pid file may be, in bytes.
const LARGEST_PID: u64 = 64;

/// The master that a pid file names, where it is alive, an nginx and a master. A pid file outlives its process, and
/// process ids are used again.
pub(super) fn master(pid_file: &Path) -> Answer {
    let bytes = match read_file_within(pid_file, LARGEST_PID) {
        Ok(bytes) => bytes,
        Err(error) => return answer(Err(error)),
    };
    let Some(process) =
        String::from_utf8_lossy(&bytes).trim().parse::<u32>().ok().filter(|process| *process > 1)
    else {
        return Answer::Absent;
    };
    if is_master(process) && is_nginx(process) { Answer::Process(process) } else { Answer::Absent }
}

/// Whether a process shows itself as a master of nginx's.
pub(super) fn is_master(process: u32) -> bool {
    title(process).is_some_and(|title| title.starts_with("nginx: master process"))
}

/// Whether the program of a process is an nginx.
pub(super) fn is_nginx(process: u32) -> bool {
    match fs::read_link(format!("/proc/{process}/exe")) {
        Ok(program) => program.file_name().is_some_and(|name| name.as_bytes().starts_with(b"nginx")),
        // Another user's process: its title must do.
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}

/// What a process shows as its command line; nothing of one that has ended and was not waited for yet.
pub(super) fn title(process: u32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{process}/cmdline")).ok()?;
    let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
    Some(text.trim_end().to_owned()).filter(|text| !text.is_empty())
}

/// What a process shows as its command line.
pub(super) fn command_line(process: u32) -> Answer {
    title(process).map_or(Answer::Absent, Answer::Text)
}

/// The children of a process with their command lines.
pub(super) fn children(process: u32) -> Answer {
    let Ok(ids) = ids() else { return Answer::Failed("/proc cannot be read".to_owned()) };
    let children = ids.filter(|id| parent(*id) == Some(process));
    Answer::Processes(children.map(|id| (id, title(id).unwrap_or_default())).collect())
}

/// All processes.
pub(super) fn ids() -> io::Result<impl Iterator<Item = u32>> {
    let entries = fs::read_dir("/proc")?.flatten();
    Ok(entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}

/// Whether a process is stopped.
pub(super) fn stopped(process: u32) -> Answer {
    match stat(process) {
        Some((state, _)) => Answer::Stopped(matches!(state, 'T' | 't')),
        None => Answer::Absent,
    }
}

pub(super) fn parent(process: u32) -> Option<u32> {
    stat(process).map(|(_, parent)| parent)
}

/// The state of a process and its parent, as proc(5) says.
fn stat(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may hold anything; what follows the last one is `state ppid …`.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn a_program_that_takes_too_long_ends_with_all_that_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let (program, child) = (directory.path().join("slow"), directory.path().join("child"));
        let script = format!("#!/bin/sh\nsleep 600 &\necho $! > {}\nwait\n", child.display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let command = Command::new(&program).timeout(Duration::from_secs(1));
        let output = run(Path::new("/proc/self/exe"), command).await.unwrap();
        assert_eq!(output.status, Status::TimedOut);
        let child: u32 = fs::read_to_string(&child).unwrap().trim().parse().unwrap();
        // One that has ended and was not waited for yet has no command line any more.
        let gone = async {
            while command_line(child) != Answer::Absent {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.expect("its child has ended");
    }

    #[test]
    fn a_pid_file_that_is_no_file_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("nginx.pid");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(master(&pipe), Answer::Failed("it is a named pipe, not a file".to_owned()));
        assert_eq!(master(&directory.path().join("none")), Answer::Absent);
    }

    #[test]
    fn a_program_that_says_nothing_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let said = |name: &str, lines: &str| {
            let path = directory.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            said_within(&path, Duration::from_secs(1))
        };
        assert_eq!(said("silent", "sleep 600"), Answer::Failed("it said nothing within 1 s".to_owned()));
        assert_eq!(said("brief", "echo nginx/1.22.1 >&2"), Answer::Text("nginx/1.22.1\n".to_owned()));
        assert_eq!(version(&directory.path().join("none")), Answer::Absent);
    }
}
