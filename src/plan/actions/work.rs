//! The steps of one resource's change.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::plan::action::{Operation, Phase};
use crate::plan::change::ChangeKind;
use crate::plan::issuance::CertificateOrder;
use crate::plan::kind::{Drift, Kind, Step, Subject};
use crate::plan::placed::Placement;
use crate::state::Status;

/// The steps of one resource's change.
pub(in crate::plan) struct Work {
    pub(super) address: Address,
    pub(super) node: Address,
    pub(super) depends_on: BTreeSet<Address>,
    pub(super) steps: Vec<Step>,
    /// Whether it makes the container anew that is the node's proxy.
    remakes_proxy: bool,
}

impl Work {
    /// Asks the kind for the steps of a change; a replacement is a creation and a deletion, unless what was there is on
    /// another node, where it goes by itself. Placed files are written once their directories are there.
    pub(in crate::plan) fn of(
        kind: &dyn Kind,
        subject: Subject<'_>,
        change: ChangeKind,
        placement: &Placement,
        drift: &[Drift],
    ) -> Self {
        let mut steps = if change == ChangeKind::Replace && subject.moves_from.is_none() {
            let mut steps = kind.steps(Subject { prior: None, ..subject });
            steps.extend(kind.steps(Subject { desired: None, ..subject }));
            steps
        } else {
            kind.steps(subject)
        };
        let whole =
            change == ChangeKind::Replace || subject.prior.is_some_and(|prior| prior.status != Status::Live);
        let drifted: Vec<String> = drift.iter().map(|drift| drift.subject.clone()).collect();
        let first = steps.iter().position(|step| !is_before_files(&step.operation)).unwrap_or(steps.len());
        let (removals, writes): (Vec<Step>, Vec<Step>) =
            placement.steps(whole, &drifted).into_iter().partition(|step| step.phase == Phase::CleanUp);
        steps.splice(first..first, writes);
        let last = steps.iter().position(|step| is_after_files(&step.operation)).unwrap_or(steps.len());
        steps.splice(last..last, removals);
        let depends_on = match (subject.desired, subject.prior) {
            (Some(resource), _) => resource.depends_on.clone(),
            (None, Some(prior)) => prior.depends_on.clone(),
            (None, None) => BTreeSet::new(),
        };
        let remakes_proxy = kind.proxy(subject).is_some()
            && steps.iter().any(|step| matches!(step.operation, Operation::ComposeUp { .. }));
        Self {
            address: subject.address.clone(),
            node: subject.node.spec.address.clone(),
            depends_on,
            steps,
            remakes_proxy,
        }
    }
}

impl Work {
    pub(super) fn has(&self, is_it: impl Fn(&Operation) -> bool) -> bool {
        self.operations().any(is_it)
    }

    /// Whether it may make the container anew that is the node's proxy.
    pub(in crate::plan) fn remakes_proxy(&self) -> bool {
        self.remakes_proxy
    }

    /// The node that it is on.
    pub(in crate::plan) fn node(&self) -> &Address {
        &self.node
    }

    /// What is done about it.
    pub(in crate::plan) fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.steps.iter().map(|step| &step.operation)
    }

    /// What authorities are asked for.
    pub(in crate::plan) fn orders(&self) -> impl Iterator<Item = &CertificateOrder> {
        self.operations().filter_map(Operation::order)
    }

    pub(super) fn makes_network(&self) -> bool {
        self.has(|operation| matches!(operation, Operation::CreateNetwork { .. }))
    }

    pub(super) fn removes_network(&self) -> bool {
        self.has(|operation| matches!(operation, Operation::RemoveNetwork { .. }))
    }

    pub(super) fn runs_containers(&self) -> bool {
        self.has(Operation::runs_containers)
    }
}

/// Whether an operation comes before the resource's placed files are written.
fn is_before_files(operation: &Operation) -> bool {
    matches!(operation, Operation::EnsureDirectory { .. }) || operation.only_looks()
}

/// Whether an operation comes after the resource's placed files are removed.
fn is_after_files(operation: &Operation) -> bool {
    matches!(operation, Operation::RemoveEmptyDirectory { .. } | Operation::RemoveDirectory { .. })
}
