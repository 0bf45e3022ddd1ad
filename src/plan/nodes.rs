//! Nodes in a plan: which there are, what they answer, where they differ from the state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use semver::Version;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::names;
use crate::nginx;
use crate::resource::{Path, Resource};
use crate::state::StoredNode;

use super::actions::KEPT_GENERATIONS;
use super::build::{Ask, Inputs};
use super::change::Mode;
use super::file::FILE_MODE;
use super::kind::Drift;
use super::node::{Nginx, Node, NodeSpec, ProxyMode};
use super::observation::{Answer, FileType, Ids, Leaf, Observations, Query};
use super::owner::Owner;
use super::proxy;
use super::running::{self, Orphans};

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

/// Refuses a node that is not what, or not where, the state knows it: what is there would be left behind, and what is at
/// the other place taken for vsa's. What a plan that only takes away would have to leave is its place alone.
pub(super) fn moved(inputs: &Inputs<'_>, ask: &mut Ask<'_>, findings: &mut Diagnostics) {
    for (address, stored) in &inputs.state.nodes {
        let declared = inputs.resources.get(address);
        let spec = declared.and_then(|resource| spec(resource, inputs));
        let found = match elsewhere(stored, spec.as_ref(), inputs, ask) {
            Some(found) => Some(found),
            None => spec.and_then(|spec| changed(stored, &spec, inputs)),
        };
        let span = declared.and_then(|resource| resource.span(&Path::root()));
        findings.extend(found.map(|found| found.at(span).on(address)));
    }
}

/// Says that a node lies in the directory of another configuration than this one: this one is a copy of it, or was moved.
fn elsewhere(
    stored: &StoredNode,
    declared: Option<&NodeSpec>,
    inputs: &Inputs<'_>,
    ask: &mut Ask<'_>,
) -> Option<Diagnostic> {
    let (former, here) = (&stored.spec, inputs.base.configuration.display());
    if declared.is_some_and(|spec| spec.root == former.root) {
        return None;
    }
    let home = inputs.base.configuration_of(&former.root, &former.name)?;
    if home == inputs.base.configuration {
        return None;
    }
    let (home, root) = (home.display(), former.root.display());
    let error = Diagnostic::error(format!("`{}` belongs to the configuration in {home}", former.address))
        .code("foreign_node");
    let is_there =
        !matches!(ask(former, &[Query::Stat(former.owner_file())]).first(), Some(Answer::Absent) | None);
    Some(if is_there {
        error
            .detail(format!("{root} is the node of that one; this one, in {here}, is a copy of it with its state"))
            .help(format!("work in {home}"))
            .help("to make another installation of the copy, remove `state/` and `.vsa/` from it, and give it other ports")
    } else {
        error
            .detail(format!(
                "{root} is not there any more: the configuration was moved to {here}, and nginx knows its files by \
                 where they were"
            ))
            .help(format!("move it back: `mv {here} {home}`"))
            .help(format!(
                "to have it in {here}: move it back, `vsa destroy` there (tenants' data stays), move it again, then \
                 `vsa apply`"
            ))
    })
}

/// Says what of a node cannot change.
fn changed(stored: &StoredNode, spec: &NodeSpec, inputs: &Inputs<'_>) -> Option<Diagnostic> {
    let (what, now) = differing(&stored.spec, spec)?;
    if inputs.mode == Mode::Destroy && stored.spec.root == spec.root {
        return None;
    }
    let error = |when: &str| {
        Diagnostic::error(format!("`{what}` of `{}` cannot change {when}", spec.address))
            .detail(format!("it is {now} now"))
    };
    let error = if let Some((former, system)) = rerooted(&stored.spec, spec, inputs) {
        error("with `VSA_ROOT`")
            .detail(format!(
                "system paths were below {former} when the node was made, and are below {system} now"
            ))
            .help(format!("set `VSA_ROOT` as it was: `VSA_ROOT={former}`"))
    } else if stored.generation > 0 {
        error("while it serves sites")
            .help("declare a node of another name beside it, move the sites there, then remove this one")
    } else {
        error("once an apply has begun to make it").help(
            "put it back as it was, and take away with `vsa destroy` what was made: it may be anything then",
        )
    };
    Some(error)
}

/// What all system paths were below and are now, where that alone has moved the node.
fn rerooted(former: &NodeSpec, spec: &NodeSpec, inputs: &Inputs<'_>) -> Option<(String, String)> {
    let below = spec.root.strip_prefix(&inputs.base.system).ok()?;
    if former.root == spec.root || !former.root.ends_with(below) {
        return None;
    }
    let system = former.root.ancestors().nth(below.components().count())?;
    Some((system.display().to_string(), inputs.base.system.display().to_string()))
}

