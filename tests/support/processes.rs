//! Processes by what `/proc` says of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process as `/proc` shows it.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its parent's id.
    pub parent: i32,
    /// Its arguments, with spaces between; nginx shows its title here.
    pub command: String,
}

/// All processes. Those that end meanwhile are left out.
pub fn all() -> BTreeMap<i32, Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| read(pid).map(|process| (pid, process))).collect()
}

/// One process, where it runs (a zombie does not).
pub fn read(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    Some(Process { pid, parent, command })
}

/// The nginx masters whose arguments name something below `directory`.
pub fn nginx_masters(directory: &Path) -> Vec<Process> {
    let directory = directory.to_string_lossy().into_owned();
    let of_it = |process: &Process| {
        process.command.starts_with("nginx: master process") && process.command.contains(&directory)
    };
    all().into_values().filter(of_it).collect()
}

/// Whether a process runs.
pub fn alive(pid: i32) -> bool {
    read(pid).is_some()
}

/// Whether a process has stopped itself (`SIGSTOP`) and waits.
pub fn stopped(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

/// Ends a process, softly at first, and waits until it has gone.
pub fn end(pid: i32) {
    for (signal, patience) in [(Signal::SIGTERM, 5), (Signal::SIGKILL, 5)] {
        if kill(Pid::from_raw(pid), signal).is_err() {
            return;
        }
        if wait_until(Duration::from_secs(patience), || !alive(pid)) {
            return;
        }
    }
}

/// Waits until `condition` holds, at most `patience`; says whether it did.
pub fn wait_until(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}
