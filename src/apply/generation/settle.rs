//! A tested candidate becomes a generation: its links point at the real things, its secrets are written, and it gets
//! its number. It is not the current one yet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::live::Live;
use super::manifest::{MANIFEST_VERSION, digest_of};
use super::{Candidate, Manifest, Readers, read_manifest};
use crate::diag::Diagnostic;
use crate::digest::sha256;
use crate::host::{FileOperation, Host};
use crate::nginx;
use crate::plan::action::Access;
use crate::plan::observation::Ids;
use crate::plan::{Answer, NodeWork, Query, Reach, nodes_own};
use crate::state::StoredNode;
use crate::value::Secret;

impl Candidate {
    /// Points links to certificates at the issued ones.
    pub(in crate::apply) async fn certify(&mut self, host: &dyn Host) -> Result<(), Diagnostic> {
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
    pub(in crate::apply) async fn settle(
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
        let (retained, carry) = self.retain(host, work, former, &readers).await;
        operations.extend(carry);
        let manifest = self.manifest(retained.clone());
        let bytes = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| Diagnostic::error(format!("the manifest cannot be written: {error}")))?
            .into();
        let path = self.path(nginx::MANIFEST);
        operations.push(FileOperation::Create { path, access: readers.file(), bytes });

        let ids = made_by(host, self.path(&nginx::marker_file(spec, self.number, &self.marker).path)).await;
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
        operations.extend(ids.into_iter().flat_map(|ids| mend(work, ids)));
        host.files(operations).await?;
        Ok(StoredNode {
            spec: spec.clone(),
            nginx: Some(work.node.nginx.clone()),
            generation: self.number,
            marker: self.marker,
            files: self.files,
            endpoints: work
                .endpoints
                .iter()
                .filter(|(_, reach)| !reach.ports().is_empty())
                .map(|(target, reach)| (target.to_string(), reach.ports().to_vec()))
                .collect(),
            names: work
                .endpoints
                .iter()
                .filter_map(|(target, reach)| match reach {
                    Reach::Name(name) => Some((target.to_string(), name.clone())),
                    Reach::Ports(_) => None,
                })
                .collect(),
            networks: work.membership.networks.clone(),
            retained,
            ids,
        })
    }

    /// Files that workers of the former generation may still ask for through `current`, and the new one lacks.
    async fn retain(
        &self,
        host: &dyn Host,
        work: &NodeWork,
        former: Option<&StoredNode>,
        readers: &Readers,
    ) -> (BTreeMap<Arc<str>, String>, Vec<FileOperation>) {
        let Some(live) = Live::of(work, former) else { return Default::default() };
        let Ok(Some(manifest)) = read_manifest(host, &live.directory).await else {
            return Default::default();
        };
        let mut retained = BTreeMap::new();
        let mut operations = Vec::new();
        let mut directories = BTreeSet::new();
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
}

/// Owner and group that what this run makes has.
async fn made_by(host: &dyn Host, made: PathBuf) -> Option<Ids> {
    match host.observe(&[Query::Stat(made)]).await.pop() {
        Some(Answer::Stat(stat)) => Some(Ids { uid: stat.uid, gid: stat.gid }),
        _ => None,
    }
}

/// Gives what lasts beside the generations the access that it was made with, where it has another.
fn mend(work: &NodeWork, ids: Ids) -> impl Iterator<Item = FileOperation> {
    let differing = nodes_own(&work.node.spec, &work.observed, ids).into_iter();
    differing.map(move |own| {
        let (owner, group) = (Some(ids.uid.to_string()), own.group.map(|group| group.to_string()));
        FileOperation::SetAccess { path: own.path, access: Access { owner, group, mode: own.mode } }
    })
}
