//! The files of the last issue: what is asked about them, and what is wrong with them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::facts::Facts;
use super::known::Known;
use super::{CHAIN, KEY, acme, published};
use crate::names;
use crate::plan::issuance::lineage::{KEY_MODE, is_open};
use crate::plan::issuance::{REVOKED, Revoked};
use crate::plan::observation::{FileType, Ids, Leaf, Observations, Stat};
use crate::plan::{Answer, Query, Subject};
use crate::resource::Resource;

/// What is wrong with an issue.
#[derive(Clone, Debug)]
pub(super) struct IssueDrift {
    /// The file, by its path below the node's root.
    pub(super) file: String,
    /// What.
    pub(super) what: String,
    /// Whether others may have read the key.
    pub(super) is_exposed: bool,
    /// Whether certificate and key are what they were: they serve until others take their place.
    pub(super) is_usable: bool,
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

/// Whether nginx serves a later issue than the state knows, as where an older state was put back.
pub(super) fn is_outdated(subject: Subject<'_>, name: &str, known: &Known) -> bool {
    let Some(Answer::Tree(tree)) = subject.observed.get(&subject.node.spec.linked_certificates()) else {
        return false;
    };
    let Some(Leaf::Link(served)) = tree.get(name) else { return false };
    let number = served.file_name().and_then(|number| number.to_str()).and_then(names::number);
    known.facts.issue > 0
        && served.parent() == known.last.parent()
        && number.is_some_and(|number| number > known.facts.issue)
}

/// What is asked about such an issue: of both files what they are, and the chain's digest.
fn asked_alone(known: &Known) -> [Query; 3] {
    let (chain, key) = (known.last.join(CHAIN), known.last.join(KEY));
    [Query::Stat(chain.clone()), Query::Digest(chain), Query::Stat(key)]
}

/// What is asked about the last issue.
pub(super) fn queries(subject: Subject<'_>, name: &str, known: &Known) -> impl Iterator<Item = Query> {
    let linked = subject.node.spec.linked_certificates();
    let answer = subject.observed.get(&linked);
    let alone = is_alone(name, known, answer).then(|| asked_alone(known));
    let is_noted = |tree: &BTreeMap<String, Leaf>| tree.contains_key(&format!("{name}/{REVOKED}"));
    let may_be_noted = alone.is_some() || matches!(answer, Some(Answer::Tree(tree)) if is_noted(tree));
    let noted = may_be_noted.then(|| Query::Read(known.last.join(REVOKED)));
    [linked, Query::Myself].into_iter().chain(alone.into_iter().flatten()).chain(noted)
}

/// That the last issue was revoked, where that is noted beside it.
pub(super) fn noted(subject: Subject<'_>, known: &Known) -> Option<Revoked> {
    Revoked::noted(subject.observed.get(&Query::Read(known.last.join(REVOKED))), &known.facts.digest)
}

/// Whether what belongs to this user is in the hands that wrote it: vsa's own, which may be another user than it was, as
/// where a node was put back from a copy.
pub(super) fn is_own(observed: &Observations, facts: &Facts, user: u32) -> bool {
    let is_me = || matches!(observed.get(&Query::Myself), Some(Answer::User { uid, .. }) if *uid == user);
    facts.owner.is_none_or(|owner| owner == user) || is_me()
}

/// Chain and key of the last issue, where they are there; `None` where that is not known.
type Pair<'a> = (Option<Cow<'a, Leaf>>, Option<Cow<'a, Leaf>>);

fn pair<'a>(subject: Subject<'a>, name: &str, known: &Known) -> Option<Pair<'a>> {
    let linked = subject.observed.get(&subject.node.spec.linked_certificates());
    if !is_alone(name, known, linked) {
        let Answer::Tree(tree) = linked? else { return None };
        let file = |file: &str| tree.get(&format!("{name}/{file}")).map(Cow::Borrowed);
        return Some((file(CHAIN), file(KEY)));
    }
    let [chain, digest, asked_key] = asked_alone(known).map(|query| subject.observed.get(&query));
    let digest = if let Answer::Digest(digest) = digest? { digest.as_str() } else { "" };
    let leaf = |answer: &Answer, file: &dyn Fn(&Stat, Ids) -> Leaf| match answer {
        Answer::Stat(Stat { file_type: FileType::Link(target), .. }) => Some(Leaf::Link(target.clone())),
        Answer::Stat(stat) => Some(file(stat, Ids { uid: stat.uid, gid: stat.gid })),
        _ => None,
    };
    let chain = leaf(chain?, &|stat, ids| Leaf::File { digest: digest.to_owned(), mode: stat.mode, ids });
    // What is no file is no key.
    let is_anothers = |stat: &Stat| stat.file_type != FileType::File;
    let key = |stat: &Stat, ids| Leaf::Unread { mode: stat.mode, ids, is_anothers: is_anothers(stat) };
    let key = leaf(asked_key?, &key);
    Some((chain.map(Cow::Owned), key.map(Cow::Owned)))
}

