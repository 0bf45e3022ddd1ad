//! Compose projects: made ready, brought up and waited for, stopped, taken down, and brought back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use super::settling::{POLL, Waiting, Watch, settled, started};
use super::{Context, Facts, fact, networks};
use crate::apply::compose::{self, Task};
use crate::compose::{Environment, read_variables};
use crate::diag::Diagnostic;
use crate::host::{DockerOperation, Host};
use crate::plan::docker::{Container, ContainerState, Health, attached};
use crate::plan::observation::FileType;
use crate::plan::{Answer, ComposeProject, Piece, PlacedBody, PullPolicy, Query, RollingService};
use crate::state::Stored;
use crate::state::attributes::{self, Tree};

/// The shortest line of a longer secret that is masked by itself: what is shorter stands in anything.
const TELLING: usize = 6;

/// The secrets that the files of a stack hold, new and former, by its file of variables: nothing that its containers or
/// the tool say is shown with them.
pub(super) async fn secrets(context: Context<'_>, env_file: &Path) -> Vec<String> {
    let root = env_file.ancestors().nth(2).unwrap_or(env_file);
    let node = &context.spec.address;
    let files = context.placed.iter().filter(|((at, path), _)| at == node && path.starts_with(root));
    let pieces = files.flat_map(|(_, file)| match &file.body {
        PlacedBody::Text(content) => content.pieces.as_slice(),
        PlacedBody::Bytes(_) => &[],
    });
    let new = pieces.filter_map(|piece| match piece {
        Piece::Secret(secret) => Some(secret.expose().to_owned()),
        _ => None,
    });
    let mut secrets: Vec<String> = new.collect();
    if let Some(stored) = context.state.on(node).find(|stored| stored.placed.contains_key(env_file)) {
        secrets.extend(on_the_node(context.host, stored, env_file).await);
    }
    spelled(&secrets)
}

/// The secrets of a stack that the state knows, as its containers and the tool may spell them.
pub async fn known_secrets(host: &dyn Host, stored: &Stored, env_file: &Path) -> Vec<String> {
    spelled(&on_the_node(host, stored, env_file).await)
}

/// Secrets with all that they may be written as; the longest first, for one may stand in another.
pub(in crate::apply) fn spelled(secrets: &[String]) -> Vec<String> {
    let spelled = secrets.iter().flat_map(|text| {
        let lines = text.lines().filter(|line| line.len() >= TELLING).map(str::to_owned);
        [text.clone(), unquoted(text)].into_iter().chain(lines)
    });
    let mut spelled: Vec<String> = spelled.collect();
    spelled.sort_by_key(|text| std::cmp::Reverse(text.len()));
    spelled
}

/// Those that stand in the project's files on the node, as far as the state knows which are secret.
async fn on_the_node(host: &dyn Host, stored: &Stored, env_file: &Path) -> Vec<String> {
    let known = attributes::decode(&stored.attributes).ok();
    let names: BTreeSet<&str> = match known.as_ref().and_then(|known| known.get("env")) {
        Some(Tree::Object(variables)) => {
            let secret = variables.iter().filter(|(_, value)| matches!(value, Tree::Sensitive(_)));
            secret.map(|(name, _)| &**name).collect()
        }
        _ => BTreeSet::new(),
    };
    let sealed = stored.placed.iter().filter(|(_, file)| file.sealed.is_some());
    let paths: Vec<_> = sealed.flat_map(|(path, _)| [path.clone(), super::former(path)]).collect();
    let queries: Vec<Query> = paths.iter().cloned().map(Query::Read).collect();
    let answers = host.observe(&queries).await;
    let mut found = Vec::new();
    for (path, answer) in paths.iter().zip(answers) {
        let Answer::Bytes(bytes) = answer else { continue };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if path == env_file || *path == super::former(env_file) {
            let values = text.lines().filter_map(|line| line.split_once('='));
            found.extend(values.filter(|(name, _)| names.contains(name)).map(|(_, value)| value.to_owned()));
            // A value may go on over several lines.
            let read = read_variables(&text, &Environment::new()).unwrap_or_default();
            let read = read.into_iter().filter(|(name, _)| names.contains(&**name));
            found.extend(read.map(|(_, value)| value.text.to_string()));
        } else {
            found.push(text);
        }
    }
    found
}

