//! A generation on disk: from the files of a plan to a directory that nginx reads.
//!
//! It is made as a *candidate* beside the real ones, with links that point aside where what they name must not be
//! touched by a test or does not exist yet. The candidate that passed the test is the one that goes live: its links
//! are pointed at the real things, files with secrets get their text, and the directory is renamed. So ten thousand
//! files are written, or linked to the former generation, once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::passwords::Sealed;
use crate::diag::Diagnostic;
use crate::digest::sha256;
use crate::host::{FileOperation, Host};
use crate::nginx;
use crate::plan::action::Access;
use crate::plan::observation::Leaf;
use crate::plan::{
    Answer, Aside, FileBody, NodeSpec, NodeWork, Observations, ProxyMode, Query, Rendered, text_digest,
};
use crate::state::{StoredFile, StoredNode};
use crate::value::Secret;

/// The version of the manifests that this vsa writes.
const MANIFEST_VERSION: u32 = 1;

/// The manifest of a generation, inside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the manifest's format.
    pub version: u32,
    /// The generation's number.
    pub generation: u64,
    /// The token that its marker answers.
    pub marker: String,
    /// SHA-256 over all paths and digests, the marker and retained files left out: equal for equal configurations.
    pub digest: String,
    /// Files and links by path: SHA-256 in hexadecimal, or `link:` and the target.
    pub files: BTreeMap<Arc<str>, String>,
    /// Files that nginx's workers read for each request.
    pub per_request: BTreeSet<Arc<str>>,
    /// Files of the former generation that its workers may still read.
    pub retained: BTreeMap<Arc<str>, String>,
}

impl Manifest {
    /// Reads one.
    ///
    /// # Errors
    /// Why it cannot be used, for after its name: it is damaged, or of a later vsa.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Header {
            version: u32,
        }
        let damaged = |error: serde_json::Error| format!("is not the manifest of a generation: {error}");
        match serde_json::from_slice(bytes).map_err(damaged)? {
            Header { version } if version > MANIFEST_VERSION => {
                Err(format!("is of a later vsa: its version is {version}, this vsa knows {MANIFEST_VERSION}"))
            }
            Header { .. } => serde_json::from_slice(bytes).map_err(damaged),
        }
    }
}

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
}

impl Place {
    /// Below the node's root, on its file system.
    pub fn in_root(spec: &NodeSpec) -> Self {
        Self { directory: spec.root.join("candidate"), below: spec.root.clone(), lasting: true }
    }

    /// Where nothing of the node's is touched.
    pub fn elsewhere(run: &str) -> Self {
        Self {
            directory: Path::new("/tmp").join(format!("vsa-candidate-{run}")),
            below: "/tmp".into(),
            lasting: false,
        }
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
}

/// Access of a generation's directories and files: for nginx's workers, where they run as another user.
#[derive(Clone, Debug)]
pub(super) struct Readers(Option<String>);

impl Readers {
    /// Asks the host for the workers' group.
    pub(super) async fn of(host: &dyn Host, spec: &NodeSpec) -> Result<Self, Diagnostic> {
        let Some(user) = spec.worker_user.as_ref().filter(|_| host.privileged()) else {
            return Ok(Self(None));
        };
        match host.observe(&[Query::User(user.to_string())]).await.pop() {
            Some(Answer::User { gid, .. }) => Ok(Self(Some(gid.to_string()))),
            _ => Err(Diagnostic::error(format!("there is no user `{user}` for nginx's workers"))
                .help("install nginx, or name another user")
                .on(&spec.address)),
        }
    }

    fn access(&self, mode: u32) -> Access {
        Access { owner: None, group: self.0.clone(), mode }
    }

    pub(super) fn directory(&self) -> Access {
        self.access(0o750)
    }

    pub(super) fn file(&self) -> Access {
        self.access(FILE_MODE)
    }
}

const FILE_MODE: u32 = 0o640;

/// The live generation as it was observed in this run.
struct Live<'a> {
    stored: &'a StoredNode,
    directory: PathBuf,
    tree: &'a BTreeMap<String, Leaf>,
}

