//! What there is to know of the certificates in the state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::KIND;
use crate::address::Address;
use crate::cli::Invocation;
use crate::diag::{Diagnostic, Severity, Sources, rfc3339};
use crate::kinds::certificate::{Held, held};
use crate::plan::docker::Protocol;
use crate::plan::issuance::{Failed, Ledger, Piece, REVOKED, Revoked};
use crate::plan::observation::CertificateFacts;
use crate::plan::{Answer, NodeSpec, Query};
use crate::state::{State, Stored};

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
    let files = all.iter().flat_map(|(_, _, _, held, _)| {
        let file = |file: &str| held.directory.join(file);
        [Query::Certificate(file(Piece::Fullchain.file())), Query::Read(file(REVOKED))]
    });
    let answers = invocation.block_on(invocation.host.observe(&files.collect::<Vec<_>>()));
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
            Known { address, stored, spec, held, failed, forgotten: forgotten(spec), live }
        };
    all.into_iter().zip(answers.chunks(2)).map(known).collect()
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

/// What a TLS handshake presents, in the place of what a certificate's file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// The certificate of the file.
    Yes,
    /// Another one, with what it is.
    Another(String),
    /// None, with the reason.
    None(String),
}

impl Served {
    /// For people.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Yes => "yes".to_owned(),
            Self::Another(what) => format!("another: {what}"),
            Self::None(why) => format!("no: {why}"),
        }
    }
}

/// What a node presents by name, or why that is not known.
type Presented = Result<BTreeMap<String, Result<CertificateFacts, String>>, String>;

/// What the nodes present for each certificate: one question for all of a node.
pub(super) fn served(invocation: &Invocation, known: &[Known<'_>]) -> Vec<Served> {
    let mut names: BTreeMap<&Address, BTreeSet<String>> = BTreeMap::new();
    for known in known {
        names.entry(&known.spec.address).or_default().extend(asked(known));
    }
    let mut found: BTreeMap<&Address, Presented> = BTreeMap::new();
    let nodes = names.into_iter().filter_map(|(node, names)| {
        let spec = known.iter().find(|known| known.spec.address == *node)?.spec;
        Some((node, spec, names))
    });
    for (node, spec, names) in nodes {
        let answer = port(invocation, spec).map(|port| {
            let query = Query::Served { port, names: names.into_iter().collect() };
            invocation.block_on(invocation.host.observe(&[query])).pop()
        });
        let answer = answer.and_then(|answer| match answer {
            Some(Answer::Served(served)) => Ok(served),
            Some(Answer::Failed(why)) => Err(why),
            _ => Err("nobody answers".to_owned()),
        });
        found.insert(node, answer);
    }
    known.iter().map(|known| of(known, found.get(&known.spec.address))).collect()
}

/// The names that are asked for; of wildcards one below them, where there is nothing else.
fn asked(known: &Known<'_>) -> Vec<String> {
    let Ok(live) = &known.live else { return Vec::new() };
    let (wildcards, plain): (Vec<_>, Vec<_>) = live.names.iter().partition(|name| name.starts_with("*."));
    if plain.is_empty() {
        return wildcards.into_iter().map(|name| name.replacen('*', "vsa", 1)).collect();
    }
    plain.into_iter().cloned().collect()
}

/// The loopback port on which a node is asked.
fn port(invocation: &Invocation, spec: &NodeSpec) -> Result<u16, String> {
    let Some(name) = &spec.container else { return Ok(spec.https_port) };
    let query = Query::Containers { socket: spec.docker.socket.clone() };
    let answer = invocation.block_on(invocation.host.observe(&[query])).pop();
    let Some(Answer::Containers(containers)) = answer else {
        return Err("the containers could not be seen".to_owned());
    };
    let container = containers.iter().find(|container| *container.name == **name);
    let container = container.ok_or_else(|| format!("there is no container `{name}`"))?;
    let is_https = |port: &&crate::plan::docker::PublishedPort| {
        port.container_port == spec.https_port && port.protocol == Protocol::Tcp
    };
    let published = container.published.iter().find(is_https);
    published.map(|port| port.host_port).ok_or_else(|| format!("port {} is not published", spec.https_port))
}

fn of(known: &Known<'_>, found: Option<&Presented>) -> Served {
    let Ok(live) = &known.live else { return Served::None("its file cannot be read".to_owned()) };
    let found = match found {
        Some(Ok(found)) => found,
        Some(Err(why)) => return Served::None(why.clone()),
        None => return Served::None("it was not asked".to_owned()),
    };
    let answers: Vec<_> = asked(known).into_iter().filter_map(|name| found.get(&name)).collect();
    if let Some(other) = answers.iter().find_map(|answer| answer.as_ref().ok().filter(|other| *other != live))
    {
        return Served::Another(format!("{} of {}", other.serial, other.issuer_name));
    }
    // A name that no site has is nobody's fault where another one is served.
    if answers.iter().any(|answer| answer.is_ok()) {
        return Served::Yes;
    }
    let why = answers.iter().find_map(|answer| answer.as_ref().err().cloned());
    Served::None(why.unwrap_or_else(|| "it has no name".to_owned()))
}
