//! The engine: from what is wanted, what the state knows and what the nodes answer, to a plan.
//!
//! It never names a kind. Its only way to the outside is `ask`, a function that puts questions to a node.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::value::RawValue;

use crate::address::{self, Address};
use crate::config::Output;
use crate::diag::{Diagnostic, Diagnostics};
use crate::resource::Resource;
use crate::schema::Schema;
use crate::state::{Key, State, Status, Stored, attributes};

use super::change::{Change, ChangeKind, Mode, NodePlan, Plan, Preflight};
use super::claims::Claims;
use super::files::{self, NodeFiles};
use super::kind::{Base, Kind, Kinds, Refreshed, Subject};
use super::node::{Node, NodeSpec};
use super::observation::{Answer, Observations, Query};
use super::{actions, nodes, outputs};

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
}

/// One resource on its way through the engine.
struct Item<'a> {
    address: &'a Address,
    desired: Option<&'a Resource>,
    prior: Option<&'a Stored>,
    node: Address,
    kind: &'a dyn Kind,
}

impl<'a> Item<'a> {
    fn subject(&'a self, node: &'a Node, observed: &'a Observations, now: i64) -> Subject<'a> {
        Subject { address: self.address, desired: self.desired, prior: self.prior, node, observed, now }
    }
}

/// Makes a plan.
///
/// # Errors
/// All that is wrong with the configuration or stands in the way on a node; nothing is planned then.
pub fn build(inputs: &Inputs<'_>, ask: &mut Ask<'_>) -> Result<Planned, Diagnostics> {
    let mut findings = Diagnostics::new();
    let nothing = BTreeMap::new();
    let resources = if inputs.mode == Mode::Destroy { &nothing } else { inputs.resources };

    let mut specs = nodes::specs(resources, inputs, &mut findings);
    let wanted: Vec<Address> = specs.keys().cloned().collect();
    for (address, stored) in &inputs.state.nodes {
        specs.entry(address.clone()).or_insert_with(|| stored.spec.clone());
    }
    let items = items(resources, inputs, &specs, &mut findings);
    let looked_at: Vec<_> = items
        .par_iter()
        .filter_map(|item| {
            let resource = item.desired?;
            let mut found = Diagnostics::new();
            item.kind.check(resource, &mut found);
            Some((found, resource, item.kind.claims(resource, &item.node)))
        })
        .collect();
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
        }
        let nginx = nodes::nginx(spec, stored, &observed);
        known.insert(
            address.clone(),
            (Node { spec: spec.clone(), configuration: inputs.base.configuration.clone(), nginx }, observed),
        );
    }
    if inputs.refresh {
        observe(&items, &mut known, inputs.now, ask);
    }

    for item in &items {
        if let Some((node, observed)) = known.get(&item.node) {
            claims.against(
                item.kind.held(item.subject(node, observed, inputs.now)),
                &item.node,
                &mut findings,
            );
        }
    }
    let refreshed: Vec<Refreshed> = items
        .par_iter()
        .map(|item| {
            known.get(&item.node).map_or_else(Refreshed::default, |(node, observed)| {
                item.kind.refresh(item.subject(node, observed, inputs.now))
            })
        })
        .collect();
    let mut drift = Vec::new();
    for (address, (node, observed)) in &known {
        nodes::owner(node, &inputs.state.lineage, observed, &mut findings);
        nodes::obstacle(node, inputs.state.nodes.get(address), observed, &mut findings);
        findings.extend(nodes::stopped(node, observed).filter(|_| wanted.contains(address)));
        if let Some(stored) = inputs.state.nodes.get(address) {
            drift.extend(nodes::drift(stored, observed));
        }
    }
    for item in &refreshed {
        drift.extend(item.drift.iter().cloned());
        findings.extend(item.findings.iter().cloned());
    }
    if findings.has_errors() {
        return Err(findings);
    }

    let mut work = BTreeMap::new();
    let mut file_changes = Vec::new();
    for address in &wanted {
        let Some((node, observed)) = known.remove(address) else { continue };
        let subjects: Vec<_> = items
            .iter()
            .filter(|item| item.node == *address && item.desired.is_some())
            .map(|item| (item.kind, item.subject(&node, &observed, inputs.now)))
            .collect();
        let stored = inputs.state.nodes.get(address);
        let mut made = match files::render(&subjects, inputs.key) {
            Ok(made) => made,
            Err(errors) => {
                findings.extend(errors);
                continue;
            }
        };
        made.compare(stored);
        let live = stored.map_or(0, |stored| stored.generation);
        made.number = live.max(inputs.reserved.get(address).copied().unwrap_or(0)).saturating_add(1);
        made.switch =
            !made.changed.is_empty() || drift.iter().any(|drift| nodes::concerns(drift, address, stored));
        let mut read = |queries: &[Query]| {
            if inputs.refresh { ask(&node.spec, queries) } else { vec![Answer::Absent; queries.len()] }
        };
        file_changes.extend(files::diffs(address, &node.spec, &made, stored, &mut drift, &mut read));
        work.insert(
            address.clone(),
            NodeWork { node: node.clone(), files: made, observed: observed.clone() },
        );
        known.insert(address.clone(), (node, observed));
    }
    if findings.has_errors() {
        return Err(findings);
    }

    // Of the thousands that stay as they are nothing is kept.
    let compared: Vec<Compared> = items
        .par_iter()
        .zip(&refreshed)
        .map(|(item, refreshed)| compare(item, refreshed, inputs.key))
        .collect();
    let uncompared = compared.iter().any(|compared| compared.uncompared);
    let mut changes = Vec::new();
    let mut stored = BTreeMap::new();
    let mut steps = Vec::new();
    let mut unchanged = 0;
    for (item, compared) in items.iter().zip(compared) {
        let Some(mut change) = compared.change else {
            unchanged += 1;
            continue;
        };
        if change.kind == ChangeKind::Delete {
            change.reasons.extend(unwanted(item.address, inputs));
        }
        if let Some((node, observed)) = known.get(&item.node) {
            steps.push(actions::Work::of(item.kind, item.subject(node, observed, inputs.now), change.kind));
        }
        stored.extend(compared.stored.map(|stored| (item.address.clone(), stored)));
        changes.push(change);
    }

    let retired: Vec<_> =
        inputs.state.nodes.iter().filter(|(address, _)| !work.contains_key(*address)).collect();
    let actions = actions::order(steps, &work, &retired, inputs.state);
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
        outputs: if inputs.mode == Mode::Destroy {
            outputs::changes(&BTreeMap::new(), inputs)
        } else {
            outputs::changes(inputs.outputs, inputs)
        },
    };
    Ok(Planned { plan, findings, nodes: work, stored, uncompared })
}