impl<'a> Live<'a> {
    fn of(work: &'a NodeWork, stored: Option<&'a StoredNode>) -> Option<Self> {
        let stored = stored.filter(|stored| stored.generation > 0)?;
        let directory = stored.spec.generation(stored.generation);
        match work.observed.get(&Query::Tree(directory.clone())) {
            Some(Answer::Tree(tree)) => Some(Self { stored, directory, tree }),
            _ => None,
        }
    }

    /// The live file, if its bytes have been hashed in this run and are these: an edit in place would otherwise
    /// spoil every generation that it is linked to.
    fn same(&self, path: &str, digest: &str) -> Option<PathBuf> {
        match self.tree.get(path)? {
            Leaf::File { digest: found, mode } if found == digest && *mode == FILE_MODE => {
                Some(self.directory.join(path))
            }
            _ => None,
        }
    }

    /// The live file with secrets, if neither it nor its secrets have changed.
    fn same_sealed(&self, path: &str, sealed: Option<&String>) -> Option<(PathBuf, &str)> {
        let stored = self.stored.files.get(path)?;
        let same = sealed.is_some() && stored.sealed.as_ref() == sealed;
        same.then(|| self.same(path, &stored.digest).map(|from| (from, &*stored.digest))).flatten()
    }
}

impl Candidate {
    /// Makes a candidate. Nothing outside `place` is changed, and no secret is written.
    pub async fn make(
        host: &dyn Host,
        work: &NodeWork,
        stored: Option<&StoredNode>,
        number: u64,
        marker: &str,
        place: Place,
    ) -> Result<Self, Diagnostic> {
        let spec = &work.node.spec;
        let readers = Readers::of(host, spec).await?;
        let live = Live::of(work, stored);
        let certified = existing_certificates(host, work).await;
        let covers = spec.mode == ProxyMode::Host && !place.lasting;
        let mut candidate = Self {
            place,
            covered: live.as_ref().filter(|_| covers).map(|live| live.directory.clone()),
            number,
            marker: marker.to_owned(),
            uncertified: Vec::new(),
            aside: Vec::new(),
            sealed: BTreeMap::new(),
            files: BTreeMap::new(),
            per_request: BTreeSet::new(),
        };
        let mut leaves = Vec::with_capacity(work.files.files.len());
        for (path, rendered) in &work.files.files {
            leaves.extend(candidate.leaf(path, rendered, live.as_ref(), &certified, &readers));
        }
        let marker_file = nginx::marker_file(spec, number, marker);
        if let FileBody::Text(content) = &marker_file.body {
            let bytes = content.as_text().unwrap_or_default().into();
            let path = candidate.path(&marker_file.path);
            leaves.push(FileOperation::Create { path, access: readers.file(), bytes });
        }
        let paths = work.files.files.keys().chain([&marker_file.path]);
        let mut operations = candidate.directories(paths, &readers);
        operations.push(FileOperation::Unordered(leaves));
        host.files(operations).await?;
        candidate.read_former_secrets(host, live.as_ref()).await;
        Ok(candidate)
    }

    /// The directory that `nginx -t` reads, and that goes live.
    pub fn directory(&self) -> PathBuf {
        self.place.directory.join("generation")
    }

    /// A directory for what a test writes.
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

