//! The engine: from what is wanted, what the state knows and what the nodes answer, to a plan.
//!
//! It never names a kind. Its only way to the outside is `ask`, a function that puts questions to a node.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use crate::address::Address;
use crate::config::Output;
use crate::diag::Diagnostics;
use crate::resource::Resource;
use crate::state::{Key, Moves, State, Stored};

use super::action::{Action, Phase};
use super::change::{ChangeKind, Mode, NodePlan, Plan, Preflight};
use super::claims::Claims;
use super::compare::{Compared, compare, unwanted};
use super::details::Details;
use super::endpoint::{Endpoints, NO_ENDPOINTS, Sites, endpoints};
use super::files::{self, NodeFiles};
use super::items::{Item, answers, items, observe};
use super::kind::{Base, Drift, Kinds, Refreshed, Subject};
use super::node::{Node, NodeSpec};
use super::observation::{Answer, Observations, Query};
use super::placed::{self, PlacedFile};
use super::pools::NeededNetwork;
use super::proxy::{self, Membership};
use super::targets::Targets;
use super::{actions, brought, moves, nodes, outputs, pools, running, taken, unseen};

/// Puts questions to a node; one answer for each, in their order.
pub type Ask<'a> = dyn FnMut(&NodeSpec, &[Query]) -> Vec<Answer> + 'a;

/// What a plan is made from.
pub struct Inputs<'a> {
    /// What the configuration wants.
    pub resources: &'a BTreeMap<Address, Resource>,
    /// The configuration's outputs.
    pub outputs: &'a BTreeMap<Arc<str>, Output>,
    /// What the state knows, an interrupted run's journal folded into it.
    pub state: &'a State,
    /// What an earlier, interrupted apply had begun.
    pub interrupted: Option<String>,
    /// The highest generation that it may have made on each node; the next one is above it.
    pub reserved: BTreeMap<Address, u64>,
    /// The kinds.
    pub kinds: &'a dyn Kinds,
    /// Where things are by default.
    pub base: &'a Base,
    /// For fingerprints of sensitive values; without it they are not compared.
    pub key: Option<&'a Key>,
    /// Seconds since 1970.
    pub now: i64,
    /// What the plan is for.
    pub mode: Mode,
    /// Whether the nodes are asked how things are.
    pub refresh: bool,
    /// Whether what goes takes its data with it.
    pub destroy_data: bool,
    /// Whether kinds say what could be better about the configuration.
    pub advise: bool,
    /// What the plan is about, with what they depend on and the sites that they serve; all where nothing is named.
    pub targets: Option<&'a BTreeSet<Address>>,
}

/// A node in a plan, with what an apply needs beside the actions.
#[derive(Clone, Debug)]
pub struct NodeWork {
    /// The node as its kinds saw it.
    pub node: Node,
    /// The files that it shall have.
    pub files: NodeFiles,
    /// The node's answers.
    pub observed: Observations,
    /// Where its nginx reaches services.
    pub endpoints: Endpoints,
    /// The networks that its nginx is in, where it runs in a container.
    pub membership: Membership,
    /// Why the nginx that is there now cannot say whether the next generation is right, where it cannot.
    pub untestable: Option<String>,
}

/// A plan with what an apply needs beside it.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Remarks on the configuration and the plan.
    pub findings: Diagnostics,
    /// The nodes that shall be there.
    pub nodes: BTreeMap<Address, NodeWork>,
    /// What the state shall hold, once all is done, of the resources that change; facts are those from before.
    pub stored: BTreeMap<Address, Stored>,
    /// Whether sensitive values could not be compared, because there is no key.
    pub uncompared: bool,
    /// Files at places of their own that actions write, by node and path.
    pub placed: BTreeMap<(Address, PathBuf), PlacedFile>,
    /// What the state knows under another address: the plan is made from the state with these moved.
    pub moves: Moves,
}

