//! The generation that answers for what certificate authorities look at, before the one that they issue for: what is
//! live, or nothing but what all sites of the node share, and a server for the names that nothing answers for yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::actions::Work;
use super::build::{Ask, Known, NodeWork, Scope};
use super::endpoint::NO_ENDPOINTS;
use super::files::{self, NodeFiles, Rendered};
use super::issuance::ChallengeType;
use super::node::NodeSpec;
use super::observation::{Answer, Query};
use super::targets::{carried, not_as_written};
use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::state::{StoredFile, StoredNode, link_target};

/// Gives each node that needs it such a generation; the next one comes after it.
pub(super) fn bases(
    scope: &Scope<'_>,
    known: &Known,
    works: &[Work],
    nodes: &mut BTreeMap<Address, NodeWork>,
    ask: &mut Ask<'_>,
) -> Result<(), Diagnostics> {
    for (address, node) in nodes {
        let orders = works.iter().filter(|work| work.node() == address).flat_map(Work::orders);
        let orders: Vec<_> = orders.filter(|order| order.challenge == ChallengeType::Http01).collect();
        if orders.is_empty() || !node.files.switch {
            continue;
        }
        let spec = &node.node.spec;
        let live = scope.stored(address).filter(|stored| answers(node, stored));
        let mut names: BTreeSet<&str> =
            orders.iter().flat_map(|order| &order.names).map(String::as_str).collect();
        if let Some(live) = live {
            // Where the default server is somebody else's, names that no site has are answered by that one.
            if live.spec.default_server {
                continue;
            }
            let served = served(spec, live, ask);
            names.retain(|name| !served.contains(*name));
            if names.is_empty() {
                continue;
            }
        }
        let others = |file: &Address| file != address;
        let edited = |path: &str, file: &StoredFile| as_written(&node.files, path, file);
        let mut files = carried(spec, live, (&others, &edited), &mut |queries| ask(spec, queries))
            .map_err(Diagnostics::from)?;
        let own = node.files.files.iter().filter(|(_, rendered)| rendered.resource == *address);
        files.extend(own.map(|(path, rendered)| (Arc::clone(path), rendered.clone())));
        if !spec.default_server {
            let names: Vec<&str> = names.into_iter().collect();
            files.extend(challenges(scope, known, address, &names)?);
        }
        let number = node.files.number;
        node.base = Some(NodeFiles { files, changed: Vec::new(), number, switch: true });
        node.files.number += 1;
    }
    Ok(())
}

/// What stands for a live file that somebody edited: what the plan puts in its place, where that is what was written.
fn as_written(planned: &NodeFiles, path: &str, file: &StoredFile) -> Result<Rendered, Diagnostic> {
    let same = planned.files.get(path).filter(|planned| planned.digest.as_ref() == Some(&file.digest));
    same.cloned().ok_or_else(|| {
        let detail = format!(
            "it is a file of `{}`, and goes live as it was before its change does: nginx answers for a new name then, which an \
             authority looks at",
            file.resource
        );
        let help = "take the new names out of the configuration, `vsa apply`, and put them in again";
        not_as_written(path).detail(detail).help(help)
    })
}

/// Whether what is live can be asked at all.
fn answers(node: &NodeWork, stored: &StoredNode) -> bool {
    let spec = &node.node.spec;
    let runs = match node.observed.get(&spec.running_query()) {
        None | Some(Answer::Failed(_)) => true,
        Some(answer) => spec.master(answer).is_some(),
    };
    stored.generation > 0 && runs && stored.spec.http_port == spec.http_port && stored.spec.mode == spec.mode
}

/// The names that the servers of the live generation have, as its files are now.
fn served(spec: &NodeSpec, live: &StoredNode, ask: &mut Ask<'_>) -> BTreeSet<String> {
    let generation = spec.generation(live.generation);
    let texts = live.files.iter().filter(|(_, file)| link_target(&file.digest).is_none());
    let queries: Vec<Query> = texts.map(|(path, _)| Query::Read(generation.join(&**path))).collect();
    let answers = if queries.is_empty() { Vec::new() } else { ask(spec, &queries) };
    let names = answers.into_iter().flat_map(|answer| match answer {
        Answer::Bytes(bytes) => server_names(&String::from_utf8_lossy(&bytes)),
        _ => Vec::new(),
    });
    names.collect()
}

/// The names in a file of vsa's own, one `server_name` a line.
fn server_names(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("server_name ")?.strip_suffix(';'));
    names.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

/// The file that answers for names that no site has.
fn challenges(
    scope: &Scope<'_>,
    known: &Known,
    address: &Address,
    names: &[&str],
) -> Result<Option<(Arc<str>, Rendered)>, Diagnostics> {
    let item = scope.desired_on(address).find(|item| item.address == address);
    let Some((item, (node, observed))) = item.zip(known.get(address)) else { return Ok(None) };
    let subject = item.subject(node, observed, &NO_ENDPOINTS, scope.inputs.now);
    let Some(file) = item.kind.challenges(subject, names)? else {
        let error = Diagnostic::error(format!("`{address}` cannot answer for what authorities look at"));
        return Err(error.on(address).into());
    };
    let digest = files::text_digest(&file);
    let rendered = Rendered { resource: address.clone(), digest, sealed: None, file };
    Ok(Some((Arc::clone(&rendered.file.path), rendered)))
}
