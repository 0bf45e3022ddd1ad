//! Files of the configuration that a command edits: written whole or not at all, and taken back where it fails.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::Failure;
use crate::diag::Diagnostic;

/// The mode of a file that was not there before.
const MODE: u32 = 0o644;

/// A file of the configuration, edited.
pub(crate) struct Edited {
    /// Relative to the configuration's directory.
    pub(crate) path: PathBuf,
    /// What it held; `None` where it was not there.
    pub(crate) before: Option<Vec<u8>>,
    /// What it shall hold.
    pub(crate) after: Vec<u8>,
}

impl Edited {
    /// Writes it, unless somebody has changed it since it was read.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Failure> {
        let path = directory.join(&self.path);
        unchanged(&path, self.before.as_deref())?;
        replace(&path, &self.after).map_err(|error| unwritten(&path, &error))
    }

    /// Makes it as it was before, unless somebody has changed it since it was written.
    pub(crate) fn take_back(&self, directory: &Path) -> Result<(), Failure> {
        let path = directory.join(&self.path);
        unchanged(&path, Some(&self.after))?;
        let done = match &self.before {
            Some(before) => replace(&path, before),
            None => std::fs::remove_file(&path),
        };
        done.map_err(|error| unwritten(&path, &error))
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Diagnostic::error(format!("`{}` cannot be written: {error}", path.display())).into()
}

fn unchanged(path: &Path, expected: Option<&[u8]>) -> Result<(), Failure> {
    let found = match std::fs::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(unwritten(path, &error)),
    };
    if found.as_deref() == expected {
        return Ok(());
    }
    Err(Diagnostic::error(format!("`{}` was changed meanwhile: it is left as it is", path.display()))
        .help("look at it, and run the command again")
        .into())
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    // A link stays one: what it points to is the file.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let permissions = std::fs::metadata(&path).map(|found| found.permissions());
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".vsa-edit-").tempfile_in(directory)?;
    let permissions = permissions.unwrap_or_else(|_| std::fs::Permissions::from_mode(MODE));
    file.as_file().set_permissions(permissions)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}
