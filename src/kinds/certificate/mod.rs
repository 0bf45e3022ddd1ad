//! `certificate`: a key and a certificate: self-signed, issued by an authority, or kept by somebody else.
//!
//! Each issue has a directory of its own, `certificates/<name>/<number>` below the node's root, that never changes;
//! the generation has a link to the one that it uses. So a certificate is renewed by making another issue, and going
//! back to a former generation goes back to its certificate.

mod acme;
mod attributes;
mod check;
mod held;
mod imported;
mod issue;
mod issued;
mod schema;
mod source;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use acme::waits;
pub use issued::{Issued, issued};

use attributes::{Attributes, Issuer, asks_the_same, names};
pub use held::{Held, Source, held};
use jiff::Timestamp;
use serde::Deserialize;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::names;
use crate::plan::issuance::{DNS_SECRET, EAB_KEY, Lineage, Settings};
use crate::plan::{
    Answer, Aside, Claim, ClaimScope, Distrust, Drift, File, Kind, Operation, Phase, Query, Refreshed, Step,
    Subject, Undo,
};
use crate::resource::{Path, Resource};
use crate::schema::Schema;
use crate::value::{Object, Secret, Value};

const DAY: i64 = 86_400;

/// The file of an issue with the certificate and its chain.
const CHAIN: &str = "fullchain.pem";

/// The key of what stands for a certificate that is not issued yet.
const STAND_IN_KEY: &str = "ecdsa-p256";
/// How long that is valid.
const STAND_IN_DAYS: u32 = 3650;

/// The kind.
#[derive(Debug)]
pub struct Certificate {
    schema: Schema,
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
    /// A former vsa did not write it down.
    #[serde(default)]
    not_before: i64,
    #[serde(default)]
    not_after: i64,
    #[serde(default)]
    digest: String,
    /// The number that it has in certbot's layout, where it is there too.
    #[serde(default)]
    published: u64,
    /// The issue that it is there.
    #[serde(default)]
    published_issue: Option<u64>,
    /// The account that it was ordered by.
    #[serde(default)]
    account: String,
    /// The chain's permission bits; a former vsa did not write them down.
    #[serde(default)]
    mode: Option<u32>,
    /// The id of the user whose the key is; a former vsa did not write it down.
    #[serde(default)]
    owner: Option<u32>,
    /// The lineage of certbot's whose renewal was switched off.
    #[serde(default)]
    certbot: Option<Lineage>,
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
    /// Which authority issues it, where one does.
    settings: Option<Settings>,
    /// What an issue is asked for with.
    request: String,
    /// What stands for it meanwhile is asked for with.
    stand_in: String,
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
            let stand_in = attributes.stand_in(resource, &subject.node.spec.address);
            let last = subject.node.spec.certificate(&resource.name, facts.issue);
            let settings = attributes.settings();
            Some(Self { attributes, facts, settings, request, stand_in, last })
        };
        subject.memo.get_or(make)?.as_ref()
    }

    /// Whether what is asked for is not what was asked for before.
    fn asked_anew(&self, subject: Subject<'_>) -> bool {
        self.facts.issue == 0
            || subject.prior.is_none_or(|prior| prior.node != subject.node.spec.address)
            || !asks_the_same(&self.facts.request, &self.request)
    }

    /// Whether the next issue renews the last one in the eyes of the authority: that issued it, to the node's account.
    fn renews(&self) -> bool {
        let mut words = self.facts.request.split(' ').skip(1);
        let directory = words.next().filter(|issuer| *issuer == "acme").and_then(|_| words.next());
        let same = self.settings.as_ref().is_some_and(|settings| directory == Some(settings.directory.url()));
        self.facts.issue > 0 && !self.facts.account.is_empty() && same
    }

    /// Whether the last issue is not laid out for other programs: a run was ended before it was.
    fn is_unpublished(&self) -> bool {
        let Facts { issue, published_issue, .. } = self.facts;
        self.settings.is_some() && issue > 0 && published_issue != Some(issue)
    }

    /// Whether what stands for it is there, as far as the state knows.
    fn stands_in(&self) -> bool {
        self.facts.issue == 0 && self.facts.request == self.stand_in
    }
}

/// A moment, for people.
fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
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
    /// Whether something stands for it, because it cannot be issued now.
    is_pending: bool,
    /// Whether it is taken over from certbot.
    is_adopted: bool,
}

