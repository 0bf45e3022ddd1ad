//! The copy of the last issue that the archive has: where the files of the issue itself are damaged, it takes their place.

use std::path::PathBuf;

use super::issue::is_own;
use super::known::Known;
use crate::plan::Subject;
use crate::plan::issuance::lineage::is_open;
use crate::plan::issuance::{Lineage, Piece};
use crate::plan::observation::{Answer, FileType, Query};
use crate::resource::Resource;

/// Certificate and key of the copy.
pub(super) fn files(subject: Subject<'_>, resource: &Resource, number: u64) -> Option<(PathBuf, PathBuf)> {
    let archive = Lineage::new(subject.node.spec.root.clone(), &*resource.name).ok()?.archive();
    let file = |piece: Piece| archive.join(piece.archived(number));
    Some((file(Piece::Fullchain), file(Piece::Privkey)))
}

/// What is asked of it: whether it is the certificate, with its key, and how that is kept.
fn asked(subject: Subject<'_>, resource: &Resource, known: &Known) -> Option<[Query; 3]> {
    let number = known.facts.published;
    let is_there = number > 0 && known.facts.published_issue == Some(known.facts.issue);
    let (certificate, key) = files(subject, resource, number).filter(|_| is_there)?;
    let pair = Query::PrivateKey { key: key.clone(), certificate: certificate.clone() };
    Some([Query::Digest(certificate), pair, Query::Stat(key)])
}

pub(super) fn queries(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
) -> impl Iterator<Item = Query> {
    asked(subject, resource, known).into_iter().flatten()
}

/// Its number, where it is whole and nobody else can have read its key.
pub(super) fn whole(subject: Subject<'_>, resource: &Resource, known: &Known) -> Option<u64> {
    let facts = &known.facts;
    let answers = asked(subject, resource, known)?.map(|query| subject.observed.get(&query));
    let [Some(Answer::Digest(digest)), Some(pair), Some(Answer::Stat(key))] = answers else { return None };
    let is_whole =
        *digest == facts.digest && matches!(pair, Answer::PrivateKey { wrong: None } | Answer::Failed(_));
    let is_private =
        key.file_type == FileType::File && !is_open(key.mode) && is_own(subject.observed, facts, key.uid);
    (is_whole && is_private).then_some(facts.published)
}
