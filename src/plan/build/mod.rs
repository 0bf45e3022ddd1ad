//! The engine: from what is wanted, what the state knows and what the nodes answer, to a plan.
//!
//! It never names a kind. Its only way to the outside is `ask`, a function that puts questions to a node.

mod changes;
mod generations;
mod judge;
mod traces;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use changes::changes;
use generations::generations;
use rayon::prelude::*;

use crate::address::Address;
use crate::config::Output;
use crate::diag::{Diagnostic, Diagnostics};
use crate::resource::Resource;
use crate::state::{Key, Moves, State, Stored, StoredNode};
use crate::value::Secret;

use super::action::{Action, Phase};
use super::applied::as_applied;
use super::attempts::Attempts;
use super::change::{Mode, NodePlan, Plan, Preflight};
use super::endpoint::{Endpoints, NO_ENDPOINTS};
use super::files::NodeFiles;
use super::issuance::account;
use super::issuance::budget::Budget;
use super::items::{Item, answers, items, observe};
use super::kind::{Base, Distrust, Kinds};
use super::node::{Node, NodeSpec};
use super::observation::{Answer, Observations, Query};
use super::placed::PlacedFile;
use super::pools::NeededNetwork;
use super::proxy::Membership;
use super::targets::Targets;
use super::{actions, base, moves, nodes, outputs, running};

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
    /// What authorities are asked for.
    pub attempts: &'a Attempts,
    /// Whether kinds say what could be better about the configuration.
    pub advise: bool,
    /// What the plan is about, with what they depend on and the sites that they serve; all where nothing is named.
    pub targets: Option<&'a BTreeSet<Address>>,
    /// Which of these are taken as they were applied, whatever the configuration says of them by now.
    pub applied: &'a BTreeSet<Address>,
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
    /// The generation that goes live before it, to answer for what certificate authorities look at.
    pub base: Option<NodeFiles>,
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
    /// The secrets that operations need, by resource and name.
    pub secrets: BTreeMap<Address, BTreeMap<&'static str, Secret>>,
    /// What the state knows under another address: the plan is made from the state with these moved.
    pub moves: Moves,
}

/// What all parts of a plan are made from.
pub(super) struct Scope<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    /// What is wanted; nothing where all is to go.
    resources: &'a BTreeMap<Address, Resource>,
    items: &'a [Item<'a>],
    targets: &'a Targets,
    /// The nodes that shall be there.
    wanted: &'a [Address],
    /// The addresses from before of what has moved, by those of now.
    former: &'a BTreeMap<&'a Address, &'a Address>,
}

/// Nodes with what they have answered.
pub(super) type Known = BTreeMap<Address, (Node, Observations)>;

impl<'a> Scope<'a> {
    pub(super) fn stored(&self, node: &Address) -> Option<&'a StoredNode> {
        self.inputs.state.nodes.get(node)
    }

    /// What shall be on a node.
    pub(super) fn desired_on(&self, node: &Address) -> impl Iterator<Item = &'a Item<'a>> {
        self.items.iter().filter(move |item| item.node == *node && item.desired.is_some())
    }
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
        return build_beside(inputs, moves, ask);
    }
    let mut state = inputs.state.clone();
    state.relocate(&moves);
    let now = |node: &Address| moves.get(node).unwrap_or(node).clone();
    let reserved = inputs.reserved.iter().map(|(node, number)| (now(node), *number)).collect();
    let interrupted = inputs.interrupted.clone();
    let moved = Inputs { state: &state, reserved, interrupted, targets: targets.as_ref(), ..*inputs };
    build_beside(&moved, moves.clone(), ask)
}

