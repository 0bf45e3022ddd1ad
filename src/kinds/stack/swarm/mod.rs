//! A stack in a swarm: the same Compose file, deployed as a stack of services.

mod details;
mod observe;
mod steps;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) use details::{Both, running, still};
pub(super) use observe::{apart, drift, findings, foreign, lint, queries};
pub(super) use steps::steps;

use super::attributes::{Engine, OVERRIDE, Status, Update};
use super::models;
use super::wanted::Wanted;
use crate::compose::swarm::{Deployment, Part, Setup};
use crate::compose::{Environment, Project, read_variables};
use crate::diag::{Diagnostic, Diagnostics};
use crate::plan::{Answer, Blob, BlobSource, Content, Piece, PlacedBody, PlacedFile, Query, Subject};
use crate::value::{Secret, Value};

/// Whether a swarm runs a stack.
pub(super) fn is_on(wanted: &Wanted) -> bool {
    wanted.attributes.engine == Engine::Swarm
}

fn setup(wanted: &Wanted) -> Setup {
    Setup {
        start_first: wanted.attributes.update == Update::Rolling,
        stopped: wanted.attributes.status == Status::Stopped,
    }
}

/// What the swarm is given of a project that is wanted.
fn deployment(
    subject: Subject<'_>,
    wanted: &Wanted,
    project: &Project,
    files: &BTreeMap<PathBuf, PlacedFile>,
) -> Deployment {
    let variables = subject.desired.and_then(|resource| resource.get("env").as_object());
    let content = |blob: &Blob| match &blob.source {
        BlobSource::File(path) => match &files.get(path)?.body {
            PlacedBody::Bytes(bytes) => Some((bytes.to_vec(), false)),
            PlacedBody::Text(content) => {
                let text = content.exposed()?.expose().as_bytes().to_vec();
                Some((text, content.as_text().is_none()))
            }
        },
        BlobSource::Variable(name) => {
            let value: &Value = variables?.get(name.as_str())?;
            Some((value.as_str()?.as_bytes().to_vec(), value.is_sensitive()))
        }
    };
    Deployment::of(project, setup(wanted), &content)
}

/// What the swarm was given of a project, by its files of before.
fn former(subject: Subject<'_>, wanted: &Wanted, project: &Project) -> Deployment {
    let read = |path: &Path| match subject.observed.get(&Query::Read(path.to_owned())) {
        Some(Answer::Bytes(bytes)) => Some(bytes.clone()),
        _ => None,
    };
    let content = |blob: &Blob| match &blob.source {
        BlobSource::File(path) => Some((read(path)?, true)),
        BlobSource::Variable(name) => {
            let text = String::from_utf8(read(&wanted.stack.layout.env_file())?).ok()?;
            let variables = read_variables(&text, &Environment::new()).ok()?;
            Some((variables.get(name.as_str())?.text.as_bytes().to_vec(), true))
        }
    };
    Deployment::of(project, setup(wanted), &content)
}

/// The text of what the swarm is given; none of a stack that no swarm runs.
pub(super) fn document(
    subject: Subject<'_>,
    wanted: &Wanted,
    files: &BTreeMap<PathBuf, PlacedFile>,
) -> Result<Option<Content>, Diagnostics> {
    if !is_on(wanted) {
        return Ok(None);
    }
    // Where the files cannot be read, that is said already.
    if wanted.project.is_none() {
        return Ok(None);
    }
    let project = models::after(subject, &wanted.stack, files).ok_or_else(|| {
        let error = Diagnostic::error("the stack's files cannot be read together with vsa's own over them");
        Diagnostics::from(error.on(subject.address))
    })?;
    let parts = deployment(subject, wanted, &project, files).document().map_err(|reason| {
        let error = Diagnostic::error("what the swarm is given cannot be written").detail(reason);
        Diagnostics::from(error.on(subject.address))
    })?;
    let hidden = hidden(files, &wanted.stack.layout.compose().join(OVERRIDE));
    let pieces = parts.into_iter().flat_map(|part| match part {
        Part::Shown(text) => Content::hiding(&text, &hidden).pieces,
        Part::Hidden(text) => vec![Piece::Secret(text)],
    });
    Ok(Some(Content { pieces: pieces.collect() }))
}

/// What is secret in vsa's own file over the stack's: digests of files that are.
fn hidden(files: &BTreeMap<PathBuf, PlacedFile>, path: &Path) -> Vec<Secret> {
    let Some(PlacedBody::Text(content)) = files.get(path).map(|file| &file.body) else { return Vec::new() };
    let secrets = content.pieces.iter().filter_map(|piece| match piece {
        Piece::Secret(secret) => Some(secret.clone()),
        _ => None,
    });
    secrets.collect()
}

/// That an nginx on the host finds no service of a swarm.
pub(super) fn unreachable(subject: Subject<'_>, service: &str) -> Diagnostic {
    Diagnostic::error(format!("nginx on the host cannot reach the service `{service}` of `{}`", subject.address))
        .code("swarm_upstream")
        .detail(
            "a swarm publishes ports on all addresses of all its nodes, past the proxy, and on none of them for the \
             node alone",
        )
        .help("let nginx run in a container, which joins the stack's network: `proxy { mode = \"container\" }`")
        .help("or let Compose run the stack: leave `engine` away")
}
