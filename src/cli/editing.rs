//! Files of the configuration that a command edits: written whole or not at all, and taken back where it fails.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::Failure;
use crate::diag::Diagnostic;
use crate::host::read_file;

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
    let found = match read_file(path) {
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
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    // A link stays one: what it points to is the file.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let former = std::fs::metadata(&path).ok();
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".vsa-edit-").tempfile_in(directory)?;
    if let Some(former) = &former {
        // Root gives it back to whoever has it. Others may not, and have it themselves.
        let _ = fchown(file.as_file(), Some(former.uid()), Some(former.gid()));
    }
    let permissions = former.map(|former| former.permissions());
    let permissions = permissions.unwrap_or_else(|| std::fs::Permissions::from_mode(MODE));
    file.as_file().set_permissions(permissions)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

    use super::*;

    #[test]
    fn a_file_stays_whose_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("main.hcl");
        std::fs::write(&path, "a").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        // Without root there is nobody else to give it to.
        let _ = chown(&path, Some(5), Some(60));
        let access = || {
            let found = std::fs::metadata(&path).unwrap();
            (found.uid(), found.gid(), found.mode() & 0o7777)
        };
        let before = access();
        let edited = Edited { path: "main.hcl".into(), before: Some(b"a".to_vec()), after: b"b".to_vec() };
        assert!(edited.write(directory.path()).is_ok());
        assert_eq!((std::fs::read(&path).unwrap(), access()), (b"b".to_vec(), before));
        assert!(edited.take_back(directory.path()).is_ok());
        assert_eq!((std::fs::read(&path).unwrap(), access()), (b"a".to_vec(), before));
    }
}
