//! The files of the last issue: what is asked about them, and what is wrong with them.

use std::borrow::Cow;

use super::known::Known;
use super::{CHAIN, KEY};
use crate::plan::observation::{FileType, Ids, Leaf, Stat};
use crate::plan::{Answer, Query, Subject};

/// The permission bits of a private key.
pub(super) const KEY_MODE: u32 = 0o600;

/// What is wrong with an issue.
#[derive(Clone, Debug)]
pub(super) struct IssueDrift {
    /// The file, by its path below the node's root.
    pub(super) file: String,
    /// What.
    pub(super) what: String,
    /// Whether others may have read the key.
    pub(super) is_exposed: bool,
}

/// One question for all certificates of the node that nginx reads. No key is read for it.
fn linked(subject: Subject<'_>) -> Query {
    let directory = subject.node.spec.current().join("certificates");
    Query::Linked { directory, read: CHAIN, unread: KEY }
}

/// Whether nginx does not read the last issue: its link is gone or leads elsewhere.
fn is_alone(name: &str, known: &Known, linked: Option<&Answer>) -> bool {
    match linked {
        Some(Answer::Tree(tree)) => {
            !matches!(tree.get(name), Some(Leaf::Link(target)) if *target == known.last)
        }
        Some(Answer::Absent) => true,
        _ => false,
    }
}

/// What is asked about such an issue: of both files what they are, and the chain's digest.
fn asked_alone(known: &Known) -> [Query; 3] {
    let (chain, key) = (known.last.join(CHAIN), known.last.join(KEY));
    [Query::Stat(chain.clone()), Query::Digest(chain), Query::Stat(key)]
}

/// What is asked about the last issue.
pub(super) fn queries(subject: Subject<'_>, name: &str, known: &Known) -> impl Iterator<Item = Query> {
    let linked = linked(subject);
    let alone = is_alone(name, known, subject.observed.get(&linked)).then(|| asked_alone(known));
    [linked].into_iter().chain(alone.into_iter().flatten())
}

/// Chain and key of the last issue, where they are there; `None` where that is not known.
type Pair<'a> = (Option<Cow<'a, Leaf>>, Option<Cow<'a, Leaf>>);

fn pair<'a>(subject: Subject<'a>, name: &str, known: &Known) -> Option<Pair<'a>> {
    let linked = subject.observed.get(&linked(subject));
    if !is_alone(name, known, linked) {
        let Answer::Tree(tree) = linked? else { return None };
        let file = |file: &str| tree.get(&format!("{name}/{file}")).map(Cow::Borrowed);
        return Some((file(CHAIN), file(KEY)));
    }
    let [chain, digest, key] = asked_alone(known).map(|query| subject.observed.get(&query));
    let digest = if let Answer::Digest(digest) = digest? { digest.as_str() } else { "" };
    let leaf = |answer: &Answer, file: &dyn Fn(u32, Ids) -> Leaf| match answer {
        Answer::Stat(Stat { file_type: FileType::Link(target), .. }) => Some(Leaf::Link(target.clone())),
        Answer::Stat(stat) => Some(file(stat.mode, Ids { uid: stat.uid, gid: stat.gid })),
        _ => None,
    };
    let chain = leaf(chain?, &|mode, ids| Leaf::File { digest: digest.to_owned(), mode, ids });
    let key = leaf(key?, &|mode, ids| Leaf::Unread { mode, ids, is_anothers: false });
    Some((chain.map(Cow::Owned), key.map(Cow::Owned)))
}

/// What is wrong with the files of the last issue.
pub(super) fn drift(subject: Subject<'_>, name: &str, known: &Known) -> Option<IssueDrift> {
    let facts = &known.facts;
    let shown = |file: &str, what: String| IssueDrift {
        file: format!("certificates/{name}/{}/{file}", facts.issue),
        what,
        is_exposed: false,
    };
    let (chain, key) = pair(subject, name, known)?;
    let exposed = match key.as_deref() {
        Some(Leaf::File { mode, ids, .. } | Leaf::Unread { mode, ids, .. }) if *mode == KEY_MODE => facts
            .owner
            .filter(|owner| *owner != ids.uid)
            .map(|owner| format!("its owner is {}, not {owner}", ids.uid)),
        Some(Leaf::File { mode, .. } | Leaf::Unread { mode, .. }) => {
            Some(format!("its mode is {mode:04o}, not {KEY_MODE:04o}"))
        }
        Some(Leaf::Link(_)) | None => None,
    };
    // What others may have read is told before all else: that is what decides.
    if let Some(why) = exposed {
        let drift = shown(KEY, format!("may have been read by others: {why}"));
        return Some(IssueDrift { is_exposed: true, ..drift });
    }
    match chain.as_deref() {
        None => return Some(shown(CHAIN, "was deleted".to_owned())),
        Some(Leaf::File { digest, mode, .. }) if *digest == facts.digest => {
            if let Some(wanted) = facts.mode.filter(|wanted| wanted != mode) {
                return Some(shown(CHAIN, format!("mode is {mode:04o}, not {wanted:04o}")));
            }
        }
        Some(_) => return Some(shown(CHAIN, "was edited".to_owned())),
    }
    match key.as_deref() {
        None => Some(shown(KEY, "was deleted".to_owned())),
        Some(Leaf::Unread { is_anothers: true, .. }) => {
            Some(shown(KEY, "is not the key of the certificate".to_owned()))
        }
        Some(Leaf::Link(_)) => Some(shown(KEY, "was edited".to_owned())),
        Some(Leaf::File { .. } | Leaf::Unread { .. }) => None,
    }
}
