//! Certificates that somebody else keeps in files on the node.

use std::path::{Path as FilePath, PathBuf};

use serde::Deserialize;

use crate::diag::{Diagnostic, Severity, day};
use crate::names::covers;
use crate::plan::Subject;
use crate::plan::observation::{Answer, CertificateFacts, Observations, Query};
use crate::resource::{Path, Resource};
use crate::state::Stored;

use super::attributes::{Attributes, applied_names, names};
use super::facts::Facts;
use super::judgement::Judgement;

/// Files that somebody else keeps, and the names that they are to be for.
#[derive(Debug)]
pub struct Kept {
    certificate: PathBuf,
    key: PathBuf,
    names: Vec<String>,
}

/// Why they cannot be used.
#[derive(Debug)]
pub struct Unusable {
    /// In one line.
    pub summary: String,
    code: &'static str,
    /// The attribute that names the file.
    attribute: &'static str,
    detail: Option<String>,
    help: &'static str,
}

impl Unusable {
    /// For people.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.summary.clone()).code(self.code);
        let diagnostic = self.detail.iter().fold(diagnostic, |all, detail| all.detail(detail.clone()));
        diagnostic.help(self.help)
    }
}

impl Kept {
    /// Those of a certificate that is wanted; `None` of another one.
    pub fn of(resource: &Resource) -> Option<Self> {
        Self::said(resource, &resource.decode().ok()?)
    }

    /// As [`Kept::of`], by what its block says.
    pub(super) fn said(resource: &Resource, attributes: &Attributes) -> Option<Self> {
        let (certificate, key) = attributes.source()?;
        Some(Self { certificate, key, names: names(resource, attributes) })
    }

    /// Those of a certificate in the state that was copied from files.
    pub fn stored(stored: &Stored) -> Option<Self> {
        #[derive(Deserialize)]
        struct Attributes {
            certificate: PathBuf,
            key: PathBuf,
        }
        let Attributes { certificate, key } = serde_json::from_str(stored.attributes.get()).ok()?;
        let names = applied_names(stored).unwrap_or_else(|| vec![stored.name.clone()]);
        Some(Self { certificate, key, names: names.iter().map(ToString::to_string).collect() })
    }

    /// What is asked about them.
    pub fn queries(&self) -> [Query; 3] {
        let Self { certificate, key, .. } = self;
        let pair = Query::PrivateKey { key: key.clone(), certificate: certificate.clone() };
        [Query::Certificate(certificate.clone()), Query::Digest(certificate.clone()), pair]
    }

    /// The file with the certificate and its chain.
    pub fn certificate(&self) -> &FilePath {
        &self.certificate
    }

    /// What the certificate is, where they can be used; `None` where nobody was asked.
    pub fn seen<'a>(&self, observed: &'a Observations) -> Option<Result<&'a CertificateFacts, Unusable>> {
        let [certificate, _, pair] = self.queries();
        let found = match observed.get(&certificate)? {
            Answer::Certificate(found) => found,
            answer => {
                return Some(Err(Unusable {
                    summary: unreadable(&self.certificate, answer),
                    code: "unusable_certificate",
                    attribute: "certificate",
                    detail: None,
                    help: "it must be a PEM file: the site's own certificate first, then the chain",
                }));
            }
        };
        let shown = self.key.display();
        // One that may not be read now is judged by the apply, which may.
        let wrong = match observed.get(&pair) {
            Some(Answer::Absent) => Some(format!("there is no `{shown}`")),
            Some(Answer::PrivateKey { wrong: Some(why) }) => Some(format!("`{shown}` cannot be used: {why}")),
            _ => None,
        };
        if let Some(summary) = wrong {
            return Some(Err(Unusable {
                summary,
                code: "unusable_certificate",
                attribute: "key",
                detail: None,
                help: "it must be a PEM file with the private key of the certificate, without a passphrase",
            }));
        }
        let is_covered = |name: &&String| found.names.iter().any(|certified| covers(certified, name));
        let uncovered: Vec<_> = self.names.iter().filter(|name| !is_covered(name)).cloned().collect();
        if uncovered.is_empty() {
            return Some(Ok(found));
        }
        Some(Err(Unusable {
            summary: format!("`{}` is not for {}", self.certificate.display(), quoted(&uncovered)),
            code: "uncovered_name",
            attribute: "certificate",
            detail: Some(format!("it is for {}", quoted(&found.names))),
            help: "have one issued for all of `names`, or name the right file",
        }))
    }

    /// Whether the certificate is another one than this, by its digest.
    pub fn differs(&self, digest: &str, observed: &Observations) -> bool {
        let [_, asked, _] = self.queries();
        matches!(observed.get(&asked), Some(Answer::Digest(found)) if found != digest)
    }
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
    let Some(kept) = Kept::said(resource, attributes) else { return };
    let needed = asked_anew || judgement.drift.is_some();
    let at = |diagnostic: Diagnostic, attribute: &str| {
        diagnostic.at(resource.span(&Path::root().name(attribute))).on(subject.address)
    };
    let found = match kept.seen(subject.observed) {
        None => return,
        Some(Ok(found)) => found,
        Some(Err(unusable)) => {
            let diagnostic = at(unusable.diagnostic(), unusable.attribute);
            judgement.findings.push(if needed {
                diagnostic
            } else {
                let goes_on = "the copy that vsa made of the former files goes on serving";
                let detail =
                    unusable.detail.as_ref().map_or_else(String::new, |detail| format!("{detail}; "));
                Diagnostic { severity: Severity::Warning, ..diagnostic }.detail(detail + goes_on)
            });
            return;
        }
    };
    let certificate = kept.certificate();
    if !needed && kept.differs(&facts.digest, subject.observed) {
        judgement.due =
            Some(format!("`{}` was renewed: it ends on {}", certificate.display(), day(found.not_after)));
    }
    let remark = near_end(subject, attributes, found, certificate);
    judgement.findings.extend(remark.map(|remark| at(remark, "renew_before")));
}

fn near_end(
    subject: Subject<'_>,
    attributes: &Attributes,
    found: &CertificateFacts,
    certificate: &FilePath,
) -> Option<Diagnostic> {
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
        return None;
    };
    let help = "vsa does not renew what comes from files: see whether its own client still runs";
    Some(Diagnostic::warning(summary).code(code).help(help))
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