/// Makes a plan.
///
/// # Errors
/// All that is wrong with the configuration or stands in the way on a node; nothing is planned then.
pub fn build(inputs: &Inputs<'_>, ask: &mut Ask<'_>) -> Result<Planned, Diagnostics> {
    let mut moves = moves::moves(inputs);
    let mut targets = inputs.targets.cloned();
    if let Some(targets) = targets.as_mut().filter(|_| !moves.is_empty()) {
        moves::keep_targeted(&mut moves, targets, inputs);
    }
    if moves.is_empty() {
        return build_from(inputs, moves, ask);
    }
    let mut state = inputs.state.clone();
    state.relocate(&moves);
    let now = |node: &Address| moves.get(node).unwrap_or(node).clone();
    let reserved = inputs.reserved.iter().map(|(node, number)| (now(node), *number)).collect();
    let interrupted = inputs.interrupted.clone();
    let moved = Inputs { state: &state, reserved, interrupted, targets: targets.as_ref(), ..*inputs };
    build_from(&moved, moves.clone(), ask)
}

/// Makes a plan from a state whose resources have the addresses of now.
fn build_from(inputs: &Inputs<'_>, moves: Moves, ask: &mut Ask<'_>) -> Result<Planned, Diagnostics> {
    let former: BTreeMap<&Address, &Address> = moves.iter().map(|(from, to)| (to, from)).collect();
    let mut findings = Diagnostics::new();
    let nothing = BTreeMap::new();
    let none = &NO_ENDPOINTS;
    let resources = if inputs.mode == Mode::Destroy { &nothing } else { inputs.resources };

    nodes::moved(inputs, ask, &mut findings);
    let mut specs = nodes::specs(resources, inputs);
    let mut wanted: Vec<Address> = specs.keys().cloned().collect();
    for (address, stored) in &inputs.state.nodes {
        specs.entry(address.clone()).or_insert_with(|| stored.spec.clone());
    }
    let items = items(resources, inputs, &specs, &mut findings);
    let targets = Targets::of(inputs.targets, &items);
    wanted.retain(|node| targets.contains(node));
    let looked_at: Vec<_> = items
        .par_iter()
        .filter_map(|item| {
            let resource = item.desired?;
            let mut found = Diagnostics::new();
            item.kind.check(resource, &mut found);
            Some((found, resource, item.kind.claims(resource, &item.node)))
        })
        .collect();
    findings.reserve(looked_at.iter().map(|(found, ..)| found.len()).sum());
    let mut holders = Vec::with_capacity(looked_at.len());
    for (found, resource, claims) in looked_at {
        findings.extend(found);
        holders.push((resource, claims));
    }
    let claims = Claims::of(holders, &mut findings);
    if findings.has_errors() {
        return Err(findings);
    }

    let mut known: BTreeMap<Address, (Node, Observations)> = BTreeMap::new();
    for (address, spec) in &specs {
        let stored = inputs.state.nodes.get(address);
        let mut observed = Observations::default();
        if inputs.refresh {
            let questions = nodes::queries(spec, stored);
            observed.extend(answers(spec, questions, ask));
            let more = stored.and_then(|stored| running::inquiries(stored, &observed));
            observed.extend(answers(spec, more.into_iter().collect(), ask));
        }
        let nginx = nodes::nginx(spec, stored, &observed);
        let configuration = inputs.base.configuration.clone();
        let node = Node { spec: spec.clone(), configuration, nginx, networks: BTreeMap::new() };
        known.insert(address.clone(), (node, observed));
    }
    if inputs.refresh {
        observe(&items, &mut known, inputs.now, ask);
    }
    let mut needed = networks(&items, &mut known, inputs.now);

    for item in &items {
        if let Some((node, observed)) = known.get(&item.node) {
            claims.against(
                item.kind.held(item.subject(node, observed, none, inputs.now)),
                &item.node,
                &mut findings,
            );
        }
    }
    findings.extend(taken::findings(&items, &known, inputs));
    if inputs.advise {
        let told = items.iter().filter_map(|item| {
            let (node, observed) = known.get(&item.node)?;
            Some(item.kind.advice(item.subject(node, observed, none, inputs.now)))
        });
        findings.extend(told.flatten());
    }
    let refresh = |item: &Item<'_>| -> Refreshed {
        known.get(&item.node).map_or_else(Refreshed::default, |(node, observed)| {
            let mut refreshed = item.kind.refresh(item.subject(node, observed, none, inputs.now));
            if let Some(prior) = item.prior.filter(|prior| !prior.placed.is_empty()) {
                let written_as = former.get(item.address).copied().unwrap_or(item.address);
                let placed = placed::drift(item.address, written_as, &prior.placed, observed, inputs.key);
                refreshed.drift.extend(placed);
            }
            refreshed
        })
    };
    let (refreshed, mut drift): (Vec<Refreshed>, Vec<Drift>) = rayon::join(
        || items.par_iter().map(refresh).collect(),
        || {
            let nodes = known.iter().filter_map(|(address, (_, observed))| {
                Some(nodes::drift(inputs.state.nodes.get(address)?, observed))
            });
            nodes.flatten().collect()
        },
    );
    for (address, (node, observed)) in &known {
        let declared = resources.get(address);
        nodes::owner(node, declared, &inputs.state.lineage, observed, &mut findings);
        nodes::obstacle(node, declared, inputs.state.nodes.get(address), observed, &mut findings);
        findings.extend(nodes::stopped(node, observed));
        if wanted.contains(address) {
            findings.extend(nodes::foreign_user(node, observed));
            let here = items.iter().filter(|item| item.node == *address && item.desired.is_some());
            let here: Vec<_> =
                here.map(|item| (item.kind, item.subject(node, observed, none, inputs.now))).collect();
            let needed = needed.remove(address).unwrap_or_default();
            findings.extend(pools::missing(&node.spec, &needed, observed));
            findings.extend(pools::finding(&node.spec, &needed, observed));
            findings.extend(pools::unforwarded(&node.spec, &needed, observed));
            let brought = here.iter().find_map(|(kind, subject)| Some((kind.proxy(*subject)?, *subject)));
            if let Some((brought, subject)) = &brought {
                let stored = inputs.state.nodes.get(address);
                findings.extend(brought::findings(node, stored, observed, *subject, brought));
            }
            let brought = brought.as_ref().map(|(brought, _)| brought);
            findings.extend(proxy::finding(node, observed, brought.is_some()));
            findings.extend(proxy::hidden(node, &here, brought));
        }
        findings.extend(brought::kept(node, &items, observed, &targets, inputs.now));
        if let Some(stored) = inputs.state.nodes.get(address) {
            findings.extend(nodes::unseen(stored, observed));
        }
        findings.extend(unseen::finding(node, &items, observed, inputs.now));
    }
    for item in &refreshed {
        drift.extend(item.drift.iter().cloned());
        findings.extend(item.findings.iter().cloned());
    }
    if findings.has_errors() {
        return Err(findings);
    }
    for drift in drift.iter_mut().filter(|drift| !targets.contains(&drift.address)) {
        drift.repaired = false;
    }

    let mut work = BTreeMap::new();
    let mut file_changes = Vec::new();
    for address in &wanted {
        let Some((mut node, mut observed)) = known.remove(address) else { continue };
        let is_here = |item: &Item<'_>| item.node == *address && targets.contains(item.address);
        let here = items.iter().zip(&refreshed).filter(|(item, _)| is_here(item));
        let mut endpoints = endpoints(here, inputs, &node, &mut observed, ask, &mut findings);
        if findings.has_errors() {
            // What nobody reaches has no place in a file.
            continue;
        }
        let stored = inputs.state.nodes.get(address);
        targets.keep_endpoints(&mut endpoints, stored);
        let mut read = |queries: &[Query]| ask(&node.spec, queries);
        let carried = match targets.carry(&node.spec, stored, &mut read) {
            Ok(carried) => carried,
            Err(error) => {
                findings.push(error);
                continue;
            }
        };
        let render = |node: &Node| {
            let here = items.iter().filter(|item| is_here(item) && item.desired.is_some());
            let subjects: Vec<_> =
                here.map(|item| (item.kind, item.subject(node, &observed, &endpoints, inputs.now))).collect();
            let mut made = files::render(&subjects, inputs.key)?;
            made.files.extend(carried.clone());
            made.compare(stored, inputs.key.is_some());
            Ok::<_, Diagnostics>(made)
        };
        // What was written for an earlier nginx stays until something else changes it.
        let former = nodes::written_for(&node, stored);
        let kept = former.and_then(|former| Some((render(&former).ok()?, former)));
        let made = match kept.filter(|(made, _)| made.changed.is_empty()) {
            Some((made, former)) => {
                node = former;
                Ok(made)
            }
            None => render(&node),
        };
        let mut made = match made {
            Ok(made) => made,
            Err(errors) => {
                findings.extend(errors);
                continue;
            }
        };
        let live = stored.map_or(0, |stored| stored.generation);
        let begun = inputs.reserved.get(address).copied().unwrap_or(0);
        match nodes::next(&node.spec, live.max(begun), &observed) {
            Ok(number) => made.number = number,
            Err(error) => {
                findings.push(error);
                continue;
            }
        }
        let concerns =
            |drift: &Drift| targets.contains(&drift.address) && nodes::concerns(drift, address, stored);
        made.switch =
            !made.changed.is_empty() || nodes::has_other_readers(&node, stored) || drift.iter().any(concerns);
        let mut read = |queries: &[Query]| {
            if inputs.refresh { ask(&node.spec, queries) } else { vec![Answer::Absent; queries.len()] }
        };
        file_changes.extend(files::diffs(address, &node.spec, &made, stored, &mut drift, &mut read));
        work.insert(
            address.clone(),
            NodeWork {
                node: node.clone(),
                files: made,
                membership: Membership::of(&node.spec, &endpoints, stored, &observed),
                observed: observed.clone(),
                endpoints,
                untestable: None,
            },
        );
        known.insert(address.clone(), (node, observed));
    }
    if findings.has_errors() {
        return Err(findings);
    }

    let subjects = subjects(&items, &known, &work, inputs.now);
    // Of the thousands that stay as they are nothing is kept.
    let compared: Vec<Compared> = items
        .par_iter()
        .zip(&subjects)
        .zip(&refreshed)
        .map(|((item, subject), refreshed)| {
            if targets.contains(item.address) {
                compare(item, *subject, refreshed, former.get(item.address).copied(), inputs.key)
            } else {
                Compared::default()
            }
        })
        .collect();
    let inquiries = inquiries(&items, &subjects, &compared);
    drop(subjects);
    if inputs.refresh {
        for (address, questions) in inquiries {
            let Some((node, observed)) = known.get_mut(&address) else { continue };
            observed.extend(answers(&node.spec, questions, ask));
        }
    }
    let subjects = self::subjects(&items, &known, &work, inputs.now);
    let uncompared = compared.iter().any(|compared| compared.uncompared);
    let mut changes = Vec::new();
    let mut placed = BTreeMap::new();
    let mut stored = BTreeMap::new();
    let mut steps = Vec::new();
    let mut unchanged = 0;
    let sites = OnceCell::new();
    let mut untestable = Vec::new();
    for (((item, subject), refreshed), compared) in items.iter().zip(&subjects).zip(&refreshed).zip(compared)
    {
        findings.extend(compared.errors);
        let Some(mut change) = compared.change else {
            unchanged += usize::from(targets.contains(item.address));
            continue;
        };
        if change.kind == ChangeKind::Delete {
            change.reasons.extend(unwanted(item.address, inputs));
        }
        if let Some(subject) = subject.filter(|_| change.kind != ChangeKind::NoOp) {
            let placement = &compared.placement;
            let mut read = |queries: &[Query]| {
                let spec = &subject.node.spec;
                if inputs.refresh { ask(spec, queries) } else { vec![Answer::Absent; queries.len()] }
            };
            file_changes.extend(placement.diffs(subject, &mut read));
            let brought = item.kind.proxy(subject);
            change.details = item.kind.details(subject, &placement.files).map(|details| Details {
                felt_by: match details.interrupted.as_slice() {
                    [] => Vec::new(),
                    services if brought.as_ref().is_some_and(|brought| brought.is_one_of(services)) => {
                        let here = items.iter().filter(|one| one.node == item.node && one.desired.is_some());
                        here.filter(|one| one.kind.is_site()).map(|one| one.address.clone()).collect()
                    }
                    services => sites.get_or_init(|| Sites::of(&items)).of_services(item.address, services),
                },
                ..details
            });
            let step = actions::Work::of(item.kind, subject, change.kind, placement, &refreshed.drift);
            if let Some(brought) = brought.filter(|_| step.remakes_proxy()) {
                let (stored, observed) = (inputs.state.nodes.get(&item.node), subject.observed);
                let why = brought::judges_nothing(&subject.node.spec, stored, observed, &brought);
                untestable.extend(why.map(|why| (item.node.clone(), why)));
            }
            steps.push(step);
        }
        let files = compared.placement.files.into_iter();
        placed.extend(files.map(|(path, file)| ((item.node.clone(), path), file)));
        stored.extend(compared.stored.map(|stored| (item.address.clone(), stored)));
        changes.push(change);
    }
    if findings.has_errors() {
        return Err(findings);
    }

    drop(subjects);
    for (node, why) in untestable {
        if let Some(work) = work.get_mut(&node) {
            work.untestable = Some(why);
        }
    }
    let retired: Vec<_> = inputs
        .state
        .nodes
        .iter()
        .filter(|(address, _)| targets.are_all() && !work.contains_key(*address))
        .collect();
    let actions = actions::order(steps, &work, &retired, inputs);
    for (address, (node, observed)) in &known {
        let is_told = |action: &Action| action.phase == Phase::Switch && action.node == *address;
        findings.extend(running::suspended(&node.spec, observed, actions.iter().any(is_told)));
    }
    if findings.has_errors() {
        return Err(findings);
    }
    let plan = Plan {
        mode: inputs.mode,
        lineage: inputs.state.lineage.clone(),
        serial: inputs.state.serial,
        interrupted: inputs.interrupted.clone(),
        changes,
        unchanged,
        drift,
        files: file_changes,
        nodes: work
            .iter()
            .map(|(address, work)| {
                let generation = inputs.state.nodes.get(address).map_or(0, |stored| stored.generation);
                NodePlan {
                    node: address.clone(),
                    generation,
                    next: work.files.switch.then_some(work.files.number),
                    refreshed: inputs.refresh,
                    preflight: Preflight::NotNeeded,
                }
            })
            .collect(),
        actions,
        outputs: match inputs.mode {
            _ if !targets.are_all() => BTreeMap::new(),
            Mode::Destroy => outputs::changes(&BTreeMap::new(), inputs),
            Mode::Normal => outputs::changes(inputs.outputs, inputs),
        },
    };
    Ok(Planned { plan, findings, nodes: work, stored, placed, uncompared, moves })
}

