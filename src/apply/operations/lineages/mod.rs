//! Certificates in certbot's layout: issues that are put into a lineage, and certbot that leaves one alone.

mod archived;
mod certbot;
mod links;

use std::collections::BTreeSet;
use std::path::Path;

use archived::{Archived, Issue};
pub(super) use certbot::{resume_certbot, stop_certbot};
use links::{links, links_to, switch};

use super::{Context, Facts, fact, former, make_missing};
use crate::apply::journal::Before;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, beside};
use crate::names;
use crate::plan::action::Access;
use crate::plan::issuance::lineage::{FILE_MODE, GROUP_READS, HOME_MODE, resolved};
use crate::plan::issuance::{Lineage, Piece, renewal};
use crate::plan::observation::FileType;
use crate::plan::{Answer, Query};

/// As certbot makes the directories of a lineage; the key has a mode of its own.
const LINEAGE_MODE: u32 = 0o755;

/// Puts an issue into a lineage.
pub(super) async fn publish(
    context: Context<'_>,
    lineage: &Lineage,
    directory: &Path,
    server: Option<&str>,
) -> Result<Facts, Diagnostic> {
    let host = context.host;
    let issue = Issue::read(context, directory).await?;
    let archived = Archived::of(context, lineage, &issue).await?;
    let mut operations = Vec::new();
    for (path, mode) in [
        (lineage.archive(), LINEAGE_MODE),
        (lineage.home().join("live"), HOME_MODE),
        (Lineage::renewals(lineage.home()), HOME_MODE),
    ] {
        if let Some(home) = path.parent() {
            operations.extend(make_missing(host, home, &access(HOME_MODE)).await);
        }
        operations.extend(make_missing(host, &path, &access(mode)).await);
    }
    for (piece, mode, bytes) in &issue.pieces {
        if archived.present.contains(piece) {
            continue;
        }
        let mut access = access(*mode);
        if let (Piece::Privkey, Some(group)) = (*piece, archived.key_group) {
            access = Access { owner: None, group: Some(group.to_string()), mode: mode | GROUP_READS };
        }
        let path = lineage.archive().join(piece.archived(archived.number));
        operations.push(FileOperation::Replace { path, access, bytes: bytes.clone() });
    }
    if lineage.home() == context.spec.root {
        operations.extend(archived::private(context, lineage, &issue).await?);
    }
    let links = links_to(lineage, archived.number);
    operations.extend(switch(context, lineage, &links).await?);
    if lineage.home() == context.spec.root || is_unknown(context, lineage).await {
        operations.extend(configure(context, lineage, server).await);
    }
    host.files(operations).await?;
    if lineage.home() != context.spec.root {
        return Ok(Facts::new());
    }
    let mut facts = fact("published", archived.number);
    let issue = directory.file_name().and_then(|name| name.to_str()).and_then(names::number);
    facts.extend(issue.map(|issue| fact("published_issue", issue)).unwrap_or_default());
    Ok(facts)
}

/// Takes back what [`publish`] did: the links first, so that they never lead to nothing. What it did not come to do stays
/// as it is.
pub(super) async fn unpublish(
    context: Context<'_>,
    lineage: &Lineage,
    (directory, server): (&Path, Option<&str>),
    before: &Before,
) -> Result<(), Diagnostic> {
    let host = context.host;
    let Ok(issue) = Issue::read(context, directory).await else {
        // What cannot be read was not published: the links are as they were, or are again.
        let links = if before.existed { switch(context, lineage, &before.links).await? } else { Vec::new() };
        return Ok(host.files(links).await?);
    };
    let archived = Archived::of(context, lineage, &issue).await?;
    let live = lineage.live();
    let made = links_to(lineage, archived.number);
    let leads_there = |name: &str, target: &Path| {
        let link = live.join(name);
        made.get(name).is_some_and(|made| resolved(&link, target) == resolved(&link, made))
    };
    let mut operations = Vec::new();
    if before.existed {
        let there = links(context, lineage).await?;
        let is_made = |name: &String| match there.get(name) {
            Some(FileType::Link(target)) => leads_there(name, target),
            _ => false,
        };
        if made.keys().any(is_made) {
            operations.extend(switch(context, lineage, &before.links).await?);
        }
        let new = made.keys().filter(|name| is_made(name) && !before.links.contains_key(*name));
        operations.extend(new.map(|name| FileOperation::Remove { path: live.join(name) }));
    } else {
        operations.push(FileOperation::RemoveTree { root: lineage.home().join("live"), path: live.clone() });
    }
    if !before.links.iter().any(|(name, target)| leads_there(name, target)) {
        let made =
            archived.present.iter().map(|piece| lineage.archive().join(piece.archived(archived.number)));
        operations.extend(made.map(|path| FileOperation::Remove { path }));
    }
    if lineage.home() == context.spec.root {
        let (path, kept) = (lineage.renewal(), former(&live));
        match host.observe(&[Query::Stat(kept.clone())]).await.pop() {
            Some(Answer::Stat(_)) => operations.extend([
                FileOperation::Rename { from: kept.clone(), to: path },
                // Where both are still the same file, a rename leaves it.
                FileOperation::Remove { path: kept },
            ]),
            _ if before.unconfigured => operations.push(FileOperation::Remove { path }),
            _ => {}
        }
    } else if before.unconfigured {
        // Another program may have written one meanwhile.
        let path = lineage.renewal();
        let written = renewal::of_own(lineage, server).into_bytes();
        let found = host.observe(&[Query::Read(path.clone())]).await.pop();
        let is_it = found == Some(Answer::Bytes(written));
        operations.extend(is_it.then_some(FileOperation::Remove { path }));
    }
    host.files(operations).await?;
    remove_empty(context, lineage).await
}

