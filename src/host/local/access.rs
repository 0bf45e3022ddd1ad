//! Owners and permissions on this machine.

use std::collections::HashMap;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::sys::stat::{FileStat, stat};
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use crate::host::HostError;
use crate::plan::Answer;
use crate::plan::action::Access;

/// Ids of names, looked up once a batch.
#[derive(Debug, Default)]
pub(super) struct Ids(Mutex<HashMap<(bool, String), u32>>);

impl Ids {
    /// The id of a name; a number is an id itself.
    fn id(&self, is_user: bool, name: &str, path: &Path) -> Result<u32, HostError> {
        if let Ok(id) = name.parse() {
            return Ok(id);
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = known.get(&(is_user, name.to_owned())) {
            return Ok(*id);
        }
        let found = if is_user {
            User::from_name(name).map(|user| user.map(|user| user.uid.as_raw()))
        } else {
            Group::from_name(name).map(|group| group.map(|group| group.gid.as_raw()))
        };
        let what = if is_user { "user" } else { "group" };
        let id =
            found.map_err(|error| HostError::new("set the owner of", path, error))?.ok_or_else(|| {
                HostError::because("set the owner of", path, format!("there is no {what} `{name}`"))
            })?;
        known.insert((is_user, name.to_owned()), id);
        Ok(id)
    }

    /// Owner and group of an access.
    pub(super) fn of(&self, access: &Access, path: &Path) -> Result<(Option<Uid>, Option<Gid>), HostError> {
        let owner = access.owner.as_ref().map(|name| self.id(true, name, path)).transpose()?;
        let group = access.group.as_ref().map(|name| self.id(false, name, path)).transpose()?;
        Ok((owner.map(Uid::from_raw), group.map(Gid::from_raw)))
    }
}

/// A user's ids.
pub(super) fn user(name: &str) -> Answer {
    match User::from_name(name) {
        Ok(Some(user)) => Answer::User { uid: user.uid.as_raw(), gid: user.gid.as_raw() },
        Ok(None) => Answer::Absent,
        Err(error) => Answer::Failed(error.desc().to_owned()),
    }
}

/// What bars a user's way to a path, by permission bits (access control lists are not read).
pub(super) fn readable(name: &str, path: &Path) -> Answer {
    let user = match User::from_name(name) {
        Ok(Some(user)) => user,
        Ok(None) => return Answer::Absent,
        Err(error) => return Answer::Failed(error.desc().to_owned()),
    };
    let groups =
        CString::new(name).ok().and_then(|name| getgrouplist(&name, user.gid).ok()).unwrap_or_default();
    let may = |stat: &FileStat, wanted: u32| {
        if user.uid.is_root() {
            return true;
        }
        let shift = if stat.st_uid == user.uid.as_raw() {
            6
        } else if groups.contains(&Gid::from_raw(stat.st_gid)) {
            3
        } else {
            0
        };
        (stat.st_mode >> shift) & wanted == wanted
    };
    let mut way: Vec<&Path> = path.ancestors().collect();
    way.reverse();
    for step in way {
        let Ok(stat) = stat(step) else {
            return if step == path { Answer::Absent } else { barrier(step) };
        };
        let is_directory = stat.st_mode & libc_directory() != 0;
        let wanted = match (step == path, is_directory) {
            (true, true) => 0o5,
            (true, false) => 0o4,
            (false, _) => 0o1,
        };
        if !may(&stat, wanted) {
            return barrier(step);
        }
    }
    Answer::Readable { barrier: None }
}

fn barrier(path: &Path) -> Answer {
    Answer::Readable { barrier: Some(PathBuf::from(path)) }
}

/// The bit of a directory in `st_mode`.
fn libc_directory() -> u32 {
    nix::sys::stat::SFlag::S_IFDIR.bits()
}
