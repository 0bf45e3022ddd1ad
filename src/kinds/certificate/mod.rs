//! `certificate`: a key and a certificate: self-signed, issued by an authority, or kept by somebody else.
//!
//! Each issue has a directory of its own, `certificates/<name>/<number>` below the node's root, that never changes;
//! the generation has a link to the one that it uses. So a certificate is renewed by making another issue, and going
//! back to a former generation goes back to its certificate.

mod acme;
mod archived;
mod attributes;
mod check;
mod due;
mod facts;
mod first;
mod found;
mod held;
mod imported;
mod issue;
mod issued;
mod judgement;
mod known;
mod local;
mod published;
mod schema;
mod source;
mod steps;
mod told;
mod waiting;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use held::{Held, Source, held, issuer, issuer_of, roots, wanted_names, wants};
pub use issued::{Issued, issued};
pub use local::{Local, When, local};
pub use source::{Kept, Unusable};

use attributes::{Attributes, names};
use judgement::judge;
use known::Known;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::plan::issuance::{CertificateOrder, Lineage, Piece, Settings};
use crate::plan::{Aside, Claim, ClaimScope, Distrust, Drift, File, Kind, Query, Refreshed, Step, Subject};
use crate::resource::{Path, Resource};
use crate::schema::Schema;
use crate::value::{Object, Secret, Value};

const DAY: i64 = 86_400;

/// The file of an issue with the certificate and its chain.
const CHAIN: &str = Piece::Fullchain.file();

/// The file of an issue with the private key.
const KEY: &str = Piece::Privkey.file();

/// The kind.
#[derive(Debug)]
pub struct Certificate {
    schema: Schema,
}

/// The label names the directory; a host name, so it holds no `/`.
fn name(subject: Subject<'_>) -> Option<Arc<str>> {
    let desired = subject.desired.map(|resource| Arc::clone(&resource.name));
    desired.or_else(|| subject.prior.map(|prior| Arc::clone(&prior.name)))
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
        let claim = |what, name, path| Claim { scope: ClaimScope::Node(node.clone()), what, name, path };
        let attributes = resource.decode::<Attributes>().ok();
        // Written either way, it is one directory.
        let live = |lineage: Lineage| lineage.live().components().collect::<PathBuf>();
        let lineage = attributes.and_then(|attributes| attributes.lineage(resource)).map(|lineage| {
            claim(
                "lineage of certbot's",
                live(lineage).display().to_string().into(),
                Path::root().name("certbot"),
            )
        });
        let own = claim("certificate's directory", resource.name.clone(), Path::root());
        std::iter::once(own).chain(lineage).collect()
    }

    fn keeps<'a>(&self, resource: &'a Resource) -> Option<&'a str> {
        Some(&resource.name)
    }

    fn queries(&self, subject: Subject<'_>) -> Vec<Query> {
        let Some((resource, known)) = subject.desired.zip(Known::of(subject)) else { return Vec::new() };
        let mut queries = Vec::with_capacity(1);
        if known.facts.issue == 0 {
            queries.extend(first::of_issues(subject));
        }
        if known.facts.issue > 0 || known.stands_in() {
            queries.extend(issue::queries(subject, &resource.name, known));
        }
        if known.settings.is_some() {
            queries.extend(acme::queries(subject, resource, known));
            queries.extend(imported::queries(resource, known));
        }
        queries.extend(published::queries(subject, resource, known));
        queries
            .extend(source::Kept::said(resource, &known.attributes).iter().flat_map(source::Kept::queries));
        queries
    }

    fn refresh(&self, subject: Subject<'_>) -> Refreshed {
        let known = subject.desired.zip(Known::of(subject));
        let Some((resource, known)) = known else { return Refreshed::default() };
        let judgement = judge(subject, resource, known).into_owned();
        // What others may have read is served as long as there is no other.
        let is_repaired = judgement.from != judgement::Origin::Before;
        let of_issue = judgement.drift.map(|drift| (drift.file, drift.what, is_repaired));
        let laid_out = judgement.laid_out.into_iter().chain(judgement.imported);
        let laid_out = laid_out.map(|(file, what)| (file, what, true));
        let drift = of_issue.into_iter().chain(laid_out).map(|(file, what, repaired)| Drift {
            address: subject.address.clone(),
            subject: file,
            what,
            repaired,
            diff: None,
        });
        Refreshed { drift: drift.collect(), due: judgement.due, findings: judgement.findings }
    }

    fn order(&self, subject: Subject<'_>) -> Option<Box<CertificateOrder>> {
        let (resource, known) = subject.desired.zip(Known::of(subject))?;
        let judgement = judge(subject, resource, known);
        acme::order(resource, known).filter(|_| judgement.from == judgement::Origin::Order).map(Box::new)
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
        settings.map(Settings::secrets).unwrap_or_default()
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
        steps::steps(subject)
    }
}
