//! The live generation, as far as the next one may share its files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::plan::file::FILE_MODE;
use crate::plan::observation::Leaf;
use crate::plan::{Answer, FileBody, NodeWork, Query, Rendered};
use crate::state::StoredNode;

/// The live generation as it was observed in this run.
pub(in crate::apply) struct Live<'a> {
    pub(in crate::apply) stored: &'a StoredNode,
    pub(super) directory: PathBuf,
    tree: &'a BTreeMap<String, Leaf>,
    /// The group of nginx's workers, where vsa may give files to it: another one's files would be no good to them.
    group: Option<u32>,
}

impl<'a> Live<'a> {
    pub(in crate::apply) fn of(work: &'a NodeWork, stored: Option<&'a StoredNode>) -> Option<Self> {
        let stored = stored.filter(|stored| stored.generation > 0)?;
        let directory = stored.spec.generation(stored.generation);
        match work.observed.get(&Query::Tree(directory.clone())) {
            Some(Answer::Tree(tree)) => Some(Self { stored, directory, tree, group: group(work) }),
            _ => None,
        }
    }

    /// The live file, if its bytes have been hashed in this run and are these: an edit in place would otherwise
    /// spoil every generation that it is linked to.
    pub(super) fn same(&self, path: &str, digest: &str) -> Option<PathBuf> {
        match self.tree.get(path)? {
            Leaf::File { digest: found, mode, ids } => {
                let is_ours = self.stored.ids.is_none_or(|own| own == *ids)
                    && self.group.is_none_or(|group| group == ids.gid);
                let same = found == digest && *mode == FILE_MODE && is_ours;
                same.then(|| self.directory.join(path))
            }
            Leaf::Unread { .. } | Leaf::Link(_) | Leaf::Directory { .. } => None,
        }
    }

    /// The live file with secrets, if neither it nor its secrets have changed.
    pub(super) fn same_sealed(&self, path: &str, sealed: Option<&String>) -> Option<(PathBuf, &str)> {
        let stored = self.stored.files.get(path)?;
        let same = sealed.is_some() && stored.sealed.as_ref() == sealed;
        same.then(|| self.same(path, &stored.digest).map(|from| (from, &*stored.digest))).flatten()
    }

    /// Whether the live generation has a file or link as the next one shall have it.
    pub(in crate::apply) fn carries(&self, path: &str, rendered: &Rendered) -> bool {
        match &rendered.file.body {
            FileBody::Link { target, .. } => {
                matches!(self.tree.get(path), Some(Leaf::Link(found)) if found.as_os_str() == &**target)
            }
            FileBody::Text(_) => match &rendered.digest {
                Some(digest) => self.same(path, digest).is_some(),
                None => self.same_sealed(path, rendered.sealed.as_ref()).is_some(),
            },
        }
    }
}

/// The group of nginx's workers as the plan found it, where they run as another user.
fn group(work: &NodeWork) -> Option<u32> {
    let asked = |query: &Query| match work.observed.get(query) {
        Some(Answer::User { uid, gid }) => Some((*uid, *gid)),
        _ => None,
    };
    let user = work.node.spec.worker_user.as_ref()?;
    asked(&Query::Myself).filter(|(uid, _)| *uid == 0)?;
    asked(&Query::User(user.to_string())).map(|(_, gid)| gid)
}
