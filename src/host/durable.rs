//! What makes a change of a directory of this machine last, and what the operating system may refuse on the way.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::diag::Diagnostic;

/// Makes renames in the directory of `path` durable.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(parent(path))?.sync_all()
}

/// The directory of `path`.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

/// The name beside `path` that its next version is written to before it is renamed: no `*.conf` or `*.json` matches.
pub fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

/// How large a file is that is read whole, in bytes, where nothing says less.
const LARGEST: u64 = 1 << 30;

/// Reads a file of at most 1 GiB, see [`open_file`].
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    read_file_within(path, LARGEST)
}

/// Reads a file of at most so many bytes, see [`open_file`].
pub fn read_file_within(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open_file(path)?;
    let size = file.metadata()?.len();
    // At once as long as it gets: growing would leave copies of secrets behind.
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(most)).unwrap_or_default());
    // It may have grown since.
    let read = if size > most { size } else { file.take(most + 1).read_to_end(&mut bytes)? as u64 };
    if read > most {
        let large = match most >> 20 {
            0 => format!("{} KiB", most >> 10),
            large => format!("{large} MiB"),
        };
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {large}")));
    }
    Ok(bytes)
}

/// Opens a file for reading. What is no regular file is refused: a named pipe would be waited for, and a device has
/// no end.
pub fn open_file(path: &Path) -> io::Result<File> {
    require_file(path)?;
    // Something else may have taken its place since.
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    require(file.metadata()?.file_type())?;
    Ok(file)
}

/// Refuses what is there and no regular file.
pub fn require_file(path: &Path) -> io::Result<()> {
    require(std::fs::metadata(path)?.file_type())
}

fn require(kind: FileType) -> io::Result<()> {
    let what = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => "a directory",
        _ if kind.is_fifo() => "a named pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, not a file")))
}

/// What the operating system refused to do with a file of vsa's own.
#[derive(Debug)]
pub struct FileError {
    /// What was tried: `read`, `write`, `lock`, ….
    pub doing: &'static str,
    /// With what.
    pub path: PathBuf,
    /// Its reason.
    pub source: io::Error,
}

impl FileError {
    /// For `map_err`.
    pub fn new(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { doing, path, source }
    }

    /// Adds what to do about it, where that is the same for every file.
    pub fn advise(&self, diagnostic: Diagnostic) -> Diagnostic {
        match self.source.kind() {
            io::ErrorKind::PermissionDenied => diagnostic.help(format!(
                "run vsa as the user that owns `{}`, or give this one access",
                self.path.display()
            )),
            io::ErrorKind::StorageFull => diagnostic.help("free some space and run the command again"),
            io::ErrorKind::InvalidInput => diagnostic.help(format!(
                "move `{}` away, and put back the file that vsa wrote, where there was one",
                self.path.display()
            )),
            _ => diagnostic,
        }
    }
}
