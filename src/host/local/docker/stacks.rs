//! Stacks of a swarm: their secrets and configs, and their end.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use base64::Engine as _;
use bollard::Docker;
use bollard::models::{ConfigSpec, SecretSpec, Service};
use bollard::query_parameters::{
    ListConfigsOptions, ListContainersOptions, ListNetworksOptions, ListSecretsOptions, ListServicesOptions,
};

use super::convert::{STACK, membership};
use super::failure::Failure;
use super::networks::gone;
use super::{EVERY, PATIENCE, answered, within};
use crate::host::{Contents, DockerAnswer};
use crate::plan::BlobKind;
use crate::plan::docker::SwarmMembership;

/// How long a network may be in use after the last task that was in it had to end.
const LEAVES: Duration = Duration::from_secs(30);

type Filters = HashMap<String, Vec<String>>;

fn of_stack(stack: &str) -> Filters {
    HashMap::from([("label".to_owned(), vec![format!("{STACK}={stack}")])])
}

fn named(name: &str) -> Filters {
    HashMap::from([("name".to_owned(), vec![name.to_owned()])])
}

/// Gives a swarm a secret or a config. What is there under that name has the same content: it stands in the name.
pub(super) async fn keep(
    docker: &Docker,
    kind: BlobKind,
    stack: &str,
    name: String,
    content: &Contents,
) -> Result<DockerAnswer, Failure> {
    let filters = Some(named(&name));
    // The engine's filter finds names that begin so too.
    let known: Vec<_> = match kind {
        BlobKind::Secret => {
            let found = within(PATIENCE, docker.list_secrets(Some(ListSecretsOptions { filters }))).await?;
            found.into_iter().filter_map(|found| found.spec?.name).collect()
        }
        BlobKind::Config => {
            let found = within(PATIENCE, docker.list_configs(Some(ListConfigsOptions { filters }))).await?;
            found.into_iter().filter_map(|found| found.spec?.name).collect()
        }
    };
    if known.contains(&name) {
        return Ok(DockerAnswer::Done { changed: false });
    }
    let data = Some(base64::engine::general_purpose::STANDARD.encode(&**content));
    let labels = Some(HashMap::from([(STACK.to_owned(), stack.to_owned())]));
    let name = Some(name);
    match kind {
        BlobKind::Secret => {
            let spec = SecretSpec { name, labels, data, ..Default::default() };
            within(PATIENCE, docker.create_secret(spec)).await?;
        }
        BlobKind::Config => {
            let spec = ConfigSpec { name, labels, data, ..Default::default() };
            within(PATIENCE, docker.create_config(spec)).await?;
        }
    }
    Ok(DockerAnswer::Done { changed: true })
}

/// Removes the services of a stack but those of these names, and the secrets, configs and networks that none of them has.
pub(super) async fn prune(
    docker: &Docker,
    stack: &str,
    services: &BTreeSet<String>,
) -> Result<DockerAnswer, Failure> {
    let options = ListServicesOptions { filters: Some(of_stack(stack)), ..Default::default() };
    let begun = Instant::now();
    let (mut used, mut joined) = (BTreeSet::new(), BTreeSet::new());
    let mut patience = LEAVES;
    let mut changed = false;
    for service in within(PATIENCE, docker.list_services(Some(options))).await? {
        let longest = grace(&service);
        let spec = service.spec.unwrap_or_default();
        let name = spec.name.unwrap_or_default();
        if services.contains(&name) {
            let template = spec.task_template.unwrap_or_default();
            let networks = [template.networks, spec.networks].into_iter().flatten().flatten();
            joined.extend(networks.filter_map(|network| network.target));
            let container = template.container_spec.unwrap_or_default();
            used.extend(container.secrets.into_iter().flatten().filter_map(|secret| secret.secret_id));
            used.extend(container.configs.into_iter().flatten().filter_map(|config| config.config_id));
        } else {
            patience = patience.max(LEAVES + longest);
            changed |= is_done(&gone(within(PATIENCE, docker.delete_service(&name)).await, |_| false)?);
        }
    }
    changed |= blobs(docker, stack, &used).await?;
    changed |= networks(docker, stack, &joined, begun + patience).await?;
    Ok(DockerAnswer::Done { changed })
}

/// Removes the secrets and configs of a stack but those of these ids.
async fn blobs(docker: &Docker, stack: &str, used: &BTreeSet<String>) -> Result<bool, Failure> {
    let mut changed = false;
    let filters = Some(of_stack(stack));
    let options = ListSecretsOptions { filters: filters.clone() };
    let secrets = within(PATIENCE, docker.list_secrets(Some(options))).await?;
    for id in secrets.into_iter().filter_map(|secret| secret.id).filter(|id| !used.contains(id)) {
        changed |= is_done(&gone(within(PATIENCE, docker.delete_secret(&id)).await, |_| false)?);
    }
    let configs = within(PATIENCE, docker.list_configs(Some(ListConfigsOptions { filters }))).await?;
    for id in configs.into_iter().filter_map(|config| config.id).filter(|id| !used.contains(id)) {
        changed |= is_done(&gone(within(PATIENCE, docker.delete_config(&id)).await, |_| false)?);
    }
    Ok(changed)
}

