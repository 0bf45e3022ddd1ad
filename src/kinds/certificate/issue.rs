//! The files of the last issue: what is asked about them, and what is wrong with them.

use std::borrow::Cow;

use super::known::Known;
use crate::plan::observation::{FileType, Ids, Leaf, Stat};
use crate::plan::{Answer, Query, Subject};

/// The certificate with its chain.
const CHAIN: &str = "fullchain.pem";

/// The private key.
const KEY: &str = "privkey.pem";

/// The permission bits of a private key.
const KEY_MODE: u32 = 0o600;

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

/// What is wrong with the files of the last issue, with the file's name before it.
pub(super) fn drift(subject: Subject<'_>, name: &str, known: &Known) -> Option<(String, String)> {
    let facts = &known.facts;
    let shown = |file: &str, what: &str| {
        Some((format!("certificates/{name}/{}/{file}", facts.issue), what.to_owned()))
    };
    let (chain, key) = pair(subject, name, known)?;
    match chain.as_deref() {
        None => return shown(CHAIN, "was deleted"),
        Some(Leaf::File { digest, mode, .. }) if *digest == facts.digest => {
            if let Some(wanted) = facts.mode.filter(|wanted| wanted != mode) {
                return shown(CHAIN, &format!("mode is {mode:04o}, not {wanted:04o}"));
            }
        }
        Some(_) => return shown(CHAIN, "was edited"),
    }
    match key.as_deref() {
        None => shown(KEY, "was deleted"),
        Some(Leaf::Unread { is_anothers: true, .. }) => shown(KEY, "is not the key of the certificate"),
        Some(Leaf::File { mode, ids, .. } | Leaf::Unread { mode, ids, .. }) => {
            let why = if *mode == KEY_MODE {
                let owner = facts.owner.filter(|owner| *owner != ids.uid)?;
                format!("its owner is {}, not {owner}", ids.uid)
            } else {
                format!("its mode is {mode:04o}, not {KEY_MODE:04o}")
            };
            shown(KEY, &format!("may have been read by others: {why}"))
        }
        Some(Leaf::Link(_)) => shown(KEY, "was edited"),
    }
}
