//! Certificates that certbot made: found, taken over with their key, and renewed under certbot's paths from then on.

use std::path::Path as FilePath;

use super::attributes::names;
use super::judgement::Judgement;
use super::known::Known;
use crate::diag::{Diagnostic, day};
use crate::names::covers;
use crate::plan::issuance::{FoundLineage, Lineage, Piece, Settings};
use crate::plan::observation::{Answer, Query};
use crate::plan::{Attempt, Operation, Phase, Step, Subject, Undo};
use crate::resource::{Path, Resource};

/// What there is of certbot's: one question for all of a directory.
pub(super) fn queries(resource: &Resource, known: &Known) -> Option<Query> {
    known.attributes.lineage(resource).map(|lineage| Query::Lineages(lineage.home().to_owned()))
}

/// The lineage as it is, or what is wrong with it.
fn found<'a>(subject: Subject<'a>, lineage: &Lineage) -> Option<Result<&'a FoundLineage, Diagnostic>> {
    let home = lineage.home().display();
    let name = lineage.name();
    let help = "`vsa cert import` lists those that there are";
    Some(match subject.observed.get(&Query::Lineages(lineage.home().to_owned()))? {
        Answer::Lineages(found) => match found.get(name) {
            Some(Ok(found)) => Ok(found),
            Some(Err(why)) => Err(Diagnostic::error(format!("the lineage `{name}` in `{home}` is broken: {why}"))
                .help(format!("mend it, or see what `certbot certificates --config-dir {home}` says of it"))),
            None => Err(Diagnostic::error(format!("there is no lineage `{name}` in `{home}`"))
                .did_you_mean(name, found.keys().map(String::as_str), |error| error.help(help))),
        },
        Answer::Failed(why) => Err(Diagnostic::error(format!("the lineages in `{home}` cannot be read: {why}"))),
        _ => Err(Diagnostic::error(format!("`{home}` is no directory of certbot's"))
            .detail(format!("there is no `{}`", Lineage::renewals(FilePath::new(lineage.home())).display()))
            .help("name the directory that certbot is configured in, `/etc/letsencrypt` unless it was told otherwise")),
    })
}

/// Why a lineage cannot be taken over.
fn unfit(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
    found: &FoundLineage,
) -> Option<Diagnostic> {
    let certified = &found.certificate.names;
    let quoted =
        |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let wanted = names(resource, &known.attributes);
    let uncovered: Vec<_> = wanted
        .into_iter()
        .filter(|name| !certified.iter().any(|certified| covers(certified, name)))
        .collect();
    if !uncovered.is_empty() {
        return Some(
            Diagnostic::error(format!("the lineage is not for {}", quoted(&uncovered)))
                .code("uncovered_name")
                .detail(format!("it is for {}", quoted(certified)))
                .help("take it over with the names that it has, apply, and add the others then"),
        );
    }
    (found.certificate.not_after <= subject.now).then(|| {
        Diagnostic::error(format!(
            "the certificate of the lineage ended on {}",
            day(found.certificate.not_after)
        ))
        .code("expired_certificate")
        .help("leave `certbot` away, and have one issued")
    })
}

/// What certbot does about a lineage, and nobody will once it is taken over.
fn left_behind(lineage: &Lineage, known: &Known, found: &FoundLineage) -> Vec<Diagnostic> {
    let name = lineage.name();
    let of_its_own = found.renewal.hooks.iter().map(|(key, command)| format!("`{key} = {command}`"));
    let of_all = found.hook_files.iter().map(|path| format!("`{}`", path.display()));
    let hooks: Vec<_> = of_its_own.chain(of_all).collect();
    let hooks = (!hooks.is_empty()).then(|| {
        let told = known.settings.as_ref().and_then(Settings::on_renewal);
        let help = match told {
            Some(command) => format!("see that `on_renewal`, `{}`, does what they did", command.join(" ")),
            None => "name what other programs need, such as `[\"systemctl\", \"reload\", \"postfix\"]`, as `on_renewal` of the \
                     `acme` block: vsa starts it once nginx serves a renewed certificate"
                .to_owned(),
        };
        Diagnostic::warning(format!("certbot starts hooks when it renews `{name}`, and vsa does not"))
            .code("certbot_hooks")
            .detail(hooks.join(", "))
            .help(help)
    });
    let stapled = found.renewal.must_staple.then(|| {
        Diagnostic::warning(format!("certbot asks for `{name}` with \"OCSP must-staple\", and vsa does not"))
            .code("must_staple")
            .detail("from the first renewal on, clients no longer insist on a stapled answer (RFC 7633)")
            .help("nothing has to be done unless something depends on that; many authorities do not issue such certificates any more")
    });
    hooks.into_iter().chain(stapled).collect()
}

