//! How much of the next generation is tested aside, before nginx tests all of it as it reloads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::generation::{Candidate, Live, Readers};
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host};
use crate::nginx;
use crate::plan::observation::FileType;
use crate::plan::{Answer, NodeWork};
use crate::state::StoredNode;

/// From so many site files on, the whole test costs seconds, and an apply may do with less.
pub(super) const LARGE: usize = 2_000;

/// What of the next generation is tested aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All that nginx will read.
    Whole,
    /// The node's own files, with no other sites than those that change.
    Changed {
        /// The site files that are new or change.
        files: Vec<Arc<str>>,
        /// How many site files the generation has.
        of: usize,
    },
}

impl Scope {
    /// What has to be tested aside, where `large` is the number of site files from which on less than all will do.
    ///
    /// Less will do where nginx serves the very generation that the state holds, vsa owns every file that it reads,
    /// the node's own files stay as they are, and each site that changes stands for itself. All that is left out has
    /// then been accepted by this nginx beside the same node's files, and was hashed equal in this run.
    pub fn of(work: &NodeWork, stored: Option<&StoredNode>, large: usize) -> Self {
        let of = work.files.files.keys().filter(|path| is_site(path)).count();
        let live = Live::of(work, stored).filter(|live| of >= large && is_proven(work, live.stored));
        match live.and_then(|live| changed(work, &live)) {
            Some(files) => Self::Changed { files, of },
            None => Self::Whole,
        }
    }
}

fn is_site(path: &str) -> bool {
    Path::new(path).parent() == Some(Path::new(nginx::SITES))
}

/// Whether the host was asked in this run, and nginx serves the state's generation.
fn is_proven(work: &NodeWork, stored: &StoredNode) -> bool {
    let spec = &work.node.spec;
    let observed = &work.observed;
    let live = FileType::Link(Path::new("generations").join(stored.generation.to_string()));
    spec.mode.owns_all()
        && stored.spec == *spec
        && stored.nginx.as_ref() == Some(&work.node.nginx)
        && observed.stat(spec.current()).is_some_and(|stat| stat.file_type == live)
        && matches!(observed.get(&spec.running_query()), Some(Answer::Process(_) | Answer::Processes(_)))
        && matches!(observed.get(&spec.marker_query()), Some(Answer::Text(text)) if text.trim() == stored.marker_answer())
}

/// The site files that are not as the live generation has them; `None` where something else differs that nginx reads
/// when it loads its configuration, or where one site's file may bear on another's.
fn changed(work: &NodeWork, live: &Live<'_>) -> Option<Vec<Arc<str>>> {
    let (files, before) = (&work.files.files, &live.stored.files);
    let node = &work.node.spec.address;
    let mut changed = Vec::new();
    for (path, rendered) in files.iter().filter(|(path, rendered)| !live.carries(path, rendered)) {
        let file = &rendered.file;
        let unnamed_so_far = !before.contains_key(path);
        match is_site(path) {
            _ if rendered.resource == *node => return None,
            true if file.alone => changed.push(Arc::clone(path)),
            false if file.read_per_request || unnamed_so_far => {}
            _ => return None,
        }
    }
    let mut gone = before.iter().filter(|(path, _)| !files.contains_key(*path));
    gone.all(|(_, stored)| stored.resource != *node).then_some(changed)
}

impl Candidate {
    /// The directory that `nginx -t` reads: the candidate itself, or one beside it that shows the same but for the
    /// sites that do not change.
    pub(super) async fn shown(
        &self,
        host: &dyn Host,
        work: &NodeWork,
        scope: &Scope,
    ) -> Result<PathBuf, Diagnostic> {
        let whole = self.directory();
        let Scope::Changed { files, .. } = scope else { return Ok(whole) };
        let shown = self.place().join("changed");
        let access = Readers::of(host, &work.node.spec).await?.directory();
        let make = |path: PathBuf| FileOperation::MakeDirectory { path, access: access.clone() };
        let remove = FileOperation::RemoveTree { root: self.place().to_owned(), path: shown.clone() };
        let mut operations = vec![remove, make(shown.clone()), make(shown.join(nginx::SITES))];
        let marker = nginx::marker_file(&work.node.spec, 0, "").path;
        let paths = work.files.files.keys().chain([&marker]);
        let mut names: Vec<_> = paths.filter_map(|path| path.split('/').next()).collect();
        names.sort_unstable();
        names.dedup();
        let shared = names.into_iter().filter(|name| *name != nginx::SITES);
        operations.extend(
            shared.map(|name| FileOperation::Link { path: shown.join(name), target: whole.join(name) }),
        );
        operations.extend(
            files
                .iter()
                .map(|path| FileOperation::HardLink { from: whole.join(&**path), to: shown.join(&**path) }),
        );
        host.files(operations).await?;
        Ok(shown)
    }
}
