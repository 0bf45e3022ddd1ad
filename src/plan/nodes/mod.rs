//! Nodes in a plan: which there are, what they answer, where they differ from the state.

mod drift;
mod moved;

use std::collections::{BTreeMap, BTreeSet};

pub use drift::own;
pub(super) use drift::{concerns, drift};
pub use moved::elsewhere;
pub(super) use moved::moved;
use semver::Version;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::names;
use crate::resource::{Path, Resource};
use crate::state::StoredNode;

use super::actions::KEPT_GENERATIONS;
use super::build::Inputs;
use super::issuance::account;
use super::node::{Nginx, Node, NodeSpec, ProxyMode};
use super::observation::{Answer, FileType, Observations, Query};
use super::owner::Owner;
use super::proxy;
use super::running::Orphans;

/// The nodes that the configuration has. An implied node that nothing lives on is none.
pub(super) fn specs(
    resources: &BTreeMap<Address, Resource>,
    inputs: &Inputs<'_>,
) -> BTreeMap<Address, NodeSpec> {
    let mut specs = BTreeMap::new();
    for (address, resource) in resources {
        specs.extend(spec(resource, inputs).map(|spec| (address.clone(), spec)));
    }
    specs
}

/// What a resource says of a node, where it is one.
fn spec(resource: &Resource, inputs: &Inputs<'_>) -> Option<NodeSpec> {
    inputs.kinds.kind(resource.address.kind())?.node(resource, inputs.base)
}

/// The node that a resource lives on.
pub(super) fn placement(resource: &Resource, specs: &BTreeMap<Address, NodeSpec>) -> Option<Address> {
    if specs.contains_key(&resource.address) {
        return Some(resource.address.clone());
    }
    resource.reference("node").cloned().or_else(|| specs.keys().next().cloned())
}

fn generations(spec: &NodeSpec) -> Query {
    Query::Entries(spec.root.join("generations"))
}

/// What the engine has to know of a node.
pub(super) fn queries(spec: &NodeSpec, stored: Option<&StoredNode>) -> Vec<Query> {
    let mut queries = vec![spec.version_query(), Query::Read(spec.owner_file())];
    if spec.mode == ProxyMode::Host {
        queries.push(Query::Read(spec.include_file.clone()));
        queries.push(Query::Master(spec.pid_file.clone()));
    }
    queries.push(Query::Myself);
    queries.extend(spec.own().into_iter().chain([spec.owner_file()]).map(Query::Stat));
    queries.extend([generations(spec), account::queries(spec)]);
    queries.extend(proxy::queries(spec));
    if let Some(stored) = stored.filter(|stored| stored.generation > 0) {
        queries.extend([
            Query::Tree(stored.spec.generation(stored.generation)),
            stored.spec.running_query(),
            stored.spec.marker_query(),
        ]);
    }
    queries
}

/// The nginx of a node: as it says itself, else as the state last knew it, else that of Debian 12.
pub(super) fn nginx(spec: &NodeSpec, stored: Option<&StoredNode>, observed: &Observations) -> Nginx {
    let said = match observed.get(&spec.version_query()) {
        Some(Answer::Text(text)) => Nginx::parse(text),
        _ => None,
    };
    said.or_else(|| stored.and_then(|stored| stored.nginx.clone())).unwrap_or_else(|| Nginx {
        version: Version::new(1, 22, 1),
        openssl: Some(Version::new(3, 0, 0)),
        modules: Vec::new(),
    })
}

/// Where a node's declaration says something, or stands at all.
fn place(declared: Option<&Resource>, steps: &[&str]) -> Option<Span> {
    declared?.span(&steps.iter().fold(Path::root(), |path, step| path.name(*step)))
}

/// The node with the nginx that its live generation is written for, where its container has another one by now that
/// takes the same: a container's nginx is seen only once it runs, and after each update of its image anew.
pub(super) fn written_for(node: &Node, stored: Option<&StoredNode>) -> Option<Node> {
    let former = stored.filter(|stored| stored.generation > 0)?.nginx.as_ref()?;
    let is_kept = node.spec.mode == ProxyMode::Container && *former != node.nginx;
    (is_kept && node.nginx.takes_what_is_for(former)).then(|| Node { nginx: former.clone(), ..node.clone() })
}

/// Whether nginx's workers are others than those that the live generation is for: they may not read its files.
pub(super) fn has_other_readers(node: &Node, stored: Option<&StoredNode>) -> bool {
    let live = stored.filter(|stored| stored.generation > 0);
    live.is_some_and(|live| live.spec.worker_user != node.spec.worker_user)
}

/// Refuses a node that another state owns.
pub(super) fn owner(
    node: &Node,
    declared: Option<&Resource>,
    lineage: &str,
    observed: &Observations,
    findings: &mut Diagnostics,
) {
    let spec = &node.spec;
    if let Some(Answer::Bytes(bytes)) = observed.get(&Query::Read(spec.owner_file())) {
        findings.extend(
            Owner::refused(spec, bytes, lineage).map(|refused| refused.at(place(declared, &["root"]))),
        );
    }
}

/// Refuses a node that another user's vsa made: nginx runs as that user, and could not read what this one writes.
pub(super) fn foreign_user(node: &Node, observed: &Observations) -> Option<Diagnostic> {
    let spec = &node.spec;
    let Some(Answer::User { uid: me, .. }) = observed.get(&Query::Myself) else { return None };
    let owner = observed.stat(spec.owner_file()).filter(|stat| stat.uid != *me)?.uid;
    (spec.mode == ProxyMode::Managed).then(|| {
        Diagnostic::error(format!("`{}` is of the user with id {owner}", spec.address))
            .code("foreign_user")
            .detail(format!(
                "{} is that user's, as is its nginx, which could not read what the user with id {me} writes",
                spec.owner_file().display()
            ))
            .help(format!("run vsa as that user: `sudo -u '#{owner}' vsa apply`"))
            .help("or take it away as that user with `vsa destroy`, and apply as this one then")
            .on(&spec.address)
    })
}