/// What is wrong with the last issue.
pub(super) fn drift(subject: Subject<'_>, resource: &Resource, known: &Known) -> Option<IssueDrift> {
    let of_files = |(chain, key): Pair<'_>| {
        let (chain, key) = (chain.as_deref(), key.as_deref());
        let shown = |file: &str| format!("certificates/{}/{}/{file}", resource.name, known.facts.issue);
        let damage = damage(known, chain, key);
        // What others may have read is told before all else: that is what decides.
        let mode_and_owner = key.and_then(|key| match key {
            Leaf::File { mode, ids, .. } | Leaf::Unread { mode, ids, .. } => Some((*mode, ids.uid)),
            Leaf::Link(_) | Leaf::Directory { .. } => None,
        });
        let shown_by = || exposed(subject.observed, &known.facts, mode_and_owner?);
        let was = || known.settings.as_ref().and(acme::remembered(subject, &resource.name, known));
        let was_before =
            || was().filter(|was| was.is_exposed(&known.facts.digest)).map(|_| WAS_OPEN.to_owned());
        if let Some(why) = shown_by().or_else(was_before) {
            let is_usable = damage.is_none_or(|(.., is_usable)| is_usable);
            return Some(IssueDrift {
                file: shown(KEY),
                what: said_exposed(&why),
                is_exposed: true,
                is_usable,
            });
        }
        let (file, what, is_usable) = damage?;
        Some(IssueDrift { file: shown(file), what, is_exposed: false, is_usable })
    };
    pair(subject, &resource.name, known)
        .and_then(of_files)
        .or_else(|| published::exposed(subject, resource, known))
}

/// Why others may have read a key of which that is all that is remembered.
const WAS_OPEN: &str = "a copy of it was open to them";

/// That others may have read a key.
pub(super) fn said_exposed(why: &str) -> String {
    format!("may have been read by others: {why}")
}

/// Why others may have read the key with this mode and owner.
pub(super) fn exposed(observed: &Observations, facts: &Facts, (mode, owner): (u32, u32)) -> Option<String> {
    if is_open(mode) {
        return Some(format!("its mode is {mode:04o}, not {KEY_MODE:04o}"));
    }
    another_owner(observed, facts, owner)
}

/// That a key has another owner.
pub(super) fn another_owner(observed: &Observations, facts: &Facts, user: u32) -> Option<String> {
    let owner = facts.owner.filter(|_| !is_own(observed, facts, user))?;
    Some(format!("its owner is {user}, not {owner}"))
}

/// What is wrong with which file, and whether the pair is what it was all the same.
fn damage(known: &Known, chain: Option<&Leaf>, key: Option<&Leaf>) -> Option<(&'static str, String, bool)> {
    let facts = &known.facts;
    let broken = |file, what: &str| Some((file, what.to_owned(), false));
    let mode = match chain {
        None => return broken(CHAIN, "was deleted"),
        Some(Leaf::File { digest, mode, .. }) if *digest == facts.digest => *mode,
        Some(_) => return broken(CHAIN, "was edited"),
    };
    match key {
        None => return broken(KEY, "was deleted"),
        Some(Leaf::Unread { is_anothers: true, .. }) => {
            return broken(KEY, "is not the key of the certificate");
        }
        Some(Leaf::Link(_) | Leaf::Directory { .. }) => return broken(KEY, "was edited"),
        Some(Leaf::File { .. } | Leaf::Unread { .. }) => {}
    }
    let wanted = facts.mode.filter(|wanted| *wanted != mode)?;
    Some((CHAIN, format!("mode is {mode:04o}, not {wanted:04o}"), true))
}
