//! From the API's words to plain data. What an engine leaves out is left out; nothing here fails.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use bollard::models;

use crate::digest::sha256;
use crate::plan::docker::{
    AddressPool, Attachment, ComposeLabels, Container, ContainerState, Engine, Health, Image, LABEL_PREFIX,
    Mount, Network, Protocol, PublishedPort, Service, SwarmLabels, SwarmMembership, Task, UpdateState,
    Volume, service_name,
};

type Labels = HashMap<String, String>;

const COMPOSE: &str = "com.docker.compose.";
pub(super) const STACK: &str = "com.docker.stack.namespace";

pub(super) fn container(summary: models::ContainerSummary) -> Container {
    let labels = summary.labels.unwrap_or_default();
    let status = summary.status.unwrap_or_default();
    let names = summary.names.unwrap_or_default();
    let state = state(summary.state.map(|word| word.to_string()).as_deref());
    let mut published = BTreeSet::new();
    let mut exposed = BTreeSet::new();
    for port in summary.ports.unwrap_or_default() {
        let protocol = protocol(port.typ);
        exposed.insert((port.private_port, protocol));
        let host_ip = port.ip.as_deref().unwrap_or("0.0.0.0").parse();
        if let (Some(host_port), Ok(host_ip)) = (port.public_port, host_ip) {
            let container_port = port.private_port;
            published.insert(PublishedPort { host_ip, host_port, container_port, protocol });
        }
    }
    let networks = summary.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let health = summary.health.and_then(|health| health.status).map(|status| status.to_string());
    let health = health.as_deref().map_or_else(|| health_in(&status), word_of_health);
    Container {
        id: summary.id.unwrap_or_default(),
        // A linked container has names with a slash within as well.
        name: names
            .iter()
            .map(|name| name.trim_start_matches('/'))
            .find(|name| !name.contains('/'))
            .unwrap_or_default()
            .to_owned(),
        compose: compose(&labels),
        swarm: swarm(&labels),
        labels: own(&labels),
        image: summary.image.unwrap_or_default(),
        image_id: summary.image_id.unwrap_or_default(),
        state,
        health: health.filter(|_| state == ContainerState::Running),
        exit_code: exit_code_in(&status),
        restarts: None,
        runs_on: None,
        created: summary.created.unwrap_or_default(),
        networks: networks.into_iter().map(|(name, place)| (name, attachment(place))).collect(),
        published,
        exposed,
        mounts: summary.mounts.unwrap_or_default().into_iter().map(mount).collect(),
    }
}

pub(super) fn compose(labels: &Labels) -> Option<ComposeLabels> {
    let label =
        |name: &str| labels.get(&format!("{COMPOSE}{name}")).filter(|value| !value.is_empty()).cloned();
    Some(ComposeLabels {
        project: label("project")?,
        service: label("service")?,
        number: label("container-number").and_then(|number| number.parse().ok()).unwrap_or(1),
        config_hash: label("config-hash"),
        oneoff: label("oneoff").is_some_and(|value| value.eq_ignore_ascii_case("true")),
        working_dir: label("project.working_dir").map(Into::into),
    })
}

/// What a swarm writes on a task's container; its name is `<service>.<slot>.<id>`.
pub(super) fn swarm(labels: &Labels) -> Option<SwarmLabels> {
    let stack = labels.get(STACK)?.clone();
    let name = labels.get("com.docker.swarm.service.name")?;
    let task = labels.get("com.docker.swarm.task.name").and_then(|task| task.strip_prefix(name));
    let slot = task.and_then(|rest| rest.split('.').nth(1)?.parse().ok());
    Some(SwarmLabels { service: service_name(&stack, name).to_owned(), slot, stack })
}

