//! Networks.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::{
    EndpointSettings, Ipam, IpamConfig, NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest,
};
use bollard::query_parameters::ListNetworksOptions;

use super::failure::Failure;
use super::{EVERY, PATIENCE, containers, convert, within};
use crate::host::DockerAnswer;
use crate::plan::NetworkSettings;
use crate::plan::docker::Network;

/// How long a network whose containers have gone may be in use.
const LETS_GO: Duration = Duration::from_secs(15);

/// The network of a name; the engine's filter finds parts of names too.
async fn named(docker: &Docker, name: &str) -> Result<Option<Network>, Failure> {
    let filters = HashMap::from([("name".to_owned(), vec![name.to_owned()])]);
    let options = ListNetworksOptions { filters: Some(filters) };
    let found = within(PATIENCE, docker.list_networks(Some(options))).await?;
    Ok(found.into_iter().map(convert::network).find(|network| network.name == name))
}

pub(super) async fn create(docker: &Docker, settings: NetworkSettings) -> Result<DockerAnswer, Failure> {
    let NetworkSettings { name, driver, internal, subnet, gateway, ip_range, labels } = settings;
    // Engines before 25 make a second network of the same name without a word.
    if let Some(found) = named(docker, &name).await? {
        let same = found.driver == driver
            && found.internal == internal
            && labels.iter().all(|(label, value)| found.labels.get(label) == Some(value));
        return if same {
            Ok(DockerAnswer::Done { changed: false })
        } else {
            Err(Failure::text(
                "a network of that name is there already and is another one; remove it (`docker network rm`) or \
                 choose another name",
            ))
        };
    }
    let request = NetworkCreateRequest {
        name,
        driver: Some(driver),
        internal: Some(internal),
        labels: Some(labels.into_iter().collect()),
        ipam: subnet.map(|subnet| Ipam {
            config: Some(vec![IpamConfig { subnet: Some(subnet), gateway, ip_range, ..Default::default() }]),
            ..Default::default()
        }),
        // Containers by themselves may join it, not those of a swarm's services alone.
        attachable: Some(true),
        ..Default::default()
    };
    match within(PATIENCE, docker.create_network(request)).await {
        Ok(_) => Ok(DockerAnswer::Done { changed: true }),
        Err(Failure::Status(_, message)) if message.contains("non-overlapping IPv4 address pool") => {
            Err(Failure::text(
                "the engine has no more addresses for networks; remove networks that nobody uses (`docker network \
                 prune`), or enlarge `default-address-pools` in `/etc/docker/daemon.json` and restart Docker",
            ))
        }
        Err(failure) => Err(failure),
    }
}

pub(super) async fn remove(docker: &Docker, name: &str) -> Result<DockerAnswer, Failure> {
    let since = Instant::now();
    loop {
        match within(PATIENCE, docker.remove_network(name)).await {
            Err(Failure::Status(403, message)) if message.contains("has active endpoints") => {
                let found = within(PATIENCE, docker.inspect_network(name, None)).await?;
                let attached = found.containers.unwrap_or_default().into_values();
                let mut names: Vec<_> = attached.filter_map(|place| place.name).collect();
                names.sort();
                // Of a container that was removed the engine lets go a moment later.
                if !names.is_empty() || since.elapsed() > LETS_GO {
                    let names = names.join(", ");
                    return Err(Failure::Other(format!("containers are still attached to it: {names}")));
                }
                tokio::time::sleep(EVERY).await;
            }
            done => return gone(done, |_| false),
        }
    }
}

pub(super) async fn connect(
    docker: &Docker,
    network: &str,
    container: &str,
    aliases: Vec<String>,
) -> Result<DockerAnswer, Failure> {
    let attach = async || {
        let aliases = Some(aliases.clone()).filter(|aliases| !aliases.is_empty());
        let endpoint = EndpointSettings { aliases, ..Default::default() };
        let request =
            NetworkConnectRequest { container: container.to_owned(), endpoint_config: Some(endpoint) };
        within(PATIENCE, docker.connect_network(network, request)).await
    };
    match attach().await {
        Ok(()) => return Ok(DockerAnswer::Done { changed: true }),
        Err(Failure::Status(_, message)) if message.contains("already exists in network") => {}
        Err(failure) => return Err(failure),
    }
    let found = containers::inspect(docker, container).await?;
    let place = found.as_ref().and_then(|found| {
        let mut places = found.networks.iter();
        places.find(|(name, place)| *name == network || place.network == network).map(|(_, place)| place)
    });
    let known = place.and_then(|place| place.aliases.clone()).unwrap_or_default();
    if aliases.iter().all(|alias| known.contains(alias)) {
        return Ok(DockerAnswer::Done { changed: false });
    }
    disconnect(docker, network, container).await?;
    attach().await?;
    Ok(DockerAnswer::Done { changed: true })
}

pub(super) async fn disconnect(
    docker: &Docker,
    network: &str,
    container: &str,
) -> Result<DockerAnswer, Failure> {
    let request = NetworkDisconnectRequest { container: container.to_owned(), force: Some(true) };
    let done = within(PATIENCE, docker.disconnect_network(network, request)).await;
    gone(done, |message| message.contains("is not connected to"))
}

/// What is not there need not go.
pub(super) fn gone(
    done: Result<(), Failure>,
    is_gone: impl Fn(&str) -> bool,
) -> Result<DockerAnswer, Failure> {
    match done {
        Ok(()) => Ok(DockerAnswer::Done { changed: true }),
        Err(Failure::Status(404, _)) => Ok(DockerAnswer::Done { changed: false }),
        Err(Failure::Status(_, message)) if is_gone(&message) => Ok(DockerAnswer::Done { changed: false }),
        Err(failure) => Err(failure),
    }
}
