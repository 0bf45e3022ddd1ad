//! Issues of certificates: each in a directory of its own that is never changed, only made and removed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Context, Facts, fact, issuing, lineages, make_missing};
use crate::apply::certificate::{self, CHAIN, KEY, Pair};
use crate::apply::generation::Readers;
use crate::apply::journal::Before;
use crate::diag::Diagnostic;
use crate::digest::sha256;
use crate::host::{FileOperation, beside, first_certificate};
use crate::plan::action::Access;
use crate::plan::issuance::lineage::FILE_MODE;
use crate::plan::issuance::{Lineage, ORDER_KEY, Piece, REQUEST, asked_authority, asks_the_same};
use crate::plan::observation::CertificateFacts;
use crate::plan::{Answer, NodeSpec, Query};

/// Beside it: which order of which account an authority's certificate came from.
const ORIGIN: &str = "order.json";

/// Where an authority's certificate came from: what the next one renews.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Origin {
    /// The account's address.
    pub(super) account: String,
    /// The order's address.
    pub(super) order: String,
}

/// An issue that is to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issue<'a> {
    /// Its number.
    pub(super) number: u64,
    /// What is asked for, as one line.
    pub(super) request: &'a str,
    /// Its directory.
    pub(super) directory: &'a Path,
}

/// Makes a key and a self-signed certificate.
pub(super) async fn issue(
    context: Context<'_>,
    issue: Issue<'_>,
    names: &[String],
    key_type: &str,
    days: u32,
) -> Result<Facts, Diagnostic> {
    if let Some(facts) = existing(context, issue).await {
        return Ok(facts);
    }
    let pair = certificate::self_signed(names, key_type, days, context.host.now().await)?;
    install(context, issue, pair, None).await
}

/// Copies a key and a certificate that somebody else keeps.
pub(super) async fn copy(
    context: Context<'_>,
    issue: Issue<'_>,
    chain: &Path,
    key: &Path,
) -> Result<Facts, Diagnostic> {
    let pair = Pair::read(context.host, chain, key).await?;
    let digest = sha256(pair.chain.as_bytes());
    let stored = context.state.resources.get(context.resource);
    let fact = |name: &str| stored?.facts.get(name)?.as_str();
    let is_known = fact("digest") == Some(&*digest);
    if asked_authority(issue.request).is_some() && !is_known {
        // An authority need not be asked for it any more.
        issuing::forget(context, issue).await?;
    }
    if let Some(facts) = existing(context, issue).await
        && facts.get("digest").and_then(serde_json::Value::as_str) == Some(&*digest)
    {
        return Ok(facts);
    }
    // A copy of what the state knows is of the same order.
    let origin = || Some(Origin { account: fact("account")?.to_owned(), order: fact("order")?.to_owned() });
    let origin = if is_known { origin() } else { None };
    install(context, issue, pair, origin.as_ref()).await
}

/// The same issue, made by this action before a kill: a directory gets its name when it is whole. One that was made
/// for another request is none.
pub(super) async fn existing(context: Context<'_>, issue: Issue<'_>) -> Option<Facts> {
    let [request, chain, key, origin] = [REQUEST, CHAIN, KEY, ORIGIN].map(|file| issue.directory.join(file));
    let pair = Query::PrivateKey { key, certificate: chain.clone() };
    let queries = [Query::Read(request), Query::Read(chain), pair, Query::Read(origin)];
    match context.host.observe(&queries).await.as_slice() {
        [Answer::Bytes(request), Answer::Bytes(chain), Answer::PrivateKey { wrong: None }, origin]
            if std::str::from_utf8(request).is_ok_and(|former| asks_the_same(former, issue.request)) =>
        {
            // A former vsa did not write it down.
            let origin = match origin {
                Answer::Bytes(origin) => serde_json::from_slice(origin).ok(),
                _ => None,
            };
            Some(facts(context, issue, &first_certificate(chain).ok()?, chain, origin.as_ref()).await)
        }
        _ => None,
    }
}

async fn facts(
    context: Context<'_>,
    issue: Issue<'_>,
    found: &CertificateFacts,
    chain: &[u8],
    origin: Option<&Origin>,
) -> Facts {
    let key = context.host.observe(&[Query::Stat(issue.directory.join(KEY))]).await.pop();
    let owner = match key {
        Some(Answer::Stat(stat)) => Some(stat.uid),
        _ => None,
    };
    let mut facts = Facts::from_iter([
        ("issue".to_owned(), issue.number.into()),
        ("request".to_owned(), issue.request.into()),
        ("not_before".to_owned(), found.not_before.into()),
        ("not_after".to_owned(), found.not_after.into()),
        ("digest".to_owned(), sha256(chain).into()),
        ("mode".to_owned(), certificate::chain_mode(chain).into()),
        ("owner".to_owned(), owner.into()),
    ]);
    if asked_authority(issue.request).is_some() {
        // What the one before it came from is not where this one did.
        facts.insert("account".to_owned(), origin.map_or("", |origin| &origin.account).into());
        facts.insert("order".to_owned(), origin.map(|origin| origin.order.as_str()).into());
    }
    facts
}

