//! The changes of resources, with all that an apply needs to make them.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use rayon::prelude::*;

use super::{Ask, Known, NodeWork, Scope};
use crate::address::Address;
use crate::diag::Diagnostics;
use crate::plan::actions;
use crate::plan::brought::{self, BroughtProxy};
use crate::plan::change::{Change, ChangeKind, FileChange};
use crate::plan::compare::{Compared, compare, unwanted};
use crate::plan::details::Details;
use crate::plan::endpoint::{NO_ENDPOINTS, Sites};
use crate::plan::items::{Item, answers};
use crate::plan::kind::{Refreshed, Subject};
use crate::plan::observation::{Answer, Query};
use crate::plan::placed::PlacedFile;
use crate::state::Stored;
use crate::value::Secret;

/// What becomes of the resources.
#[derive(Default)]
pub(super) struct Changes {
    /// The changes themselves, in the order of the addresses.
    pub(super) all: Vec<Change>,
    /// How many resources stay as they are.
    pub(super) unchanged: usize,
    /// How files at places of their own differ.
    pub(super) files: Vec<FileChange>,
    /// The files at places of their own, by node and path.
    pub(super) placed: BTreeMap<(Address, PathBuf), PlacedFile>,
    /// The secrets that operations need, by resource.
    pub(super) secrets: BTreeMap<Address, BTreeMap<&'static str, Secret>>,
    /// What the state shall hold of those that change.
    pub(super) stored: BTreeMap<Address, Stored>,
    /// What is to be done, resource by resource.
    pub(super) steps: Vec<actions::Work>,
    /// Whether sensitive values could not be compared.
    pub(super) uncompared: bool,
    /// The nodes whose nginx cannot judge the next generation, each with why.
    pub(super) untestable: Vec<(Address, String)>,
}

/// Compares each resource, asks what must be known besides of those that change, and gathers what becomes of them.
pub(super) fn changes(
    scope: &Scope<'_>,
    refreshed: &[Refreshed],
    known: &mut Known,
    work: &BTreeMap<Address, NodeWork>,
    ask: &mut Ask<'_>,
    findings: &mut Diagnostics,
) -> Changes {
    let &Scope { inputs, items, targets, .. } = scope;
    let (compared, inquiries) = compared(scope, refreshed, known, work);
    if inputs.refresh {
        for (address, questions) in inquiries {
            let Some((node, observed)) = known.get_mut(&address) else { continue };
            observed.extend(answers(&node.spec, questions, ask));
        }
    }
    let subjects = subjects(scope, known, work);
    let mut made = Changes::default();
    let sites = OnceCell::new();
    for (((item, subject), refreshed), compared) in items.iter().zip(subjects).zip(refreshed).zip(compared) {
        made.uncompared |= compared.uncompared;
        findings.extend(compared.errors);
        let Some(mut change) = compared.change else {
            made.unchanged += usize::from(targets.contains(item.address));
            continue;
        };
        if change.kind == ChangeKind::Delete {
            change.reasons.extend(unwanted(item.address, inputs));
        }
        let placement = compared.placement;
        if let Some(subject) = subject.filter(|_| change.kind != ChangeKind::NoOp) {
            let mut read = |queries: &[Query]| {
                let spec = &subject.node.spec;
                if inputs.refresh { ask(spec, queries) } else { vec![Answer::Absent; queries.len()] }
            };
            made.files.extend(placement.diffs(subject, &mut read));
            let brought = item.kind.proxy(subject);
            change.details = item.kind.details(subject, &placement.files).map(|details| Details {
                felt_by: felt_by(scope, item, &details.interrupted, brought.as_ref(), &sites),
                ..details
            });
            let secrets = item.kind.secrets(subject);
            if !secrets.is_empty() {
                made.secrets.insert(item.address.clone(), secrets);
            }
            let step = actions::Work::of(item.kind, subject, change.kind, &placement, &refreshed.drift);
            if let Some(brought) = brought.filter(|_| step.remakes_proxy()) {
                let (spec, stored) = (&subject.node.spec, scope.stored(&item.node));
                let why = brought::judges_nothing(spec, stored, subject.observed, &brought);
                made.untestable.extend(why.map(|why| (item.node.clone(), why)));
            }
            made.steps.push(step);
        }
        let files = placement.files.into_iter();
        made.placed.extend(files.map(|(path, file)| ((item.node.clone(), path), file)));
        made.stored.extend(compared.stored.map(|stored| (item.address.clone(), stored)));
        if !item.is_left {
            made.all.push(change);
        }
    }
    made
}

/// What differs of each resource, and what must be known besides, by node.
fn compared(
    scope: &Scope<'_>,
    refreshed: &[Refreshed],
    known: &Known,
    work: &BTreeMap<Address, NodeWork>,
) -> (Vec<Compared>, BTreeMap<Address, Vec<Query>>) {
    let &Scope { inputs, items, targets, former, .. } = scope;
    let subjects = subjects(scope, known, work);
    let each = items.par_iter().zip(&subjects).zip(refreshed);
    let compare = |((item, subject), refreshed): ((&Item<'_>, &Option<Subject<'_>>), &Refreshed)| {
        // Of the thousands that stay as they are nothing is kept.
        if targets.contains(item.address) {
            compare(item, *subject, refreshed, former.get(item.address).copied(), inputs.key)
        } else {
            Compared::default()
        }
    };
    let compared: Vec<Compared> = each.map(compare).collect();
    let inquiries = inquiries(items, &subjects, &compared);
    (compared, inquiries)
}

/// The sites that feel it when services of a resource are interrupted: all of the node where its nginx is one of them.
fn felt_by<'a>(
    scope: &Scope<'a>,
    item: &Item<'_>,
    interrupted: &[String],
    brought: Option<&BroughtProxy>,
    sites: &OnceCell<Sites<'a>>,
) -> Vec<Address> {
    if interrupted.is_empty() {
        return Vec::new();
    }
    if brought.is_some_and(|brought| brought.is_one_of(interrupted)) {
        let here = scope.desired_on(&item.node).filter(|item| item.kind.is_site());
        return here.map(|item| item.address.clone()).collect();
    }
    sites.get_or_init(|| Sites::of(scope.items)).of_services(item.address, interrupted)
}

fn subjects<'a>(
    scope: &Scope<'a>,
    known: &'a Known,
    work: &'a BTreeMap<Address, NodeWork>,
) -> Vec<Option<Subject<'a>>> {
    let subject = |item: &'a Item<'a>| {
        let (node, observed) = known.get(&item.node)?;
        let endpoints = work.get(&item.node).map_or(&NO_ENDPOINTS, |work| &work.endpoints);
        Some(item.subject(node, observed, endpoints, scope.inputs.now))
    };
    scope.items.iter().map(subject).collect()
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