/// Makes a plan that leaves nodes that it is not about as they were applied: the files of sites that are carried over
/// are for them as they are. The configuration is judged as it is declared.
fn build_beside(inputs: &Inputs<'_>, moves: Moves, ask: &mut Ask<'_>) -> Result<Planned, Diagnostics> {
    let Some(targets) = inputs.targets else { return build_from(inputs, moves, true, ask) };
    let is_node = |resource: &Resource| {
        let kind = inputs.kinds.kind(resource.address.kind());
        kind.is_some_and(|kind| kind.node(resource, inputs.base).is_some())
    };
    let is_kept = |resource: &Resource| {
        inputs.applied.contains(&resource.address)
            || !targets.contains(&resource.address) && is_node(resource)
    };
    let applied = as_applied(inputs.resources, inputs.state, (inputs.kinds, inputs.key), is_kept);
    if applied.edited.is_empty() {
        return build_from(inputs, moves, true, ask);
    }
    let mut findings = Diagnostics::new();
    let specs = nodes::specs(inputs.resources, inputs);
    let declared = items(inputs.resources, inputs, &specs, &mut findings);
    drop(judge::claims(&declared, &mut findings));
    let mut findings = findings.without_errors()?;
    let (reserved, interrupted) = (inputs.reserved.clone(), inputs.interrupted.clone());
    let beside = Inputs { resources: &applied.resources, reserved, interrupted, ..*inputs };
    let is_there = |address: &&Address, planned: &Planned| {
        inputs.applied.contains(*address) || planned.nodes.contains_key(*address)
    };
    let left = |address: &Address| {
        Diagnostic::warning(format!("`{address}` was edited, and is taken as it was applied"))
            .code("edited")
            .detail("nobody has seen a plan of the edit, which this one is not about")
            .help("`vsa apply` makes the change")
            .on(address)
    };
    match build_from(&beside, moves, false, ask) {
        Ok(mut planned) => {
            let told = applied.edited.iter().filter(|address| is_there(address, &planned));
            findings.extend(told.map(left).collect::<Vec<_>>());
            findings.extend(std::mem::take(&mut planned.findings));
            Ok(Planned { findings, ..planned })
        }
        Err(errors) => {
            findings.extend(applied.edited.iter().map(left));
            findings.extend(errors);
            Err(findings)
        }
    }
}

/// Makes a plan from a state whose resources have the addresses of now. What is not as it `is_declared` was judged.
fn build_from(
    inputs: &Inputs<'_>,
    moves: Moves,
    is_declared: bool,
    ask: &mut Ask<'_>,
) -> Result<Planned, Diagnostics> {
    let former = moves.iter().map(|(from, to)| (to, from)).collect();
    let mut findings = Diagnostics::new();
    let nothing = BTreeMap::new();
    let resources = if inputs.mode == Mode::Destroy { &nothing } else { inputs.resources };

    nodes::moved(inputs, ask, &mut findings);
    let mut specs = nodes::specs(resources, inputs);
    let mut wanted: Vec<Address> = specs.keys().cloned().collect();
    for (address, stored) in &inputs.state.nodes {
        specs.entry(address.clone()).or_insert_with(|| stored.spec.clone());
    }
    let items = items(resources, inputs, &specs, &mut findings);
    let targets = Targets::of(inputs.targets, inputs.applied, &items);
    wanted.retain(|node| targets.contains(node));
    let scope =
        Scope { inputs, resources, items: &items, targets: &targets, wanted: &wanted, former: &former };
    let mut judged = Diagnostics::new();
    let claims = judge::claims(&items, &mut judged);
    if is_declared {
        findings.extend(judged);
    }
    let mut findings = findings.without_errors()?;

    let mut known = look(&scope, &specs, ask);
    let needed = networks(&items, &mut known, inputs.now);
    budgets(&scope, &mut known);
    distrust(&items, &mut known, inputs.now);
    judge::resources(&scope, &known, &claims, &mut findings);
    let (refreshed, mut drift) = judge::refresh(&scope, &known);
    judge::nodes(&scope, &known, needed, &mut findings);
    findings.extend(judge::of_resources(&scope, &refreshed));
    let mut findings = findings.without_milder().without_errors()?;

    let (mut work, mut files) = generations(&scope, &refreshed, &mut known, &mut drift, ask, &mut findings);
    let mut findings = findings.without_errors()?;
    let made = changes(&scope, &refreshed, &mut known, &work, ask, &mut findings);
    let mut findings = findings.without_errors()?;

    files.extend(made.files);
    for (node, why) in made.untestable {
        if let Some(work) = work.get_mut(&node) {
            work.untestable = Some(why);
        }
    }
    let retired = inputs.state.nodes.iter();
    let retired: Vec<_> =
        retired.filter(|(address, _)| targets.are_all() && !work.contains_key(*address)).collect();
    base::bases(&scope, &known, &made.steps, &mut work, ask)?;
    let left = traces::left(&scope, &known, &made.steps);
    drift.extend(left.values().flat_map(|left| left.drift.iter().cloned()));
    let left = left.into_iter().map(|(node, left)| (node, left.operations)).collect();
    let actions = actions::order(made.steps, &left, &work, &retired, inputs);
    for (address, (node, observed)) in &known {
        let is_told = |action: &Action| action.phase == Phase::Switch && action.node == *address;
        findings.extend(running::suspended(&node.spec, observed, actions.iter().any(is_told)));
    }
    let findings = findings.without_errors()?;
    let plan = Plan {
        mode: inputs.mode,
        lineage: inputs.state.lineage.clone(),
        serial: inputs.state.serial,
        interrupted: inputs.interrupted.clone(),
        changes: made.all,
        unchanged: made.unchanged,
        drift,
        files,
        nodes: work.iter().map(|(address, work)| node_plan(&scope, address, work)).collect(),
        actions,
        outputs: match inputs.mode {
            _ if !targets.are_all() => BTreeMap::new(),
            Mode::Destroy => outputs::changes(&BTreeMap::new(), inputs),
            Mode::Normal => outputs::changes(inputs.outputs, inputs),
        },
    };
    let (stored, placed, secrets, uncompared) = (made.stored, made.placed, made.secrets, made.uncompared);
    Ok(Planned { plan, findings, nodes: work, stored, placed, secrets, uncompared, moves })
}

