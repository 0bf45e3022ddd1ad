//! What there is to know of the certificates in the state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::KIND;
use crate::address::Address;
use crate::cli::Invocation;
use crate::diag::{Diagnostic, Severity, Sources, rfc3339};
use crate::kinds::certificate::{Held, Kept, Source, held, wanted_names, wants};
use crate::kinds::domain::served_with;
use crate::names::covers;
use crate::plan::issuance::{Failed, Ledger, Piece, REVOKED, Revoked, asks_the_same};
use crate::plan::observation::{CertificateFacts, Observations};
use crate::plan::{Answer, NodeSpec, Query};
use crate::state::{State, Status, Stored};

/// A certificate in the state.
pub(super) struct Known<'a> {
    pub(super) address: &'a Address,
    pub(super) stored: &'a Stored,
    pub(super) spec: &'a NodeSpec,
    pub(super) held: Held,
    /// The failures since it was issued last.
    pub(super) failed: Option<Failed>,
    /// Why what its node remembers cannot be read, where that is so.
    pub(super) forgotten: Option<Diagnostic>,
    /// What its file holds, or why that is not known.
    pub(super) live: Result<CertificateFacts, String>,
    /// How the files are that it is copied from.
    pub(super) files: Files,
    /// The names that sites answer for with it.
    pub(super) sites: BTreeSet<Arc<str>>,
}

/// The files that a certificate is copied from.
#[derive(Default)]
pub(super) struct Files {
    /// Why they cannot be used, where that is so.
    pub(super) unusable: Option<String>,
    /// Whether another certificate is in them than was copied.
    pub(super) differ: bool,
}

impl Known<'_> {
    /// The names that it is wanted for and that the certificate that there is lacks: clients are warned there.
    pub(super) fn lacks(&self) -> BTreeSet<Arc<str>> {
        let Ok(live) = &self.live else { return BTreeSet::new() };
        let wanted = wanted_names(self.stored).into_iter().chain(self.sites.iter().cloned());
        wanted.filter(|name| !live.names.iter().any(|certified| covers(certified, name))).collect()
    }

    /// Whether what failed is still to be had: any certificate at all, the renewal of the one that there is, names that it
    /// lacks, or another key or authority.
    pub(super) fn is_owed(&self, failed: &Failed) -> bool {
        let Held { number, request, .. } = &self.held;
        *number == 0
            || asks_the_same(&failed.request, request)
            || !self.lacks().is_empty()
            || wants(self.stored, &failed.request)
    }
}

/// All certificates in the state, each file read.
pub(super) fn every<'a>(invocation: &Invocation, state: &'a State) -> Vec<Known<'a>> {
    let certificates = state.resources.iter().filter(|(address, _)| address.kind() == KIND);
    let placed: Vec<_> = certificates
        .filter_map(|(address, stored)| Some((address, stored, &state.nodes.get(&stored.node)?.spec)))
        .collect();
    let ledgers = ledgers(invocation, placed.iter().map(|(_, _, spec)| *spec));
    let unread = ledgers.values().filter_map(|ledger| ledger.as_ref().err());
    let unread: Vec<_> =
        unread.map(|error| Diagnostic { severity: Severity::Warning, ..error.clone() }).collect();
    invocation.terminal.diagnostics(&unread, &Sources::new());
    let remembered = |stored: &Stored, spec: &NodeSpec| match ledgers.get(&spec.address) {
        Some(Ok(ledger)) => ledger.certificates.get(&*stored.name).cloned(),
        _ => None,
    };
    let forgotten = |spec: &NodeSpec| ledgers.get(&spec.address)?.as_ref().err().cloned();
    let all: Vec<_> = placed
        .into_iter()
        .filter_map(|(address, stored, spec)| {
            let remembered = remembered(stored, spec);
            let held = held(stored, spec, remembered.as_ref())?;
            Some((address, stored, spec, held, remembered.and_then(|remembered| remembered.failed)))
        })
        .collect();
    let questions = all.iter().flat_map(|(_, _, _, held, _)| {
        let file = |file: &str| held.directory.join(file);
        [Query::Certificate(file(Piece::Fullchain.file())), Query::Read(file(REVOKED))]
    });
    let answers = invocation.block_on(invocation.host.observe(&questions.collect::<Vec<_>>()));
    let mut sites = sites(state);
    let copied = all.iter().filter(|(_, _, _, held, _)| held.source == Source::Files);
    let mut sources =
        files(invocation, copied.map(|(address, stored, _, held, _)| (*address, *stored, held)));
    let known =
        |((address, stored, spec, mut held, failed), answers): ((_, _, &'a NodeSpec, Held, _), &[Answer])| {
            let live = match &answers[0] {
                Answer::Certificate(found) => Ok(found.clone()),
                Answer::Failed(why) => Err(why.clone()),
                _ => Err("its file is not there".to_owned()),
            };
            // What its node remembers may have been lost.
            if let (None, Some(noted)) = (&held.revoked, Revoked::noted(answers.get(1), &held.digest)) {
                held.renews = held.renews.and(noted.when());
                held.revoked = Some(noted);
            }
            let (sites, files) = (sites.remove(address), sources.remove(address));
            let (sites, files) = (sites.unwrap_or_default(), files.unwrap_or_default());
            Known { address, stored, spec, held, failed, forgotten: forgotten(spec), live, files, sites }
        };
    all.into_iter().zip(answers.chunks(2)).map(known).collect()
}

