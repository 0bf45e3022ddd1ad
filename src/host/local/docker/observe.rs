//! Answers of the engine.

use std::collections::HashMap;
use std::path::Path;

use bollard::query_parameters::{ListContainersOptions, ListServicesOptions, ListVolumesOptions};

use super::tools::Tools;
use super::{answered, connect, convert, failure::Failure, images, inside, stacks};
use crate::plan::docker::COMPOSE_PROJECT;
use crate::plan::{Answer, Query};

/// Answers a question about Docker; each but those to a container costs one listing of the engine (two for what
/// has two parts).
pub(in crate::host::local) async fn one(vsa: &Path, query: &Query, tools: &Tools) -> Answer {
    let (socket, found) = match query {
        Query::Containers { socket } => (socket, containers(socket, None).await),
        Query::ProjectContainers { socket, project } => (socket, containers(socket, Some(project)).await),
        Query::Networks { socket } => (socket, networks(socket).await),
        Query::Volumes { socket } => (socket, volumes(socket).await),
        Query::Engine { socket } => (socket, engine(socket).await),
        Query::Images { socket, references } => (socket, images(socket, references, tools).await),
        Query::Services { socket } => (socket, services(socket).await),
        Query::ContainerNginx { container, program } => {
            (&container.socket, inside::nginx(container, program).await)
        }
        Query::ContainerMarker { container, port, host } => {
            (&container.socket, inside::marker(container, *port, host).await)
        }
        Query::ContainerProcesses(container) => (&container.socket, inside::processes(container).await),
        Query::ContainerStopped { container, process } => {
            (&container.socket, inside::stopped(container, *process).await)
        }
        Query::ComposeTool => return tools.find(vsa).await.map_or(Answer::Absent, Answer::ComposeTool),
        Query::ComposeHashes(candidate) => return tools.hashes(vsa, candidate).await,
        _ => return Answer::Failed("the question is not about Docker".to_owned()),
    };
    match found {
        Ok(answer) => answer,
        // Without an engine, nobody knows what runs in a container.
        Err(Failure::NoSocket) if !is_inside(query) => Answer::Absent,
        Err(failure) => Answer::Failed(failure.reason(socket)),
    }
}

/// Whether a question is to what runs in a container.
fn is_inside(query: &Query) -> bool {
    matches!(
        query,
        Query::ContainerNginx { .. }
            | Query::ContainerMarker { .. }
            | Query::ContainerProcesses(_)
            | Query::ContainerStopped { .. }
    )
}

/// Those of one Compose project, or all.
async fn containers(socket: &Path, project: Option<&str>) -> Result<Answer, Failure> {
    let docker = connect(socket)?;
    let label = |project: &str| vec![format!("{COMPOSE_PROJECT}={project}")];
    let filters = project.map(|project| HashMap::from([("label".to_owned(), label(project))]));
    let options = ListContainersOptions { all: true, filters, ..Default::default() };
    let found = answered(&docker, docker.list_containers(Some(options))).await?;
    let mut containers: Vec<_> = found.into_iter().map(convert::container).collect();
    containers.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Answer::Containers(containers))
}

async fn networks(socket: &Path) -> Result<Answer, Failure> {
    let docker = connect(socket)?;
    let found = answered(&docker, docker.list_networks(None)).await?;
    let mut networks: Vec<_> = found.into_iter().map(convert::network).collect();
    networks.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    Ok(Answer::Networks(networks))
}

async fn volumes(socket: &Path) -> Result<Answer, Failure> {
    let docker = connect(socket)?;
    let found = answered(&docker, docker.list_volumes(None::<ListVolumesOptions>)).await?;
    let mut volumes: Vec<_> = found.volumes.unwrap_or_default().into_iter().map(convert::volume).collect();
    volumes.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Answer::Volumes(volumes))
}

async fn engine(socket: &Path) -> Result<Answer, Failure> {
    let docker = connect(socket)?;
    let (version, info) =
        tokio::try_join!(answered(&docker, docker.version()), answered(&docker, docker.info()))?;
    Ok(Answer::Engine(convert::engine(version, info)))
}

async fn images(socket: &Path, references: &[String], tools: &Tools) -> Result<Answer, Failure> {
    let list = async || images::all(&connect(socket)?).await;
    let listing = tools.images(socket);
    Ok(Answer::Images(images::named(listing.get_or_try_init(list).await?, references)))
}

async fn services(socket: &Path) -> Result<Answer, Failure> {
    let docker = connect(socket)?;
    let options = ListServicesOptions { status: Some(true), ..Default::default() };
    let Some(services) = stacks::services(&docker, options).await? else { return Ok(Answer::Absent) };
    let tasks = answered(&docker, docker.list_tasks(None)).await?;
    Ok(Answer::Services(convert::services(services, tasks)))
}