/// Removes what the archive of a lineage of the node's own holds of an issue that nothing names any more. The highest
/// number stays, which is the one that is linked.
pub(super) async fn forget(
    context: Context<'_>,
    lineage: &Lineage,
    directory: &Path,
) -> Result<(), Diagnostic> {
    let (host, archive) = (context.host, lineage.archive());
    let chain = Query::Digest(directory.join(Piece::Fullchain.file()));
    let answers = host.observe(&[Query::Entries(archive.clone()), chain]).await;
    let [Answer::Entries(entries), Answer::Digest(gone)] = answers.as_slice() else { return Ok(()) };
    let numbers: BTreeSet<u64> =
        entries.keys().filter_map(|name| Piece::of_archived(name)).map(|(_, number)| number).collect();
    let older: Vec<u64> = numbers.iter().rev().skip(1).copied().collect();
    let queries: Vec<Query> =
        older.iter().map(|number| Query::Digest(archive.join(Piece::Fullchain.archived(*number)))).collect();
    let found = older.iter().zip(host.observe(&queries).await);
    let found = found.filter(|(_, answer)| matches!(answer, Answer::Digest(digest) if digest == gone));
    let files = found.flat_map(|(number, _)| Piece::ALL.map(|piece| archive.join(piece.archived(*number))));
    Ok(host.files(files.map(|path| FileOperation::Remove { path }).collect()).await?)
}

/// Removes a lineage of the node's own.
pub(super) async fn remove(context: Context<'_>, lineage: &Lineage) -> Result<Facts, Diagnostic> {
    if lineage.home() != context.spec.root {
        let error = format!("`{lineage}` is not below `{}`", context.spec.root.display());
        return Err(Diagnostic::error(error).help("lineages that vsa did not make are never removed"));
    }
    // The configuration first: without it certbot knows nothing of the rest.
    let files = [lineage.renewal(), beside(&lineage.renewal()), former(&lineage.live())];
    let mut operations: Vec<_> = files.map(|path| FileOperation::Remove { path }).into();
    for path in [lineage.live(), beside(&lineage.live()), lineage.archive()] {
        operations.push(FileOperation::RemoveTree { root: lineage.home().to_owned(), path });
    }
    context.host.files(operations).await?;
    remove_empty(context, lineage).await?;
    Ok(Facts::new())
}

/// Whether certbot knows nothing of a lineage any more: without a configuration it does not list it.
async fn is_unknown(context: Context<'_>, lineage: &Lineage) -> bool {
    let found = context.host.observe(&[Query::Stat(lineage.renewal())]).await.pop();
    matches!(found, Some(Answer::Absent))
}

fn access(mode: u32) -> Access {
    Access { owner: None, group: None, mode }
}

/// The operations that write the configuration of a lineage of the node's own, or of one that has lost it, where it has
/// another. The former one is kept beside the links: beside the configuration is the place of [`stop_certbot`]'s.
async fn configure(context: Context<'_>, lineage: &Lineage, server: Option<&str>) -> Vec<FileOperation> {
    let path = lineage.renewal();
    let text = renewal::of_own(lineage, server);
    let mut operations = Vec::new();
    match context.host.observe(&[Query::Read(path.clone())]).await.pop() {
        Some(Answer::Bytes(bytes)) if bytes == text.as_bytes() => return operations,
        Some(Answer::Bytes(_)) => {
            operations.push(FileOperation::HardLink { from: path.clone(), to: former(&lineage.live()) });
        }
        _ => {}
    }
    operations.push(FileOperation::Replace { path, access: access(FILE_MODE), bytes: text.into() });
    operations
}

/// Removes the directories of a lineage of the node's own that nothing is in any more.
async fn remove_empty(context: Context<'_>, lineage: &Lineage) -> Result<(), Diagnostic> {
    if lineage.home() != context.spec.root {
        return Ok(());
    }
    let home = lineage.home();
    for path in [lineage.archive(), home.join("archive"), home.join("live"), Lineage::renewals(home)] {
        if let Some(Answer::Stat(stat)) = context.host.observe(&[Query::Stat(path.clone())]).await.pop()
            && stat.empty
        {
            context.host.files(vec![FileOperation::RemoveDirectory { path }]).await?;
        }
    }
    Ok(())
}
