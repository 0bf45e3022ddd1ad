//! What `docker stack deploy` does not take of a project: keys that it ignores, keys that it refuses, and what to write instead
//! (Docker manual, "Compose file version 3 reference"; the property lists of Docker's command line).

use super::deployment::Setup;
use super::services::is_taken;
use super::updating::{Order, Updating};
use crate::compose::{MountKind, Project, Service};
use crate::diag::{Diagnostic, Diagnostics};

/// Keys that are left out without an error, and what takes their place.
const IGNORED: [(&str, &str); 16] = [
    ("cgroup_parent", "set limits in `deploy.resources`"),
    ("container_name", "the tasks of a service have names of their own: reach it by the service's name"),
    ("devices", "let Compose run the stack, on the node that has the device: leave `engine` away"),
    ("domainname", "write the whole name in `hostname`"),
    ("expose", "services of one network reach each other on all ports"),
    ("external_links", "join the other service's network"),
    ("ipc", "let the services share a volume"),
    ("links", "services of one network reach each other by name"),
    ("mac_address", "a swarm gives addresses itself"),
    ("network_mode", "name a network in `networks`"),
    ("pid", "put both programs into one service"),
    ("privileged", "add the one capability that it needs in `cap_add`"),
    ("restart", "write `deploy.restart_policy`"),
    ("security_opt", "set it for all containers, in the container engine of each node"),
    ("shm_size", "mount a `tmpfs` of that size at `/dev/shm`"),
    ("userns_mode", "set it for all containers, in the container engine of each node"),
];

/// Keys that end the deployment with an error.
const REFUSED: [(&str, &str); 22] = [
    ("attach", "remove it: it is about what `docker compose up` prints"),
    ("cpu_quota", "write `deploy.resources.limits.cpus`"),
    ("cpu_shares", "write `deploy.resources.reservations.cpus`"),
    ("cpus", "write `deploy.resources.limits.cpus`"),
    ("cpuset", "write `deploy.resources.limits.cpus`: how many, for which ones cannot be said"),
    ("develop", "remove it: it is for `docker compose watch`"),
    ("gpus", "write `deploy.resources.reservations.generic_resources`"),
    ("group_add", "set `user`"),
    ("label_file", "write the labels in `labels`"),
    ("mem_limit", "write `deploy.resources.limits.memory`"),
    ("mem_reservation", "write `deploy.resources.reservations.memory`"),
    ("memswap_limit", "write `deploy.resources.limits.memory`: swap cannot be limited by itself"),
    ("models", "give the service the address of its model in `environment`"),
    ("oom_score_adj", "keep memory for the service with `deploy.resources.reservations.memory`"),
    ("pids_limit", "write `deploy.resources.limits.pids`"),
    ("post_start", "do it in the image's entrypoint"),
    ("pre_stop", "do it in the program, on its stop signal"),
    ("provider", "use a service with an `image`"),
    ("pull_policy", "write `pull` in the stack's block"),
    ("scale", "write `deploy.replicas`"),
    ("volume_driver", "write the `driver` of the volume itself"),
    ("volumes_from", "name the volume in both services"),
];

/// The longest name of a service in a swarm: it is one label of a name in DNS.
const LONGEST: usize = 63;

/// What a swarm ignores (warnings) and refuses (errors), in the services that run.
pub fn lint(project: &Project, setup: Setup) -> Diagnostics {
    let mut said = Diagnostics::new();
    for service in project.active() {
        let ignored = |key| {
            Diagnostic::warning(format!("a swarm ignores `{key}`"))
                .code("swarm_ignored")
                .detail("the service runs as if it were not there")
        };
        let refused = |key| {
            Diagnostic::error(format!("a swarm refuses `{key}`"))
                .code("swarm_refused")
                .detail("`docker stack deploy` ends with an error where a file has it")
        };
        let ignored = IGNORED.iter().map(|(key, instead)| (*key, ignored(*key), *instead));
        let refused = REFUSED.iter().map(|(key, instead)| (*key, refused(*key), *instead));
        for (key, told, instead) in ignored.chain(refused) {
            let Some(entry) = service.node.map().and_then(|map| map.get(key)) else { continue };
            said.push(told.at(entry.key).also(service.key, "of this service").help(instead));
        }
        let name = format!("{}_{}", project.started_as, service.name);
        if name.len() > LONGEST || service.name.contains('.') {
            said.push(
                Diagnostic::error(format!("a swarm takes no service of the name `{name}`"))
                    .code("swarm_refused")
                    .at(service.key)
                    .help(format!(
                        "letters, digits, `-` and `_`, at most {LONGEST} with the stack's name before it"
                    )),
            );
        }
        let named = |key: &str| IGNORED.iter().chain(&REFUSED).any(|(name, _)| *name == key);
        // Of these is told elsewhere, or vsa does it in the swarm's place.
        let apart = ["build", "depends_on", "env_file", "extends", "profiles"];
        for (key, entry) in service.node.map().into_iter().flatten() {
            if !named(key) && !apart.contains(&&**key) && !key.starts_with("x-") && !is_taken(key) {
                let summary = format!("a swarm ignores `{}`", crate::diag::visible(key));
                let told = Diagnostic::warning(summary).code("swarm_ignored").at(entry.key);
                said.push(told.also(service.key, "of this service").help("remove it"));
            }
        }
        others(project, service, &mut said);
        said.extend(unchecked(service, setup));
    }
    shared(project, &mut said);
    said.sort();
    crate::compose::interpolate::hushed(said, &project.hidden)
}

