//! What a plan is about: all resources, or some with what hangs together with them.
//!
//! A plan of some carries all else over as it is: files of the live generation are taken into the next one untouched,
//! no port and no network is given back, nothing that is no longer wanted goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::endpoint::{Endpoints, Reach, Target};
use super::file::{Aside, Content, File, FileBody, Piece};
use super::files::Rendered;
use super::items::Item;
use super::node::NodeSpec;
use super::observation::{Answer, Query};
use crate::address::Address;
use crate::diag::Diagnostic;
use crate::digest::sha256;
use crate::state::{StoredFile, StoredNode, link_target};
use crate::value::Secret;

/// The resources that a plan is about.
#[derive(Debug)]
pub(super) enum Targets {
    /// All that are wanted or known.
    All,
    /// These.
    Some(BTreeSet<Address>),
}

impl Targets {
    /// These resources, what they depend on, the nodes that there is something of them on (one that they leave is
    /// switched too), and the sites that pass requests on to them: a service that moves takes its sites along. What is
    /// taken as it was applied needs no more than its node.
    pub(super) fn of(
        wanted: Option<&BTreeSet<Address>>,
        applied: &BTreeSet<Address>,
        all: &[Item<'_>],
    ) -> Self {
        let Some(wanted) = wanted else { return Self::All };
        let mut items: BTreeMap<&Address, Vec<&Item<'_>>> = BTreeMap::new();
        for item in all {
            items.entry(item.address).or_default().push(item);
        }
        let mut near: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
        for item in all {
            let named = item.desired.map(|resource| item.kind.endpoints(resource)).unwrap_or_default();
            for endpoint in named.iter().filter_map(|(_, target)| target.service()) {
                if let Some((target, _)) = items.get_key_value(&endpoint.target) {
                    near.entry(target).or_default().push(item.address);
                }
            }
            if let Some(by) = item.desired.and_then(|resource| resource.implied_by.as_ref()) {
                near.entry(by).or_default().push(item.address);
            }
        }
        let mut found = BTreeSet::new();
        let mut pending: Vec<&Address> = wanted.iter().collect();
        while let Some(address) = pending.pop() {
            if !found.insert(address.clone()) {
                continue;
            }
            pending.extend(near.get(address).into_iter().flatten());
            for item in items.get(address).into_iter().flatten() {
                pending.push(&item.node);
                // What goes needs nothing any more.
                let needy = item.desired.filter(|_| !applied.contains(address));
                pending.extend(needy.into_iter().flat_map(|resource| &resource.depends_on));
            }
        }
        Self::Some(found)
    }

    pub(super) fn are_all(&self) -> bool {
        matches!(self, Self::All)
    }

    pub(super) fn contains(&self, address: &Address) -> bool {
        match self {
            Self::All => true,
            Self::Some(some) => some.contains(address),
        }
    }

    /// Adds where nginx reaches what sites name that the plan is not about.
    pub(super) fn keep_endpoints(&self, endpoints: &mut Endpoints, stored: Option<&StoredNode>) {
        let Some(stored) = stored.filter(|_| !self.are_all()) else { return };
        let ports = stored.endpoints.iter().map(|(key, ports)| (key, Reach::Ports(ports.clone())));
        let names = stored.names.iter().map(|(key, name)| (key, Reach::Name(name.clone())));
        for (key, reach) in ports.chain(names) {
            if let Some(target) = Target::parse(key) {
                endpoints.entry(target).or_insert(reach);
            }
        }
    }

    /// The files of the live generation that the plan is not about, as they are.
    ///
    /// # Errors
    /// One of them is not as it was written: it would be taken for what is wanted from then on.
    pub(super) fn carry(
        &self,
        spec: &NodeSpec,
        stored: Option<&StoredNode>,
        read: &mut dyn FnMut(&[Query]) -> Vec<Answer>,
    ) -> Result<BTreeMap<Arc<str>, Rendered>, Diagnostic> {
        let stored = stored.filter(|_| !self.are_all());
        let changed = |path: &str, file: &StoredFile| {
            let detail = format!("it is a file of `{}`, which this plan is not about", file.resource);
            let help = "`vsa plan` shows what was done to it, `vsa apply` puts it back";
            Err(not_as_written(path).detail(detail).help(help))
        };
        carried(spec, stored, (&|resource| !self.contains(resource), &changed), read)
    }
}

/// What stands for a file that is not as it was written.
type Changed<'a> = dyn Fn(&str, &StoredFile) -> Result<Rendered, Diagnostic> + 'a;

/// Files of the live generation as they are, those of some resources; `changed` tells what stands for one that is not as it
/// was written.
///
/// # Errors
/// Those of `changed`.
pub(super) fn carried(
    spec: &NodeSpec,
    stored: Option<&StoredNode>,
    (is_carried, changed): (&dyn Fn(&Address) -> bool, &Changed<'_>),
    read: &mut dyn FnMut(&[Query]) -> Vec<Answer>,
) -> Result<BTreeMap<Arc<str>, Rendered>, Diagnostic> {
    let mut files = BTreeMap::new();
    let Some(stored) = stored else { return Ok(files) };
    let live = spec.generation(stored.generation);
    let carried: Vec<(&Arc<str>, &StoredFile)> =
        stored.files.iter().filter(|(_, file)| is_carried(&file.resource)).collect();
    let texts = carried.iter().filter(|(_, file)| link_target(&file.digest).is_none());
    let queries: Vec<Query> = texts.map(|(path, _)| Query::Read(live.join(&***path))).collect();
    let mut answers = if queries.is_empty() { Vec::new() } else { read(&queries) }.into_iter();
    for (path, file) in carried {
        let body = match link_target(&file.digest) {
            // What a live link leads to is there: nothing has to stand for it in a test.
            Some(target) => FileBody::Link { target: target.into(), aside: Aside::Certificate },
            None => match answers.next() {
                Some(Answer::Bytes(bytes)) if sha256(&bytes) == file.digest => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    FileBody::Text(match file.sealed {
                        Some(_) => Content { pieces: vec![Piece::Secret(Secret::new(text))] },
                        None => Content::text(text),
                    })
                }
                _ => {
                    files.insert(Arc::clone(path), changed(path, file)?);
                    continue;
                }
            },
        };
        let per_request = file.sealed.is_some();
        let carried = File { read_per_request: per_request, ..File::new(Arc::clone(path), body) };
        let (resource, sealed) = (file.resource.clone(), file.sealed.clone());
        let digest = sealed.is_none().then(|| file.digest.clone());
        files.insert(Arc::clone(path), Rendered { resource, file: carried, digest, sealed });
    }
    Ok(files)
}

/// That a file cannot be carried over as it is.
pub(super) fn not_as_written(path: &str) -> Diagnostic {
    Diagnostic::error(format!("`{path}` is not as it was written, so it cannot be carried over"))
        .code("carried_file")
}