    fn directories<'a>(
        &self,
        paths: impl Iterator<Item = &'a Arc<str>>,
        readers: &Readers,
    ) -> Vec<FileOperation> {
        let top = &self.place.directory;
        let mut directories =
            BTreeSet::from([top.clone(), self.directory(), self.scratch(), top.join("certificate")]);
        for path in paths {
            let parents = Path::new(&**path).ancestors().skip(1);
            directories.extend(parents.map(|parent| self.path(&parent.to_string_lossy())));
        }
        directories.extend(self.covered().map(|(_, seen)| seen));
        let remove = FileOperation::RemoveTree { root: self.place.below.clone(), path: top.clone() };
        let make = |path| FileOperation::MakeDirectory { path, access: readers.directory() };
        // In the order of their names, each after the one that it is in.
        std::iter::once(remove).chain(directories.into_iter().map(make)).collect()
    }

    /// How one file of the generation is made; `None` of one whose text is not known yet.
    fn leaf(
        &mut self,
        path: &Arc<str>,
        rendered: &Rendered,
        live: Option<&Live<'_>>,
        certified: &BTreeSet<PathBuf>,
        readers: &Readers,
    ) -> Option<FileOperation> {
        let mut digest = rendered.digest.clone().or_else(|| text_digest(&rendered.file)).unwrap_or_default();
        if rendered.file.read_per_request {
            self.per_request.insert(Arc::clone(path));
        }
        let to = self.path(path);
        let operation = match &rendered.file.body {
            FileBody::Link { target, aside } => Some(self.link(path, target, *aside, certified)),
            FileBody::Text(content) => {
                if let Some(text) = content.as_text() {
                    let same = live.and_then(|live| live.same(path, &digest));
                    Some(match same {
                        Some(from) => self.carry(from, to),
                        None => {
                            FileOperation::Create { path: to, access: readers.file(), bytes: text.into() }
                        }
                    })
                } else if let Some((from, former)) =
                    live.and_then(|live| live.same_sealed(path, rendered.sealed.as_ref()))
                {
                    former.clone_into(&mut digest);
                    Some(self.carry(from, to))
                } else {
                    let (resource, content) = (rendered.resource.clone(), content.clone());
                    self.sealed.insert(Arc::clone(path), Sealed { resource, content, former: None });
                    None
                }
            }
        };
        let (resource, sealed) = (rendered.resource.clone(), rendered.sealed.clone());
        self.files.insert(Arc::clone(path), StoredFile { resource, digest, sealed });
        operation
    }

    fn link(
        &mut self,
        path: &Arc<str>,
        target: &str,
        aside: Aside,
        certified: &BTreeSet<PathBuf>,
    ) -> FileOperation {
        let real = PathBuf::from(target);
        if aside == Aside::Certificate && certified.contains(&real) {
            return FileOperation::Link { path: self.path(path), target: real };
        }
        let shown = match aside {
            Aside::Certificate => self.place.directory.join("certificate"),
            Aside::Log => "/dev/null".into(),
            Aside::Directory => self.scratch(),
        };
        let later = if aside == Aside::Certificate { &mut self.uncertified } else { &mut self.aside };
        later.push((Arc::clone(path), real));
        FileOperation::Link { path: self.path(path), target: shown }
    }

    fn carry(&self, from: PathBuf, to: PathBuf) -> FileOperation {
        if self.place.lasting {
            return FileOperation::HardLink { from, to };
        }
        let elsewhere =
            self.covered().and_then(|(live, seen)| Some(seen.join(from.strip_prefix(live).ok()?)));
        FileOperation::Link { path: to, target: elsewhere.unwrap_or(from) }
    }

    /// Old lines of password files, so that only changed passwords are hashed.
    async fn read_former_secrets(&mut self, host: &dyn Host, live: Option<&Live<'_>>) {
        let Some(live) = live.filter(|_| self.place.lasting) else { return };
        let intact = |path: &Arc<str>| {
            live.stored.files.get(path).and_then(|stored| live.same(path, &stored.digest)).map(Query::Read)
        };
        let (paths, queries): (Vec<_>, Vec<_>) =
            self.sealed.keys().filter_map(|path| Some((Arc::clone(path), intact(path)?))).unzip();
        for (path, answer) in paths.iter().zip(host.observe(&queries).await) {
            if let (Some(sealed), Answer::Bytes(bytes)) = (self.sealed.get_mut(path), answer) {
                sealed.former = String::from_utf8(bytes).ok().map(Secret::new);
            }
        }
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

    /// Points links to certificates at the issued ones.
    pub(super) async fn certify(&mut self, host: &dyn Host) -> Result<(), Diagnostic> {
        let links = std::mem::take(&mut self.uncertified);
        Ok(host.files(self.repoint(&links)).await?)
    }

    fn repoint(&self, links: &[(Arc<str>, PathBuf)]) -> Vec<FileOperation> {
        let remove = links.iter().map(|(path, _)| FileOperation::Remove { path: self.path(path) });
        let link = links
            .iter()
            .map(|(path, target)| FileOperation::Link { path: self.path(path), target: target.clone() });
        vec![FileOperation::Unordered(remove.collect()), FileOperation::Unordered(link.collect())]
    }

    /// Makes it complete, lasting, and a generation; not the current one yet.
    pub(super) async fn settle(
        mut self,
        host: &dyn Host,
        work: &NodeWork,
        former: Option<&StoredNode>,
        secrets: &BTreeMap<Arc<str>, Secret>,
    ) -> Result<StoredNode, Diagnostic> {
        let spec = &work.node.spec;
        let readers = Readers::of(host, spec).await?;
        let links = [std::mem::take(&mut self.uncertified), std::mem::take(&mut self.aside)].concat();
        let mut operations = self.repoint(&links);
        for (path, text) in secrets {
            if let Some(file) = self.files.get_mut(path) {
                file.digest = sha256(text.expose().as_bytes());
            }
            let bytes = text.expose().into();
            operations.push(FileOperation::Create { path: self.path(path), access: readers.file(), bytes });
        }
        let (retained, carry) = self.retain(host, work, former).await;
        operations.extend(carry);
        let manifest = self.manifest(retained.clone());
        let bytes = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| Diagnostic::error(format!("the manifest cannot be written: {error}")))?
            .into();
        let path = self.path(nginx::MANIFEST);
        operations.push(FileOperation::Create { path, access: readers.file(), bytes });

        let generations = spec.root.join("generations");
        let target = spec.generation(self.number);
        operations.extend([
            FileOperation::MakeDirectory { path: generations.clone(), access: readers.directory() },
            // What an interrupted run left there was never live: `current` names another one (looked at before).
            FileOperation::RemoveTree { root: generations, path: target.clone() },
            FileOperation::SyncFilesystem { path: self.directory() },
            FileOperation::Rename { from: self.directory(), to: target },
            FileOperation::RemoveTree { root: self.place.below.clone(), path: self.place.directory.clone() },
        ]);
        host.files(operations).await?;
        Ok(StoredNode {
            spec: spec.clone(),
            nginx: Some(work.node.nginx.clone()),
            generation: self.number,
            marker: self.marker,
            files: self.files,
            retained,
        })
    }

    /// Files that workers of the former generation may still ask for through `current`, and the new one lacks.
    async fn retain(
        &self,
        host: &dyn Host,
        work: &NodeWork,
        former: Option<&StoredNode>,
    ) -> (BTreeMap<Arc<str>, String>, Vec<FileOperation>) {
        let Some(live) = Live::of(work, former) else { return Default::default() };
        let Ok(Some(manifest)) = read_manifest(host, &live.directory).await else {
            return Default::default();
        };
        let mut retained = BTreeMap::new();
        let mut operations = Vec::new();
        let mut directories = BTreeSet::new();
        let readers = Readers::of(host, &work.node.spec).await.unwrap_or(Readers(None));
        for path in manifest.per_request.iter().filter(|path| !self.files.contains_key(*path)) {
            let Some(digest) = manifest.files.get(path) else { continue };
            let Some(from) = live.same(path, digest) else { continue };
            directories.extend(Path::new(&**path).ancestors().skip(1).map(Path::to_owned));
            operations.push(FileOperation::HardLink { from, to: self.path(path) });
            retained.insert(Arc::clone(path), digest.clone());
        }
        let make = directories.into_iter().map(|path| FileOperation::MakeDirectory {
            path: self.directory().join(path),
            access: readers.directory(),
        });
        (retained, make.chain(operations).collect())
    }

    fn manifest(&self, retained: BTreeMap<Arc<str>, String>) -> Manifest {
        let files: BTreeMap<_, _> =
            self.files.iter().map(|(path, file)| (Arc::clone(path), file.digest.clone())).collect();
        Manifest {
            version: MANIFEST_VERSION,
            generation: self.number,
            marker: self.marker.clone(),
            digest: digest_of(&files),
            files,
            per_request: self.per_request.clone(),
            retained,
        }
    }

    /// Removes it.
    pub(super) async fn discard(self, host: &dyn Host) -> Result<(), Diagnostic> {
        let Place { directory: path, below: root, .. } = self.place;
        Ok(host.files(vec![FileOperation::RemoveTree { root, path }]).await?)
    }
}