/// All resources, wanted or known, with their kinds and nodes, in the order of their addresses.
fn items<'a>(
    resources: &'a BTreeMap<Address, Resource>,
    inputs: &Inputs<'a>,
    specs: &BTreeMap<Address, NodeSpec>,
    findings: &mut Diagnostics,
) -> Vec<Item<'a>> {
    // Both maps are in the order of the addresses: going along both takes no look-up.
    let (mut wanted, mut known) = (resources.iter().peekable(), inputs.state.resources.iter().peekable());
    let mut items = Vec::with_capacity(resources.len());
    loop {
        let order = match (wanted.peek(), known.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((wanted, _)), Some((known, _))) => wanted.cmp(known),
        };
        let desired = if order.is_le() { wanted.next() } else { None };
        let prior = if order.is_ge() { known.next() } else { None };
        let Some(address) = desired.map(|(address, _)| address).or(prior.map(|(address, _)| address)) else {
            break;
        };
        let (desired, prior) = (desired.map(|(_, resource)| resource), prior.map(|(_, stored)| stored));
        let Some(kind) = inputs.kinds.kind(address.kind()) else {
            findings.push(
                Diagnostic::error(format!("the state holds `{address}`, a kind that this vsa does not know"))
                    .help("use the vsa that wrote the state, or a newer one"),
            );
            continue;
        };
        let node = desired.map_or_else(
            || prior.map(|prior| prior.node.clone()),
            |resource| nodes::placement(resource, specs),
        );
        let Some(node) = node else { continue };
        items.push(Item { address, desired, prior, node, kind });
    }
    items
}

