//! `certificate`: a key and a certificate, self-signed or kept by somebody else.
//!
//! Each issue has a directory of its own, `certificates/<name>/<number>` below the node's root, that never changes;
//! the generation has a link to the one that it uses. So a certificate is renewed by making another issue, and going
//! back to a former generation goes back to its certificate.

mod issue;
mod schema;
mod source;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::names::{self, Duration, FilePath, HostName, Text as _};
use crate::plan::{
    Answer, Aside, Claim, ClaimScope, Drift, File, Kind, Operation, Phase, Query, Refreshed, Step, Subject,
    Undo,
};
use crate::resource::{Path, Resource};
use crate::schema::Schema;
use crate::value::{Object, Value};

const DAY: i64 = 86_400;

/// The kind.
#[derive(Debug)]
pub struct Certificate {
    schema: Schema,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Issuer {
    SelfSigned,
    Files,
    Acme,
}

/// What a `certificate` block says.
#[derive(Debug, Deserialize)]
struct Attributes {
    names: Option<Vec<HostName>>,
    issuer: Option<Issuer>,
    certificate: Option<FilePath>,
    key: Option<FilePath>,
    key_type: Arc<str>,
    days: u32,
    renew_before: Option<Duration>,
}

impl Attributes {
    fn issuer(&self) -> Issuer {
        self.issuer.unwrap_or(Issuer::SelfSigned)
    }

    /// The files that somebody else keeps.
    fn source(&self) -> Option<(PathBuf, PathBuf)> {
        let (certificate, key) = (self.certificate.as_ref()?, self.key.as_ref()?);
        (self.issuer() == Issuer::Files).then(|| (certificate.as_str().into(), key.as_str().into()))
    }

    /// What makes a new issue necessary when it changes, as one line.
    fn request(&self, resource: &Resource, node: &Address) -> String {
        let names = names(resource, self).join(" ");
        match self.source() {
            Some((certificate, key)) => {
                format!("{node} files {} {}", certificate.display(), key.display())
            }
            None => format!("{node} self_signed {} {} {names}", self.key_type, self.days),
        }
    }

    /// How many seconds before its end a certificate of this lifetime is renewed: a third of it, half of a short one.
    fn margin(&self, lifetime: i64) -> i64 {
        let usual = if lifetime < 10 * DAY { lifetime / 2 } else { lifetime / 3 };
        self.renew_before.as_ref().map_or(usual, |before| i64::try_from(before.seconds()).unwrap_or(i64::MAX))
    }
}

/// Whether two requests ask for the same, whatever address their node has: where that changes, the node stays.
fn asks_the_same(former: &str, request: &str) -> bool {
    let beside_node = |request: &str| request.split_once(' ').map(|(_, rest)| rest.to_owned());
    beside_node(former) == beside_node(request)
}

/// The names that it is for: its own where it says none.
fn names(resource: &Resource, attributes: &Attributes) -> Vec<String> {
    match &attributes.names {
        Some(names) => names.iter().map(ToString::to_string).collect(),
        None => vec![resource.name.to_string()],
    }
}

/// A moment as a day, so that a plan says the same all day long.
fn day(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |time| time.strftime("%Y-%m-%d").to_string())
}

/// What the state knows of the last issue.
#[derive(Debug, Default, Deserialize)]
struct Facts {
    #[serde(default)]
    issue: u64,
    #[serde(default)]
    request: String,
    #[serde(default)]
    not_after: i64,
    #[serde(default)]
    digest: String,
    /// The chain's permission bits; a former vsa did not write them down.
    #[serde(default)]
    mode: Option<u32>,
    /// The id of the user whose the key is; a former vsa did not write it down.
    #[serde(default)]
    owner: Option<u32>,
}

impl Facts {
    fn of(subject: Subject<'_>) -> Self {
        subject.prior.and_then(|prior| Self::deserialize(&prior.facts).ok()).unwrap_or_default()
    }
}

/// What is wanted and what the state knows of it, worked out once.
#[derive(Debug)]
struct Known {
    attributes: Attributes,
    facts: Facts,
    /// What an issue is asked for with.
    request: String,
    /// The directory of the last issue.
    last: PathBuf,
}

impl Known {
    fn of(subject: Subject<'_>) -> Option<&Self> {
        let make = || {
            let resource = subject.desired?;
            let attributes = resource.decode::<Attributes>().ok()?;
            let facts = Facts::of(subject);
            let request = attributes.request(resource, &subject.node.spec.address);
            let last = subject.node.spec.certificate(&resource.name, facts.issue);
            Some(Self { attributes, facts, request, last })
        };
        subject.memo.get_or(make)?.as_ref()
    }
}

