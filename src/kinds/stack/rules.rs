//! A tenant's Compose file is untrusted: what it may not do is found before anything is made.

use super::wanted::Wanted;
use super::{links, swarm};
use crate::compose::rules::{Allow, Purpose, UNUSED_ALLOW, check};
use crate::compose::write_variable;
use crate::diag::{Diagnostic, Diagnostics};
use crate::plan::Subject;
use crate::resource::{Path, Resource};

/// What is wrong with a stack's Compose files, or forbidden in them and not allowed by name.
pub(super) fn findings(subject: Subject<'_>, resource: &Resource, wanted: &Wanted) -> Diagnostics {
    let mut found = Diagnostics::new();
    let root = Path::root();
    let mut allowed = Vec::new();
    for allow in self::allowed(resource, wanted) {
        match allow {
            Ok(allow) => allowed.push(allow),
            Err(error) => found.push(error.on(subject.address)),
        }
    }
    for (name, value) in resource.get("env").as_object().into_iter().flatten() {
        if let Err(why) = write_variable(value.as_str().unwrap_or_default()) {
            let error = Diagnostic::error(format!("the value of `{name}` cannot be given to Compose"))
                .detail(format!("{why}: versions of Compose read that differently from a file of variables"))
                .at(resource.span(&root.name("env").name(&**name)))
                .help("choose another value, or put it into a file of the stack (`files`)");
            found.push(error.on(subject.address));
        }
    }
    let attribute = if wanted.attributes.compose.is_some() { "compose" } else { "source" };
    let place = resource.span(&root.name(attribute));
    let in_files = |remark: Diagnostic| remark.quoting(&wanted.sources).at(place).on(subject.address);
    found.extend(wanted.said.iter().cloned().map(in_files));
    found.extend(swarm::findings(subject, resource, wanted));
    found.extend(swarm::lint(subject, wanted).into_iter().map(in_files));
    if let Some(project) = &wanted.project {
        let project = project.clone().with_links(links::found(subject, wanted));
        let judged = check(&project, &allowed, Purpose::Safety);
        // What is allowed in vain stands in the configuration, all else in the Compose files.
        found.extend(judged.into_iter().map(|remark| match remark.code {
            Some(UNUSED_ALLOW) => remark.on(subject.address),
            _ => in_files(remark),
        }));
    }
    found
}

/// The rules that need not hold.
fn allowed(resource: &Resource, wanted: &Wanted) -> impl Iterator<Item = Result<Allow, Diagnostic>> {
    let texts = wanted.attributes.allow.iter().enumerate();
    texts.map(|(index, text)| Allow::parse(text, resource.span(&Path::root().name("allow").index(index))))
}

/// What stacks do that run well, and this one does not.
pub(super) fn advice(subject: Subject<'_>, resource: &Resource, wanted: &Wanted) -> Diagnostics {
    let Some(project) = &wanted.project else { return Diagnostics::new() };
    let allowed: Vec<Allow> = allowed(resource, wanted).filter_map(Result::ok).collect();
    let attribute = if wanted.attributes.compose.is_some() { "compose" } else { "source" };
    let place = resource.span(&Path::root().name(attribute));
    let told = check(project, &allowed, Purpose::Practice).into_iter().map(|remark| match remark.code {
        Some(UNUSED_ALLOW) => remark.on(subject.address),
        _ => remark.quoting(&wanted.sources).at(place).on(subject.address),
    });
    told.collect()
}
