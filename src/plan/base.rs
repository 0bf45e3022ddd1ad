//! The generation that answers for what certificate authorities look at, before the one that they issue for: what is
//! live, or nothing but what all sites of the node share, and a server for the names that nothing answers for yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::actions::Work;
use super::build::{Ask, Known, NodeWork, Scope};
use super::endpoint::NO_ENDPOINTS;
use super::file::FileBody;
use super::files::{self, NodeFiles, Rendered};
use super::issuance::ChallengeType;
use super::observation::Answer;
use super::targets::carried;
use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::state::StoredNode;

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
        let stored = scope.stored(address);
        let live = stored.filter(|stored| answers(node, stored));
        // Where the default server is somebody else's, names that no site has are answered by that one.
        let asked = orders.iter().filter(|order| !(spec.default_server || live.is_some() && order.answered));
        let mut names: BTreeSet<&str> = asked.flat_map(|order| &order.names).map(String::as_str).collect();
        if live.is_some() && names.is_empty() {
            continue;
        }
        let mut files = BTreeMap::new();
        if live.is_some() {
            let others = |file: &Address| file != address;
            files =
                carried(spec, live, &others, &mut |queries| ask(spec, queries)).map_err(Diagnostics::from)?;
        }
        let served: BTreeSet<String> = files.values().flat_map(server_names).collect();
        names.retain(|name| !served.contains(*name));
        if live.is_some() && names.is_empty() {
            continue;
        }
        let own = node.files.files.iter().filter(|(_, rendered)| rendered.resource == *address);
        files.extend(own.map(|(path, rendered)| (Arc::clone(path), rendered.clone())));
        if !names.is_empty() {
            let names: Vec<&str> = names.into_iter().collect();
            files.extend(challenges(scope, known, address, &names)?);
        }
        let number = node.files.number;
        node.base = Some(NodeFiles { files, changed: Vec::new(), number, switch: true });
        node.files.number += 1;
    }
    Ok(())
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

/// The names in a file of vsa's own, one `server_name` a line.
fn server_names(rendered: &Rendered) -> Vec<String> {
    let FileBody::Text(content) = &rendered.file.body else { return Vec::new() };
    let lines = content.as_text().unwrap_or_default().lines();
    let names = lines.filter_map(|line| line.trim().strip_prefix("server_name ")?.strip_suffix(';'));
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