/// A value of an environment file as a container has it.
fn unquoted(text: &str) -> String {
    if !text.starts_with(['\'', '"']) {
        return text.to_owned();
    }
    let read = read_variables(&format!("VALUE={text}"), &Environment::new());
    let value = read.ok().and_then(|mut found| found.remove("VALUE"));
    value.map_or_else(|| text.to_owned(), |value| value.text.to_string())
}

/// Proves that a project can be brought up, as far as that shows before.
pub(super) async fn prepare(
    context: Context<'_>,
    project: &ComposeProject,
    ports: &[u16],
) -> Result<Facts, Diagnostic> {
    context.tool.find(context.host).await?;
    compose::containers(context.host, project).await?;
    for port in ports {
        if context.host.accepts(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).await {
            return Err(Diagnostic::error(format!("port {port} of 127.0.0.1 is taken"))
                .detail(format!("project `{}` would publish a service there", project.name))
                .help("end what listens there, or move the node's range with `docker { first_port, last_port }`"));
        }
    }
    Ok(Facts::new())
}

/// How a project is brought up.
#[derive(Clone, Copy)]
pub(super) struct Up<'a> {
    pub(super) pull: PullPolicy,
    /// How long to wait, in seconds.
    pub(super) wait: u32,
    /// The services whose new containers come up beside the old ones, and then the others.
    pub(super) rolling: &'a [RollingService],
    pub(super) others: &'a [String],
    /// Containers of services that are gone, which stay for now.
    pub(super) leaving: &'a [String],
    /// Whether its containers and networks are removed first.
    pub(super) anew: bool,
    /// The services that are made anew whatever the tool thinks of them.
    pub(super) again: &'a [String],
}

/// Brings a project up, and waits until its containers do their work.
pub(super) async fn up(
    context: Context<'_>,
    project: &ComposeProject,
    how: Up<'_>,
) -> Result<Facts, Diagnostic> {
    let Up { pull, wait, rolling, others, leaving, anew, again } = how;
    let secrets = secrets(context, &project.env_file).await;
    if pull == PullPolicy::Always {
        compose::run(context.host, context.tool, project, &Task::Pull, &secrets).await?;
    }
    let paused = unpause(context.host, project).await?;
    recovered(context.host, project, &paused, Duration::from_secs(wait.into())).await?;
    let mut left = None;
    if anew {
        left = Some(networks::leave(context, project).await?);
        take_down(context, project, &secrets).await?;
    }
    // What goes may be ill: perhaps that is why it goes.
    let old = rolling.iter().flat_map(|service| &service.old).chain(leaving);
    let old: BTreeSet<&str> = old.map(String::as_str).collect();
    let waiting = Waiting { seconds: wait, secrets: &secrets, old: &old, told: context.told };
    let never_pull = pull == PullPolicy::Never;
    let mut tasks = Vec::new();
    if rolling.is_empty() {
        tasks.push(Task::Up { orphans: false, never_pull });
    } else {
        if !others.is_empty() {
            tasks.push(Task::UpOf { services: others.to_vec(), never_pull });
        }
        let scale = rolling.iter().map(|service| (service.name.clone(), service.scale)).collect();
        tasks.push(Task::UpBeside { scale, never_pull });
    }
    if !again.is_empty() {
        tasks.push(Task::UpAnew { services: again.to_vec(), never_pull });
    }
    let mut watch = Watch::default();
    for task in tasks {
        started(context.host, context.tool, project, &task, waiting, &mut watch).await?;
    }
    let containers = settled(context.host, project, waiting, &mut watch).await?;
    if let Some(left) = left {
        networks::join_again(context, &left).await?;
    }
    Ok(fact("services", services(&containers, &secrets)))
}

/// Lets containers go on that somebody paused: the tool neither does that nor stops them.
/// Returns their ids.
async fn unpause(host: &dyn Host, project: &ComposeProject) -> Result<BTreeSet<String>, Diagnostic> {
    let all = compose::containers(host, project).await?;
    let is_paused = |container: &Container| container.state == ContainerState::Paused;
    let paused: BTreeSet<String> = all.into_iter().filter(is_paused).map(|container| container.id).collect();
    for container in &paused {
        let operation = DockerOperation::Unpause { container: container.clone() };
        host.docker(&project.socket, operation).await?;
    }
    Ok(paused)
}

