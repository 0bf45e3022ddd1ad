//! A container as an inspection shows it: the same as a listing, and what only an inspection knows.

use std::collections::BTreeSet;

use bollard::models;

use super::convert::{attachment, compose, mount, own, state, swarm, word_of_health};
use crate::plan::docker::{Container, ContainerState, Protocol, PublishedPort};

pub(super) fn container(found: models::ContainerInspectResponse) -> Container {
    let config = found.config.unwrap_or_default();
    let labels = config.labels.unwrap_or_default();
    let settings = found.network_settings.unwrap_or_default();
    let now = found.state.unwrap_or_default();
    let state = state(now.status.map(|word| word.to_string()).as_deref());
    let health = now.health.and_then(|health| health.status).map(|status| status.to_string());
    let mut published = BTreeSet::new();
    let mut exposed = BTreeSet::new();
    for (port, bindings) in settings.ports.unwrap_or_default() {
        let Some((container_port, protocol)) = port_of(&port) else { continue };
        exposed.insert((container_port, protocol));
        for binding in bindings.unwrap_or_default() {
            let host_ip = binding.host_ip.filter(|ip| !ip.is_empty());
            let host_ip = host_ip.as_deref().unwrap_or("0.0.0.0").parse();
            let host_port = binding.host_port.and_then(|port| port.parse().ok());
            if let (Ok(host_ip), Some(host_port)) = (host_ip, host_port) {
                published.insert(PublishedPort { host_ip, host_port, container_port, protocol });
            }
        }
    }
    // Of one that does not run, the settings name no ports.
    exposed.extend(config.exposed_ports.unwrap_or_default().iter().filter_map(|port| port_of(port)));
    let is_checked = |check: models::HealthConfig| {
        check.test.is_some_and(|test| test.first().is_some_and(|first| first != "NONE"))
    };
    let policy = found.host_config.and_then(|config| config.restart_policy?.name);
    let is_kept = policy.is_some_and(|name| matches!(name.as_ref(), "always" | "unless-stopped"));
    let ended = !matches!(state, ContainerState::Created | ContainerState::Running | ContainerState::Paused);
    Container {
        id: found.id.unwrap_or_default(),
        name: found.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        compose: compose(&labels),
        swarm: swarm(&labels),
        labels: own(&labels),
        image: config.image.unwrap_or_default(),
        image_id: found.image.unwrap_or_default(),
        state,
        health: health.as_deref().and_then(word_of_health).filter(|_| state == ContainerState::Running),
        exit_code: now.exit_code.filter(|_| ended).and_then(|code| i32::try_from(code).ok()),
        restarts: found.restart_count.and_then(|count| u32::try_from(count).ok()),
        runs_on: Some(is_kept || config.healthcheck.is_some_and(is_checked)),
        created: found
            .created
            .and_then(|created| created.parse::<jiff::Timestamp>().ok())
            .map_or(0, jiff::Timestamp::as_second),
        networks: settings
            .networks
            .unwrap_or_default()
            .into_iter()
            .map(|(name, place)| {
                let mut place = attachment(place);
                place.aliases.get_or_insert_default();
                (name, place)
            })
            .collect(),
        published,
        exposed,
        mounts: found.mounts.unwrap_or_default().into_iter().map(mount).collect(),
    }
}

/// `80/tcp`.
fn port_of(text: &str) -> Option<(u16, Protocol)> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => return None,
    };
    Some((port.parse().ok()?, protocol))
}
