//! Certificates in certbot's layout: issues that are put into a lineage, and certbot that leaves one alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Context, Facts, fact, former, missing};
use crate::apply::certificate::Pair;
use crate::apply::journal::Before;
use crate::diag::Diagnostic;
use crate::host::{Contents, FileOperation, beside};
use crate::names;
use crate::plan::action::Access;
use crate::plan::issuance::lineage::{relative, resolved};
use crate::plan::issuance::{Lineage, Piece, renewal};
use crate::plan::observation::FileType;
use crate::plan::{Answer, Query};

/// As certbot makes `live`, `archive` and `renewal`.
const HOME_MODE: u32 = 0o700;
/// As certbot makes the directories of a lineage; the key has a mode of its own.
const LINEAGE_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
/// The group's right to read a key.
const GROUP_READS: u32 = 0o040;

/// The links of a lineage: names with what each leads to, as written.
type Links = BTreeMap<String, PathBuf>;

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
        for missing in missing(host, &path).await {
            let mode = if missing == path { mode } else { HOME_MODE };
            operations.push(FileOperation::MakeDirectory { path: missing, access: access(mode) });
        }
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
    let links = links_to(lineage, archived.number);
    operations.extend(switch(context, lineage, &links).await?);
    if lineage.home() == context.spec.root {
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
    directory: &Path,
    before: &Before,
) -> Result<(), Diagnostic> {
    let host = context.host;
    let archived = Archived::of(context, lineage, &Issue::read(context, directory).await?).await?;
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
            _ if before.existed => {}
            _ => operations.push(FileOperation::Remove { path }),
        }
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
    let files = [lineage.renewal(), former(&lineage.live())];
    let mut operations: Vec<_> = files.map(|path| FileOperation::Remove { path }).into();
    for path in [lineage.live(), beside(&lineage.live()), lineage.archive()] {
        operations.push(FileOperation::RemoveTree { root: lineage.home().to_owned(), path });
    }
    context.host.files(operations).await?;
    remove_empty(context, lineage).await?;
    Ok(Facts::new())
}

/// Switches certbot's renewal of a lineage off.
pub(super) async fn stop_certbot(
    context: Context<'_>,
    lineage: &Lineage,
    before: &Before,
) -> Result<Facts, Diagnostic> {
    let path = lineage.renewal();
    let failed = |reason: String| {
        let error = format!("cannot switch off certbot's renewal of `{}`: {reason}", lineage.name());
        Diagnostic::error(error).help(format!(
            "mend `{}`, or take the lineage from certbot with `certbot delete --cert-name {}` when its certificate \
             is not needed",
            path.display(),
            lineage.name()
        ))
    };
    if let Some(changed) = configuration(context, lineage, renewal::switched_off).await.map_err(failed)? {
        let keep = FileOperation::HardLink { from: path.clone(), to: former(&path) };
        let write = FileOperation::Replace { path, access: kept_access(before), bytes: changed.into() };
        context.host.files(vec![keep, write]).await?;
    }
    let known = serde_json::json!({ "home": lineage.home(), "name": lineage.name() });
    Ok(fact("certbot", known))
}

/// Switches certbot's renewal of a lineage on again, where [`stop_certbot`] switched it off.
pub(super) async fn resume_certbot(
    context: Context<'_>,
    lineage: &Lineage,
    before: &Before,
) -> Result<Facts, Diagnostic> {
    let path = lineage.renewal();
    let failed = |reason: String| {
        let error = format!("cannot leave `{}` to certbot again: {reason}", lineage.name());
        Diagnostic::error(error).help(format!(
            "take the line with `autorenew` out of `{}`, so that certbot renews it",
            path.display()
        ))
    };
    if let Some(changed) = configuration(context, lineage, renewal::switched_on).await.map_err(failed)? {
        let write = FileOperation::Replace { path, access: kept_access(before), bytes: changed.into() };
        context.host.files(vec![write]).await?;
    }
    Ok(fact("certbot", serde_json::Value::Null))
}