/// Waits, so long at most, until those that were paused are not ill any more: no health check passes in one that is.
async fn recovered(
    host: &dyn Host,
    project: &ComposeProject,
    paused: &BTreeSet<String>,
    patience: Duration,
) -> Result<(), Diagnostic> {
    let since = host.elapsed();
    while !paused.is_empty() && host.elapsed().saturating_sub(since) < patience {
        let all = compose::containers(host, project).await?;
        let mut paused = all.iter().filter(|container| paused.contains(&container.id));
        if !paused.any(|container| container.health == Some(Health::Unhealthy)) {
            break;
        }
        host.sleep(POLL).await;
    }
    Ok(())
}

/// Removes the containers that came up beside the old ones.
pub(super) async fn remove_beside(
    context: Context<'_>,
    project: &ComposeProject,
    rolling: &[RollingService],
) -> Result<(), Diagnostic> {
    for container in compose::containers(context.host, project).await? {
        let mut services = rolling.iter();
        let new = services.any(|service| {
            container.service() == Some(&service.name) && !service.here.contains(&container.id)
        });
        if new {
            let operation = DockerOperation::Remove { container: container.id };
            context.host.docker(&project.socket, operation).await?;
        }
    }
    Ok(())
}

/// Stops and removes containers.
pub(super) async fn retire(
    context: Context<'_>,
    project: &ComposeProject,
    containers: &BTreeMap<String, u32>,
) -> Result<Facts, Diagnostic> {
    for (container, patience) in containers {
        let patience = Duration::from_secs(u64::from(*patience));
        let stop = DockerOperation::Stop { container: container.clone(), patience };
        context.host.docker(&project.socket, stop).await?;
        let remove = DockerOperation::Remove { container: container.clone() };
        context.host.docker(&project.socket, remove).await?;
    }
    Ok(Facts::new())
}

/// What the state keeps of each service. A network whose name holds a secret is left out.
fn services(containers: &[Container], secrets: &[String]) -> serde_json::Value {
    let mut services: BTreeMap<&str, Vec<&Container>> = BTreeMap::new();
    for container in containers {
        if let Some(labels) = &container.compose {
            services.entry(&labels.service).or_default().push(container);
        }
    }
    let known = services.into_iter().map(|(service, containers)| {
        let newest = containers.iter().max_by_key(|container| container.created);
        let hash = newest.and_then(|container| container.compose.as_ref()?.config_hash.clone());
        let image = newest.map(|container| container.image_id.clone());
        // A job: it is not missed where it does not run.
        let ended = containers.iter().all(|container| container.state == ContainerState::Exited);
        let is_open = |name: &&String| compose::masked((*name).clone(), secrets) == **name;
        let networks = newest.map(|container| container.networks.keys().filter(is_open).collect::<Vec<_>>());
        let known = serde_json::json!({
            "hash": hash, "image": image, "count": containers.len(), "ended": ended, "networks": networks
        });
        (service.to_owned(), known)
    });
    serde_json::Value::Object(known.collect())
}

/// Stops a project.
pub(super) async fn stop(context: Context<'_>, project: &ComposeProject) -> Result<Facts, Diagnostic> {
    unpause(context.host, project).await?;
    compose::run(
        context.host,
        context.tool,
        project,
        &Task::Stop,
        &secrets(context, &project.env_file).await,
    )
    .await?;
    Ok(Facts::new())
}

/// Removes a project's containers and networks, and with `volumes` the volumes that it made, those of former files too:
/// what has its label, whoever else has a volume of a name that its files say.
pub(super) async fn down(
    context: Context<'_>,
    project: &ComposeProject,
    volumes: bool,
) -> Result<Facts, Diagnostic> {
    let secrets = secrets(context, &project.env_file).await;
    take_down(context, project, &secrets).await?;
    if volumes {
        let remove = DockerOperation::RemoveVolumes { project: project.name.clone() };
        context.host.docker(&project.socket, remove).await?;
    }
    Ok(Facts::new())
}

/// How long a container may take to end that is stopped without the tool: as long as Docker gives.
const ENDS: Duration = Duration::from_secs(10);

