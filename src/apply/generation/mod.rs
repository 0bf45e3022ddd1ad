//! A generation on disk: from the files of a plan to a directory that nginx reads.
//!
//! It is made as a *candidate* beside the real ones, with links that point aside where what they name must not be
//! touched by a test or does not exist yet. The candidate that passed the test is the one that goes live: its links
//! are pointed at the real things, files with secrets get their text, and the directory is renamed. So ten thousand
//! files are written, or linked to the former generation, once.

mod current;
mod live;
mod make;
mod manifest;
mod readers;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) use current::{current, current_manifest};
pub(super) use live::Live;
pub use manifest::{Manifest, read_manifest};
pub(super) use readers::Readers;

use super::passwords::Sealed;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host};
use crate::plan::{NodeSpec, ProxyMode};
use crate::state::StoredFile;

/// Where a candidate is made, and for whom.
#[derive(Clone, Debug)]
pub struct Place {
    /// A directory of its own; what is in it is removed first.
    pub directory: PathBuf,
    /// What `directory` is below.
    pub below: PathBuf,
    /// Whether it may go live later: hard links to the live generation rather than symbolic ones, which a test can
    /// read as well and which work from one file system to another.
    pub lasting: bool,
    /// The path that its files name each other by, where they shall do so by where they are: for a test by
    /// themselves, which reads nothing of the node's.
    pub instead_of: Option<PathBuf>,
}

impl Place {
    /// Below the node's root, on its file system.
    pub fn in_root(spec: &NodeSpec) -> Self {
        Self { directory: spec.candidate(), below: spec.root.clone(), lasting: true, instead_of: None }
    }

    /// As [`Self::in_root`], beside the one that takes its place in the same run.
    pub fn for_base(spec: &NodeSpec) -> Self {
        Self { directory: spec.base_candidate(), ..Self::in_root(spec) }
    }

    /// For a test that nothing comes of: elsewhere, or below the node's root where a container has to see it.
    pub fn for_test(run: &str, spec: &NodeSpec) -> Self {
        match spec.mode {
            ProxyMode::Container => Self {
                directory: spec.root.join(format!("preflight-{run}")),
                below: spec.root.clone(),
                lasting: false,
                instead_of: None,
            },
            ProxyMode::Managed | ProxyMode::Host => Self::elsewhere(run),
        }
    }

    /// Where nothing of the node's is touched.
    pub fn elsewhere(run: &str) -> Self {
        Self {
            directory: Path::new("/tmp").join(format!("vsa-candidate-{run}")),
            below: "/tmp".into(),
            lasting: false,
            instead_of: None,
        }
    }

    /// Where nothing of the node's is touched, and none of it is read.
    pub fn alone(run: &str, spec: &NodeSpec) -> Self {
        Self { instead_of: Some(spec.current()), ..Self::elsewhere(run) }
    }
}

/// A generation that is not live yet.
#[derive(Clone, Debug)]
pub struct Candidate {
    place: Place,
    /// The live generation's directory, where the candidate is shown in its place while it is tested.
    covered: Option<PathBuf>,
    number: u64,
    marker: String,
    /// Links to certificates that do not exist yet: path and real target.
    uncertified: Vec<(Arc<str>, PathBuf)>,
    /// Other links that point aside: path and real target.
    aside: Vec<(Arc<str>, PathBuf)>,
    /// Files whose text is not written yet.
    sealed: BTreeMap<Arc<str>, Sealed>,
    files: BTreeMap<Arc<str>, StoredFile>,
    per_request: BTreeSet<Arc<str>>,
    /// Where a test writes its pid file and its logs: in a container, what vsa writes may be there to be read alone.
    written: PathBuf,
    /// Whether nginx has yet to see it: there was none when it was made.
    pub(super) untested: bool,
}

impl Candidate {
    /// The directory that `nginx -t` reads, and that goes live.
    pub fn directory(&self) -> PathBuf {
        self.place.directory.join("generation")
    }

    /// The directory that holds all of it, and nothing else.
    pub(super) fn place(&self) -> &Path {
        &self.place.directory
    }

    /// A directory for what a test on the host writes.
    pub fn scratch(&self) -> PathBuf {
        self.place.directory.join("scratch")
    }

    /// The live generation's directory, and where else it is seen while the candidate is shown in its place.
    pub(super) fn covered(&self) -> Option<(&Path, PathBuf)> {
        self.covered.as_deref().map(|live| (live, self.scratch().join("live")))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory().join(path)
    }

    /// Whether a certificate that the test saw was a placeholder.
    pub(super) fn uses_placeholders(&self) -> bool {
        !self.uncertified.is_empty()
    }

    /// Files whose text must be made before the candidate can go live.
    pub(super) fn sealed(&self) -> &BTreeMap<Arc<str>, Sealed> {
        &self.sealed
    }

    /// The pair that stands for certificates not issued yet; made only where one is needed.
    pub(super) fn placeholder(&self) -> Option<PathBuf> {
        self.uses_placeholders().then(|| self.place.directory.join("certificate"))
    }

    /// Removes it.
    pub(super) async fn discard(self, host: &dyn Host) -> Result<(), Diagnostic> {
        let Place { directory: path, below: root, .. } = self.place;
        Ok(host.files(vec![FileOperation::RemoveTree { root, path }]).await?)
    }
}

/// Counts the passwords of a candidate.
pub(super) fn password_count(candidate: &Candidate) -> usize {
    candidate.sealed.values().map(Sealed::passwords).sum()
}
