//! The files of a node's next generation, and how they differ from the live one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use itertools::{EitherOrBoth, Itertools as _};
use rayon::prelude::*;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::digest::sha256;
use crate::state::{Key, StoredFile, StoredNode, link_digest, link_target};

use super::change::{FileChange, FileChangeKind};
use super::file::{Content, File, FileBody};
use super::kind::{Drift, Kind, Subject};
use super::node::NodeSpec;
use super::observation::{Answer, Query};

/// How much of a fingerprint stands in a sealed text, in hexadecimal digits.
const SEAL: usize = 16;

/// A file of the next generation.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The resource that it is of.
    pub resource: Address,
    /// The file.
    pub file: File,
    /// SHA-256 of its bytes or `link:` and the target; unknown until an apply where it holds secrets.
    pub digest: Option<String>,
    /// For a file with secrets, its sealed text.
    pub sealed: Option<String>,
}

/// The files of a node's next generation.
#[derive(Clone, Debug, Default)]
pub struct NodeFiles {
    /// By path; without the marker.
    pub files: BTreeMap<Arc<str>, Rendered>,
    /// What differs from the state's.
    pub changed: Vec<(Arc<str>, FileChangeKind)>,
    /// The number of the next generation.
    pub number: u64,
    /// Whether an apply switches to it.
    pub switch: bool,
}

/// The digest of a file without secrets, as [`StoredFile::digest`] keeps it.
pub fn text_digest(file: &File) -> Option<String> {
    match &file.body {
        FileBody::Text(content) => content.as_text().map(|text| sha256(text.as_bytes())),
        FileBody::Link { target, .. } => Some(link_digest(target)),
    }
}

fn sealed_text(file: &File, resource: &Address, key: Option<&Key>) -> Option<String> {
    let FileBody::Text(content) = &file.body else { return None };
    if content.as_text().is_some() {
        return None;
    }
    Some(sealed(content, resource, &file.path, key))
}

/// A text with fingerprints in the place of its secrets.
pub(super) fn sealed(content: &Content, resource: &Address, path: &str, key: Option<&Key>) -> String {
    content.sealed(|secret| {
        key.map_or_else(
            || UNCOMPARED.to_owned(),
            |key| key.fingerprint(resource, path, secret).chars().take(SEAL).collect(),
        )
    })
}

/// Stands in a sealed text where there is no key to make a fingerprint with.
const UNCOMPARED: &str = "not compared";