/// Removes a project's containers and networks: by the tool, or else, where the files are not there that it reads, by
/// their labels.
async fn take_down(
    context: Context<'_>,
    project: &ComposeProject,
    secrets: &[String],
) -> Result<(), Diagnostic> {
    let (host, socket) = (context.host, &project.socket);
    unpause(host, project).await?;
    if has_files(host, project).await {
        compose::run(host, context.tool, project, &Task::Down, secrets).await?;
    } else {
        let query =
            Query::ProjectContainers { socket: socket.clone(), project: project.name.as_str().into() };
        let answer = host.observe(&[query]).await.pop();
        let Some(Answer::Containers(all)) = answer else { return Err(compose::unanswered(answer, socket)) };
        for container in all {
            let stop = DockerOperation::Stop { container: container.id.clone(), patience: ENDS };
            host.docker(socket, stop).await?;
            let remove = DockerOperation::Remove { container: container.id };
            host.docker(socket, remove).await?;
        }
    }
    nothing_left(host, project, secrets).await
}

/// Whether all files are there that the tool reads first.
async fn has_files(host: &dyn Host, project: &ComposeProject) -> bool {
    let files = project.files.iter().chain([&project.env_file]);
    let queries: Vec<Query> = files.cloned().map(Query::Stat).collect();
    let answers = host.observe(&queries).await;
    let is_file = |answer: &Answer| matches!(answer, Answer::Stat(stat) if stat.file_type == FileType::File);
    answers.iter().all(is_file)
}

/// Sees to it that a project's networks have gone, those of former files too. One that others are in is left, and only
/// the first Compose calls that a failure.
async fn nothing_left(
    host: &dyn Host,
    project: &ComposeProject,
    secrets: &[String],
) -> Result<(), Diagnostic> {
    let socket = &project.socket;
    let asked = [Query::Networks { socket: socket.clone() }, Query::Containers { socket: socket.clone() }];
    let answers = host.observe(&asked).await;
    let [Answer::Networks(networks), Answer::Containers(containers)] = &answers[..] else { return Ok(()) };
    let own = networks.iter().filter(|network| network.project() == Some(&project.name));
    let (empty, taken): (Vec<_>, Vec<_>) =
        own.partition(|network| attached(network, containers).next().is_none());
    // The tool knows those alone that the files name now.
    for network in empty {
        let remove = DockerOperation::RemoveNetwork { name: network.name.clone() };
        host.docker(socket, remove).await?;
    }
    let Some(network) = taken.first() else { return Ok(()) };
    let inside = attached(network, containers).filter_map(|id| containers.iter().find(|one| one.id == id));
    let names: Vec<String> = inside.map(|container| format!("`{}`", container.name)).collect();
    let detail =
        format!("its network `{}` is still there, for others are in it: {}", network.name, names.join(", "));
    Err(Diagnostic::error(format!("project `{}` could not be taken down", project.name))
        .detail(compose::masked(detail, secrets))
        .help("take them out with `docker network disconnect`, or remove them; the next apply goes on"))
}

/// Brings a project back to as its former files say, which are in their places again.
pub(super) async fn restore(
    context: Context<'_>,
    project: &ComposeProject,
    was_up: bool,
    anew: bool,
) -> Result<(), Diagnostic> {
    if !was_up {
        return Ok(());
    }
    let secrets = secrets(context, &project.env_file).await;
    let mut left = None;
    if anew {
        left = Some(networks::leave(context, project).await?);
        take_down(context, project, &secrets).await?;
    }
    name_again(context.host, project).await?;
    // What was up has its images.
    let up = Task::Up { orphans: true, never_pull: true };
    compose::run(context.host, context.tool, project, &up, &secrets).await?;
    match left {
        Some(left) => networks::join_again(context, &left).await,
        None => Ok(()),
    }
}

/// Gives containers their names again that the first Compose has put aside, as `<id>_<name>`, for new ones that it could
/// then not start; those go. What is mounted into both stays with the old ones.
async fn name_again(host: &dyn Host, project: &ComposeProject) -> Result<(), Diagnostic> {
    let all = compose::containers(host, project).await?;
    for aside in &all {
        let short = aside.id.get(..12).unwrap_or(&aside.id);
        let Some(name) = aside.name.strip_prefix(short).and_then(|rest| rest.strip_prefix('_')) else {
            continue;
        };
        for new in all.iter().filter(|container| container.name == name) {
            let remove = DockerOperation::Remove { container: new.id.clone() };
            host.docker(&project.socket, remove).await?;
        }
        let rename = DockerOperation::Rename { container: aside.id.clone(), name: name.to_owned() };
        host.docker(&project.socket, rename).await?;
    }
    Ok(())
}