/// The configuration of a lineage as a change makes it; `None` where it is that already, or certbot knows nothing of the
/// lineage any more.
async fn configuration(
    context: Context<'_>,
    lineage: &Lineage,
    change: fn(&str) -> Result<String, renewal::RenewalError>,
) -> Result<Option<String>, String> {
    let path = lineage.renewal();
    let shown = path.display();
    let text = match context.host.observe(&[Query::Read(path.clone())]).await.pop() {
        Some(Answer::Bytes(bytes)) => {
            String::from_utf8(bytes).map_err(|_| format!("`{shown}` is not UTF-8"))?
        }
        Some(Answer::Absent) => return Ok(None),
        Some(Answer::Failed(reason)) => return Err(format!("cannot read `{shown}`: {reason}")),
        _ => return Err(format!("`{shown}` was not read")),
    };
    let changed = change(&text).map_err(|error| format!("`{shown}`, {error}"))?;
    Ok((changed != text).then_some(changed))
}

/// The access that a configuration had.
fn kept_access(before: &Before) -> Access {
    match before.access {
        Some((mode, uid, gid)) => Access { owner: Some(uid.to_string()), group: Some(gid.to_string()), mode },
        None => access(FILE_MODE),
    }
}

fn access(mode: u32) -> Access {
    Access { owner: None, group: None, mode }
}

/// The files of an issue.
struct Issue {
    pieces: [(Piece, u32, Contents); 4],
}

impl Issue {
    /// Reads key and chain of an issue; the other two follow from the chain, which a former vsa wrote without them.
    async fn read(context: Context<'_>, directory: &Path) -> Result<Self, Diagnostic> {
        let queries =
            [Piece::Privkey, Piece::Fullchain].map(|piece| Query::Read(directory.join(piece.file())));
        let mut texts = Vec::new();
        for (query, answer) in queries.iter().zip(context.host.observe(&queries).await) {
            let Query::Read(path) = query else { continue };
            let text = match answer {
                Answer::Bytes(bytes) => {
                    String::from_utf8(bytes).map_err(|_| "it is not a PEM file".to_owned())
                }
                Answer::Failed(reason) => Err(reason),
                _ => Err("there is no such file".to_owned()),
            };
            let error = |reason| Diagnostic::error(format!("cannot read `{}`: {reason}", path.display()));
            texts.push(text.map_err(error)?);
        }
        let (chain, key) = (texts.pop().unwrap_or_default(), texts.pop().unwrap_or_default());
        Ok(Self { pieces: Pair { key: key.into(), chain }.pieces() })
    }
}

/// Where an issue is in the archive, or shall be.
struct Archived {
    /// Its number.
    number: u64,
    /// Its files that are there already.
    present: Vec<Piece>,
    /// The group that may read the key before it: it may read this one too.
    key_group: Option<u32>,
}

impl Archived {
    /// The highest number, where all files that have it are those of the issue, else the next. An issue with another
    /// number gets a new one: certbot takes the highest for the one to be used, and points the links to it.
    async fn of(context: Context<'_>, lineage: &Lineage, issue: &Issue) -> Result<Self, Diagnostic> {
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
        let key_group = match key {
            Some(Answer::Stat(stat)) if stat.mode & GROUP_READS != 0 => Some(stat.gid),
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

/// The links to the files of a number.
fn links_to(lineage: &Lineage, number: u64) -> Links {
    let way = relative(&lineage.live(), &lineage.archive());
    let link = |piece: Piece| (piece.file().to_owned(), way.join(piece.archived(number)));
    Piece::ALL.map(link).into()
}

/// What is in the directory of a lineage's links.
async fn links(context: Context<'_>, lineage: &Lineage) -> Result<BTreeMap<String, FileType>, Diagnostic> {
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
async fn switch(
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
    for (name, target) in links {
        let link = live.join(name);
        match there.get(name) {
            Some(FileType::Link(found)) => is_same &= resolved(&link, found) == resolved(&link, target),
            None => is_same = false,
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
    let mut operations = vec![discard(), FileOperation::MakeDirectory { path: new.clone(), access }];
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

/// The operations that write the configuration of a lineage of the node's own, where it has another. The former one is
/// kept beside the links: beside the configuration is the place of [`stop_certbot`]'s.
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
