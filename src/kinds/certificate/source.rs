//! Certificates that somebody else keeps in files on the node.

use std::path::Path as FilePath;

use crate::diag::{Diagnostic, Severity, day};
use crate::names::covers;
use crate::plan::Subject;
use crate::plan::observation::{Answer, CertificateFacts, Query};
use crate::resource::{Path, Resource};

use super::attributes::{Attributes, names};
use super::facts::Facts;
use super::judgement::Judgement;

pub(super) fn queries(attributes: &Attributes) -> Vec<Query> {
    attributes.source().map_or_else(Vec::new, |(certificate, key)| {
        let pair = Query::PrivateKey { key, certificate: certificate.clone() };
        vec![Query::Certificate(certificate.clone()), Query::Digest(certificate), pair]
    })
}

/// What the source says. A source that cannot be used is an error where it is needed now, and else a warning: the
/// copy that there is goes on serving.
pub(super) fn judge(
    subject: Subject<'_>,
    resource: &Resource,
    attributes: &Attributes,
    facts: &Facts,
    asked_anew: bool,
    judgement: &mut Judgement,
) {
    let Some((certificate, key)) = attributes.source() else { return };
    let needed = asked_anew || judgement.drift.is_some();
    let severity = if needed { Severity::Error } else { Severity::Warning };
    let finding = |attribute: &str, severity: Severity, summary: String| {
        let mut diagnostic =
            Diagnostic::error(summary).at(resource.span(&Path::root().name(attribute))).on(subject.address);
        diagnostic.severity = severity;
        if severity == Severity::Warning && attribute != "renew_before" {
            diagnostic = diagnostic.detail("the copy that vsa made of the former files goes on serving");
        }
        diagnostic
    };
    let found = match subject.observed.get(&Query::Certificate(certificate.clone())) {
        None => return,
        Some(Answer::Certificate(found)) => found,
        Some(answer) => {
            let why = unreadable(&certificate, answer);
            judgement.findings.push(
                finding("certificate", severity, why)
                    .code("unusable_certificate")
                    .help("it must be a PEM file: the site's own certificate first, then the chain"),
            );
            return;
        }
    };
    let shown = key.display();
    // One that may not be read now is judged by the apply, which may.
    let pair = Query::PrivateKey { key: key.clone(), certificate: certificate.clone() };
    let wrong = match subject.observed.get(&pair) {
        Some(Answer::Absent) => Some(format!("there is no `{shown}`")),
        Some(Answer::PrivateKey { wrong: Some(why) }) => Some(format!("`{shown}` cannot be used: {why}")),
        _ => None,
    };
    if let Some(wrong) = wrong {
        judgement.findings.push(
            finding("key", severity, wrong)
                .code("unusable_certificate")
                .help("it must be a PEM file with the private key of the certificate, without a passphrase"),
        );
        return;
    }
    let uncovered: Vec<_> = names(resource, attributes)
        .into_iter()
        .filter(|name| !found.names.iter().any(|certified| covers(certified, name)))
        .collect();
    if !uncovered.is_empty() {
        let summary = format!("`{}` is not for {}", certificate.display(), quoted(&uncovered));
        judgement.findings.push(
            finding("certificate", severity, summary)
                .code("uncovered_name")
                .detail(format!("it is for {}", quoted(&found.names)))
                .help("have one issued for all of `names`, or name the right file"),
        );
        return;
    }
    if let Some(Answer::Digest(digest)) = subject.observed.get(&Query::Digest(certificate.clone()))
        && !needed
        && *digest != facts.digest
    {
        judgement.due =
            Some(format!("`{}` was renewed: it ends on {}", certificate.display(), day(found.not_after)));
    }
    near_end(subject, attributes, found, &certificate, judgement, &finding);
}

fn near_end(
    subject: Subject<'_>,
    attributes: &Attributes,
    found: &CertificateFacts,
    certificate: &FilePath,
    judgement: &mut Judgement,
    finding: &dyn Fn(&str, Severity, String) -> Diagnostic,
) {
    let left = found.not_after.saturating_sub(subject.now);
    let shown = certificate.display();
    let end = day(found.not_after);
    let (code, summary) = if left <= 0 {
        ("expired_certificate", format!("`{shown}` ended on {end}"))
    } else if found.not_before > subject.now {
        ("future_certificate", format!("`{shown}` begins on {} only", day(found.not_before)))
    } else if left < attributes.margin(found.not_after.saturating_sub(found.not_before)) {
        ("ending_certificate", format!("`{shown}` ends on {end}"))
    } else {
        return;
    };
    judgement.findings.push(
        finding("renew_before", Severity::Warning, summary)
            .code(code)
            .help("vsa does not renew what comes from files: see whether its own client still runs"),
    );
}

fn unreadable(path: &FilePath, answer: &Answer) -> String {
    match answer {
        Answer::Absent => format!("there is no `{}`", path.display()),
        Answer::Failed(why) => format!("`{}` cannot be used: {why}", path.display()),
        _ => format!("`{}` is no certificate", path.display()),
    }
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() { "no name".to_owned() } else { quoted.join(", ") }
}
