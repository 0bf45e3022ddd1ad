//! The copies of the last issue that archives have, the node's own and certbot's: where the files of the issue itself are
//! damaged, one takes their place.

use std::path::PathBuf;

use super::issue::is_own;
use super::known::Known;
use super::published::{self, Home};
use crate::plan::Subject;
use crate::plan::issuance::lineage::is_open_laid_out;
use crate::plan::issuance::{Lineage, Piece};
use crate::plan::observation::{Answer, FileType, Query};
use crate::resource::Resource;

/// Certificate and key of the copy that a home has under this number.
pub(super) fn files(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
    home: Home,
    number: u64,
) -> Option<(PathBuf, PathBuf)> {
    let archive = match home {
        Home::Own => Lineage::new(subject.node.spec.root.clone(), &*resource.name).ok()?.archive(),
        Home::Certbot => known.attributes.lineage(resource)?.archive(),
    };
    let file = |piece: Piece| archive.join(piece.archived(number));
    Some((file(Piece::Fullchain), file(Piece::Privkey)))
}

/// The number that a home has it under.
fn number(subject: Subject<'_>, resource: &Resource, known: &Known, home: Home) -> Option<u64> {
    match home {
        Home::Own => {
            let number = known.facts.published;
            (number > 0 && known.facts.published_issue == Some(known.facts.issue)).then_some(number)
        }
        Home::Certbot => published::number(subject, resource, known, home),
    }
}

/// What is asked of it: whether it is the certificate, with its key, and how that is kept.
fn asked(subject: Subject<'_>, resource: &Resource, known: &Known, home: Home) -> Option<[Query; 3]> {
    let number = number(subject, resource, known, home)?;
    let (certificate, key) = files(subject, resource, known, home, number)?;
    let pair = Query::PrivateKey { key: key.clone(), certificate: certificate.clone() };
    Some([Query::Digest(certificate), pair, Query::Stat(key)])
}

pub(super) fn queries(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
) -> impl Iterator<Item = Query> {
    let asked = move |home| asked(subject, resource, known, home).into_iter().flatten();
    [Home::Own, Home::Certbot].into_iter().flat_map(asked)
}

/// Where it is whole and nobody else can have read its key, and its number there.
pub(super) fn whole(subject: Subject<'_>, resource: &Resource, known: &Known) -> Option<(Home, u64)> {
    let is_whole = |home: &Home| is_whole(subject, resource, known, *home).unwrap_or(false);
    let home = [Home::Own, Home::Certbot].into_iter().find(is_whole)?;
    Some((home, number(subject, resource, known, home)?))
}

fn is_whole(subject: Subject<'_>, resource: &Resource, known: &Known, home: Home) -> Option<bool> {
    let answers = asked(subject, resource, known, home)?.map(|query| subject.observed.get(&query));
    let [Some(Answer::Digest(digest)), Some(pair), Some(Answer::Stat(key))] = answers else { return None };
    let is_whole = *digest == known.facts.digest
        && matches!(pair, Answer::PrivateKey { wrong: None } | Answer::Failed(_));
    let is_private = key.file_type == FileType::File
        && !is_open_laid_out(key.mode)
        && is_own(subject.observed, &known.facts, key.uid);
    Some(is_whole && is_private)
}
