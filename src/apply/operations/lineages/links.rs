//! The links of a lineage, which services name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Context, LINEAGE_MODE, access};
use crate::diag::Diagnostic;
use crate::host::{FileOperation, beside};
use crate::plan::action::Access;
use crate::plan::issuance::lineage::{relative, resolved};
use crate::plan::issuance::{Lineage, Piece};
use crate::plan::observation::FileType;
use crate::plan::{Answer, Query};

/// The links of a lineage: names with what each leads to, as written.
type Links = BTreeMap<String, PathBuf>;

/// The links to the files of a number.
pub(super) fn links_to(lineage: &Lineage, number: u64) -> Links {
    let way = relative(&lineage.live(), &lineage.archive());
    let link = |piece: Piece| (piece.file().to_owned(), way.join(piece.archived(number)));
    Piece::ALL.map(link).into()
}

/// What is in the directory of a lineage's links.
pub(super) async fn links(
    context: Context<'_>,
    lineage: &Lineage,
) -> Result<BTreeMap<String, FileType>, Diagnostic> {
    let live = lineage.live();
    match context.host.observe(&[Query::Entries(live.clone())]).await.pop() {
        Some(Answer::Entries(entries)) => Ok(entries),
        Some(Answer::Failed(reason)) => {
            Err(Diagnostic::error(format!("cannot read `{}`: {reason}", live.display())))
        }
        _ => Ok(BTreeMap::new()),
    }
}

/// The operations that give a lineage its links, where it has others.
pub(super) async fn switch(
    context: Context<'_>,
    lineage: &Lineage,
    links: &Links,
) -> Result<Vec<FileOperation>, Diagnostic> {
    let live = lineage.live();
    let (root, new) = (lineage.home().join("live"), beside(&live));
    let queries = [live.clone(), new.clone()].map(Query::Stat);
    let mut answers = context.host.observe(&queries).await.into_iter();
    let access = match answers.next() {
        Some(Answer::Stat(stat)) if stat.file_type == FileType::Directory => {
            Access { owner: Some(stat.uid.to_string()), group: Some(stat.gid.to_string()), mode: stat.mode }
        }
        _ => access(LINEAGE_MODE),
    };
    let is_left = matches!(answers.next(), Some(Answer::Stat(_)));
    let there = self::links(context, lineage).await?;
    let mut is_same = true;
    let mut kept = Vec::new();
    for (name, target) in links {
        let link = live.join(name);
        match there.get(name) {
            Some(FileType::Link(found)) => is_same &= resolved(&link, found) == resolved(&link, target),
            None => is_same = false,
            // Whoever put it there has it still, under a name that nothing reads.
            Some(FileType::File) if lineage.home() == context.spec.root => {
                is_same = false;
                let names = (1_u32..).map(|number| format!("{name}.former{number}"));
                let free = names.into_iter().find(|name| !there.contains_key(name)).unwrap_or_default();
                kept.push(FileOperation::HardLink { from: link, to: live.join(free) });
            }
            Some(_) => {
                let error = format!("`{}` is not a link", link.display());
                return Err(Diagnostic::error(error).help(format!(
                    "move it away, and link to the file in `{}` in its place, as certbot has it",
                    lineage.archive().display()
                )));
            }
        }
    }
    let discard = || FileOperation::RemoveTree { root: root.clone(), path: new.clone() };
    if is_same {
        return Ok(is_left.then(discard).into_iter().collect());
    }
    let mut operations = kept;
    operations.extend([discard(), FileOperation::MakeDirectory { path: new.clone(), access }]);
    let link = |(name, target): (&String, &PathBuf)| FileOperation::Link {
        path: new.join(name),
        target: target.clone(),
    };
    operations.extend(links.iter().map(link));
    // With these, certbot would take back a change of links that it was interrupted in.
    let interrupted = Piece::ALL.map(|piece| format!("previous_{}", piece.file()));
    let interrupted = interrupted.iter().filter(|name| there.contains_key(*name));
    operations.extend(interrupted.map(|name| FileOperation::Remove { path: live.join(name) }));
    operations.extend([FileOperation::Supplant { from: new.clone(), to: live }, discard()]);
    Ok(operations)
}
