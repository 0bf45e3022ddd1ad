//! The files of a stack: what its source gives, its variables, and vsa's own file over its Compose file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::attributes::{OVERRIDE, stays};
use super::wanted::Wanted;
use super::{joined, swarm};
use crate::compose::{Override, Project, override_file, write_variable};
use crate::diag::{Diagnostic, Diagnostics};
use crate::digest::sha256;
use crate::names::Text as _;
use crate::plan::action::Access;
use crate::plan::{Content, Endpoint, NetworkName, Piece, PlacedBody, PlacedFile, Reach, Subject};
use crate::resource::Resource;
use crate::template::RenderError;
use crate::value::{Secret, Value};

fn access(mode: u32) -> Access {
    Access { owner: None, group: None, mode }
}

/// All files of a stack.
pub(super) fn placed(subject: Subject<'_>) -> Result<Vec<PlacedFile>, Diagnostics> {
    let Some(resource) = subject.desired else { return Ok(Vec::new()) };
    let Some(wanted) = Wanted::of(subject) else { return Ok(Vec::new()) };
    let Wanted { attributes, stack, .. } = wanted;
    let compose = stack.layout.compose();
    let mut files: BTreeMap<_, PlacedFile> = BTreeMap::new();
    let mut add = |file: PlacedFile| files.insert(file.path.clone(), file);
    if let Some(tree) = resource.trees.get("source") {
        for (path, leaf) in tree.iter().filter(|(path, _)| !stays(path)) {
            let mode = if leaf.executable { 0o755 } else { 0o644 };
            let body = match std::str::from_utf8(&leaf.bytes) {
                Ok(text) => PlacedBody::Text(Content::text(text)),
                Err(_) => PlacedBody::Bytes(Arc::clone(&leaf.bytes)),
            };
            add(PlacedFile { path: compose.join(&**path), access: access(mode), body });
        }
    }
    if let Some(text) = &attributes.compose {
        let body = PlacedBody::Text(Content::text(text.as_str()));
        add(PlacedFile { path: compose.join("compose.yml"), access: access(0o644), body });
    }
    for (path, value) in resource.get("files").as_object().into_iter().flatten() {
        let (content, mode) = text(value);
        let body = PlacedBody::Text(content);
        add(PlacedFile { path: compose.join(&**path), access: access(mode), body });
    }
    let body = PlacedBody::Text(environment(resource));
    add(PlacedFile { path: stack.layout.env_file(), access: access(0o640), body });
    let content = overriding(subject, wanted, &files).map_err(|error| {
        let error = Diagnostic::error(format!("`{OVERRIDE}` cannot be written"))
            .detail(error.to_string())
            .on(subject.address);
        Diagnostics::from(error)
    })?;
    let mode = if content.as_text().is_some() { 0o644 } else { 0o640 };
    let path = compose.join(OVERRIDE);
    files.insert(path.clone(), PlacedFile { path, access: access(mode), body: PlacedBody::Text(content) });
    if let Some(content) = swarm::document(subject, wanted, &files)? {
        // What containers have in their environment stands in it.
        let path = stack.layout.swarm_file();
        files.insert(
            path.clone(),
            PlacedFile { path, access: access(0o640), body: PlacedBody::Text(content) },
        );
    }
    Ok(files.into_values().collect())
}

/// A text with its mode: one that is sensitive is not for everybody.
fn text(value: &Value) -> (Content, u32) {
    let text = value.as_str().unwrap_or_default();
    if value.is_sensitive() {
        (Content { pieces: vec![Piece::Secret(Secret::new(text))] }, 0o640)
    } else {
        (Content::text(text), 0o644)
    }
}

