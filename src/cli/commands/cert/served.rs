//! What nodes present for certificates in TLS handshakes.

use std::collections::{BTreeMap, BTreeSet};

use super::known::Known;
use crate::address::Address;
use crate::cli::Invocation;
use crate::plan::docker::Protocol;
use crate::plan::observation::CertificateFacts;
use crate::plan::{Answer, NodeSpec, Query};

/// What a TLS handshake presents, in the place of what a certificate's file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// The certificate of the file.
    Yes,
    /// Another one, with what it is.
    Another(String),
    /// None, with the reason.
    None(String),
    /// It is there for other programs: no site uses it.
    Unused,
}

impl Served {
    /// For people.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Yes => "yes".to_owned(),
            Self::Another(what) => format!("another: {what}"),
            Self::None(why) => format!("no: {why}"),
            Self::Unused => "no site uses it".to_owned(),
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

/// The names that are asked for: those of the sites that use it; of a wildcard one below it.
fn asked(known: &Known<'_>) -> impl Iterator<Item = String> {
    known.sites.iter().map(|name| match name.strip_prefix("*.") {
        Some(parent) => format!("vsa.{parent}"),
        None => name.to_string(),
    })
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
    if known.sites.is_empty() {
        return Served::Unused;
    }
    let Ok(live) = &known.live else { return Served::None("its file cannot be read".to_owned()) };
    let found = match found {
        Some(Ok(found)) => found,
        Some(Err(why)) => return Served::None(why.clone()),
        None => return Served::None("it was not asked".to_owned()),
    };
    let answers: Vec<_> = asked(known).filter_map(|name| found.get(&name)).collect();
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