/// One digest over all files.
fn digest_of(files: &BTreeMap<Arc<str>, String>) -> String {
    let text = files.iter().fold(String::new(), |mut text, (path, digest)| {
        text.extend([path, "\0", digest, "\n"]);
        text
    });
    sha256(text.as_bytes())
}

/// Targets of links to certificates that are there.
async fn existing_certificates(host: &dyn Host, work: &NodeWork) -> BTreeSet<PathBuf> {
    let targets: BTreeSet<PathBuf> = work
        .files
        .files
        .values()
        .filter_map(|rendered| match &rendered.file.body {
            FileBody::Link { target, aside: Aside::Certificate } => Some(PathBuf::from(&**target)),
            _ => None,
        })
        .collect();
    let queries: Vec<Query> = targets.into_iter().map(Query::Stat).collect();
    let answers: Observations = queries.iter().cloned().zip(host.observe(&queries).await).collect();
    let paths = queries.into_iter().filter_map(|query| match query {
        Query::Stat(path) => Some(path),
        _ => None,
    });
    paths.filter(|path| answers.stat(path).is_some()).collect()
}

/// The manifest of a generation's directory; `None` where there is none, because it was never complete.
///
/// # Errors
/// It cannot be read, or not be understood.
pub async fn read_manifest(host: &dyn Host, generation: &Path) -> Result<Option<Manifest>, Diagnostic> {
    let path = generation.join(nginx::MANIFEST);
    let unusable = |reason: String| Diagnostic::error(format!("`{}` {reason}", path.display()));
    match host.observe(&[Query::Read(path.clone())]).await.pop() {
        Some(Answer::Bytes(bytes)) => Manifest::parse(&bytes).map(Some).map_err(unusable),
        Some(Answer::Failed(reason)) => Err(unusable(format!("cannot be read: {reason}"))),
        _ => Ok(None),
    }
}

