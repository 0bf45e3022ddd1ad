//! What `vsa init` makes beside a configuration.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;

use super::files::make_directory;
use super::{Error, Layout, create_key, read_key};
use crate::host::read_file;

/// The line that keeps local data out of a repository.
const IGNORED: &str = ".vsa/";

/// What was made; empty where everything was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Initialised {
    /// Files and directories that were made or added to.
    pub made: Vec<PathBuf>,
}

/// Makes the directories of state and local data, the line in `.gitignore` and, unless the key is given from outside,
/// the key. What is there already stays as it is.
pub fn init(layout: &Layout, with_key: bool) -> Result<Initialised, Error> {
    let mut made = Vec::new();
    let state = layout.state();
    let directories = [state.parent().map(PathBuf::from), Some(layout.data())];
    for directory in directories.into_iter().flatten() {
        if !directory.is_dir() {
            make_directory(&directory)?;
            made.push(directory);
        }
    }
    let ignore = layout.configuration().join(".gitignore");
    let text = match read_file(&ignore) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Error::io("read", &ignore)(error)),
    };
    let ignored = [IGNORED, "/.vsa/", ".vsa", "/.vsa"];
    if !text.lines().any(|line| ignored.contains(&line.trim())) {
        let separator = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&ignore)
            .and_then(|mut file| file.write_all(format!("{separator}{IGNORED}\n").as_bytes()))
            .map_err(Error::io("write", &ignore))?;
        made.push(ignore);
    }
    if with_key && read_key(&layout.key())?.is_none() {
        create_key(&layout.key())?;
        made.push(layout.key());
    }
    Ok(Initialised { made })
}
