//! Certificates that an authority issues: what becomes of each, and what is asked for.

use std::borrow::Cow;
use std::path::PathBuf;

use super::attributes::{Attributes, names};
use super::judgement::{ASKED_FOR, Judgement, Origin, last_kept};
use super::known::Known;
use super::waiting::Wanted;
use super::{CHAIN, archived, due, first, found, imported, issue};
use crate::diag::{Diagnostic, Severity, moment};
use crate::names::{FilePath, Text as _};
use crate::plan::issuance::budget::Spent;
use crate::plan::issuance::{CertificateOrder, Failed, Ledger, Remembered, Settings, asks_the_same};
use crate::plan::observation::{Answer, Query};
use crate::plan::{Attempt, Subject};
use crate::resource::{Path, Resource};

/// What the node remembers of its certificates: one question for all.
fn ledger(subject: Subject<'_>) -> Query {
    Query::Ledger(subject.node.spec.ledger())
}

/// What it remembers of one, with what is noted beside its last issue.
pub(super) fn remembered<'a>(subject: Subject<'a>, name: &str, known: &Known) -> Option<Cow<'a, Remembered>> {
    let in_ledger = match subject.observed.get(&ledger(subject)) {
        Some(Answer::Ledger(ledger)) => ledger.certificates.get(name),
        _ => None,
    };
    Remembered::with(in_ledger, issue::noted(subject, known))
}

pub(super) fn queries(subject: Subject<'_>, resource: &Resource, known: &Known) -> Vec<Query> {
    let mut queries = vec![ledger(subject)];
    queries.extend(root(known).map(|path| Query::Certificate(path.as_str().into())));
    if subject.observed.get(&ledger(subject)).is_none() {
        return queries;
    }
    let is_due = due::renewal(subject, resource, known).is_some();
    let damaged = issue::drift(subject, resource, known);
    let is_outdated = issue::is_outdated(subject, &resource.name, known);
    if subject.attempt == Attempt::Anew
        || known.asked_anew(subject)
        || is_due
        || is_outdated
        || damaged.is_some()
    {
        queries.extend(first::of_issues(subject));
        queries.extend(found::queries(subject, resource, known));
    }
    if damaged.is_some_and(|drift| !drift.is_exposed) {
        queries.extend(archived::queries(subject, resource, known));
    }
    queries
}

/// Whether all goes on without it since it failed: something else is served, and was applied as it is wanted.
fn goes_on_without(subject: Subject<'_>, resource: &Resource, known: &Known, judgement: &Judgement) -> bool {
    let is_applied = || subject.prior.is_some_and(|prior| known.attributes.is_applied(resource, prior));
    let is_usable = || judgement.drift.as_ref().is_none_or(|drift| drift.is_usable);
    known.stands_in() || known.facts.issue > 0 && is_usable() && (!known.asked_anew(subject) || is_applied())
}

/// Why it is not asked for now, because it failed before.
fn failed_before(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
    judgement: &Judgement,
) -> Option<Diagnostic> {
    let (name, now) = (&resource.name, subject.now);
    let with = || {
        let secrets = known.settings.as_ref().map(Settings::secrets).unwrap_or_default();
        Some(order(resource, known)?.circumstances(&subject.node.spec, &secrets))
    };
    let remembered = remembered(subject, name, known).filter(|remembered| remembered.failed.is_some());
    let failed = remembered
        .as_deref()
        .and_then(|remembered| remembered.failed(|former| asks_the_same(former, &known.request), &with()?));
    let names = names(resource, &known.attributes);
    let wanted = Wanted { name, names: &names, request: &known.request, facts: &known.facts, now };
    let failed = match subject.attempt {
        Attempt::Anew => None,
        Attempt::Without if failed.is_none() => return Some(wanted.left()),
        Attempt::Without => failed,
        Attempt::Again => failed.filter(|failed| failed.waits(now)),
        Attempt::Usual => {
            let is_left = |failed: &Failed| {
                !failed.passing
                    && !due::is_late(subject, resource, known)
                    && goes_on_without(subject, resource, known, judgement)
            };
            failed.filter(|failed| failed.waits(now) || is_left(failed))
        }
    };
    failed.map(|failed| wanted.waits(failed))
}

/// Judges a certificate that an authority issues.
pub(super) fn judge(subject: Subject<'_>, resource: &Resource, known: &Known, judgement: &mut Judgement) {
    decide(subject, resource, known, judgement);
    let severity = if judgement.from == Origin::Order { Severity::Error } else { Severity::Warning };
    if let Some(Answer::Failed(why)) = subject.observed.get(&ledger(subject)) {
        // Of all certificates of the node: it is said once.
        judgement
            .findings
            .push(Diagnostic { severity, ..Ledger::unreadable(&subject.node.spec.ledger(), why) });
    }
    if let Some(unusable) = unusable_root(subject, known) {
        judgement.findings.push(Diagnostic { severity, ..unusable });
    }
}

/// The file with the authority's own root.
fn root(known: &Known) -> Option<&FilePath> {
    known.settings.as_ref()?.ca.as_ref()
}

/// That the authority's own root cannot be used, so that it cannot be asked.
fn unusable_root(subject: Subject<'_>, known: &Known) -> Option<Diagnostic> {
    let path = root(known)?;
    let what = match subject.observed.get(&Query::Certificate(path.as_str().into()))? {
        Answer::Certificate(_) => return None,
        Answer::Failed(why) => format!("the root certificate `{path}` cannot be used: {why}"),
        _ => format!("the root certificate `{path}` is not there"),
    };
    let help = "`acme { ca }` names a PEM file on the node: the root that the authority's own server is checked against";
    Some(Diagnostic::error(what).code("unusable_root").help(help))
}