/// A sealed text without its fingerprints.
pub(super) fn unsealed(text: &str) -> String {
    let mut parts = text.split("fingerprint ");
    let mut bare = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let print = part.split_once(')').filter(|(print, _)| {
            *print == UNCOMPARED || print.len() == SEAL && print.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        // What is no fingerprint is the file's own text.
        match print {
            Some((_, rest)) => bare.push_str(rest),
            None => bare.extend(["fingerprint ", part]),
        }
    }
    bare
}

/// Makes the files of all resources on a node.
pub(super) fn render(
    subjects: &[(&dyn Kind, Subject<'_>)],
    key: Option<&Key>,
) -> Result<NodeFiles, Diagnostics> {
    let made: Vec<_> = subjects
        .par_iter()
        .map(|(kind, subject)| {
            let files = kind.files(*subject, false)?;
            Ok::<_, Diagnostics>(
                files
                    .into_iter()
                    .map(|file| Rendered {
                        resource: subject.address.clone(),
                        digest: text_digest(&file),
                        sealed: sealed_text(&file, subject.address, key),
                        file,
                    })
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    let mut rendered = Vec::with_capacity(subjects.len());
    let mut diagnostics = Diagnostics::new();
    for made in made {
        match made {
            Ok(made) => rendered.extend(made.into_iter().map(|file| (Arc::clone(&file.file.path), file))),
            Err(errors) => diagnostics.extend(errors),
        }
    }
    rendered.par_sort_by(|(a, _), (b, _)| a.cmp(b));
    for ((path, former), (other, _)) in rendered.iter().tuple_windows() {
        if path == other {
            diagnostics.push(Diagnostic::error(format!("two resources write `{path}`")).on(&former.resource));
        }
    }
    let files = BTreeMap::from_iter(rendered);
    diagnostics.into_result(NodeFiles { files, ..NodeFiles::default() }).map(|(files, _)| files)
}

impl NodeFiles {
    /// Fills `changed`; without a key secrets are not compared.
    pub(super) fn compare(&mut self, stored: Option<&StoredNode>, has_key: bool) {
        let none = BTreeMap::new();
        let before = stored.map_or(&none, |stored| &stored.files);
        let both = self.files.iter().merge_join_by(before, |(a, _), (b, _)| a.cmp(b));
        let changed = both.filter_map(|file| match file {
            EitherOrBoth::Left((path, _)) => Some((path, FileChangeKind::Create)),
            EitherOrBoth::Right((path, _)) => Some((path, FileChangeKind::Delete)),
            EitherOrBoth::Both((_, rendered), (_, stored)) if same(stored, rendered, has_key) => None,
            EitherOrBoth::Both((path, _), _) => Some((path, FileChangeKind::Update)),
        });
        self.changed = changed.map(|(path, kind)| (Arc::clone(path), kind)).collect();
    }
}

fn same(stored: &StoredFile, rendered: &Rendered, has_key: bool) -> bool {
    match (&stored.sealed, &rendered.sealed) {
        (Some(before), Some(after)) if !has_key => unsealed(before) == unsealed(after),
        (Some(before), Some(after)) => before == after,
        (None, None) => Some(&stored.digest) == rendered.digest.as_ref(),
        _ => false,
    }
}

/// The text of a file as a plan shows it.
fn shown(rendered: &Rendered) -> String {
    match (&rendered.sealed, &rendered.file.body) {
        (Some(sealed), _) => sealed.clone(),
        (None, FileBody::Text(content)) => content.as_text().unwrap_or_default().to_owned(),
        (None, FileBody::Link { target, .. }) => link_text(target),
    }
}

fn link_text(target: &str) -> String {
    format!("link to {target}\n")
}

/// A unified diff without header.
pub fn unified(before: &str, after: &str) -> String {
    if before.is_empty() {
        return after.lines().fold(String::with_capacity(after.len() + 64), |mut diff, line| {
            diff.push('+');
            diff.push_str(line);
            diff.push('\n');
            diff
        });
    }
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(3)
        .missing_newline_hint(false)
        .to_string()
}

/// The diffs of all files that change, and of those that were edited by hand into `drift`.
pub(super) fn diffs(
    node: &Address,
    spec: &NodeSpec,
    made: &NodeFiles,
    stored: Option<&StoredNode>,
    drift: &mut [Drift],
    read: &mut dyn FnMut(&[Query]) -> Vec<Answer>,
) -> Vec<FileChange> {
    let live = spec.generation(stored.map_or(0, |stored| stored.generation));
    let former = |path: &str| stored.and_then(|stored| stored.files.get(path));
    let plain = |path: &str| {
        former(path).is_some_and(|file| file.sealed.is_none() && link_target(&file.digest).is_none())
    };
    let edited = drift.iter().filter(|drift| plain(&drift.subject)).map(|drift| drift.subject.clone());
    let changed = made.changed.iter().filter(|(path, _)| plain(path)).map(|(path, _)| path.to_string());
    let mut paths: Vec<String> = edited.chain(changed).collect();
    paths.sort();
    paths.dedup();
    let queries: Vec<Query> = paths.iter().map(|path| Query::Read(live.join(path))).collect();
    let answers = if queries.is_empty() { Vec::new() } else { read(&queries) };
    let texts: HashMap<String, String> = paths
        .into_iter()
        .zip(answers)
        .filter_map(|(path, answer)| match answer {
            Answer::Bytes(bytes) => Some((path, String::from_utf8_lossy(&bytes).into_owned())),
            _ => None,
        })
        .collect();
    for drift in drift.iter_mut().filter(|drift| plain(&drift.subject)) {
        if let (Some(live), Some(wanted)) =
            (texts.get(&drift.subject), made.files.get(drift.subject.as_str()))
        {
            drift.diff = Some(unified(live, &shown(wanted)));
        }
    }
    made.changed
        .par_iter()
        .map(|(path, kind)| {
            let before = former(path).map(|file| match (&file.sealed, link_target(&file.digest)) {
                (Some(sealed), _) => sealed.clone(),
                (None, Some(target)) => link_text(target),
                (None, None) => texts.get(&**path).cloned().unwrap_or_default(),
            });
            let rendered = made.files.get(path);
            let resource = rendered
                .map(|rendered| &rendered.resource)
                .or_else(|| former(path).map(|file| &file.resource));
            FileChange {
                node: node.clone(),
                path: Arc::clone(path),
                resource: resource.unwrap_or(node).clone(),
                kind: *kind,
                diff: unified(&before.unwrap_or_default(), &rendered.map(shown).unwrap_or_default()),
            }
        })
        .collect()
}
