//! Where a node's live generation, and what lasts longer than one, differs from the state.
//!
//! The access of the directories inside a generation is not looked at. `docs/drift.md` has all that is, and is not.

use std::path::PathBuf;

use crate::address::Address;
use crate::nginx;
use crate::plan::file::FILE_MODE;
use crate::plan::files::text_digest;
use crate::plan::issuance::account;
use crate::plan::issuance::lineage::{HOME_MODE, HOMES, plain};
use crate::plan::kind::Drift;
use crate::plan::node::{NodeSpec, ProxyMode};
use crate::plan::observation::{Answer, FileType, Ids, Leaf, Observations, Query};
use crate::plan::{proxy, running};
use crate::state::{StoredNode, link_target};

/// Where a node's live generation differs from the state.
pub(in crate::plan) fn drift(stored: &StoredNode, observed: &Observations) -> Vec<Drift> {
    let spec = &stored.spec;
    let mut drift = Vec::new();
    if stored.generation == 0 {
        return drift;
    }
    let mut report = |address: &Address, subject: String, what: String| {
        drift.push(Drift { address: address.clone(), subject, what, repaired: true, diff: None });
    };
    let tree = observed.get(&Query::Tree(spec.generation(stored.generation)));
    if let Some(Answer::Tree(tree)) = tree {
        for (path, file) in &stored.files {
            if let Some(what) = leaf_drift(tree.get(&**path), &file.digest, stored.ids) {
                report(&file.resource, path.to_string(), what);
            }
        }
        let marker = nginx::marker_file(spec, stored.generation, &stored.marker);
        let digest = text_digest(&marker).unwrap_or_default();
        if let Some(what) = leaf_drift(tree.get(&*marker.path), &digest, stored.ids) {
            report(&spec.address, marker.path.to_string(), what);
        }
        if let Some(Leaf::File { mode, ids, .. }) = tree.get(nginx::MANIFEST)
            && let Some(what) = access_drift(*mode, *ids, stored.ids)
        {
            report(&spec.address, nginx::MANIFEST.to_owned(), what);
        }
        let own = [&*marker.path, nginx::MANIFEST];
        for path in tree.keys() {
            let known =
                stored.files.contains_key(path.as_str()) || stored.retained.contains_key(path.as_str());
            if !known && !own.contains(&path.as_str()) {
                report(&spec.address, path.clone(), "was added by somebody else".to_owned());
            }
        }
    } else if tree == Some(&Answer::Absent) {
        let subject = format!("generation {}", stored.generation);
        report(&spec.address, subject, "was deleted".to_owned());
    }
    if observed.get(&Query::Read(spec.owner_file())) == Some(&Answer::Absent) {
        report(&spec.address, spec.owner_file().display().to_string(), "was deleted".to_owned());
    }
    for own in stored.ids.map(|ids| own(spec, observed, ids)).unwrap_or_default() {
        report(&spec.address, own.path.display().to_string(), own.what);
    }
    if spec.mode == ProxyMode::Host
        && let Some(what) = include_drift(spec, observed)
    {
        report(&spec.address, spec.include_file.display().to_string(), what.to_owned());
    }
    let live = PathBuf::from("generations").join(stored.generation.to_string());
    match observed.get(&Query::Stat(spec.current())) {
        // What is no link is an obstacle.
        Some(Answer::Stat(stat)) => match &stat.file_type {
            FileType::Link(target) if *target != live => {
                let what = format!("points to `{}`, not generation {}", target.display(), stored.generation);
                report(&spec.address, "the `current` link".to_owned(), what);
            }
            _ => {}
        },
        Some(Answer::Absent) => {
            report(&spec.address, "the `current` link".to_owned(), "was deleted".to_owned());
        }
        _ => {}
    }
    match observed.get(&spec.running_query()).map(|answer| proxy::runs(spec, answer)) {
        Some(Some(false)) => drift.push(running::drift(spec, observed)),
        Some(Some(true)) => match observed.get(&spec.marker_query()) {
            Some(Answer::Text(marker)) if marker.trim() == stored.marker_answer() => {}
            Some(Answer::Text(marker)) => {
                let live = marker.split_whitespace().next().unwrap_or("unknown");
                let what = format!("serves generation {live}, not {}", stored.generation);
                report(&spec.address, "nginx".to_owned(), what);
            }
            Some(_) => {
                let what = format!("does not say that it serves generation {}", stored.generation);
                report(&spec.address, "nginx".to_owned(), what);
            }
            None => {}
        },
        _ => {}
    }
    drift.extend(proxy::drift(stored, observed));
    drift
}

/// Whether a drift is of a node's generation and so repaired by a switch.
pub(in crate::plan) fn concerns(drift: &Drift, node: &Address, stored: Option<&StoredNode>) -> bool {
    drift.address == *node || stored.is_some_and(|stored| stored.files.contains_key(drift.subject.as_str()))
}

/// How the include file differs from what vsa wrote. nginx would serve no site of vsa's after its next start.
fn include_drift(spec: &NodeSpec, observed: &Observations) -> Option<&'static str> {
    match observed.get(&Query::Read(spec.include_file.clone()))? {
        Answer::Bytes(text) if *text == spec.include_text().into_bytes() => None,
        Answer::Bytes(_) => Some("was edited"),
        Answer::Absent => Some("was deleted"),
        _ => None,
    }
}

