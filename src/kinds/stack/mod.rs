//! `stack`: a Docker Compose project of a tenant.

mod attributes;
mod containers;
mod deployed;
mod details;
mod files;
mod joined;
mod links;
mod models;
mod networks;
mod observe;
mod proxy;
mod rolling;
mod rules;
mod schema;
mod serving;
mod steps;
mod swarm;
mod takes;
mod wanted;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use attributes::{Attributes, entry, project};
pub use deployed::{Deployed, deployed};

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::names::{Slug, Text as _};
use crate::plan::{
    BroughtProxy, Claim, ClaimScope, Details, Kind, NeededNetwork, NetworkName, PlacedFile, Query, Refreshed,
    Serving, Step, Subject, Taken,
};
use crate::resource::{Path, Resource};
use crate::schema::Schema;
use crate::value::{Object, Value};
use wanted::Wanted;

/// The kind.
#[derive(Debug)]
pub struct StackKind {
    schema: Schema,
}

impl StackKind {
    /// With its schema.
    #[expect(clippy::new_without_default, reason = "built once, by the registry")]
    pub fn new() -> Self {
        Self { schema: schema::schema() }
    }
}

impl Kind for StackKind {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn exports(&self, resource: &Resource) -> Object {
        let tenant = resource.get("tenant").get("name").cloned().unwrap_or(Value::NULL);
        let project = tenant.as_str().map(|tenant| project(tenant, &resource.name));
        Object::from_iter([
            ("name", Value::string(resource.name.clone())),
            ("project", project.map_or(Value::NULL, |project| Value::from(project.as_str()))),
            ("tenant", tenant),
            ("status", resource.get("status").clone()),
            ("update", resource.get("update").clone()),
            ("engine", resource.get("engine").clone()),
        ])
    }

    fn check(&self, resource: &Resource, diagnostics: &mut Diagnostics) {
        let Ok(attributes) = Attributes::of(resource) else { return };
        let root = Path::root();
        let mut report = |path: &Path, diagnostic: Diagnostic| {
            diagnostics.push(diagnostic.at(resource.span(path)).on(&resource.address));
        };
        // With `for_each` the name is a key, which no schema has seen.
        if let Err(invalid) = Slug::parse(&resource.name) {
            let summary = format!("the name `{}` {invalid}", resource.name.escape_default());
            report(&root, Diagnostic::error(summary).help("it names a directory: write it as a label"));
        }
        match (&attributes.source, &attributes.compose) {
            (None, None) => report(
                &root,
                Diagnostic::error("the stack has no Compose file")
                    .help("name a directory with `source`, or give the text with `compose`"),
            ),
            (Some(_), Some(_)) => report(
                &root.name("compose"),
                Diagnostic::error("the stack has two Compose files")
                    .help("keep one of `source` and `compose`"),
            ),
            (Some(source), None) if entry(resource).is_none() => report(
                &root.name("source"),
                Diagnostic::error(format!("`{source}` has no Compose file")).help("name it `compose.yml`"),
            ),
            _ => {}
        }
        for (index, network) in wanted::networks(resource).enumerate() {
            let theirs = network.get("tenant").and_then(Value::as_str);
            let ours = &*attributes.tenant.name;
            if let Some(theirs) = theirs.filter(|theirs| *theirs != ours) {
                let name = network.get("name").and_then(Value::as_str).unwrap_or_default();
                report(
                    &root.name("networks").index(index),
                    Diagnostic::error(format!(
                        "`network.{name}` belongs to the tenant `{theirs}`, and this stack to `{ours}`"
                    ))
                    .help(format!("use a network of the tenant `{ours}`, or one without a tenant")),
                );
            }
        }
        if let Some(tree) = resource.trees.get("source") {
            for name in tree.keys().filter(|name| attributes::is_override(name)) {
                let (summary, help) = if &**name == attributes::OVERRIDE {
                    let help = "vsa writes a file of that name itself: give yours another name";
                    (format!("the file `{name}` of the source is left out"), help)
                } else {
                    let help = "Compose reads it by itself where it finds it, vsa does not: write what it says into the \
                                Compose file, or name it there with `include`";
                    (format!("the file `{name}` of the source is not read"), help)
                };
                report(&root.name("source"), Diagnostic::warning(summary).code("unused_file").help(help));
            }
        }
        if let Some(tree) = resource.trees.get("source")
            && tree.contains_key(".env")
        {
            report(
                &root.name("source"),
                Diagnostic::error("the source has an `.env` file, which vsa writes itself")
                    .help("move its variables to `env`, the secret ones as sensitive variables"),
            );
        }
    }

