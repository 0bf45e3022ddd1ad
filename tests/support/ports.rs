//! Ports for nginx that no other test takes, in this process or another one.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

/// Below the range that outgoing connections take theirs from.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port that is ours until this is dropped.
pub struct Port {
    /// The number.
    pub number: u16,
    _lock: File,
}

impl Port {
    /// Takes a free one. The lock file says that it is taken while nothing listens on it yet.
    pub fn reserve() -> Self {
        let directory: PathBuf = std::env::temp_dir().join("vsa-test-ports");
        if std::fs::create_dir_all(&directory).is_ok() {
            use std::os::unix::fs::PermissionsExt as _;
            // Users share the directory; a lock file of another user's is a port that is taken.
            let _ = std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o1777));
        }
        let span = RANGE.end - RANGE.start;
        let start = u16::try_from(std::process::id() * 37 % u32::from(span)).unwrap();
        for step in 0..span {
            let number = RANGE.start + (start + step) % span;
            let path = directory.join(number.to_string());
            let Ok(lock) = OpenOptions::new().create(true).append(true).open(path) else { continue };
            if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).is_ok() {
                return Self { number, _lock: lock };
            }
        }
        panic!("no port is free in {RANGE:?}");
    }
}