/// The label names the directory; a host name, so it holds no `/`.
fn name(subject: Subject<'_>) -> Option<Arc<str>> {
    let desired = subject.desired.map(|resource| Arc::clone(&resource.name));
    desired.or_else(|| subject.prior.map(|prior| Arc::clone(&prior.name)))
}

/// What there is of former certificates of this name.
fn former(subject: Subject<'_>) -> Option<Query> {
    Some(Query::Entries(subject.node.spec.root.join("certificates").join(&*name(subject)?)))
}

/// What is to be done about a certificate.
#[derive(Debug, Default)]
struct Judgement {
    /// What is wrong with the issue that there is.
    drift: Option<(String, String)>,
    /// Why another issue is due.
    due: Option<String>,
    /// Remarks.
    findings: Diagnostics,
    /// The number of the issue that is wanted.
    issue: u64,
    /// Whether it is to be made.
    is_new: bool,
}

fn judge(subject: Subject<'_>, resource: &Resource, known: &Known) -> Judgement {
    let Known { attributes, facts, request, .. } = known;
    let last = if facts.issue == 0 { last_kept(subject) } else { facts.issue };
    let mut judgement = Judgement { issue: last, ..Judgement::default() };
    let asked_anew = facts.issue == 0
        || subject.prior.is_none_or(|prior| prior.node != subject.node.spec.address)
        || !asks_the_same(&facts.request, request);
    if !asked_anew {
        judgement.drift = issue::drift(subject, &resource.name, known);
    }
    if attributes.source().is_some() {
        source::judge(subject, resource, attributes, facts, asked_anew, &mut judgement);
    } else if !asked_anew
        && facts.not_after.saturating_sub(subject.now) < attributes.margin(i64::from(attributes.days) * DAY)
    {
        judgement.due = Some(format!("renewal is due: it ends on {}", day(facts.not_after)));
    }
    if asked_anew || judgement.drift.is_some() || judgement.due.is_some() {
        judgement.issue = judgement.issue.saturating_add(1);
        judgement.is_new = true;
    }
    judgement
}

/// The last issue of a former certificate of this name that old generations keep; 0 where there is none. Issues are
/// never changed, so a new one needs a number of its own.
fn last_kept(subject: Subject<'_>) -> u64 {
    match former(subject).and_then(|query| subject.observed.get(&query)) {
        Some(Answer::Entries(issues)) => {
            issues.keys().filter_map(|issue| names::number(issue)).max().unwrap_or(0)
        }
        _ => 0,
    }
}

impl Certificate {
    /// With its schema.
    #[expect(clippy::new_without_default, reason = "built once, by the registry")]
    pub fn new() -> Self {
        Self { schema: schema::schema() }
    }
}

impl Kind for Certificate {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn exports(&self, resource: &Resource) -> Object {
        let Ok(attributes) = resource.decode::<Attributes>() else { return Object::new() };
        let names = names(resource, &attributes).into_iter().map(Value::from);
        Object::from_iter([
            ("name", Value::string(resource.name.clone())),
            ("directory", Value::from(format!("certificates/{}", resource.name))),
            ("trusted", Value::from(attributes.issuer() != Issuer::SelfSigned)),
            ("names", Value::tuple(names)),
        ])
    }

    fn check(&self, resource: &Resource, diagnostics: &mut Diagnostics) {
        if let Ok(attributes) = resource.decode::<Attributes>() {
            check(resource, &attributes, diagnostics);
        }
    }

    fn claims(&self, resource: &Resource, node: &Address) -> Vec<Claim> {
        vec![Claim {
            scope: ClaimScope::Node(node.clone()),
            what: "certificate's directory",
            name: resource.name.clone(),
            path: Path::root(),
        }]
    }

    fn queries(&self, subject: Subject<'_>) -> Vec<Query> {
        let Some((resource, known)) = subject.desired.zip(Known::of(subject)) else { return Vec::new() };
        let mut queries = Vec::with_capacity(1);
        if known.facts.issue == 0 {
            queries.extend(former(subject));
        } else {
            queries.extend(issue::queries(subject, &resource.name, known));
        }
        queries.extend(source::queries(&known.attributes));
        queries
    }

    fn refresh(&self, subject: Subject<'_>) -> Refreshed {
        let known = subject.desired.zip(Known::of(subject));
        let Some((resource, known)) = known else { return Refreshed::default() };
        let judgement = judge(subject, resource, known);
        let drift = judgement.drift.map(|(file, what)| Drift {
            address: subject.address.clone(),
            subject: file,
            what,
            repaired: true,
            diff: None,
        });
        Refreshed { drift: drift.into_iter().collect(), due: judgement.due, findings: judgement.findings }
    }