/// That nobody asks a new task whether it answers before an old one ends for it.
fn unchecked(service: &Service, setup: Setup) -> Option<Diagnostic> {
    if service.has_healthcheck() || Updating::of(service, setup.start_first).order != Order::StartFirst {
        return None;
    }
    let name = crate::diag::visible(&service.name);
    let order = service.at(&["deploy", "update_config", "order"]);
    Some(
        Diagnostic::warning(format!("an update of `{name}` ends the old task before the new one answers"))
            .code("swarm_unchecked")
            .detail(
                "new tasks start first, and one without a health check counts as soon as its process runs",
            )
            .at(order.map_or(service.key, |order| order.span))
            .help("give the service a `healthcheck`; where its image has one, repeat it here"),
    )
}

/// What is wrong with what services share.
fn shared(project: &Project, said: &mut Diagnostics) {
    for (name, network) in &project.networks {
        let driver = network.node.text_of("driver").filter(|driver| !matches!(&*driver.text, "" | "overlay"));
        if let Some(driver) = driver.filter(|_| !network.is_external()) {
            let name = crate::diag::visible(name);
            said.push(
                Diagnostic::error(format!(
                    "services of a swarm cannot share `{name}`: it is no overlay network"
                ))
                .code("swarm_refused")
                .at(driver.span)
                .help("remove `driver`: a swarm makes overlay networks"),
            );
        }
    }
    for (what, known) in [("secret", &project.secrets), ("config", &project.configs)] {
        for (name, resource) in known.iter().filter(|(_, resource)| !resource.is_external()) {
            let given = ["file", "environment"].into_iter().any(|key| resource.node.text_of(key).is_some());
            if !given {
                let name = crate::diag::visible(name);
                said.push(
                    Diagnostic::error(format!("the {what} `{name}` has no content that a swarm can be given"))
                        .code("swarm_refused")
                        .at(resource.key)
                        .help(format!("name a `file` of the stack's, or a variable of the stack's with `environment`, for the {what}")),
                );
            }
        }
    }
}

/// What takes more than the key to know.
fn others(project: &Project, service: &Service, said: &mut Diagnostics) {
    if let Some(build) = service.get("build") {
        let told = if service.image().is_some() {
            Diagnostic::warning("a swarm ignores `build`").code("swarm_ignored")
        } else {
            Diagnostic::error("a swarm builds no images, and this service has no `image`")
                .code("swarm_refused")
        };
        let help = "build the image, push it to a registry that all nodes reach, and name it in `image`";
        said.push(told.at(build.span).also(service.key, "of this service").help(help));
    }
    for (name, entry) in service.section("depends_on") {
        let condition = entry.node.text_of("condition");
        if let Some(condition) = condition.filter(|condition| &*condition.text != "service_started") {
            said.push(
                Diagnostic::warning(format!("a swarm does not wait for `{}`", crate::diag::visible(name)))
                    .code("swarm_ignored")
                    .at(condition.span)
                    .also(service.key, "this service starts at once")
                    .help("let the program try again until what it needs is there"),
            );
        }
    }
    for port in &service.ports {
        if let Some(address) = &port.address {
            // Not a remark about style: a port of the loopback is open to the network then.
            said.push(
                Diagnostic::error(
                    "a swarm publishes on all addresses of all nodes, whatever address is written",
                )
                .code("swarm_published_port")
                .at(address.span)
                .also(service.key, "of this service")
                .help("remove the port, and point a `domain` at the service"),
            );
        }
    }
    for mount in &service.mounts {
        let Some(source) = &mount.source else { continue };
        let local = match mount.kind {
            MountKind::Bind => true,
            MountKind::Volume => {
                let volume = project.volumes.get(&source.text);
                let driver = volume.and_then(|volume| volume.node.text_of("driver"));
                driver.is_none_or(|driver| matches!(&*driver.text, "" | "local"))
            }
            MountKind::Tmpfs | MountKind::Other => false,
        };
        let placed = service.at(&["deploy", "placement", "constraints"]).is_some();
        if local && !placed {
            said.push(
                Diagnostic::warning(format!("`{}` is there on one node, and the service may run on any", source.shown()))
                    .code("swarm_local_data")
                    .at(source.span)
                    .also(service.key, "of this service")
                    .help("keep the service where its data is: `deploy.placement.constraints: [node.hostname == …]`"),
            );
        }
    }
}