/// Decides what is to be done.
fn decide(subject: Subject<'_>, resource: &Resource, known: &Known, judgement: &mut Judgement) {
    let asked_anew = known.asked_anew(subject);
    if subject.attempt == Attempt::Anew {
        judgement.due = Some(ASKED_FOR.to_owned());
    } else if !asked_anew {
        judgement.due = due::renewal(subject, resource, known);
    }
    let is_renewed = judgement.due.is_some();
    if imported::adopts(subject, resource, known, judgement) {
        judgement.make(last_kept(subject).saturating_add(1), Origin::Certbot);
        return;
    }
    if !asked_anew
        && !is_renewed
        && issue::is_outdated(subject, &resource.name, known)
        && let Some(number) = found::fitting(subject, resource, known)
    {
        judgement.due =
            Some(format!("issue {number} is there, later than the last one that the state knows"));
        judgement.make(number, Origin::Disk);
        return;
    }
    if !asked_anew && judgement.drift.is_none() && !is_renewed {
        keep(subject, resource, known, judgement);
        return;
    }
    if asked_anew && subject.attempt != Attempt::Anew && subject.prior.is_some() {
        let names = names(resource, &known.attributes);
        let wanted = Wanted {
            name: &resource.name,
            names: &names,
            request: &known.request,
            facts: &known.facts,
            now: subject.now,
        };
        judgement.due = Some(wanted.why_asked());
    }
    if let Some(number) = found::fitting(subject, resource, known) {
        judgement.make(number, Origin::Disk);
        return;
    }
    let next = last_kept(subject).max(known.facts.issue).saturating_add(1);
    if !asked_anew
        && !is_renewed
        && judgement.drift.as_ref().is_some_and(|drift| !drift.is_exposed)
        && let Some((home, number)) = archived::whole(subject, resource, known)
    {
        judgement.due = Some("its copy in the archive takes its place".to_owned());
        judgement.make(next, Origin::Archive(home, number));
        return;
    }
    if let Some(remark) = failed_before(subject, resource, known, judgement) {
        leave(subject, resource, known, remark, judgement);
        return;
    }
    judgement.make(next, Origin::Order);
    if let Some(drift) = judgement.drift.as_ref().filter(|_| !is_renewed) {
        let due = if drift.is_exposed { "it is issued anew, for another key" } else { "it is issued anew" };
        judgement.due = Some(due.to_owned());
    }
}

/// Leaves a certificate for later: what there is goes on, or something stands for it.
fn leave(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
    remark: Diagnostic,
    judgement: &mut Judgement,
) {
    let remark = match subject.moves_from {
        Some(from) => remark.help(format!(
            "it would move from `{from}`, and its sites with it, to where something else stands for it: they stay with the \
             one that they have as long as `node` names `{from}`"
        )),
        None => remark,
    };
    judgement.findings.push(remark.at(resource.span(&Path::root())).on(subject.address));
    judgement.from = Origin::Before;
    // One that others may have read, or that only its mode is wrong of, is better than none that browsers trust.
    if known.facts.issue > 0 && judgement.drift.as_ref().is_none_or(|drift| drift.is_usable) {
        judgement.due = None;
        keep(subject, resource, known, judgement);
        return;
    }
    judgement.issue = 0;
    judgement.is_pending = true;
    let is_new = !known.stands_in() || judgement.drift.is_some();
    judgement.from = if is_new { Origin::New } else { Origin::Before };
    judgement.due = judgement
        .due
        .take()
        .filter(|_| is_new)
        .map(|_| "it cannot be issued yet: another one stands for it".to_owned());
}

/// Leaves the last issue in its place, and sees whether it is laid out for other programs.
fn keep(subject: Subject<'_>, resource: &Resource, known: &Known, judgement: &mut Judgement) {
    judgement.issue = known.facts.issue;
    judgement.see_laid_out(subject, resource, known);
}

/// The judgement of a certificate that would be ordered, where the authority's limits do not leave that.
pub(super) fn postponed(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
    spent: &Spent,
    mut judgement: Judgement,
) -> Judgement {
    let remark = Diagnostic::warning(format!("`{}` is not ordered now", resource.name))
        .code("budget_spent")
        .detail(format!("the authority's limit of {} is spent: it would not issue", spent.limit))
        .help(format!(
            "it is free again from {} on, and `vsa cert renew` orders it then; several names can share one certificate (`names`)",
            moment(spent.again)
        ));
    leave(subject, resource, known, remark, &mut judgement);
    judgement
}

/// What the authority is asked for.
pub(super) fn order(resource: &Resource, known: &Known) -> Option<CertificateOrder> {
    let replaces = known.renews().then(|| known.last.join(CHAIN));
    Some(order_of(resource, &known.attributes, known.settings.as_ref()?, replaces))
}

/// As [`order`], by these settings.
pub(super) fn order_of(
    resource: &Resource,
    attributes: &Attributes,
    settings: &Settings,
    replaces: Option<PathBuf>,
) -> CertificateOrder {
    CertificateOrder {
        authority: settings.authority(),
        names: names(resource, attributes),
        key_type: attributes.key_type.to_string(),
        profile: settings.profile.as_ref().map(ToString::to_string),
        preferred_chain: settings.preferred_chain.as_ref().map(ToString::to_string),
        challenge: settings.challenge(),
        dns: settings.dns().map(|(provider, _)| provider),
        propagation: settings.propagation(),
        validation_port: settings.validation_port,
        check_names: settings.check_names,
        resolvers: settings.resolvers.iter().map(ToString::to_string).collect(),
        on_failure: settings.on_failure.iter().map(ToString::to_string).collect(),
        replaces,
    }
}