/// How a file of a generation differs from what the state knows of it.
fn leaf_drift(found: Option<&Leaf>, expected: &str, wanted: Option<Ids>) -> Option<String> {
    match found {
        None => Some("was deleted".to_owned()),
        Some(Leaf::File { digest, mode, ids }) if digest == expected => access_drift(*mode, *ids, wanted),
        Some(Leaf::Link(target)) if link_target(expected).is_some_and(|link| target.as_os_str() == link) => {
            None
        }
        Some(_) => Some("was edited".to_owned()),
    }
}

/// How the access of a generation's file differs from what vsa gave it.
fn access_drift(mode: u32, ids: Ids, wanted: Option<Ids>) -> Option<String> {
    let mode = (mode != FILE_MODE).then(|| format!("mode is {mode:04o}, not {FILE_MODE:04o}"));
    mode.or_else(|| ids.differ(wanted?))
}

/// Something of a node's own that lasts longer than a generation, with another access than vsa gave it.
#[derive(Clone, Debug)]
pub struct Own {
    /// Where it is.
    pub path: PathBuf,
    /// The permission bits that it shall have.
    pub mode: u32,
    /// The group that it shall have, where that matters.
    pub group: Option<u32>,
    what: String,
}

/// The access that something of a node's own shall have.
struct Wanted {
    path: PathBuf,
    mode: u32,
    /// Rights that somebody may have given its group.
    given: u32,
    group: Option<u32>,
}

/// What of a node's own has another access than vsa gave it; `ids` are those of its generation.
pub fn own(spec: &NodeSpec, observed: &Observations, ids: Ids) -> Vec<Own> {
    let below = |name: &str| spec.root.join(name);
    let wanted = |path, mode, given, group| Wanted { path, mode, given, group };
    let directory = |path| wanted(path, DIRECTORY_MODE, 0, Some(ids.gid));
    let all = [
        directory(below("generations")),
        directory(spec.certificates()),
        wanted(spec.owner_file(), OWNER_MODE, 0, None),
        wanted(spec.accounts(), account::DIRECTORY_MODE, 0, None),
    ];
    let laid_out = HOMES.map(|name| wanted(below(name), HOME_MODE, GROUP_ENTERS, None));
    // What else is in their place is told, and left as it is.
    let is_file = |path: &PathBuf| observed.stat(path).is_some_and(|stat| stat.file_type == FileType::File);
    let kept = account::files(spec, observed).into_iter().filter(is_file);
    let kept = kept.map(|path| wanted(path, account::MODE, 0, None));
    let found = all.into_iter().chain(laid_out).chain(kept).filter_map(|wanted| {
        let stat = observed.stat(&wanted.path).filter(|stat| !matches!(stat.file_type, FileType::Link(_)))?;
        Some((wanted, stat.mode, Ids { uid: stat.uid, gid: stat.gid }))
    });
    let found = found.filter_map(|(wanted, mode, found)| differing(wanted, (mode, found), ids.uid));
    found.chain(issues(spec, observed, ids)).collect()
}

fn differing(wanted: Wanted, (found, of): (u32, Ids), owner: u32) -> Option<Own> {
    let Wanted { path, mode, given, group } = wanted;
    let mode = mode | found & given;
    let bits = (found != mode).then(|| format!("mode is {found:04o}, not {mode:04o}"));
    let what = bits.or_else(|| of.differ(Ids { uid: owner, gid: group.unwrap_or(of.gid) }))?;
    Some(Own { path, mode, group, what })
}

/// The directories with the keys that nginx reads, and those above them, where others may put another key in the place of
/// one.
fn issues(spec: &NodeSpec, observed: &Observations, ids: Ids) -> impl Iterator<Item = Own> {
    let tree = match observed.get(&spec.linked_certificates()) {
        Some(Answer::Tree(tree)) => Some(tree),
        _ => None,
    };
    tree.into_iter().flat_map(move |tree| {
        tree.iter().filter_map(move |(key, leaf)| {
            let Leaf::Directory { mode, ids: found } = leaf else { return None };
            // What else it is, as on a node that was put back from a copy, `certificates` itself keeps others out.
            if mode & OTHERS_WRITE == 0 && found.uid == ids.uid {
                return None;
            }
            let (name, which) = key.rsplit_once('/')?;
            let Some(Leaf::Link(issue)) = tree.get(name) else { return None };
            let issue = plain(issue);
            let path = if which == Leaf::ITSELF { Some(issue.as_path()) } else { issue.parent() };
            // What else a link was made to lead to is nobody's to mend.
            let path = path.filter(|path| path.starts_with(spec.certificates()))?.to_owned();
            let wanted = Wanted { path, mode: DIRECTORY_MODE, given: 0, group: Some(ids.gid) };
            differing(wanted, (*mode, *found), ids.uid)
        })
    })
}

/// The permission bits of a node's own directories: its workers' group may enter.
const DIRECTORY_MODE: u32 = 0o750;

/// The permission bits of the owner file: whoever wants the directory may read whose it is.
const OWNER_MODE: u32 = 0o644;

/// The rights that a group needs to come to a key that it may read.
const GROUP_ENTERS: u32 = 0o050;

/// The rights to put something else in the place of what a directory holds, of all but its owner.
const OTHERS_WRITE: u32 = 0o022;