/// How the tested copy of the generation is called in nginx's messages.
pub(super) fn prefix(spec: &NodeSpec, candidate: &Candidate) -> String {
    let directory = match spec.mode {
        ProxyMode::Managed => candidate.directory(),
        ProxyMode::Host => spec.current(),
    };
    format!("{}/", directory.display())
}

/// Counts the passwords of a candidate.
pub(super) fn password_count(candidate: &Candidate) -> usize {
    candidate.sealed.values().map(Sealed::passwords).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/state/samples/manifest-v1.json"));

    #[test]
    fn every_version_ever_written_is_read() {
        let manifest = Manifest::parse(SAMPLE.as_bytes()).unwrap();
        assert_eq!(manifest.generation, 2);
        let written = serde_json::to_string_pretty(&manifest).unwrap();
        assert_eq!(written, SAMPLE.trim_end(), "a changed manifest needs a new version");
    }

    #[test]
    fn a_later_version_and_damage_are_told_apart() {
        let later = Manifest::parse(br#"{"version": 2, "shape": "unknown"}"#).unwrap_err();
        assert!(later.contains("later vsa"), "{later}");
        let torn = Manifest::parse(&SAMPLE.as_bytes()[..SAMPLE.len() / 2]).unwrap_err();
        assert!(torn.contains("not the manifest"), "{torn}");
    }
}