/// All services of a stack, or of all stacks; `None` where the engine is in no swarm. A manager without a leader answers as
/// one does that is in none: who is asked what it is tells them apart.
pub(super) async fn services(
    docker: &Docker,
    options: ListServicesOptions,
) -> Result<Option<Vec<Service>>, Failure> {
    match answered(docker, docker.list_services(Some(options))).await {
        Err(Failure::Status(503, said)) => {
            let info = within(PATIENCE, docker.info()).await?;
            match membership(info.swarm) {
                SwarmMembership::Inactive => Ok(None),
                _ => Err(Failure::Status(503, said)),
            }
        }
        listed => Ok(Some(listed?)),
    }
}

/// Removes a stack, and waits until its containers on this node and its networks have gone: for this long, beside what
/// each container may take to end by itself. Of a node in no swarm there is nothing to remove.
pub(super) async fn remove(
    docker: &Docker,
    stack: &str,
    patience: Duration,
) -> Result<DockerAnswer, Failure> {
    let begun = Instant::now();
    let options = ListServicesOptions { filters: Some(of_stack(stack)), ..Default::default() };
    let Some(services) = services(docker, options).await? else {
        return Ok(DockerAnswer::Done { changed: false });
    };
    let patience = patience + services.iter().map(grace).max().unwrap_or_default();
    let mut changed = false;
    for id in services.into_iter().filter_map(|service| service.id) {
        changed |= is_done(&gone(within(PATIENCE, docker.delete_service(&id)).await, |_| false)?);
    }
    loop {
        let left = containers(docker, stack).await?;
        if left.is_empty() {
            break;
        }
        if begun.elapsed() >= patience {
            let named = left.join(", ");
            return Err(Failure::Other(format!("after {} s these still run: {named}", patience.as_secs())));
        }
        tokio::time::sleep(EVERY).await;
    }
    changed |= blobs(docker, stack, &BTreeSet::new()).await?;
    changed |= networks(docker, stack, &BTreeSet::new(), begun + patience).await?;
    Ok(DockerAnswer::Done { changed })
}

/// Removes the networks of a stack but those of these ids, and waits until they have gone.
async fn networks(
    docker: &Docker,
    stack: &str,
    joined: &BTreeSet<String>,
    until: Instant,
) -> Result<bool, Failure> {
    let mut changed = false;
    loop {
        let options = ListNetworksOptions { filters: Some(of_stack(stack)) };
        let found = within(PATIENCE, docker.list_networks(Some(options))).await?;
        let ids = found.into_iter().filter_map(|network| network.id);
        let ids: Vec<String> = ids.filter(|id| !joined.contains(id)).collect();
        if ids.is_empty() {
            return Ok(changed);
        }
        for id in ids {
            match gone(within(PATIENCE, docker.remove_network(&id)).await, |_| false) {
                Ok(done) => changed |= is_done(&done),
                // Tasks that have ended leave it a little later.
                Err(Failure::Status(..)) if Instant::now() < until => {}
                Err(failure) => return Err(failure),
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// How long the containers of a service may take to end.
fn grace(service: &Service) -> Duration {
    let container = || service.spec.as_ref()?.task_template.as_ref()?.container_spec.as_ref();
    let nanoseconds = container().and_then(|container| container.stop_grace_period).unwrap_or_default();
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default())
}

/// The names of a stack's containers on this node, those that have ended too: a volume is not let go before they are
/// removed.
async fn containers(docker: &Docker, stack: &str) -> Result<Vec<String>, Failure> {
    let options = ListContainersOptions { all: true, filters: Some(of_stack(stack)), ..Default::default() };
    let found = within(PATIENCE, docker.list_containers(Some(options))).await?;
    Ok(found.into_iter().filter_map(|found| found.names?.into_iter().next()).collect())
}

fn is_done(answer: &DockerAnswer) -> bool {
    matches!(answer, DockerAnswer::Done { changed: true })
}

#[cfg(test)]
mod tests {
    use bollard::models::{ServiceSpec, TaskSpec, TaskSpecContainerSpec};

    use super::*;

    #[test]
    fn a_stack_may_take_as_long_to_end_as_its_services_say() {
        let service = |nanoseconds| {
            let container = TaskSpecContainerSpec { stop_grace_period: nanoseconds, ..Default::default() };
            let template = TaskSpec { container_spec: Some(container), ..Default::default() };
            let spec = ServiceSpec { task_template: Some(template), ..Default::default() };
            Service { spec: Some(spec), ..Default::default() }
        };
        assert_eq!(grace(&service(Some(300_000_000_000))), Duration::from_mins(5));
        assert_eq!(grace(&service(None)), Duration::ZERO);
        assert_eq!(grace(&Service::default()), Duration::ZERO);
    }
}