/// Asks the nodes what the kinds have to know, until none has another question.
fn observe(
    items: &[Item<'_>],
    known: &mut BTreeMap<Address, (Node, Observations)>,
    now: i64,
    ask: &mut Ask<'_>,
) {
    loop {
        let mut asked = false;
        for (address, (node, observed)) in known.iter_mut() {
            let here = items.par_iter().filter(|item| item.node == *address);
            let asking = here.flat_map_iter(|item| item.kind.queries(item.subject(node, observed, now)));
            let new: Vec<Query> = asking.filter(|query| observed.get(query).is_none()).collect();
            let mut seen = HashSet::new();
            let questions: Vec<Query> = new.into_iter().filter(|query| seen.insert(query.clone())).collect();
            if !questions.is_empty() {
                asked = true;
                let found = answers(&node.spec, questions, ask);
                observed.extend(found);
            }
        }
        if !asked {
            return;
        }
    }
}

fn answers(spec: &NodeSpec, questions: Vec<Query>, ask: &mut Ask<'_>) -> Vec<(Query, Answer)> {
    let answers = ask(spec, &questions);
    questions.into_iter().zip(answers).collect()
}

/// What became of the comparison of a resource with the state.
struct Compared {
    change: Option<Change>,
    /// Of one that changes and stays, what the state shall hold of it.
    stored: Option<Stored>,
    uncompared: bool,
}

fn compare(item: &Item<'_>, refreshed: &Refreshed, key: Option<&Key>) -> Compared {
    let encoded = item.desired.map(|resource| attributes::encode(resource, key));
    let uncompared = key.is_none() && encoded.as_deref().is_some_and(attributes::has_unfingerprinted);
    let change = change(item, refreshed, encoded.as_deref());
    let stored = change.as_ref().and(item.desired).zip(encoded).map(|(resource, attributes)| Stored {
        status: Status::Live,
        node: item.node.clone(),
        name: resource.name.clone(),
        attributes,
        facts: item.prior.map(|prior| prior.facts.clone()).unwrap_or_default(),
        depends_on: resource.depends_on.clone(),
    });
    Compared { change, stored, uncompared }
}

/// What happens to a resource; `None` where nothing does.
fn change(item: &Item<'_>, refreshed: &Refreshed, after: Option<&RawValue>) -> Option<Change> {
    let before = item.prior.map(|prior| &*prior.attributes);
    let mut reasons: Vec<String> = refreshed.due.iter().cloned().collect();
    let repaired = refreshed.drift.iter().filter(|drift| drift.repaired);
    reasons.extend(repaired.map(|drift| format!("{} {}", drift.subject, drift.what)));
    if let Some(prior) = item.prior {
        match prior.status {
            Status::Live => {}
            Status::Interrupted => reasons.push("an earlier apply was interrupted here".to_owned()),
            Status::Deleting => reasons.push("an earlier apply could not finish its deletion".to_owned()),
        }
    }
    let mut forced_by = Vec::new();
    let kind = match (before, after) {
        (None, None) => return None,
        (None, Some(_)) => ChangeKind::Create,
        (Some(_), None) => ChangeKind::Delete,
        (Some(before), Some(after)) if attributes::same(before, after) => {
            if reasons.is_empty() {
                return None;
            }
            ChangeKind::Update
        }
        (Some(before), Some(after)) => {
            forced_by = forcing(before, after, item.kind.schema());
            if forced_by.is_empty() { ChangeKind::Update } else { ChangeKind::Replace }
        }
    };
    Some(Change {
        address: item.address.clone(),
        node: item.node.clone(),
        kind,
        before: before.map(RawValue::to_owned),
        after: after.map(RawValue::to_owned),
        reasons,
        forced_by,
        implied_by: item.desired.and_then(|resource| resource.implied_by.clone()),
    })
}

/// Why a resource is not wanted any more; nothing where nothing is.
fn unwanted(address: &Address, inputs: &Inputs<'_>) -> Option<String> {
    if inputs.mode == Mode::Destroy {
        return None;
    }
    let key = address.key().filter(|_| {
        let first = address.with_key(None);
        let mut alike = inputs.resources.range(first.clone()..);
        alike.next().is_some_and(|(other, _)| other.with_key(None) == first)
    });
    Some(match key {
        Some(key @ address::Key::Name(_)) => format!("because key {key} is not in for_each"),
        Some(key @ address::Key::Index(_)) => format!("because index {key} is out of range for count"),
        None => format!("because {address} is not in configuration"),
    })
}

/// The attributes whose change forces a replacement.
fn forcing(before: &RawValue, after: &RawValue, schema: &Schema) -> Vec<String> {
    let (Ok(before), Ok(after)) = (attributes::decode(before), attributes::decode(after)) else {
        return Vec::new();
    };
    let differs = |name: &str| match (before.get(name), after.get(name)) {
        (Some(before), Some(after)) => !before.same(after),
        (before, after) => before.is_some() != after.is_some(),
    };
    let forces = schema.body.attributes.iter().filter(|attribute| attribute.forces_replacement);
    forces.map(|attribute| attribute.name.to_string()).filter(|name| differs(name)).collect()
}
