//! A program with mounts of its own: what it sees at some paths is not what everybody else sees.
//!
//! vsa starts itself again under a hidden name, takes a private mount namespace, puts the mounts in place, and
//! becomes the program. The rest of the system never sees them, and they end with the program. Where a mount's place
//! does not exist, the nearest directory above it that does is shown as a copy of itself (a tmpfs with every entry
//! bound into it), and the place is made in the copy: the real directory is not touched.
//!
//! Files that are to be seen and must not be on any disk come in through standard input, into a tmpfs.

use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::fs;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::execv;
use zeroize::Zeroizing;

use super::{Bind, Command, HostError, Overlay};

/// The hidden first argument that makes vsa call [`enter`] with the arguments behind it.
pub const ARGUMENT: &str = "__in-private-mounts";

/// The exit code that says that the mounts could not be put in place; no program that is run so ends with it.
pub const FAILED: u8 = 125;

/// The arguments for [`enter`]: pairs of `from` and `to`, `--`, directories of overlays, `--`, and the program with its
/// arguments.
pub(super) fn arguments(command: &Command, program: &Path) -> Vec<OsString> {
    let mut all = vec![OsString::from(ARGUMENT)];
    for bind in &command.binds {
        all.extend([bind.from.clone().into_os_string(), bind.to.clone().into_os_string()]);
    }
    all.push("--".into());
    all.extend(command.overlays.iter().map(|overlay| overlay.directory.clone().into_os_string()));
    all.extend(["--".into(), program.as_os_str().to_owned()]);
    all.extend(command.arguments.iter().cloned());
    all
}

/// What [`enter`] reads from standard input: of each file the number of its overlay, its path and what it holds, the
/// latter two after their length.
pub(super) fn input(overlays: &[Overlay]) -> Zeroizing<Vec<u8>> {
    let mut all = Vec::new();
    for (number, overlay) in (0u64..).zip(overlays) {
        for (path, bytes) in &overlay.files {
            all.extend(number.to_be_bytes());
            for part in [path.as_os_str().as_bytes(), bytes] {
                all.extend((part.len() as u64).to_be_bytes());
                all.extend(part);
            }
        }
    }
    Zeroizing::new(all)
}

/// Writes the files that come in through standard input into the directories of their overlays.
fn fill(directories: &[PathBuf], mut input: impl Read) -> std::io::Result<()> {
    let mut all = Zeroizing::new(Vec::new());
    input.read_to_end(&mut all)?;
    let mut rest: &[u8] = &all;
    let broken = || std::io::Error::other("what is to be shown came in broken");
    while !rest.is_empty() {
        let mut number = || -> Option<usize> {
            let (bytes, after) = rest.split_first_chunk()?;
            rest = after;
            usize::try_from(u64::from_be_bytes(*bytes)).ok()
        };
        let directory = number().and_then(|number| directories.get(number)).ok_or_else(broken)?;
        let mut part = || -> Option<&[u8]> {
            let (bytes, after) = rest.split_first_chunk()?;
            let (part, after) = after.split_at_checked(usize::try_from(u64::from_be_bytes(*bytes)).ok()?)?;
            rest = after;
            Some(part)
        };
        let (path, bytes) = part().zip(part()).ok_or_else(broken)?;
        let path = directory.join(Path::new(std::ffi::OsStr::from_bytes(path)));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// Puts the mounts in place and becomes the program. Returns only where that failed.
pub fn enter(arguments: impl IntoIterator<Item = OsString>) -> Result<Infallible, HostError> {
    let mut arguments = arguments.into_iter();
    let mut binds = Vec::new();
    while let Some(from) = arguments.next().filter(|argument| argument != "--") {
        let to = arguments.next().unwrap_or_default();
        binds.push(Bind { from: from.into(), to: to.into() });
    }
    let overlays: Vec<PathBuf> =
        arguments.by_ref().take_while(|argument| argument != "--").map(PathBuf::from).collect();
    let command: Vec<CString> = arguments
        .map(|argument| CString::new(argument.as_bytes()))
        .collect::<Result<_, _>>()
        .map_err(|_| HostError::because("start", "a program", "an argument contains a NUL byte"))?;
    let program = command.first().ok_or_else(|| HostError::because("start", "", "no program is named"))?;
    let shown = PathBuf::from(std::ffi::OsStr::from_bytes(program.as_bytes()));

    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|error| HostError::new("take a mount namespace for", &shown, error))?;
    let none = None::<&Path>;
    mount(none, Path::new("/"), none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|error| HostError::new("make private the mounts below", "/", error))?;
    for bind in &binds {
        place(bind)?;
    }
    for directory in &overlays {
        if fs::symlink_metadata(directory).is_err() {
            make_in_copy(directory, true)?;
        }
        mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::empty(), Some("mode=700,size=256m"))
            .map_err(|error| HostError::new("mount a tmpfs over", directory, error))?;
    }
    if !overlays.is_empty() {
        fill(&overlays, std::io::stdin())
            .map_err(|error| HostError::new("write files for", &shown, error))?;
    }
    let Err(error) = execv(program, &command);
    Err(HostError::new("start", &shown, error))
}

fn place(bind: &Bind) -> Result<(), HostError> {
    let to = fs::canonicalize(&bind.to).unwrap_or_else(|_| bind.to.clone());
    if fs::symlink_metadata(&to).is_err() {
        let directory =
            fs::metadata(&bind.from).map_err(|error| HostError::new("show", &bind.from, error))?.is_dir();
        make_in_copy(&to, directory)?;
    }
    bind_over(&bind.from, &to)
}

fn bind_over(from: &Path, to: &Path) -> Result<(), HostError> {
    let none = None::<&Path>;
    mount(Some(from), to, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)
        .map_err(|error| HostError::new("mount over", to, error))
}

/// Makes a place for a mount without touching the real directory above it.
fn make_in_copy(to: &Path, directory: bool) -> Result<(), HostError> {
    let ancestor = to
        .ancestors()
        .skip(1)
        .find(|ancestor| ancestor.is_dir())
        .ok_or_else(|| HostError::because("mount over", to, "no directory above it exists"))?;
    if ancestor == Path::new("/") {
        return Err(HostError::because("mount over", to, "only `/` above it exists"));
    }
    copy_of_itself(ancestor)?;
    let parent = to.parent().unwrap_or(ancestor);
    let made = fs::create_dir_all(parent)
        .and_then(|()| if directory { fs::create_dir(to) } else { fs::File::create(to).map(drop) });
    made.map_err(|error| HostError::new("make in a copy", to, error))
}

/// Mounts a tmpfs over a directory, with every entry of it bound in.
fn copy_of_itself(directory: &Path) -> Result<(), HostError> {
    let failed = |error: std::io::Error| HostError::new("show a copy of", directory, error);
    // Through the open directory its entries can still be reached when the tmpfs stands over it.
    let original = fs::File::open(directory).map_err(failed)?;
    let mode = original.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
    let options = format!("mode={mode:o},size=16m");
    mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
        .map_err(|error| HostError::new("mount a tmpfs over", directory, error))?;
    let below = PathBuf::from(format!("/proc/self/fd/{}", original.as_raw_fd()));
    for entry in entries {
        let (from, to) = (below.join(entry.file_name()), directory.join(entry.file_name()));
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_symlink() {
            symlink(fs::read_link(&from).map_err(failed)?, &to).map_err(failed)?;
            continue;
        }
        if kind.is_dir() { fs::create_dir(&to) } else { fs::File::create(&to).map(drop) }.map_err(failed)?;
        bind_over(&from, &to)?;
    }
    Ok(())
}
