//! Changes of files, as data.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::plan::action::Access;

/// What a file shall hold. It may be a key: wiped from memory when dropped, and `Debug` shows its length alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents(Zeroizing<Vec<u8>>);

impl From<Vec<u8>> for Contents {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<&str> for Contents {
    fn from(text: &str) -> Self {
        text.as_bytes().to_vec().into()
    }
}

impl From<String> for Contents {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl Deref for Contents {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes)", self.0.len())
    }
}

/// A change of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOperation {
    /// Makes a directory whose parent exists; one that is there stays as it is.
    MakeDirectory {
        /// The directory.
        path: PathBuf,
        /// Its access.
        access: Access,
    },
    /// Gives what is there this access; a link at the end of the path is refused, not followed.
    SetAccess {
        /// The path.
        path: PathBuf,
        /// Its access.
        access: Access,
    },
    /// Writes a file where none is; it has its access before its content. Not synced.
    Create {
        /// The file.
        path: PathBuf,
        /// Its access.
        access: Access,
        /// Its content.
        bytes: Contents,
    },
    /// Writes a file, or replaces one, in one step: nobody ever sees half of it, and it lasts.
    Replace {
        /// The file.
        path: PathBuf,
        /// Its access.
        access: Access,
        /// Its content.
        bytes: Contents,
    },
    /// Gives a file another name.
    HardLink {
        /// The file.
        from: PathBuf,
        /// Its other name, where nothing is.
        to: PathBuf,
    },
    /// Makes a symbolic link where nothing is. Not synced.
    Link {
        /// The link.
        path: PathBuf,
        /// What it points to, as written.
        target: PathBuf,
    },
    /// Makes a symbolic link, or points one elsewhere, in one step that lasts.
    Repoint {
        /// The link.
        path: PathBuf,
        /// What it points to, as written.
        target: PathBuf,
    },
    /// Moves a file or directory on its file system, in one step that lasts; a file at `to` is replaced.
    Rename {
        /// Where it is.
        from: PathBuf,
        /// Where it shall be.
        to: PathBuf,
    },
    /// Puts a directory of files and links into the place of another, in one step that lasts; what else the other holds
    /// is carried over. What was there is at `from` afterwards. Where the file system cannot exchange directories (NFS,
    /// some overlays), where `to` is a link, or where another directory is in it, the names take the places of
    /// their namesakes one by one instead: for a moment, somebody who reads sees some old and some new.
    Supplant {
        /// The directory.
        from: PathBuf,
        /// Where it shall be.
        to: PathBuf,
    },
    /// Removes a file or link, if there is one. Not synced.
    Remove {
        /// The file or link.
        path: PathBuf,
    },
    /// Removes an empty directory, if there is one.
    RemoveDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// Removes a directory and all below it, if there is one; links are not followed.
    RemoveTree {
        /// What it must be below: never anything outside.
        root: PathBuf,
        /// The directory.
        path: PathBuf,
    },
    /// Makes the content of a file, or the names in a directory, last.
    Sync {
        /// The file or directory.
        path: PathBuf,
    },
    /// Makes all that was written to the file system of a path last.
    SyncFilesystem {
        /// The path.
        path: PathBuf,
    },
    /// Operations on what stands below a directory; no symbolic link is followed on the way from there: whoever may
    /// write below it could have put one in the place of a directory.
    Below {
        /// The directory.
        root: PathBuf,
        /// The operations, in their order: of directories, of access, and of files written whole.
        operations: Vec<Self>,
    },
    /// Operations that do not depend on each other, done in any order and at once.
    Unordered(Vec<Self>),
}