fn node_plan(scope: &Scope<'_>, address: &Address, work: &NodeWork) -> NodePlan {
    NodePlan {
        node: address.clone(),
        generation: scope.stored(address).map_or(0, |stored| stored.generation),
        next: work.files.switch.then_some(work.files.number),
        refreshed: scope.inputs.refresh,
        preflight: Preflight::NotNeeded,
    }
}

/// Asks the nodes how things are, where that is asked for.
fn look(scope: &Scope<'_>, specs: &BTreeMap<Address, NodeSpec>, ask: &mut Ask<'_>) -> Known {
    let inputs = scope.inputs;
    let mut known = Known::new();
    for (address, spec) in specs {
        let stored = scope.stored(address);
        let mut observed = Observations::default();
        if inputs.refresh {
            let questions = nodes::queries(spec, stored);
            observed.extend(answers(spec, questions, ask));
            let more = stored.and_then(|stored| running::inquiries(stored, &observed));
            let more = more.into_iter().chain(account::inquiries(spec, &observed)).collect();
            observed.extend(answers(spec, more, ask));
            if scope.targets.are_all() && scope.wanted.contains(address) {
                let names = traces::queries(spec, &observed);
                observed.extend(answers(spec, names, ask));
                let more = traces::inquiries(scope, spec, &observed);
                observed.extend(answers(spec, more, ask));
            }
        }
        let nginx = nodes::nginx(spec, stored, &observed);
        let configuration = inputs.base.configuration.clone();
        let node = Node {
            spec: spec.clone(),
            configuration,
            nginx,
            networks: BTreeMap::new(),
            distrusted: Arc::default(),
            overspent: Arc::default(),
        };
        known.insert(address.clone(), (node, observed));
    }
    if inputs.refresh {
        observe(scope.items, &mut known, inputs.now, ask);
    }
    known
}

/// Has each node know which orders the limits of authorities do not leave: what the plan itself orders counts, too.
fn budgets(scope: &Scope<'_>, known: &mut Known) {
    let &Scope { inputs, items, targets, .. } = scope;
    for (address, (node, observed)) in known {
        let here = items.par_iter().filter(|item| item.node == *address && item.desired.is_some());
        let order = |item: &Item<'_>| {
            let subject = item.subject(node, observed, &NO_ENDPOINTS, inputs.now);
            Some((item.address.clone(), item.kind.order(subject)?))
        };
        let orders: Vec<_> = here.filter(|item| targets.contains(item.address)).filter_map(order).collect();
        if orders.is_empty() {
            continue;
        }
        let mut budget = match observed.get(&Query::Ledger(node.spec.ledger())) {
            Some(Answer::Ledger(ledger)) => Budget::of(ledger, inputs.now),
            _ => Budget::default(),
        };
        let mut overspent = BTreeMap::new();
        for (address, order) in orders {
            let ordered = order.ordered(inputs.now, order.replaces.is_some());
            match budget.spent(&ordered).filter(|_| order.check_names) {
                Some(spent) => {
                    overspent.insert(address, spent);
                }
                None => budget.count(&ordered),
            }
        }
        node.overspent = Arc::new(overspent);
    }
}

/// Has each node know which of its resources clients will not trust.
fn distrust(items: &[Item<'_>], known: &mut Known, now: i64) {
    for (address, (node, observed)) in known {
        let here = items.par_iter().filter(|item| item.node == *address && item.desired.is_some());
        let distrust = |item: &Item<'_>| {
            let subject = item.subject(node, observed, &NO_ENDPOINTS, now);
            Some((item.address.clone(), item.kind.distrust(subject)?))
        };
        let distrusted: BTreeMap<Address, Distrust> = here.filter_map(distrust).collect();
        node.distrusted = Arc::new(distrusted);
    }
}

/// The networks that the resources of each node need; the nodes learn which of them are made.
fn networks(items: &[Item<'_>], known: &mut Known, now: i64) -> BTreeMap<Address, Vec<NeededNetwork>> {
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
