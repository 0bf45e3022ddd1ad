//! Where an issue is in the archive of a lineage, or shall be.

use std::path::Path;

use super::{Context, access};
use crate::apply::certificate::Pair;
use crate::diag::Diagnostic;
use crate::digest::sha256;
use crate::host::{Contents, FileOperation};
use crate::plan::issuance::lineage::{GROUP_READS, KEY_MODE, is_open_laid_out, resolved};
use crate::plan::issuance::{Lineage, Piece};
use crate::plan::observation::FileType;
use crate::plan::{Answer, Query};

/// The files of an issue.
pub(super) struct Issue {
    pub(super) pieces: [(Piece, u32, Contents); 4],
}

impl Issue {
    /// Reads key and chain of an issue; the other two follow from the chain, which a former vsa wrote without them.
    pub(super) async fn read(context: Context<'_>, directory: &Path) -> Result<Self, Diagnostic> {
        let [chain, key] = [Piece::Fullchain, Piece::Privkey].map(|piece| directory.join(piece.file()));
        Ok(Self { pieces: Pair::read(context.host, &chain, &key).await?.pieces() })
    }

    /// The bytes of a piece.
    fn bytes(&self, wanted: Piece) -> &[u8] {
        let found = self.pieces.iter().find(|(piece, ..)| *piece == wanted);
        found.map_or(&[], |(.., bytes)| bytes)
    }
}

/// Where an issue is in the archive, or shall be.
pub(super) struct Archived {
    /// Its number.
    pub(super) number: u64,
    /// Its files that are there already.
    pub(super) present: Vec<Piece>,
    /// The group that may read the key before it: it may read this one too.
    pub(super) key_group: Option<u32>,
}

impl Archived {
    /// The highest number, where all files that have it are those of the issue, else the next. An issue with another
    /// number gets a new one: certbot takes the highest for the one to be used, and points the links to it.
    pub(super) async fn of(
        context: Context<'_>,
        lineage: &Lineage,
        issue: &Issue,
    ) -> Result<Self, Diagnostic> {
        let (host, archive) = (context.host, lineage.archive());
        let last = match host.observe(&[Query::Entries(archive.clone())]).await.pop() {
            Some(Answer::Entries(entries)) => {
                entries.keys().filter_map(|name| Piece::of_archived(name)).map(|(_, number)| number).max()
            }
            Some(Answer::Failed(reason)) => {
                return Err(Diagnostic::error(format!("cannot read `{}`: {reason}", archive.display())));
            }
            _ => None,
        };
        let Some(last) = last else { return Ok(Self { number: 1, present: Vec::new(), key_group: None }) };
        let path = |piece: Piece| archive.join(piece.archived(last));
        let mut queries: Vec<Query> =
            issue.pieces.iter().map(|(piece, ..)| Query::Read(path(*piece))).collect();
        queries.push(Query::Stat(path(Piece::Privkey)));
        let mut answers = host.observe(&queries).await;
        let mut key = answers.pop();
        // certbot links a key that it keeps to the number that had it first.
        if let Some(Answer::Stat(stat)) = &key
            && let FileType::Link(target) = &stat.file_type
        {
            let target = resolved(&path(Piece::Privkey), target);
            key = host.observe(&[Query::Stat(target)]).await.pop();
        }
        // In vsa's own archive, a key that all may read was not given to a group.
        let is_given = |mode: u32| {
            mode & GROUP_READS != 0 && (lineage.home() != context.spec.root || !is_open_laid_out(mode))
        };
        let key_group = match key {
            Some(Answer::Stat(stat)) if is_given(stat.mode) => Some(stat.gid),
            _ => None,
        };
        let mut present = Vec::new();
        for ((piece, _, bytes), answer) in issue.pieces.iter().zip(answers) {
            match answer {
                Answer::Absent => {}
                Answer::Bytes(found) if found == **bytes => present.push(*piece),
                _ => return Ok(Self { number: last.saturating_add(1), present: Vec::new(), key_group }),
            }
        }
        Ok(Self { number: last, present, key_group })
    }
}

/// What takes the keys of an archive away from others, whose copy may have been opened to them. Of which certificates these
/// are the keys is remembered before it is not seen any more: of the issue, and of former ones that may be taken again.
pub(super) async fn private(
    context: Context<'_>,
    lineage: &Lineage,
    issue: &Issue,
) -> Result<Vec<FileOperation>, Diagnostic> {
    let (host, archive) = (context.host, lineage.archive());
    let Some(Answer::Entries(entries)) = host.observe(&[Query::Entries(archive.clone())]).await.pop() else {
        return Ok(Vec::new());
    };
    let number = |name: &String| match Piece::of_archived(name) {
        Some((Piece::Privkey, number)) => Some(number),
        _ => None,
    };
    let numbers: Vec<u64> = entries.keys().filter_map(number).collect();
    let path = |piece: Piece, number: u64| archive.join(piece.archived(number));
    let stats: Vec<_> = numbers.iter().map(|number| Query::Stat(path(Piece::Privkey, *number))).collect();
    let found = host.observe(&stats).await;
    let is_open = |answer: &Answer| matches!(answer, Answer::Stat(stat) if stat.file_type == FileType::File && is_open_laid_out(stat.mode));
    let open = numbers.into_iter().zip(found).filter(|(_, answer)| is_open(answer));
    let open: Vec<u64> = open.map(|(number, _)| number).collect();
    let asked = open.iter().flat_map(|number| {
        [Query::Read(path(Piece::Privkey, *number)), Query::Digest(path(Piece::Fullchain, *number))]
    });
    let of_issue = || sha256(issue.bytes(Piece::Fullchain));
    let mut exposed = Vec::new();
    for answer in host.observe(&asked.collect::<Vec<_>>()).await {
        match answer {
            Answer::Bytes(key) if key == issue.bytes(Piece::Privkey) => exposed.push(of_issue()),
            Answer::Digest(digest) => exposed.push(digest),
            _ => {}
        }
    }
    if !exposed.is_empty() {
        let remember = context.issuance.remember(context.spec, lineage.name(), |known| {
            for digest in &exposed {
                known.expose(digest);
            }
        });
        remember.await?;
    }
    let close =
        |number| FileOperation::SetAccess { path: path(Piece::Privkey, number), access: access(KEY_MODE) };
    Ok(open.into_iter().map(close).collect())
}