/// Judges what is to be taken over; whether it is.
pub(super) fn adopts(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
    judgement: &mut Judgement,
) -> bool {
    let Some(lineage) = known.attributes.lineage(resource) else { return false };
    let Some(found) = found(subject, &lineage) else { return false };
    // Who asks for another one does not mean this one.
    let is_needed = known.facts.issue == 0 && subject.attempt != Attempt::Anew;
    let at = resource.span(&Path::root().name("certbot"));
    let wrong = match found {
        Ok(found) if is_needed => {
            let unfit = unfit(subject, resource, known, found);
            if unfit.is_none() {
                let left = left_behind(&lineage, known, found).into_iter();
                judgement.findings.extend(left.map(|remark| remark.at(at).on(subject.address)));
            }
            unfit
        }
        Ok(found) => {
            if found.renewal.autorenew && judgement.due.is_none() && is_stopped(resource, known) {
                judgement.due = Some(format!("certbot renews `{}` again", lineage.name()));
            }
            None
        }
        // What was taken over goes on without it.
        Err(_) if !is_needed => None,
        Err(wrong) => Some(wrong),
    };
    if let Some(wrong) = wrong {
        judgement.findings.push(wrong.at(at).on(subject.address));
        return false;
    }
    is_needed
}

/// Whether certbot's renewal was switched off before.
pub(super) fn is_stopped(resource: &Resource, known: &Known) -> bool {
    known.facts.certbot.is_some() && known.facts.certbot == known.attributes.lineage(resource)
}

/// What is done before an issue is made, or taken over.
pub(super) fn stop(subject: Subject<'_>, resource: &Resource, known: &Known) -> Option<Step> {
    let lineage = known.attributes.lineage(resource)?;
    let renews = matches!(found(subject, &lineage), Some(Ok(found)) if found.renewal.autorenew);
    if is_stopped(resource, known) && !renews {
        return None;
    }
    Some(Step {
        phase: Phase::Prepare,
        operation: Operation::StopCertbot { lineage },
        undo: Undo::FormerFile,
    })
}

/// The operation that takes certificate and key over.
pub(super) fn adopt(
    resource: &Resource,
    known: &Known,
    issue: u64,
    directory: &FilePath,
) -> Option<Operation> {
    let lineage = known.attributes.lineage(resource)?;
    Some(Operation::CopyCertificate {
        issue,
        request: known.request.clone(),
        directory: directory.to_owned(),
        certificate: lineage.link(Piece::Fullchain),
        key: lineage.link(Piece::Privkey),
    })
}

/// Puts an issue into certbot's lineage too, under the paths that others may have been told.
pub(super) fn publish(
    resource: &Resource,
    known: &Known,
    judgement: &Judgement,
    directory: &FilePath,
) -> Option<Step> {
    let lineage = known.attributes.lineage(resource).filter(|_| !judgement.is_kept_out)?;
    let directory = directory.to_owned();
    let operation = Operation::PublishCertificate { lineage, directory, server: None };
    Some(Step { phase: Phase::Prepare, operation, undo: Undo::FormerLinks })
}

/// Leaves the lineage that was taken over to certbot again, where it is not `kept`.
pub(super) fn resume(known: Option<&Lineage>, kept: Option<&Lineage>) -> Option<Step> {
    let lineage = known.filter(|known| Some(*known) != kept)?.clone();
    let operation = Operation::ResumeCertbot { lineage, is_shared: false };
    Some(Step { phase: Phase::CleanUp, operation, undo: Undo::Nothing })
}

/// Whether the issue that there is was not put into the lineage yet.
pub(super) fn is_added(resource: &Resource, known: &Known) -> bool {
    known.attributes.lineage(resource).is_some() && !is_stopped(resource, known)
}