fn subjects<'a>(
    items: &'a [Item<'a>],
    known: &'a BTreeMap<Address, (Node, Observations)>,
    work: &'a BTreeMap<Address, NodeWork>,
    now: i64,
) -> Vec<Option<Subject<'a>>> {
    let subject = |item: &'a Item<'a>| {
        let (node, observed) = known.get(&item.node)?;
        let endpoints = work.get(&item.node).map_or(&NO_ENDPOINTS, |work| &work.endpoints);
        Some(item.subject(node, observed, endpoints, now))
    };
    items.iter().map(subject).collect()
}

/// The networks that the resources of each node need; the nodes learn which of them are made.
fn networks(
    items: &[Item<'_>],
    known: &mut BTreeMap<Address, (Node, Observations)>,
    now: i64,
) -> BTreeMap<Address, Vec<NeededNetwork>> {
    let mut needed = BTreeMap::new();
    for (address, (node, observed)) in known {
        let here = items.iter().filter(|item| item.node == *address && item.desired.is_some());
        let here = here.flat_map(|item| item.kind.networks(item.subject(node, observed, &NO_ENDPOINTS, now)));
        let here: Vec<NeededNetwork> = here.collect();
        let made = here.iter().filter_map(|network| Some((network.name.clone(), network.driver.clone()?)));
        let made = made.collect();
        node.networks = made;
        needed.insert(address.clone(), here);
    }
    needed
}

/// What kinds have to know besides of what changes, by node.
fn inquiries(
    items: &[Item<'_>],
    subjects: &[Option<Subject<'_>>],
    compared: &[Compared],
) -> BTreeMap<Address, Vec<Query>> {
    let mut inquiries: BTreeMap<Address, Vec<Query>> = BTreeMap::new();
    let changing = items.iter().zip(subjects).zip(compared).filter(|(_, compared)| compared.change.is_some());
    for ((item, subject), compared) in changing {
        let Some(subject) = *subject else { continue };
        let questions = item.kind.inquiries(subject, &compared.placement.files);
        let new = questions.into_iter().filter(|query| subject.observed.get(query).is_none());
        inquiries.entry(item.node.clone()).or_default().extend(new);
    }
    inquiries.retain(|_, questions| !questions.is_empty());
    inquiries
}