    fn files(&self, subject: Subject<'_>, trace: bool) -> Result<Vec<File>, Diagnostics> {
        let Some(resource) = subject.desired else { return Ok(Vec::new()) };
        let known = Known::of(subject).ok_or_else(|| {
            Diagnostics::from(Diagnostic::error("its attributes cannot be read").on(subject.address))
        })?;
        let issue = judge(subject, resource, known).issue;
        let target = subject.node.spec.certificate(&resource.name, issue);
        let path = format!("certificates/{}", resource.name);
        let mut file = File::link(path, target.to_string_lossy().into_owned(), Aside::Certificate);
        if trace {
            file.origins.push((1, Path::root()));
        }
        Ok(vec![file])
    }

    fn steps(&self, subject: Subject<'_>) -> Vec<Step> {
        let Some(resource) = subject.desired else {
            let facts = Facts::of(subject);
            let Some(name) = name(subject).filter(|_| facts.issue > 0) else { return Vec::new() };
            let directory = subject.node.spec.certificate(&name, facts.issue);
            let operation = Operation::RemoveCertificate { directory };
            let undo = Undo::Irreversible { reason: "a private key is removed for good".to_owned() };
            return vec![Step { phase: Phase::CleanUp, operation, undo }];
        };
        let Some(known) = Known::of(subject) else { return Vec::new() };
        let judgement = judge(subject, resource, known);
        if !judgement.is_new {
            return Vec::new();
        }
        let Known { attributes, request, .. } = known;
        let (issue, request) = (judgement.issue, request.clone());
        let directory = subject.node.spec.certificate(&resource.name, issue);
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
        vec![Step { phase: Phase::Prepare, operation, undo: Undo::RemoveMade }]
    }
}

/// Rules that the schema cannot say.
fn check(resource: &Resource, attributes: &Attributes, diagnostics: &mut Diagnostics) {
    let root = Path::root();
    let mut report = |path: &Path, diagnostic: Diagnostic| {
        diagnostics.push(diagnostic.at(resource.span(path)).on(&resource.address));
    };
    if let Err(invalid) = HostName::parse(&resource.name) {
        let summary = format!("the name `{}` {invalid}", resource.name.escape_default());
        report(
            &root,
            Diagnostic::error(summary).help("it names a directory: write it as a label or host name"),
        );
    }
    match &attributes.names {
        Some(names) if names.is_empty() => {
            let diagnostic = Diagnostic::error("a certificate needs a name");
            report(&root.name("names"), diagnostic.help("leave `names` away to use the label"));
        }
        None if !resource.name.contains('.') && &*resource.name != "localhost" => {
            let diagnostic =
                Diagnostic::error(format!("`names` is missing: `{}` is no name of a site", resource.name));
            report(&root, diagnostic.help("add `names = [\"shop.example.com\"]`"));
        }
        _ => {}
    }
    match attributes.issuer() {
        Issuer::Acme => report(
            &root.name("issuer"),
            Diagnostic::error("certificates by ACME are not supported yet")
                .help("use `files` with a certificate that another client renews, or `self_signed`"),
        ),
        Issuer::Files => {
            for (name, path) in [("certificate", &attributes.certificate), ("key", &attributes.key)] {
                match path {
                    None => report(
                        &root.name("issuer"),
                        Diagnostic::error(format!("issuer `files` needs `{name}`"))
                            .help(format!("add `{name} = \"/etc/…\"`, a PEM file on the node")),
                    ),
                    Some(path) if !path.is_absolute() => report(
                        &root.name(name),
                        Diagnostic::error(format!("`{path}` does not begin at the root"))
                            .help("name the file by its whole path on the node"),
                    ),
                    Some(_) => {}
                }
            }
        }
        Issuer::SelfSigned => {
            for (name, path) in [("certificate", &attributes.certificate), ("key", &attributes.key)] {
                if path.is_some() {
                    let diagnostic =
                        Diagnostic::error(format!("`{name}` is of no use to a self-signed certificate"));
                    report(&root.name(name), diagnostic.help("add `issuer = \"files\"`, or leave it away"));
                }
            }
            if attributes.issuer.is_none() {
                report(
                    &root,
                    Diagnostic::warning("browsers do not trust a self-signed certificate")
                        .code("self_signed")
                        .help("`issuer = \"files\"` takes one that they trust; `issuer = \"self_signed\"` says that this is meant"),
                );
            }
            let renew_before = attributes.renew_before.as_ref().map_or(0, Duration::seconds);
            if renew_before >= u64::from(attributes.days) * DAY.unsigned_abs() {
                let diagnostic = Diagnostic::error(format!(
                    "with {} days and `renew_before` of that or more it would be renewed at every apply",
                    attributes.days
                ));
                report(
                    &root.name("renew_before"),
                    diagnostic.help("make `renew_before` shorter than `days`"),
                );
            }
        }
    }
}
