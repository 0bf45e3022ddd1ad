//! What is done for programs that read a certificate: somebody is told once another one is served.

use super::attributes::names;
use super::judgement::{Judgement, Origin};
use super::known::Known;
use crate::plan::issuance::{Lineage, Settings};
use crate::plan::{Operation, Phase, Step, Subject, Undo};
use crate::resource::Resource;
use crate::state::Status;

/// Tells the program of `on_renewal`, after the commit. A run that was killed may not have come to that: it is told again.
pub(super) fn of_renewal(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
    judgement: &Judgement,
) -> Option<Step> {
    let command = known.settings.as_ref().and_then(Settings::on_renewal)?;
    let is_interrupted =
        || known.facts.issue > 0 && subject.prior.is_some_and(|prior| prior.status == Status::Interrupted);
    let is_another = match judgement.from {
        Origin::Before => is_interrupted(),
        // Who reads it has it already.
        Origin::Certbot => false,
        Origin::New | Origin::Order | Origin::Disk | Origin::Archive(..) => true,
    };
    if !is_another || judgement.is_pending {
        return None;
    }
    let own = || Lineage::new(subject.node.spec.root.clone(), &*resource.name).ok();
    let of_certbot = known.attributes.lineage(resource).filter(|_| !judgement.is_kept_out);
    let lineage = of_certbot.or_else(own)?;
    let operation = Operation::TellRenewal { command, lineage, names: names(resource, &known.attributes) };
    Some(Step { phase: Phase::CleanUp, operation, undo: Undo::Nothing })
}