/// The variables, a line each, quoted as every Compose tool reads them back.
pub(super) fn environment(resource: &Resource) -> Content {
    let mut pieces = vec![Piece::Text(
        "# Written by vsa. A change made here is drift, and the next apply takes it back.\n".into(),
    )];
    for (name, value) in resource.get("env").as_object().into_iter().flatten() {
        // A value that cannot be written is a finding, and keeps the plan from being applied.
        let Ok(quoted) = write_variable(value.as_str().unwrap_or_default()) else { continue };
        if value.is_sensitive() {
            pieces.extend([
                Piece::Text(format!("{name}=").into()),
                Piece::Secret(Secret::new(quoted)),
                Piece::Text("\n".into()),
            ]);
        } else {
            pieces.push(Piece::Text(format!("{name}={quoted}\n").into()));
        }
    }
    Content { pieces }
}

/// The endpoints of a stack that sites name, with their loopback ports.
pub(super) fn endpoints(subject: Subject<'_>) -> impl Iterator<Item = (&Endpoint, &[u16])> {
    let services =
        subject.endpoints.iter().filter_map(|(target, reach)| Some((target.service()?, reach.ports())));
    services.filter(move |(endpoint, _)| endpoint.target == *subject.address)
}

/// The services of a stack that sites name, with the names that a proxy in a container reaches them by.
pub(super) fn names(subject: Subject<'_>) -> impl Iterator<Item = (&Endpoint, &NetworkName)> {
    let services = subject.endpoints.iter().filter_map(|(target, reach)| match reach {
        Reach::Name(name) => Some((target.service()?, name)),
        Reach::Ports(_) => None,
    });
    services.filter(move |(endpoint, _)| endpoint.target == *subject.address)
}

/// What vsa says over the stack's own Compose file.
fn overriding(
    subject: Subject<'_>,
    wanted: &Wanted,
    files: &BTreeMap<PathBuf, PlacedFile>,
) -> Result<Content, RenderError> {
    let Wanted { attributes, project, .. } = wanted;
    let mut services: BTreeMap<Arc<str>, Override> = BTreeMap::new();
    for (name, image) in attributes.images.iter().flatten() {
        services.entry(name.as_str().into()).or_default().image = Some(image.clone());
    }
    for (name, limits) in &attributes.limits {
        let service = services.entry(name.as_str().into()).or_default();
        (service.memory, service.cpus) = (limits.memory.clone(), limits.cpus);
        service.swarm = swarm::is_on(wanted);
    }
    for (endpoint, ports) in endpoints(subject).filter(|(_, ports)| !ports.is_empty()) {
        services
            .entry(Arc::clone(&endpoint.service))
            .or_default()
            .ports
            .push((endpoint.port, ports.to_vec()));
    }
    let mut secrets = Vec::new();
    for (project, service) in
        project.iter().flat_map(|project| project.active().map(move |one| (project, one)))
    {
        let Some((digest, sensitive)) = mounted(files, &project.mounted(service)) else { continue };
        secrets.extend(sensitive.then(|| Secret::new(digest.as_str())));
        services.entry(Arc::clone(&service.name)).or_default().files = Some(digest);
    }
    // Compose 1 takes a file that says nothing of any service for one of its first format.
    if let Some(first) = project.iter().flat_map(Project::active).next() {
        services.entry(Arc::clone(&first.name)).or_default();
    }
    let networks =
        project.as_ref().map(|project| joined::over(subject, project, &mut services)).unwrap_or_default();
    Ok(Content::hiding(&override_file(&services, &networks)?, &secrets))
}

/// The digest of those files that are, or are below, what a service mounts, and whether one of them is sensitive: then
/// the digest is too, for short texts can be guessed by it.
fn mounted(files: &BTreeMap<PathBuf, PlacedFile>, paths: &BTreeSet<String>) -> Option<(String, bool)> {
    let mut all = String::new();
    let mut sensitive = false;
    for (path, file) in files.iter().filter(|(path, _)| paths.iter().any(|mount| path.starts_with(mount))) {
        let digest = match &file.body {
            PlacedBody::Bytes(bytes) => sha256(bytes),
            PlacedBody::Text(content) => {
                sensitive |= content.as_text().is_none();
                sha256(content.exposed()?.expose().as_bytes())
            }
        };
        let _ = writeln!(all, "{digest} {}", path.display());
    }
    (!all.is_empty()).then(|| (sha256(all.as_bytes()), sensitive))
}
