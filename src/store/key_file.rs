//! The file of a state's key.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::host::{require_file, sync_parent};
use crate::state::{KEY_LENGTH, Key};

use super::Error;
use super::files::make_directory;

/// Reads the key; `None` where there is no file.
///
/// # Errors
/// [`Error::ExposedKey`] where others may read it, [`Error::InvalidKey`] where it is none.
pub fn read_key(path: &Path) -> Result<Option<Key>, Error> {
    let mut file = match require_file(path).and_then(|()| File::open(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let mode = file.metadata().map_err(Error::io("read", path))?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Error::ExposedKey { path: path.to_owned(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_LENGTH * 2 + 2));
    Read::by_ref(&mut file).take(4096).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    let invalid = || Error::InvalidKey { path: path.to_owned() };
    let text = std::str::from_utf8(&bytes).map_err(|_| invalid())?;
    Key::parse(text).map(Some).map_err(|_| invalid())
}

/// Makes a key from the system's randomness, and its file.
///
/// # Errors
/// Where there is a file already: a key is never replaced.
pub fn create_key(path: &Path) -> Result<Key, Error> {
    let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
    getrandom::fill(&mut *bytes)
        .map_err(|error| Error::io("find randomness for", path)(io::Error::other(error)))?;
    let key = Key::new(&bytes);
    if let Some(parent) = path.parent() {
        make_directory(parent)?;
    }
    let mut text = key.to_hex();
    text.push('\n');
    write_new(path, text.as_bytes()).map_err(Error::io("write", path))?;
    Ok(key)
}

/// Writes a private file where none is, in one step: it is there whole or not at all.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".key.").tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    sync_parent(path)
}

/// Reads the key, or makes one where there is no file.
pub fn ensure_key(path: &Path) -> Result<Key, Error> {
    match read_key(path)? {
        Some(key) => Ok(key),
        None => create_key(path),
    }
}