/// The generations that are there; nothing where that was not asked.
pub(super) fn numbers(spec: &NodeSpec, observed: &Observations) -> Option<BTreeSet<u64>> {
    match observed.get(&generations(spec))? {
        Answer::Entries(entries) => Some(entries.keys().filter_map(|name| names::number(name)).collect()),
        Answer::Absent => Some(BTreeSet::new()),
        _ => None,
    }
}

/// The number of the next generation: above `known`, what is there and what `current` names. A state may be of former
/// times, and what a killed run left is not written over.
///
/// # Errors
/// There is none left, because of what somebody put there.
pub(super) fn next(spec: &NodeSpec, known: u64, observed: &Observations) -> Result<u64, Diagnostic> {
    let current = observed.stat(spec.current()).and_then(|stat| match &stat.file_type {
        FileType::Link(target) => NodeSpec::number(target),
        _ => None,
    });
    let there = numbers(spec, observed).and_then(|numbers| numbers.last().copied());
    let highest = current.max(there).unwrap_or(0).max(known);
    if highest < names::MOST_COUNTED {
        return Ok(highest + 1);
    }
    let named = spec.generation(highest);
    Err(Diagnostic::error(format!("no number is left for the next generation of `{}`", spec.address))
        .code("no_number")
        .detail(format!("{} has the highest that there can be", named.display()))
        .help("vsa does not come that far: move what somebody put there away, and point `current` to a generation of vsa's")
        .on(&spec.address))
}

/// Whether there will be more old generations than are kept, once this one is live.
pub(super) fn prunes(spec: &NodeSpec, observed: &Observations, number: u64) -> bool {
    let kept = u64::from(KEPT_GENERATIONS);
    match numbers(spec, observed) {
        Some(numbers) => u64::try_from(numbers.range(..number).count()).is_ok_and(|old| old > kept),
        None => number > kept + 1,
    }
}

/// Refuses to write over what vsa did not make: in a directory that nobody owns, and in the place of the include file.
pub(super) fn obstacle(
    node: &Node,
    declared: Option<&Resource>,
    stored: Option<&StoredNode>,
    observed: &Observations,
    findings: &mut Diagnostics,
) {
    let spec = &node.spec;
    let misplaced = Owner::misplaced(spec, observed);
    findings.extend(misplaced.map(|obstacle| obstacle.at(place(declared, &["root"]))));
    if stored.is_some_and(|stored| stored.generation > 0) {
        return;
    }
    if observed.get(&Query::Read(spec.owner_file())) == Some(&Answer::Absent) {
        let obstacles = Owner::obstacles(spec, observed);
        findings.extend(obstacles.map(|obstacle| obstacle.at(place(declared, &["root"]))));
    }
    let is_ours = spec.mode != ProxyMode::Host;
    let Some(Answer::Bytes(text)) = observed.get(&Query::Read(spec.include_file.clone())) else { return };
    if is_ours || *text == spec.include_text().into_bytes() {
        return;
    }
    findings.push(
        Diagnostic::error(format!("`{}` is in the way of vsa's include file", spec.include_file.display()))
            .code("obstructed")
            .at(place(declared, &["proxy", "include_file"]))
            .detail("it is there, and vsa did not make it")
            .help("move it away, or name another file with `proxy { include_file }`")
            .on(&spec.address),
    );
}

/// Says that the system's nginx does not run, or what keeps one from running.
pub(super) fn stopped(node: &Node, observed: &Observations) -> Option<Diagnostic> {
    let spec = &node.spec;
    if let Some(orphaned) = Orphans::of(spec, observed.get(&Query::NginxProcesses)).refusal(spec) {
        return Some(orphaned);
    }
    let stopped = spec.mode == ProxyMode::Host
        && observed.get(&Query::Master(spec.pid_file.clone())) == Some(&Answer::Absent);
    stopped.then(|| {
        Diagnostic::warning(format!("the nginx of `{}` does not run", spec.address))
            .code("nginx_stopped")
            .detail(format!("{} names no process of nginx's", spec.pid_file.display()))
            .help("an apply starts it, by systemd where that has an `nginx.service`")
            .help("where it does run, name its own pid file with `proxy { pid_file }`")
            .on(&spec.address)
    })
}

/// Says that a node's live generation cannot be looked at: what differs there is not seen.
pub(super) fn unseen(stored: &StoredNode, observed: &Observations) -> Option<Diagnostic> {
    let spec = &stored.spec;
    let (tree, link) = (spec.generation(stored.generation), spec.current());
    let looked_at = [(Query::Stat(link.clone()), link), (Query::Tree(tree.clone()), tree)];
    let (path, why) = looked_at.into_iter().find_map(|(query, path)| match observed.get(&query)? {
        Answer::Failed(why) => Some((path, why)),
        _ => None,
    })?;
    Some(
        Diagnostic::warning(format!("the live generation of `{}` cannot be read", spec.address))
            .code("unreadable_generation")
            .detail(format!("{}: {why}; what differs there from the state is not seen", path.display()))
            .help("plan as the user that applies, or as root")
            .on(&spec.address),
    )
}