    fn claims(&self, resource: &Resource, node: &Address) -> Vec<Claim> {
        let Some(tenant) = resource.get("tenant").get("name").and_then(Value::as_str) else {
            return Vec::new();
        };
        vec![Claim {
            scope: ClaimScope::Node(node.clone()),
            what: "Compose project",
            name: project(tenant, &resource.name).into(),
            path: Path::root(),
        }]
    }

    fn queries(&self, subject: Subject<'_>) -> Vec<Query> {
        observe::queries(subject)
    }

    fn refresh(&self, subject: Subject<'_>) -> Refreshed {
        observe::refresh(subject)
    }

    fn advice(&self, subject: Subject<'_>) -> Diagnostics {
        subject
            .desired
            .zip(Wanted::of(subject))
            .map(|(resource, wanted)| rules::advice(subject, resource, wanted))
            .unwrap_or_default()
    }

    fn tenant(&self, resource: &Resource) -> Option<Arc<str>> {
        resource.get("tenant").get("name").and_then(Value::as_str).map(Arc::from)
    }

    fn takes(&self, subject: Subject<'_>) -> Vec<Taken> {
        takes::takes(subject)
    }

    fn serving(&self, subject: Subject<'_>, service: &str) -> Result<Serving, Diagnostic> {
        serving::serving(subject, service)
    }

    fn replaces_beside(&self, subject: Subject<'_>) -> bool {
        Wanted::of(subject).is_some_and(rolling::is_on)
    }

    fn network_name(
        &self,
        subject: Subject<'_>,
        service: &str,
        port: u16,
        serving: Serving,
    ) -> Result<NetworkName, Diagnostic> {
        let unread =
            || Diagnostic::error(format!("the Compose files of `{}` cannot be read", subject.address));
        let wanted = Wanted::of(subject).ok_or_else(unread)?;
        let project = wanted.project.as_ref().ok_or_else(unread)?;
        let name = joined::name(subject, project, service, port, serving)?;
        match swarm::apart(subject, &name.network).filter(|_| swarm::is_on(wanted)) {
            Some(apart) => Err(apart),
            None => Ok(name),
        }
    }

    fn networks(&self, subject: Subject<'_>) -> Vec<NeededNetwork> {
        let running = subject.desired.filter(|resource| resource.get("status").as_str() != Some("stopped"));
        let project = running.and_then(|_| Wanted::of(subject)?.project.as_ref());
        // A swarm gives its networks addresses of its own.
        let project = project.filter(|_| Wanted::of(subject).is_none_or(|wanted| !swarm::is_on(wanted)));
        project.map(|project| joined::needed(subject, project)).unwrap_or_default()
    }

    fn proxy(&self, subject: Subject<'_>) -> Option<BroughtProxy> {
        proxy::brought(subject)
    }

    fn placed(&self, subject: Subject<'_>) -> Result<Vec<PlacedFile>, Diagnostics> {
        files::placed(subject)
    }

    fn inquiries(&self, subject: Subject<'_>, files: &BTreeMap<PathBuf, PlacedFile>) -> Vec<Query> {
        details::inquiries(subject, files)
    }

    fn details(&self, subject: Subject<'_>, files: &BTreeMap<PathBuf, PlacedFile>) -> Option<Details> {
        details::details(subject, files)
    }

    fn steps(&self, subject: Subject<'_>) -> Vec<Step> {
        steps::steps(subject)
    }
}
