//! The lock of a state.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Error;
use super::files::{PRIVATE, make_directory};
use crate::host::{open_file, read_file};

/// How often a lock that another run holds is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// Who holds a lock, for those who wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `user@host`.
    pub who: String,
    /// The process.
    pub pid: u32,
    /// Since when, in RFC 3339.
    pub since: String,
    /// The command: `vsa apply`.
    pub command: String,
}

/// A held lock; let go when dropped, and by the kernel when the process ends however it ends.
///
/// It is a file of its own: the state document is renamed over, and a lock on it would go with the old one.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock at `path` for `holder`; tries again for up to `timeout` while another run holds it.
    ///
    /// # Errors
    /// [`Error::Locked`] with the other holder, when the time is over.
    pub fn acquire(path: &Path, holder: &Holder, timeout: Duration) -> Result<Self, Error> {
        if let Some(parent) = path.parent() {
            make_directory(parent)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE)
            .open(path)
            .map_err(Error::io("open", path))?;
        // Somebody who looks whether it is held has it for an instant.
        let mut left = timeout.max(RETRY);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if left.is_zero() => {
                    let holder = Self::holder(path)?.map(Box::new);
                    return Err(Error::Locked { path: path.to_owned(), holder });
                }
                Err(TryLockError::WouldBlock) => {
                    let pause = left.min(RETRY);
                    std::thread::sleep(pause);
                    left -= pause;
                }
                Err(TryLockError::Error(source)) => return Err(Error::io("lock", path)(source)),
            }
        }
        let lock = Self { file, path: path.to_owned() };
        lock.announce(holder).map_err(Error::io("write", path))?;
        Ok(lock)
    }

    /// Who wrote itself into the lock file, where somebody did.
    pub fn holder(path: &Path) -> Result<Option<Holder>, Error> {
        match read_file(path) {
            // Between the lock and the announcement there is nothing to read yet.
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", path)(error)),
        }
    }

    /// Whether a run holds the lock now.
    pub fn is_held(path: &Path) -> Result<bool, Error> {
        let file = match open_file(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::io("open", path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(Error::io("lock", path)(source)),
        }
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn announce(&self, holder: &Holder) -> io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&serde_json::to_vec(holder)?)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Both also happen without us: an empty text only spares the next reader a stale name.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}
