//! A candidate is made: every file written, linked to the live one, or left to be sealed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::live::Live;
use super::{Candidate, Place, Readers};
use crate::apply::passwords::Sealed;
use crate::diag::Diagnostic;
use crate::host::{Contents, FileOperation, Host};
use crate::nginx;
use crate::plan::{Answer, Aside, FileBody, NodeWork, Observations, ProxyMode, Query, Rendered, text_digest};
use crate::state::{StoredFile, StoredNode};
use crate::value::Secret;

impl Candidate {
    /// Makes a candidate. Nothing outside `place` is changed, and no secret is written. One that cannot be made leaves
    /// nothing behind.
    pub async fn make(
        host: &dyn Host,
        work: &NodeWork,
        stored: Option<&StoredNode>,
        number: u64,
        marker: &str,
        place: Place,
    ) -> Result<Self, Diagnostic> {
        let remove = FileOperation::RemoveTree { root: place.below.clone(), path: place.directory.clone() };
        let made = Self::written(host, work, stored, number, marker, place).await;
        if made.is_err() {
            // Why it could not be made is what has to be said; what stays is removed by the next one in its place.
            let _ = host.files(vec![remove]).await;
        }
        made
    }

    async fn written(
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
        let certified = match place.instead_of {
            Some(_) => BTreeSet::new(),
            None => existing_certificates(host, work).await,
        };
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
            written: PathBuf::new(),
            untested: false,
        };
        candidate.written =
            if spec.mode == ProxyMode::Container { "/tmp".into() } else { candidate.scratch() };
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
                            let bytes = self.placed(text);
                            FileOperation::Create { path: to, access: readers.file(), bytes }
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

    /// A file's text, its paths as they are where the candidate is made.
    fn placed(&self, text: &str) -> Contents {
        match &self.place.instead_of {
            Some(current) => {
                let (named, here) = (format!("{}/", current.display()), self.path(""));
                text.replace(&named, &here.to_string_lossy()).as_str().into()
            }
            None => text.into(),
        }
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
            Aside::Directory => self.written.clone(),
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