fn judge(subject: Subject<'_>, resource: &Resource, known: &Known) -> Judgement {
    let Known { attributes, facts, .. } = known;
    let last = if facts.issue == 0 { last_kept(subject) } else { facts.issue };
    let mut judgement = Judgement { issue: last, ..Judgement::default() };
    let asked_anew = known.asked_anew(subject);
    if !asked_anew || known.stands_in() {
        judgement.drift = issue::drift(subject, &resource.name, known);
    }
    match attributes.issuer() {
        Issuer::Files => source::judge(subject, resource, attributes, facts, asked_anew, &mut judgement),
        Issuer::SelfSigned => {
            let margin = attributes.margin(i64::from(attributes.days) * DAY);
            if !asked_anew && facts.not_after.saturating_sub(subject.now) < margin {
                judgement.due = Some(format!("renewal is due: it ends on {}", day(facts.not_after)));
            }
        }
        Issuer::Acme | Issuer::LetsEncrypt | Issuer::LetsEncryptStaging => {
            acme::judge(subject, resource, known, &mut judgement);
            return judgement;
        }
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
            ("trusted", Value::from(attributes.is_trusted())),
            ("names", Value::tuple(names)),
        ])
    }

    fn check(&self, resource: &Resource, diagnostics: &mut Diagnostics) {
        if let Ok(attributes) = resource.decode::<Attributes>() {
            check::check(resource, &attributes, diagnostics);
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
        }
        if known.facts.issue > 0 || known.stands_in() {
            queries.extend(issue::queries(subject, &resource.name, known));
        }
        if known.settings.is_some() {
            queries.extend(acme::queries(subject, resource, known));
            queries.extend(imported::queries(resource, known));
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

    fn distrust(&self, subject: Subject<'_>) -> Option<Distrust> {
        let (resource, known) = subject.desired.zip(Known::of(subject))?;
        known.settings.as_ref()?;
        if judge(subject, resource, known).is_pending {
            return Some(Distrust::Pending);
        }
        (!known.attributes.is_trusted()).then_some(Distrust::Untrusted)
    }

    fn secrets(&self, subject: Subject<'_>) -> BTreeMap<&'static str, Secret> {
        let settings = subject.desired.and(Known::of(subject)).and_then(|known| known.settings.as_ref());
        let eab = settings.and_then(|settings| settings.eab.as_ref());
        let key = eab.map(|eab| (EAB_KEY, eab.hmac_key.clone()));
        let dns = settings.and_then(|settings| settings.dns()?.1).map(|secret| (DNS_SECRET, secret.clone()));
        key.into_iter().chain(dns).collect()
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
        let Some(resource) = subject.desired else { return removal(subject) };
        let Some(known) = Known::of(subject) else { return Vec::new() };
        let judgement = judge(subject, resource, known);
        let mut steps = Vec::new();
        if known.settings.is_some() && !judgement.is_pending {
            steps.extend(imported::stop(subject, resource, known));
        }
        if !judgement.is_new && !judgement.is_pending && known.is_unpublished() {
            steps.extend(publish(subject, resource, known, known.last.clone()));
            steps.extend(imported::publish(resource, known, &known.last));
        } else if judgement.is_new {
            steps.extend(issuing(subject, resource, known, &judgement));
        } else if known.facts.issue > 0 && imported::is_added(resource, known) {
            steps.extend(imported::publish(resource, known, &known.last));
        }
        let kept = known.attributes.lineage(resource);
        steps.extend(imported::resume(known.facts.certbot.as_ref(), kept.as_ref()));
        steps
    }
}

/// What takes a certificate away.
fn removal(subject: Subject<'_>) -> Vec<Step> {
    let facts = Facts::of(subject);
    let Some(name) = name(subject).filter(|_| facts.issue > 0) else { return Vec::new() };
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
    if let Some(order) = acme::order(subject, resource, known) {
        let publish = publish(subject, resource, known, directory.clone());
        if judgement.is_adopted {
            let adopt = imported::adopt(resource, known, issue, &directory);
            let adopt = adopt.map(|operation| prepare(operation, Undo::RemoveMade));
            return adopt.into_iter().chain(publish).collect();
        }
        let also = imported::publish(resource, known, &directory);
        let order = Box::new(order);
        // It counts against the authority's limits: it is kept, whatever becomes of the run.
        let operation = Operation::IssueCertificate { issue, request, directory, order };
        return std::iter::once(prepare(operation, Undo::Nothing)).chain(publish).chain(also).collect();
    }
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
    vec![prepare(operation, Undo::RemoveMade)]
}
