//! Owners and permissions on this machine.

use std::collections::HashMap;
use std::ffi::CString;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::sys::stat::{FileStat, SFlag, stat};
use nix::unistd::{AccessFlags, Gid, Group, Uid, User, access, getgrouplist, getgroups};

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

/// A group's id.
pub(super) fn group(name: &str) -> Answer {
    match Group::from_name(name) {
        Ok(Some(group)) => Answer::Group(group.gid.as_raw()),
        Ok(None) => Answer::Absent,
        Err(error) => Answer::Failed(error.desc().to_owned()),
    }
}

/// The ids that what vsa makes has.
pub(super) fn myself() -> Answer {
    Answer::User { uid: Uid::effective().as_raw(), gid: Gid::effective().as_raw() }
}

fn permission(refused: Option<String>) -> Answer {
    Answer::Permission { refused }
}

/// Whether a directory may be made, unless it is there: in the nearest one that is.
pub(super) fn may_make(path: &Path) -> Answer {
    let Some(nearest) = path.ancestors().find(|above| above.exists()) else { return permission(None) };
    if !nearest.is_dir() {
        return permission(Some(format!("{} is not a directory", nearest.display())));
    }
    if nearest == path {
        return permission(None);
    }
    let refused = access(nearest, AccessFlags::W_OK | AccessFlags::X_OK).err();
    permission(refused.map(|error| format!("nothing can be made in {}: {}", nearest.display(), error.desc())))
}

/// Whether a user may become an owner: any for root, else the one that vsa runs as.
pub(super) fn may_own(name: &str) -> Answer {
    match User::from_name(name) {
        Ok(Some(user)) if Uid::effective().is_root() || user.uid == Uid::effective() => permission(None),
        Ok(Some(_)) => permission(Some(format!("only root can give a directory to the user `{name}`"))),
        Ok(None) => Answer::Absent,
        Err(error) => Answer::Failed(error.desc().to_owned()),
    }
}

/// Whether a group may become one's: any for root, else those that vsa runs in.
pub(super) fn may_group(name: &str) -> Answer {
    let is_own = |gid| gid == Gid::effective() || getgroups().is_ok_and(|groups| groups.contains(&gid));
    match Group::from_name(name) {
        Ok(Some(group)) if Uid::effective().is_root() || is_own(group.gid) => permission(None),
        Ok(Some(_)) => permission(Some(format!("only root can give a directory to the group `{name}`"))),
        Ok(None) => Answer::Absent,
        Err(error) => Answer::Failed(error.desc().to_owned()),
    }
}

/// Who a user is to permission bits.
#[derive(Clone, Debug)]
struct Identity {
    user: Uid,
    groups: Vec<Gid>,
}

impl Identity {
    fn of(name: &str) -> Result<Self, Answer> {
        let user = match User::from_name(name) {
            Ok(Some(user)) => user,
            Ok(None) => return Err(Answer::Absent),
            Err(error) => return Err(Answer::Failed(error.desc().to_owned())),
        };
        let groups = CString::new(name).ok().and_then(|name| getgrouplist(&name, user.gid).ok());
        Ok(Self { user: user.uid, groups: groups.unwrap_or_default() })
    }

    fn may(&self, path: &Path, stat: &FileStat, wanted: u32) -> bool {
        let shift = if stat.st_uid == self.user.as_raw() {
            6
        } else if self.groups.contains(&Gid::from_raw(stat.st_gid)) {
            3
        } else {
            0
        };
        self.user.is_root() || (stat.st_mode >> shift) & wanted == wanted || has_access_list(path)
    }
}

/// Whether an access control list says more than the permission bits do. It is not read: who has one knows why.
fn has_access_list(path: &Path) -> bool {
    rustix::fs::getxattr(path, "system.posix_acl_access", &mut [0_u8; 0]).is_ok()
}

/// Who users are, looked up once a batch.
#[derive(Debug, Default)]
pub(super) struct Identities(Mutex<HashMap<String, Result<Identity, Answer>>>);

impl Identities {
    fn of(&self, name: &str) -> Result<Identity, Answer> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(name.to_owned()).or_insert_with(|| Identity::of(name)).clone()
    }

    /// What bars a user's way to a path: the first directory that it may not enter, or the end that it may not read.
    /// What is not there bars nothing.
    pub(super) fn readable(&self, name: &str, path: &Path) -> Answer {
        let user = match self.of(name) {
            Ok(user) => user,
            Err(answer) => return answer,
        };
        let mut way: Vec<&Path> = path.ancestors().collect();
        way.reverse();
        for step in way {
            let stat = match stat(step) {
                Ok(stat) => stat,
                Err(Errno::ENOENT | Errno::ENOTDIR) => return Answer::Absent,
                Err(error) => return Answer::Failed(error.desc().to_owned()),
            };
            let is_directory = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR;
            let wanted = match (step == path, is_directory) {
                (true, true) => 0o5,
                (true, false) => 0o4,
                (false, _) => 0o1,
            };
            if !user.may(step, &stat, wanted) {
                return Answer::Readable { barrier: Some(step.to_owned()) };
            }
        }
        Answer::Readable { barrier: None }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_first_barrier_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let inner = directory.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("file"), "x").unwrap();
        set(directory.path(), 0o711);
        let readable = |path: PathBuf| Identities::default().readable("nobody", &path);
        let barred = |path: PathBuf| Answer::Readable { barrier: Some(path) };
        for (mode, file, answer) in [
            (0o711, 0o644, Answer::Readable { barrier: None }),
            (0o700, 0o644, barred(inner.clone())),
            (0o711, 0o600, barred(inner.join("file"))),
        ] {
            set(&inner, mode);
            set(&inner.join("file"), file);
            assert_eq!(readable(inner.join("file")), answer, "{mode:o} {file:o}");
        }
        assert_eq!(readable(inner.join("none")), Answer::Absent);
        assert_eq!(readable(inner.join("none/below")), Answer::Absent);
    }
}
