//! Processes of nginx's that no pid file may lead to, and what proves whose they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::process;
use crate::plan::Answer;
use crate::plan::observation::NginxProcess;

/// The state of a socket that listens, in `/proc/net/tcp` (proc(5)).
const LISTENS: &str = "0A";

/// All of them in the network that this process is in.
pub(super) fn all() -> Answer {
    let Ok(ids) = process::ids() else { return Answer::Failed("/proc cannot be read".to_owned()) };
    let here = fs::read_link("/proc/self/ns/net").ok();
    let is_here = |id: u32| match fs::read_link(format!("/proc/{id}/ns/net")) {
        Ok(network) => Some(network) == here,
        // Another user's process: what it listens on is not to be seen either.
        Err(_) => false,
    };
    let found = ids.filter_map(|id| Some((id, led(id)?))).filter(|(id, _)| is_here(*id));
    Answer::NginxProcesses(found.map(|(id, led)| (id, NginxProcess { led, ..look(id) })).collect())
}

/// Of a process of nginx's, whether it is a master or has one.
fn led(id: u32) -> Option<bool> {
    let title = process::title(id).filter(|title| title.starts_with("nginx: ") && process::is_nginx(id))?;
    if title.starts_with("nginx: worker process") {
        return process::parent(id).map(process::is_master);
    }
    title.starts_with("nginx: master process").then_some(true)
}

/// What a process has open.
fn look(id: u32) -> NginxProcess {
    let mut found = NginxProcess::default();
    let mut sockets = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten() {
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let text = target.to_string_lossy();
        let socket = text.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        match socket {
            Some(inode) => {
                sockets.insert(inode.to_owned());
            }
            None if target.is_absolute() => {
                found.files.insert(named(target));
            }
            None => {}
        }
    }
    let listening = listening(id);
    found.ports = sockets.iter().filter_map(|inode| listening.get(inode)).copied().collect();
    found
}

/// The name that a file had: what was removed says so at its end.
fn named(target: PathBuf) -> PathBuf {
    match target.to_str().and_then(|text| text.strip_suffix(" (deleted)")) {
        Some(text) => Path::new(text).to_owned(),
        None => target,
    }
}

/// The ports that sockets listen on in the network of a process, by inode.
fn listening(id: u32) -> BTreeMap<String, u16> {
    let tables = ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/{id}/net/{table}")));
    let mut found = BTreeMap::new();
    for table in tables.into_iter().flatten() {
        found.extend(table.lines().skip(1).filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
            (*state == LISTENS).then(|| ((*inode).to_owned(), port))
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_has_open_is_seen() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let file = fs::File::create(&path).unwrap();
        let seen = look(std::process::id());
        assert!(seen.ports.contains(&listener.local_addr().unwrap().port()));
        assert!(seen.files.contains(&path));
        fs::remove_file(&path).unwrap();
        assert!(look(std::process::id()).files.contains(&path), "by the name that it had");
        drop(file);
    }
}
