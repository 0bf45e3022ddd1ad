//! What is done: an issue made and laid out, or taken away.

use std::path::PathBuf;

use super::attributes::names;
use super::facts::Facts;
use super::judgement::{Judgement, Origin, judge};
use super::known::Known;
use super::{acme, archived, imported, name, told};
use crate::plan::issuance::Lineage;
use crate::plan::{Operation, Phase, Step, Subject, Undo};
use crate::resource::Resource;

/// The key of what stands for a certificate that is not issued yet.
const STAND_IN_KEY: &str = "ecdsa-p256";
/// How long that is valid.
const STAND_IN_DAYS: u32 = 3650;

/// What is done about a certificate.
pub(super) fn steps(subject: Subject<'_>) -> Vec<Step> {
    let Some(resource) = subject.desired else { return removal(subject) };
    let Some(known) = Known::of(subject) else { return Vec::new() };
    let judgement = judge(subject, resource, known);
    let mut steps = Vec::new();
    if known.settings.is_some() && !judgement.is_pending {
        steps.extend(imported::stop(subject, resource, known));
    }
    if judgement.from == Origin::Before && !judgement.is_pending && known.is_unpublished() {
        steps.extend(publish(subject, resource, known, known.last.clone()));
        steps.extend(imported::publish(resource, known, &judgement, &known.last));
    } else if judgement.from != Origin::Before {
        steps.extend(issuing(subject, resource, known, &judgement));
    } else {
        if judgement.laid_out.is_some() {
            steps.extend(publish(subject, resource, known, known.last.clone()));
        }
        let is_added = known.facts.issue > 0 && imported::is_added(resource, known);
        if is_added || judgement.imported.is_some() {
            steps.extend(imported::publish(resource, known, &judgement, &known.last));
        }
    }
    steps.extend(told::of_renewal(subject, resource, known, &judgement));
    let kept = known.attributes.lineage(resource);
    steps.extend(imported::resume(known.facts.certbot.as_ref(), kept.as_ref()));
    steps
}

/// What takes a certificate away. One that was never issued may have something that stands for it, the key of an order,
/// and failures that are remembered.
fn removal(subject: Subject<'_>) -> Vec<Step> {
    let facts = Facts::of(subject);
    let Some(name) = name(subject) else { return Vec::new() };
    let directory = subject.node.spec.certificate(&name, facts.issue);
    let undo = Undo::Irreversible { reason: "a private key is removed for good".to_owned() };
    let remove = |operation| Step { phase: Phase::CleanUp, operation, undo: undo.clone() };
    let published = (facts.published > 0).then(|| Lineage::new(subject.node.spec.root.clone(), &*name).ok());
    let published = published.flatten().map(|lineage| Operation::RemoveLineage { lineage });
    let operations = published.into_iter().chain([Operation::RemoveCertificate { directory }]);
    imported::resume(facts.certbot.as_ref(), None).into_iter().chain(operations.map(remove)).collect()
}

/// Lays an issue out for other programs.
fn publish(subject: Subject<'_>, resource: &Resource, known: &Known, directory: PathBuf) -> Option<Step> {
    let server = known.settings.as_ref().map(|settings| settings.directory.url().to_owned());
    let lineage = Lineage::new(subject.node.spec.root.clone(), &*resource.name).ok()?;
    let operation = Operation::PublishCertificate { lineage, directory, server };
    Some(Step { phase: Phase::Prepare, operation, undo: Undo::FormerLinks })
}

/// What makes the issue that is wanted.
fn issuing(subject: Subject<'_>, resource: &Resource, known: &Known, judgement: &Judgement) -> Vec<Step> {
    let Known { attributes, request, .. } = known;
    let (issue, request) = (judgement.issue, request.clone());
    let directory = subject.node.spec.certificate(&resource.name, issue);
    let prepare = |operation, undo| Step { phase: Phase::Prepare, operation, undo };
    if judgement.is_pending {
        let operation = Operation::IssueSelfSigned {
            issue,
            request: known.stand_in.clone(),
            directory,
            names: names(resource, attributes),
            key_type: STAND_IN_KEY.to_owned(),
            days: STAND_IN_DAYS,
        };
        return vec![prepare(operation, Undo::RemoveMade)];
    }
    if let Some(order) = acme::order(resource, known) {
        let publish = publish(subject, resource, known, directory.clone());
        let also = imported::publish(resource, known, judgement, &directory)
            .filter(|_| judgement.from != Origin::Certbot);
        let made = match judgement.from {
            // It counts against the authority's limits: it is kept, whatever becomes of the run.
            Origin::Before | Origin::New | Origin::Order => {
                let order = Box::new(order);
                let operation = Operation::IssueCertificate { issue, request, directory, order };
                Some(prepare(operation, Undo::Nothing))
            }
            Origin::Disk => {
                let operation = Operation::AdoptCertificate { issue, request, directory };
                Some(prepare(operation, Undo::Nothing))
            }
            Origin::Certbot => {
                let adopt = imported::adopt(resource, known, issue, &directory);
                adopt.map(|operation| prepare(operation, Undo::RemoveMade))
            }
            Origin::Archive(home, number) => {
                archived::files(subject, resource, known, home, number).map(|(certificate, key)| {
                    let operation =
                        Operation::CopyCertificate { issue, request, directory, certificate, key };
                    prepare(operation, Undo::RemoveMade)
                })
            }
        };
        return made.into_iter().chain(publish).chain(also).collect();
    }
    let published =
        known.is_laid_out().then(|| publish(subject, resource, known, directory.clone())).flatten();
    let operation = match attributes.source() {
        Some((certificate, key)) => {
            Operation::CopyCertificate { issue, request, directory, certificate, key }
        }
        None => Operation::IssueSelfSigned {
            issue,
            request,
            directory,
            names: names(resource, attributes),
            key_type: attributes.key_type.to_string(),
            days: attributes.days,
        },
    };
    std::iter::once(prepare(operation, Undo::RemoveMade)).chain(published).collect()
}