/// How the files of these are, which are copied from them.
fn files<'a, 'b>(
    invocation: &Invocation,
    copied: impl Iterator<Item = (&'a Address, &'a Stored, &'b Held)>,
) -> BTreeMap<&'a Address, Files> {
    let kept: Vec<(&Address, Kept, &Held)> =
        copied.filter_map(|(address, stored, held)| Some((address, Kept::stored(stored)?, held))).collect();
    let queries: Vec<Query> = kept.iter().flat_map(|(_, kept, _)| kept.queries()).collect();
    let answers = invocation.block_on(invocation.host.observe(&queries));
    let observed: Observations = queries.into_iter().zip(answers).collect();
    let look = |kept: &Kept, held: &Held| {
        let wrong = kept.seen(&observed).and_then(Result::err);
        Files { unusable: wrong.map(|wrong| wrong.summary), differ: kept.differs(&held.digest, &observed) }
    };
    kept.iter().map(|(address, kept, held)| (*address, look(kept, held))).collect()
}

/// The names that sites answer for with each certificate.
fn sites(state: &State) -> BTreeMap<Address, BTreeSet<Arc<str>>> {
    let mut sites: BTreeMap<Address, BTreeSet<Arc<str>>> = BTreeMap::new();
    for (address, stored) in &state.resources {
        let live = Some(stored).filter(|stored| stored.status == Status::Live);
        if let Some((certificate, names)) = live.and_then(|stored| served_with(address, stored)) {
            sites.entry(certificate).or_default().extend(names);
        }
    }
    sites
}

/// When and why a certificate was revoked.
pub(super) fn revoked_json(revoked: &Revoked) -> serde_json::Value {
    serde_json::json!({ "at": revoked.when().map(rfc3339), "reason": revoked.reason })
}

/// What the nodes remember, or why that is not known.
fn ledgers<'a>(
    invocation: &Invocation,
    specs: impl Iterator<Item = &'a NodeSpec>,
) -> BTreeMap<Address, Result<Arc<Ledger>, Diagnostic>> {
    let nodes: BTreeMap<Address, PathBuf> = specs.map(|spec| (spec.address.clone(), spec.ledger())).collect();
    let queries: Vec<Query> = nodes.values().cloned().map(Query::Ledger).collect();
    let answers = invocation.block_on(invocation.host.observe(&queries));
    let known = |((node, path), answer): ((_, PathBuf), _)| match answer {
        Answer::Ledger(ledger) => Some((node, Ok(ledger))),
        Answer::Failed(why) => Some((node, Err(Ledger::unreadable(&path, &why)))),
        _ => None,
    };
    nodes.into_iter().zip(answers).filter_map(known).collect()
}
