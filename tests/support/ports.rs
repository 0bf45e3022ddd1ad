//! Ports that no other test takes, in this process or another one.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

/// Below the range that outgoing connections take theirs from.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Below that: tests share the loopback addresses of an engine.
const BLOCKS: std::ops::Range<u16> = 2_000..10_000;

/// A port that is ours until this is dropped.
pub struct Port {
    /// The number.
    pub number: u16,
    _lock: File,
}

impl Port {
    /// Takes a free one. The lock file says that it is taken while nothing listens on it yet.
    pub fn reserve() -> Self {
        let ours = |&(number, _): &(u16, File)| TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).is_ok();
        let (number, lock) =
            locked(RANGE, 1).find(ours).unwrap_or_else(|| panic!("no port is free in {RANGE:?}"));
        Self { number, _lock: lock }
    }
}

/// Ports one after the other, for a node to give to services, that are ours until this is dropped.
pub struct Block {
    /// The first of them.
    pub first: u16,
    _lock: File,
}

impl Block {
    /// How many there are.
    pub const SIZE: u16 = 8;

    /// Takes a free one.
    pub fn reserve() -> Self {
        let taken = locked(BLOCKS, Self::SIZE).next();
        let (first, lock) = taken.unwrap_or_else(|| panic!("no ports are free in {BLOCKS:?}"));
        Self { first, _lock: lock }
    }

    /// The last of them.
    pub const fn last(&self) -> u16 {
        self.first + Self::SIZE - 1
    }
}

/// Each `step`th number of a range that nobody has locked, and its lock; tests begin in different places.
fn locked(range: std::ops::Range<u16>, step: u16) -> impl Iterator<Item = (u16, File)> {
    let directory: PathBuf = std::env::temp_dir().join("vsa-test-ports");
    if std::fs::create_dir_all(&directory).is_ok() {
        use std::os::unix::fs::PermissionsExt as _;
        // Users share the directory; a lock file of another user's is a port that is taken.
        let _ = std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o1777));
    }
    let count = (range.end - range.start) / step;
    let start = u16::try_from(std::process::id() * 37 % u32::from(count)).unwrap();
    (0..count).filter_map(move |turn| {
        let number = range.start + (start + turn) % count * step;
        let lock =
            OpenOptions::new().create(true).append(true).open(directory.join(number.to_string())).ok()?;
        lock.try_lock().is_ok().then_some((number, lock))
    })
}