/// What of a node is another one than the state knows, and cannot be.
fn differing(stored: &NodeSpec, spec: &NodeSpec) -> Option<(&'static str, String)> {
    let place = |path: &std::path::Path| path.display().to_string();
    if stored.mode != spec.mode {
        let mode = match stored.mode {
            ProxyMode::Managed => "managed",
            ProxyMode::Host => "host",
            ProxyMode::Container => "container",
        };
        return Some(("mode", format!("`{mode}`")));
    }
    if stored.root != spec.root {
        return Some(("root", place(&stored.root)));
    }
    if stored.srv_root != spec.srv_root {
        return Some(("srv_root", place(&stored.srv_root)));
    }
    if stored.container != spec.container {
        return Some(("container", format!("`{}`", stored.container.as_deref().unwrap_or_default())));
    }
    let has_moved = spec.mode == ProxyMode::Host && stored.include_file != spec.include_file;
    has_moved.then(|| ("include_file", place(&stored.include_file)))
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
    queries.extend([Query::Stat(spec.owner_file()), Query::Myself]);
    queries.extend(spec.own().into_iter().chain([spec.owner_file()]).map(Query::Stat));
    queries.push(generations(spec));
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
        let refused = Owner::parse(spec, bytes).map_or_else(Some, |owner| owner.refusal(spec, lineage));
        findings.extend(refused.map(|refused| refused.at(place(declared, &["root"]))));
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
fn numbers(spec: &NodeSpec, observed: &Observations) -> Option<BTreeSet<u64>> {
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
    if let Some(orphaned) = Orphans::of(spec, observed.get(&Query::Orphans)).refusal(spec) {
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

/// How the include file differs from what vsa wrote. nginx would serve no site of vsa's after its next start.
fn include_drift(spec: &NodeSpec, observed: &Observations) -> Option<&'static str> {
    match observed.get(&Query::Read(spec.include_file.clone()))? {
        Answer::Bytes(text) if *text == spec.include_text().into_bytes() => None,
        Answer::Bytes(_) => Some("was edited"),
        Answer::Absent => Some("was deleted"),
        _ => None,
    }
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

/// How a file of a generation differs from what the state knows of it.
fn leaf_drift(found: Option<&Leaf>, expected: &str, wanted: Option<Ids>) -> Option<String> {
    match found {
        None => Some("was deleted".to_owned()),
        Some(Leaf::File { digest, mode, ids }) if digest == expected => access_drift(*mode, *ids, wanted),
        Some(Leaf::Link(target))
            if expected.strip_prefix("link:").is_some_and(|link| target.as_os_str() == link) =>
        {
            None
        }
        Some(_) => Some("was edited".to_owned()),
    }
}

/// How the access of a generation's file differs from what vsa gave it.
fn access_drift(mode: u32, ids: Ids, wanted: Option<Ids>) -> Option<String> {
    let mode = (mode != FILE_MODE).then(|| format!("mode is {mode:04o}, not {FILE_MODE:04o}"));
    mode.or_else(|| ids.differ(wanted?))
}

/// Something of a node's own that lasts longer than a generation, with another access than vsa gave it.
#[derive(Clone, Debug)]
pub struct Own {
    /// Where it is.
    pub path: PathBuf,
    /// The permission bits that it shall have.
    pub mode: u32,
    /// The group that it shall have, where that matters.
    pub group: Option<u32>,
    what: String,
}

/// What of a node's own has another access than vsa gave it; `ids` are those of its generation.
pub fn own(spec: &NodeSpec, observed: &Observations, ids: Ids) -> Vec<Own> {
    let directory = |name: &str| (spec.root.join(name), DIRECTORY_MODE, Some(ids.gid));
    let all = [directory("generations"), directory("certificates"), (spec.owner_file(), OWNER_MODE, None)];
    let differing = all.into_iter().filter_map(|(path, mode, group)| {
        let stat = observed.stat(&path).filter(|stat| !matches!(stat.file_type, FileType::Link(_)))?;
        let wanted = Ids { uid: ids.uid, gid: group.unwrap_or(stat.gid) };
        let bits = (stat.mode != mode).then(|| format!("mode is {:04o}, not {mode:04o}", stat.mode));
        let what = bits.or_else(|| Ids { uid: stat.uid, gid: stat.gid }.differ(wanted))?;
        Some(Own { path, mode, group, what })
    });
    differing.collect()
}

/// The permission bits of a node's own directories: its workers' group may enter.
const DIRECTORY_MODE: u32 = 0o750;

/// The permission bits of the owner file: whoever wants the directory may read whose it is.
const OWNER_MODE: u32 = 0o644;

/// Where a node's live generation differs from the state.
pub(super) fn drift(stored: &StoredNode, observed: &Observations) -> Vec<Drift> {
    let spec = &stored.spec;
    let mut drift = Vec::new();
    if stored.generation == 0 {
        return drift;
    }
    let mut report = |address: &Address, subject: String, what: String| {
        drift.push(Drift { address: address.clone(), subject, what, repaired: true, diff: None });
    };
    let tree = observed.get(&Query::Tree(spec.generation(stored.generation)));
    if let Some(Answer::Tree(tree)) = tree {
        for (path, file) in &stored.files {
            if let Some(what) = leaf_drift(tree.get(&**path), &file.digest, stored.ids) {
                report(&file.resource, path.to_string(), what);
            }
        }
        let marker = nginx::marker_file(spec, stored.generation, &stored.marker);
        let digest = super::files::text_digest(&marker).unwrap_or_default();
        if let Some(what) = leaf_drift(tree.get(&*marker.path), &digest, stored.ids) {
            report(&spec.address, marker.path.to_string(), what);
        }
        if let Some(Leaf::File { mode, ids, .. }) = tree.get(nginx::MANIFEST)
            && let Some(what) = access_drift(*mode, *ids, stored.ids)
        {
            report(&spec.address, nginx::MANIFEST.to_owned(), what);
        }
        let own = [&*marker.path, nginx::MANIFEST];
        for path in tree.keys() {
            let known =
                stored.files.contains_key(path.as_str()) || stored.retained.contains_key(path.as_str());
            if !known && !own.contains(&path.as_str()) {
                report(&spec.address, path.clone(), "was added by somebody else".to_owned());
            }
        }
    } else if tree == Some(&Answer::Absent) {
        let subject = format!("generation {}", stored.generation);
        report(&spec.address, subject, "was deleted".to_owned());
    }
    if observed.get(&Query::Read(spec.owner_file())) == Some(&Answer::Absent) {
        report(&spec.address, spec.owner_file().display().to_string(), "was deleted".to_owned());
    }
    for own in stored.ids.map(|ids| own(spec, observed, ids)).unwrap_or_default() {
        report(&spec.address, own.path.display().to_string(), own.what);
    }
    if spec.mode == ProxyMode::Host
        && let Some(what) = include_drift(spec, observed)
    {
        report(&spec.address, spec.include_file.display().to_string(), what.to_owned());
    }
    let live = PathBuf::from("generations").join(stored.generation.to_string());
    match observed.get(&Query::Stat(spec.current())) {
        // What is no link is an obstacle.
        Some(Answer::Stat(stat)) => match &stat.file_type {
            FileType::Link(target) if *target != live => {
                let what = format!("points to `{}`, not generation {}", target.display(), stored.generation);
                report(&spec.address, "the `current` link".to_owned(), what);
            }
            _ => {}
        },
        Some(Answer::Absent) => {
            report(&spec.address, "the `current` link".to_owned(), "was deleted".to_owned());
        }
        _ => {}
    }
    match observed.get(&spec.running_query()).map(|answer| proxy::runs(spec, answer)) {
        Some(Some(false)) => drift.push(running::drift(spec, observed)),
        Some(Some(true)) => match observed.get(&spec.marker_query()) {
            Some(Answer::Text(marker)) if marker.trim() == stored.marker_answer() => {}
            Some(Answer::Text(marker)) => {
                let live = marker.split_whitespace().next().unwrap_or("unknown");
                let what = format!("serves generation {live}, not {}", stored.generation);
                report(&spec.address, "nginx".to_owned(), what);
            }
            Some(_) => {
                let what = format!("does not say that it serves generation {}", stored.generation);
                report(&spec.address, "nginx".to_owned(), what);
            }
            None => {}
        },
        _ => {}
    }
    drift.extend(proxy::drift(stored, observed));
    drift
}

/// Whether a drift is of a node's generation and so repaired by a switch.
pub(super) fn concerns(drift: &Drift, node: &Address, stored: Option<&StoredNode>) -> bool {
    drift.address == *node || stored.is_some_and(|stored| stored.files.contains_key(drift.subject.as_str()))
}
