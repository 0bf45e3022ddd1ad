//! The copy of the log that is a file of JSON lines.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::host::{open_file, require_file};
use crate::state::AuditHead;

use super::Error;
use super::record;

/// Permission bits of the two copies.
pub(super) const FILE_MODE: u32 = 0o640;
const DIRECTORY_MODE: u32 = 0o750;

/// How often, and how many times, a file that another process appends to is tried again: 10 s in all.
pub(super) const RETRY: Duration = Duration::from_millis(2);
pub(super) const TRIES: u32 = 5000;

/// How much is read at a time from the end.
const STEP: u64 = 16 * 1024;

/// The file.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
}

/// The exclusive lock of the file, until dropped.
pub(super) struct Guard(File);

impl Drop for Guard {
    fn drop(&mut self) {
        // Closing the file lets go as well.
        let _ = self.0.unlock();
    }
}

/// Makes the directory of one of the two copies.
pub(super) fn make_parent(path: &Path) -> Result<(), Error> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    if let Some(above) = parent.parent() {
        fs::create_dir_all(above).map_err(Error::io("make a directory for", path))?;
    }
    match DirBuilder::new().mode(DIRECTORY_MODE).create(parent) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && parent.is_dir() => Ok(()),
        made => made.map_err(Error::io("make a directory for", path)),
    }
}

impl Journal {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        make_parent(path)?;
        if path.exists() {
            require_file(path).map_err(Error::io("open", path))?;
        }
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(FILE_MODE)
            .open(path)
            .map_err(Error::io("open", path))?;
        Ok(Self { file, path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the exclusive lock.
    pub(super) fn lock(&self) -> Result<Guard, Error> {
        for _ in 0..TRIES {
            match self.file.try_lock() {
                Ok(()) => {
                    return self.file.try_clone().map(Guard).map_err(Error::io("lock", &self.path));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(RETRY),
                Err(TryLockError::Error(source)) => return Err(Error::io("lock", &self.path)(source)),
            }
        }
        Err(Error::Busy { path: self.path.clone() })
    }

    /// Appends lines with one write and waits until they are on the disk; takes a part that was written back.
    pub(super) fn append(&self, lines: &[String]) -> Result<(), Error> {
        let length = self.length()?;
        let mut bytes = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
        for line in lines {
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        let written = (&self.file).write_all(&bytes).and_then(|()| self.file.sync_data());
        written.map_err(|source| {
            // What cannot be cut now is a torn line for the next run.
            let _ = self.file.set_len(length);
            Error::io("write", &self.path)(source)
        })
    }

    /// The bytes after the last newline, where there are any.
    pub(super) fn torn(&self) -> Result<Option<Vec<u8>>, Error> {
        let length = self.length()?;
        let start = self.line_start(length)?;
        if start == length { Ok(None) } else { self.read(start, length).map(Some) }
    }

    /// Puts a whole line in the place of the bytes after the last newline.
    pub(super) fn replace_torn(&self, line: &str) -> Result<(), Error> {
        self.cut_torn()?;
        self.append(&[line.to_owned()])
    }

    /// Ends the bytes after the last newline with one.
    pub(super) fn end_torn(&self) -> Result<(), Error> {
        (&self.file)
            .write_all(b"\n")
            .and_then(|()| self.file.sync_data())
            .map_err(Error::io("write", &self.path))
    }

    /// Cuts the bytes after the last newline off.
    pub(super) fn cut_torn(&self) -> Result<(), Error> {
        let start = self.line_start(self.length()?)?;
        self.file.set_len(start).and_then(|()| self.file.sync_data()).map_err(Error::io("write", &self.path))
    }

    /// Number and hash of the last whole line's record; `None` where its hash is not right.
    pub(super) fn tail(&self) -> Result<Option<AuditHead>, Error> {
        let end = self.line_start(self.length()?)?;
        if end == 0 {
            return Ok(Some(AuditHead::default()));
        }
        let start = self.line_start(end - 1)?;
        let line = self.read(start, end - 1)?;
        Ok(std::str::from_utf8(&line).ok().and_then(record::link).map(|(_, after)| after))
    }

    /// The lines after the record that `head` names; `None` where they do not follow it.
    pub(super) fn after(&self, head: &AuditHead) -> Result<Option<Vec<String>>, Error> {
        let mut lines = Vec::new();
        let skipped = usize::try_from(head.count).unwrap_or(usize::MAX);
        for line in Lines::open(&self.path)?.skip(skipped) {
            match line? {
                Line::Whole(line) => lines.push(line),
                Line::Broken => return Ok(None),
            }
        }
        Ok(record::continues(head, &lines).then_some(lines))
    }

    fn length(&self) -> Result<u64, Error> {
        self.file.metadata().map(|metadata| metadata.len()).map_err(Error::io("read", &self.path))
    }

    fn read(&self, start: u64, end: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, start).map_err(Error::io("read", &self.path))?;
        Ok(bytes)
    }

    /// Where the line begins that ends before `end`.
    fn line_start(&self, end: u64) -> Result<u64, Error> {
        let mut upper = end;
        while upper > 0 {
            let lower = upper.saturating_sub(STEP);
            let bytes = self.read(lower, upper)?;
            if let Some(newline) = bytes.iter().rposition(|byte| *byte == b'\n') {
                return Ok(lower + newline as u64 + 1);
            }
            upper = lower;
        }
        Ok(0)
    }
}

/// A line of the file.
pub(super) enum Line {
    /// One that ends in a newline.
    Whole(String),
    /// One that is not text, or does not end.
    Broken,
}

/// The lines of the file, from the start.
pub(super) struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = open_file(path).map_err(Error::io("read", path))?;
        Ok(Self { reader: BufReader::with_capacity(1 << 18, file), path: path.to_owned() })
    }
}

impl Iterator for Lines {
    type Item = Result<Line, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = Vec::new();
        match self.reader.read_until(b'\n', &mut bytes) {
            Err(source) => Some(Err(Error::io("read", &self.path)(source))),
            Ok(0) => None,
            Ok(_) if bytes.pop() == Some(b'\n') => {
                Some(Ok(String::from_utf8(bytes).map_or(Line::Broken, Line::Whole)))
            }
            Ok(_) => Some(Ok(Line::Broken)),
        }
    }
}