pub(super) fn own(labels: &Labels) -> BTreeMap<String, String> {
    let own = labels.iter().filter(|(name, _)| name.starts_with(LABEL_PREFIX));
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What a container does, by the engine's word for it: a listing and an inspection have the same.
pub(super) fn state(word: Option<&str>) -> ContainerState {
    match word {
        Some("created") => ContainerState::Created,
        // It still runs; a stop is under way.
        Some("running" | "stopping") => ContainerState::Running,
        Some("paused") => ContainerState::Paused,
        Some("restarting") => ContainerState::Restarting,
        Some("exited") => ContainerState::Exited,
        Some("removing") => ContainerState::Removing,
        Some("dead") => ContainerState::Dead,
        _ => ContainerState::Unknown,
    }
}

pub(super) fn word_of_health(word: &str) -> Option<Health> {
    match word {
        "starting" => Some(Health::Starting),
        "healthy" => Some(Health::Healthy),
        "unhealthy" => Some(Health::Unhealthy),
        _ => None,
    }
}

/// Listings before API 1.52 tell health in their status text alone: `Up 3 seconds (health: starting)`.
fn health_in(status: &str) -> Option<Health> {
    let (_, word) = status.strip_suffix(')')?.rsplit_once('(')?;
    word_of_health(word.trim_start_matches("health: "))
}

/// Listings tell the exit code in their status text alone: `Exited (137) 3 seconds ago`.
fn exit_code_in(status: &str) -> Option<i32> {
    let rest = status.strip_prefix("Exited (").or_else(|| status.strip_prefix("Restarting ("))?;
    rest.split_once(')')?.0.parse().ok()
}

fn protocol(word: Option<models::PortSummaryTypeEnum>) -> Protocol {
    match word {
        Some(models::PortSummaryTypeEnum::UDP) => Protocol::Udp,
        Some(models::PortSummaryTypeEnum::SCTP) => Protocol::Sctp,
        _ => Protocol::Tcp,
    }
}

pub(super) fn attachment(place: models::EndpointSettings) -> Attachment {
    let addresses = [place.ip_address, place.global_ipv6_address].into_iter().flatten();
    Attachment {
        network: place.network_id.unwrap_or_default(),
        addresses: addresses.filter_map(|address| address.parse::<IpAddr>().ok()).collect(),
        aliases: place.aliases.map(|aliases| aliases.into_iter().collect()),
    }
}

pub(super) fn mount(point: models::MountPoint) -> Mount {
    Mount {
        volume: point.name.filter(|name| !name.is_empty()),
        source: point.source.unwrap_or_default().into(),
        destination: point.destination.unwrap_or_default().into(),
        writable: point.rw.unwrap_or(true),
    }
}

pub(super) fn network(network: models::Network) -> Network {
    let ranges = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    let labels = network.labels.unwrap_or_default().into_iter();
    let kept = |name: &String| name.starts_with(COMPOSE) || name.starts_with(LABEL_PREFIX) || name == STACK;
    Network {
        id: network.id.unwrap_or_default(),
        name: network.name.unwrap_or_default(),
        driver: network.driver.unwrap_or_default(),
        scope: network.scope.unwrap_or_default(),
        internal: network.internal.unwrap_or_default(),
        labels: labels.filter(|(name, _)| kept(name)).collect(),
        subnets: ranges.into_iter().filter_map(|range| range.subnet?.parse().ok()).collect(),
    }
}

pub(super) fn volume(volume: models::Volume) -> Volume {
    let project = volume.labels.get(&format!("{COMPOSE}project")).cloned();
    Volume { name: volume.name, project }
}

pub(super) fn engine(version: models::SystemVersion, info: models::SystemInfo) -> Engine {
    let pools = info.default_address_pools.unwrap_or_default().into_iter();
    let pool = |pool: models::SystemInfoDefaultAddressPools| {
        Some(AddressPool { base: pool.base?.parse().ok()?, size: u8::try_from(pool.size?).ok()? })
    };
    Engine {
        version: version.version.unwrap_or_default(),
        api_version: version.api_version.unwrap_or_default(),
        root_dir: info.docker_root_dir.unwrap_or_default().into(),
        forwards: info.ipv4_forwarding.unwrap_or(true),
        swarm: membership(info.swarm),
        address_pools: pools.filter_map(pool).collect(),
    }
}

pub(super) fn membership(swarm: Option<models::SwarmInfo>) -> SwarmMembership {
    use models::LocalNodeState as Word;
    let Some(swarm) = swarm else { return SwarmMembership::Inactive };
    match swarm.local_node_state {
        Some(Word::ACTIVE) => SwarmMembership::Active {
            node_id: swarm.node_id.unwrap_or_default(),
            manager: swarm.control_available.unwrap_or_default(),
        },
        None | Some(Word::EMPTY | Word::INACTIVE) => SwarmMembership::Inactive,
        Some(state) => SwarmMembership::Unusable {
            state: state.to_string(),
            reason: swarm.error.filter(|reason| !reason.is_empty()),
        },
    }
}

pub(super) fn image(reference: &str, summary: &models::ImageSummary) -> Image {
    let digests = summary.repo_digests.iter().filter(|digest| !digest.starts_with("<none>"));
    Image {
        reference: reference.to_owned(),
        id: summary.id.clone(),
        repo_digests: digests.cloned().collect(),
        created: summary.created,
    }
}

/// Services with their tasks.
pub(super) fn services(services: Vec<models::Service>, tasks: Vec<models::Task>) -> Vec<Service> {
    let mut by_service: HashMap<String, Vec<models::Task>> = HashMap::new();
    for task in tasks {
        by_service.entry(task.service_id.clone().unwrap_or_default()).or_default().push(task);
    }
    let mut services: Vec<_> = services
        .into_iter()
        .map(|found| {
            let mut tasks = by_service.remove(found.id.as_deref().unwrap_or_default()).unwrap_or_default();
            // RFC 3339 in UTC sorts as text.
            tasks.sort_by(|one, other| other.created_at.cmp(&one.created_at));
            service(found, tasks)
        })
        .collect();
    services.sort_by(|one, other| one.name.cmp(&other.name));
    services
}

fn service(service: models::Service, tasks: Vec<models::Task>) -> Service {
    let spec = service.spec.unwrap_or_default();
    let counts = service.service_status.unwrap_or_default();
    let id = service.id.unwrap_or_default();
    let digest = digest(&id, spec.clone());
    let template = made_from(spec.task_template.unwrap_or_default());
    let image = template.container_spec.as_ref().and_then(|container| container.image.clone());
    let update = service.update_status;
    let labels = spec.labels.unwrap_or_default();
    Service {
        id,
        name: spec.name.unwrap_or_default(),
        stack: labels.get(STACK).cloned(),
        labels: own(&labels),
        image: image.unwrap_or_default(),
        asked_for: labels.get("com.docker.stack.image").cloned(),
        digest,
        wanted: counts.desired_tasks.unwrap_or_default(),
        running: counts.running_tasks.unwrap_or_default(),
        update: update.as_ref().and_then(|update| update.state).and_then(update_state),
        message: update.and_then(|update| update.message).filter(|message| !message.is_empty()),
        tasks: tasks.into_iter().map(|found| task(found, &template)).collect(),
    }
}

/// What a swarm compares to tell a task that is out of date. What runs it is said of a service alone, and a task on a node
/// that still fits stays whatever became of where it may run.
fn made_from(spec: models::TaskSpec) -> models::TaskSpec {
    models::TaskSpec { runtime: None, placement: None, ..spec }
}

/// The form of the digests of services: one of another form says nothing.
const FORM: &str = "1";

/// A digest of what somebody has asked for of a service, but how many tasks there shall be, and the values of variables. A
/// short secret in a command line could be guessed by it, so the service's id is its key: whoever knows that asks the
/// swarm for the command line itself.
fn digest(id: &str, mut spec: models::ServiceSpec) -> String {
    spec.mode = None;
    if let Some(template) = &mut spec.task_template {
        // A restart counts it up.
        template.force_update = None;
        template.runtime = None;
        let container = template.container_spec.as_mut();
        for variable in container.and_then(|container| container.env.as_mut()).into_iter().flatten() {
            variable.truncate(variable.find('=').unwrap_or(variable.len()));
        }
    }
    // The keys of a `Value` are in order.
    let told = serde_json::to_value(&spec).unwrap_or_default();
    format!("{FORM}:{}", sha256(format!("{id}\n{told}").as_bytes()))
}

fn update_state(word: models::ServiceUpdateStatusStateEnum) -> Option<UpdateState> {
    use models::ServiceUpdateStatusStateEnum as Word;
    match word {
        Word::EMPTY => None,
        Word::UPDATING => Some(UpdateState::Updating),
        Word::PAUSED => Some(UpdateState::Paused),
        Word::COMPLETED => Some(UpdateState::Completed),
        Word::ROLLBACK_STARTED => Some(UpdateState::RollingBack),
        Word::ROLLBACK_PAUSED => Some(UpdateState::RollbackPaused),
        Word::ROLLBACK_COMPLETED => Some(UpdateState::RolledBack),
    }
}

fn task(task: models::Task, template: &models::TaskSpec) -> Task {
    let status = task.status.unwrap_or_default();
    let spec = made_from(task.spec.unwrap_or_default());
    let current = spec == *template;
    let image = spec.container_spec.and_then(|container| container.image);
    let word = |state: Option<models::TaskState>| state.map(|state| state.to_string()).unwrap_or_default();
    let container = status.container_status.unwrap_or_default();
    Task {
        id: task.id.unwrap_or_default(),
        // A service that runs once on each node numbers its tasks 0.
        slot: task.slot.filter(|slot| *slot > 0),
        node: task.node_id.filter(|node| !node.is_empty()),
        image: image.unwrap_or_default(),
        current,
        state: word(status.state),
        wanted: word(task.desired_state),
        error: status.err.filter(|error| !error.is_empty()),
        container: container.container_id.filter(|id| !id.is_empty()),
        exit_code: container.exit_code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_text_tells_health_and_exit_code() {
        for (text, health, code) in [
            ("Up 3 seconds", None, None),
            ("Up 3 seconds (health: starting)", Some(Health::Starting), None),
            ("Up About a minute (healthy)", Some(Health::Healthy), None),
            ("Up 2 hours (unhealthy)", Some(Health::Unhealthy), None),
            ("Up 2 hours (Paused)", None, None),
            ("Exited (0) 2 days ago", None, Some(0)),
            ("Exited (137) Less than a second ago", None, Some(137)),
            ("Restarting (1) 4 seconds ago", None, Some(1)),
            ("Created", None, None),
            ("", None, None),
        ] {
            assert_eq!((health_in(text), exit_code_in(text)), (health, code), "{text}");
        }
    }

    #[test]
    fn the_digest_of_a_service_tells_all_but_counts_restarts_and_values() {
        type Change = fn(&mut models::ServiceSpec, &mut models::TaskSpec);

        let spec = |change: &dyn Fn(&mut models::ServiceSpec, &mut models::TaskSpec)| {
            let container = models::TaskSpecContainerSpec {
                image: Some("app:1".to_owned()),
                env: Some(vec!["A=1".to_owned(), "B".to_owned()]),
                labels: Some((0..20).map(|number| (format!("l{number}"), String::new())).collect()),
                ..Default::default()
            };
            let mut spec = models::ServiceSpec { name: Some("shop_web".to_owned()), ..Default::default() };
            let mut template = models::TaskSpec { container_spec: Some(container), ..Default::default() };
            change(&mut spec, &mut template);
            spec.task_template = Some(template);
            spec
        };
        let same = digest("x", spec(&|_, _| {}));
        let unseen: [(&str, Change); 3] = [
            ("restarts", |_, template| template.force_update = Some(3)),
            ("counts", |spec, _| spec.mode = Some(models::ServiceSpecMode::default())),
            ("values", |_, template| {
                template.container_spec.as_mut().unwrap().env = Some(vec!["A=2".to_owned(), "B".to_owned()]);
            }),
        ];
        for (what, change) in unseen {
            assert_eq!(digest("x", spec(&change)), same, "{what}");
        }
        let seen: [(&str, Change); 6] = [
            ("user", |_, template| {
                template.container_spec.as_mut().unwrap().user = Some("root".to_owned());
            }),
            ("variables", |_, template| {
                template.container_spec.as_mut().unwrap().env = Some(vec!["A=1".to_owned()]);
            }),
            ("command", |_, template| {
                template.container_spec.as_mut().unwrap().command = Some(vec!["sh".to_owned()]);
            }),
            ("limits", |_, template| template.resources = Some(models::TaskSpecResources::default())),
            ("placement", |_, template| template.placement = Some(models::TaskSpecPlacement::default())),
            ("ports", |spec, _| spec.endpoint_spec = Some(models::EndpointSpec::default())),
        ];
        for (what, change) in seen {
            assert_ne!(digest("x", spec(&change)), same, "{what}");
        }
        assert_ne!(digest("y", spec(&|_, _| {})), same, "the id is the key");
    }
}
