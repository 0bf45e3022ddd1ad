//! Directories of the configuration, read whole.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::host::read_file_within;
use crate::resource::{Leaf, Tree};

/// More files than this below one directory are a slip: somebody's `node_modules`.
const MOST_FILES: usize = 2_000;

/// More bytes than this are data, not configuration.
const MOST_BYTES: usize = 16 << 20;

/// The files below a directory. Links are refused: what they point at may be anything on this machine.
pub(super) fn read(directory: &Path) -> Result<Tree, String> {
    let mut tree = Tree::new();
    let mut bytes = 0;
    let mut pending = vec![(directory.to_owned(), String::new())];
    while let Some((directory, prefix)) = pending.pop() {
        for entry in fs::read_dir(&directory).map_err(|error| error.to_string())? {
            let entry = entry.map_err(|error| error.to_string())?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                return Err(format!("`{prefix}` holds a name that is not UTF-8"));
            };
            let path = format!("{prefix}{name}");
            let metadata = entry.metadata().map_err(|error| format!("`{path}`: {error}"))?;
            if metadata.is_dir() {
                pending.push((entry.path(), format!("{path}/")));
            } else if metadata.is_file() {
                let text = read_file_within(&entry.path(), MOST_BYTES as u64)
                    .map_err(|error| format!("`{path}`: {error}"))?;
                bytes += text.len();
                let executable = metadata.permissions().mode() & 0o100 != 0;
                tree.insert(path.into(), Leaf { bytes: text.into(), executable });
            } else {
                return Err(format!("`{path}` is neither a file nor a directory"));
            }
            if tree.len() > MOST_FILES || bytes > MOST_BYTES {
                return Err(format!(
                    "it holds more than {MOST_FILES} files, or more than {} MiB",
                    MOST_BYTES >> 20
                ));
            }
        }
    }
    Ok(tree)
}