pub(super) async fn install(
    context: Context<'_>,
    issue: Issue<'_>,
    pair: Pair,
    origin: Option<&Origin>,
) -> Result<Facts, Diagnostic> {
    let Issue { directory, request, .. } = issue;
    let Context { host, spec, .. } = context;
    let found = first_certificate(pair.chain.as_bytes()).map_err(|reason| {
        Diagnostic::error(format!("the certificate for {} cannot be used: {reason}", directory.display()))
    })?;
    let readers = Readers::of(host, spec).await?;
    let parent = directory.parent().unwrap_or(directory);
    let new = new_name(directory);
    let mut operations = make_missing(host, parent, &readers.directory()).await;
    operations.push(FileOperation::RemoveTree { root: spec.root.clone(), path: new.clone() });
    operations.push(FileOperation::MakeDirectory { path: new.clone(), access: readers.directory() });
    operations.extend(certificate::write(&new, &pair));
    let mut create = |name: &'static str, bytes: String| {
        let access = Access { owner: None, group: None, mode: FILE_MODE };
        operations.push(FileOperation::Create { path: new.join(name), access, bytes: bytes.as_str().into() });
        name
    };
    let mut files: Vec<_> = Piece::ALL.map(Piece::file).into();
    files.push(create(REQUEST, request.to_owned()));
    let origin_text = origin.and_then(|origin| serde_json::to_string(origin).ok());
    files.extend(origin_text.map(|text| create(ORIGIN, text)));
    operations.extend(files.into_iter().map(|name| FileOperation::Sync { path: new.join(name) }));
    operations.push(FileOperation::Sync { path: new.clone() });
    operations.push(FileOperation::RemoveTree { root: spec.root.clone(), path: directory.to_owned() });
    operations.push(FileOperation::Rename { from: new, to: directory.to_owned() });
    host.files(operations).await?;
    Ok(facts(context, issue, &found, pair.chain.as_bytes(), origin).await)
}

fn new_name(directory: &Path) -> PathBuf {
    directory.with_extension("new")
}

/// Removes a certificate: what the node remembers of it, the key of an order that is under way, and its issue, unless a
/// generation that is kept still names that: it goes with that generation then.
pub(super) async fn remove(context: Context<'_>, directory: &Path) -> Result<Facts, Diagnostic> {
    let Context { host, spec, issuance, .. } = context;
    let name = NodeSpec::certificate_name(directory);
    for record in issuance.forget(spec, name).await?.iter().flat_map(|known| &known.records) {
        (context.told)(name, &context.masks.text(&record.stays()));
    }
    let key = order_key(directory);
    // A run may have been killed while it wrote one.
    let keys = [beside(&key), key].map(|path| FileOperation::Remove { path });
    host.files(keys.into()).await?;
    if context.issues.names(context, directory).await {
        return Ok(fact("kept", true));
    }
    remove_issue(context, directory).await?;
    Ok(Facts::new())
}

/// The file with the key of the order that is under way.
pub(super) fn order_key(directory: &Path) -> PathBuf {
    directory.with_file_name(ORDER_KEY)
}

/// Removes an issue's directory, and the one above it when it was the last.
pub(super) async fn remove_issue(context: Context<'_>, directory: &Path) -> Result<(), Diagnostic> {
    let Context { host, spec, .. } = context;
    if let Ok(lineage) = Lineage::new(spec.root.clone(), NodeSpec::certificate_name(directory)) {
        lineages::forget(context, &lineage, directory).await?;
    }
    let trees = [new_name(directory), directory.to_owned()];
    host.files(trees.map(|path| FileOperation::RemoveTree { root: spec.root.clone(), path }).into()).await?;
    let certificates = spec.certificates();
    for above in directory.ancestors().skip(1).take_while(|above| above.starts_with(&certificates)) {
        let found = host.observe(&[Query::Stat(above.to_owned())]).await.pop();
        if !matches!(found, Some(Answer::Stat(stat)) if stat.empty) {
            break;
        }
        host.files(vec![FileOperation::RemoveDirectory { path: above.to_owned() }]).await?;
    }
    Ok(())
}

/// Takes back an issue that this run made.
pub(super) async fn undo(context: Context<'_>, directory: &Path, before: &Before) -> Result<(), Diagnostic> {
    if before.existed { Ok(()) } else { remove_issue(context, directory).await }
}
