//! The state document on the local disk.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::ser::Formatter;

use crate::host::read_file;
use crate::state::{State, VERSION};

use super::files::{make_directory, make_private_directory, replace, try_beside};
use super::{Error, Layout};

/// How many former documents are kept.
pub const BACKUPS: usize = 30;

/// The state document of a configuration. The caller holds the [`super::Lock`] while it writes.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
    backups: PathBuf,
}

/// What every version of the document has.
#[derive(Deserialize)]
struct Header {
    version: u64,
    #[serde(default)]
    serial: u64,
    #[serde(default)]
    vsa_version: Option<String>,
}

impl StateFile {
    /// At its usual place.
    pub fn new(layout: &Layout) -> Self {
        Self { path: layout.state(), backups: layout.backups() }
    }

    /// At a place of one's own.
    pub fn at(path: impl Into<PathBuf>, backups: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), backups: backups.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Malformed`] and [`Error::Version`] where it cannot be understood.
    pub fn read(&self) -> Result<Option<State>, Error> {
        read(&self.path)
    }

    /// Writes it whole, and keeps the former document under its serial.
    ///
    /// # Errors
    /// The former document is untouched where it fails.
    pub fn write(&self, state: &State) -> Result<(), Error> {
        let text = to_text(state).map_err(|error| Error::io("write", &self.path)(error.into()))?;
        let place = self.place()?;
        self.keep_former(&place)?;
        replace(&place, &text)
    }

    /// Finds out whether [`StateFile::write`] will be able to, changing nothing.
    ///
    /// # Errors
    /// As it would fail.
    pub fn try_write(&self) -> Result<(), Error> {
        try_beside(&self.place()?)?;
        if self.path.exists() {
            make_private_directory(&self.backups)?;
            try_beside(&self.former(0))?;
        }
        Ok(())
    }

    /// Where the document is in truth, its directory made: a link to it stays one.
    fn place(&self) -> Result<PathBuf, Error> {
        if let Some(parent) = self.path.parent() {
            make_directory(parent)?;
        }
        if !self.path.is_symlink() {
            return Ok(self.path.clone());
        }
        self.path.canonicalize().map_err(Error::io("follow the link", &self.path))
    }

    /// The serials of the former documents that are kept, oldest first.
    pub fn serials(&self) -> Result<Vec<u64>, Error> {
        let entries = match fs::read_dir(&self.backups) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("read", &self.backups)(error)),
        };
        let mut serials = Vec::new();
        for entry in entries {
            let name = entry.map_err(Error::io("read", &self.backups))?.file_name();
            if let Some(serial) = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok()) {
                serials.push(serial);
            }
        }
        serials.sort_unstable();
        Ok(serials)
    }

    /// Reads a former document; `None` where it is not kept.
    pub fn read_former(&self, serial: u64) -> Result<Option<State>, Error> {
        read(&self.former(serial))
    }

    fn former(&self, serial: u64) -> PathBuf {
        self.backups.join(format!("{serial}.json"))
    }

    fn keep_former(&self, place: &Path) -> Result<(), Error> {
        let bytes = match read_file(place) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("read", place)(error)),
        };
        let serial = serde_json::from_slice::<Header>(&bytes).map_or(0, |header| header.serial);
        make_private_directory(&self.backups)?;
        let former = self.former(serial);
        match fs::remove_file(&former) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("write", &former)(error));
            }
            _ => {}
        }
        // The document is never written in place, so a second name for it is a copy of it. Other file systems may
        // have no such names, or the backups may be on another one.
        if fs::hard_link(place, &former).is_err() {
            replace(&former, &bytes)?;
        }
        let serials = self.serials()?;
        for serial in &serials[..serials.len().saturating_sub(BACKUPS)] {
            let former = self.former(*serial);
            fs::remove_file(&former).map_err(Error::io("remove", &former))?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Option<State>, Error> {
    let bytes = match read_file(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let malformed = |source| Error::Malformed { path: path.to_owned(), source };
    let parsed = serde_json::from_slice::<State>(&bytes);
    if matches!(&parsed, Ok(state) if state.version == VERSION) {
        return parsed.map(Some).map_err(malformed);
    }
    // A document of another version need not have this version's shape: what every version has decides.
    let header = serde_json::from_slice::<Header>(&bytes).map_err(malformed)?;
    if header.version == u64::from(VERSION) {
        return parsed.map(Some).map_err(malformed);
    }
    Err(Error::Version { path: path.to_owned(), version: header.version, written_by: header.vsa_version })
}

/// The document's text: one resource, node or output on a line, so that it is small, quick to read, and its history
/// shows what changed.
pub fn to_text(state: &State) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Lines::default());
    state.serialize(&mut serializer)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Breaks lines in the two outer objects only.
#[derive(Default)]
struct Lines {
    depth: usize,
    filled: bool,
}

impl Lines {
    const BROKEN: usize = 2;

    fn break_line<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        if self.depth > Self::BROKEN {
            return Ok(());
        }
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }
}

impl Formatter for Lines {
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.filled && self.depth <= Self::BROKEN {
            self.depth -= 1;
            self.break_line(writer)?;
        } else {
            self.depth -= 1;
        }
        self.filled = true;
        writer.write_all(b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.break_line(writer)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(if self.depth <= Self::BROKEN { b": " } else { b":" })
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }
}
