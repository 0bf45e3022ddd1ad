use super::{Project, Purpose, Report, Rule};
use crate::compose::path::is_below;
use crate::compose::{MountKind, Place};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "docker_socket",
    code: "compose_docker_socket",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "the container engine's socket, or a directory that holds it",
    doc: "who can speak to the container engine is root on the node: remove it",
    check,
};

/// Sockets of container engines, and where engines keep what is of all containers.
const ENGINES: [&str; 14] = [
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/var/run/docker",
    "/run/docker",
    "/var/run/containerd",
    "/run/containerd",
    "/var/run/podman",
    "/run/podman",
    "/var/run/crio",
    "/run/crio",
    "/run/user",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/containers",
];
const NAMES: [&str; 5] = ["docker.sock", "containerd.sock", "podman.sock", "crio.sock", "buildkitd.sock"];

/// Whether a path is an engine's, or holds what is.
pub(super) fn reaches_engine(place: &Place) -> bool {
    let Place::Local(path) = place else { return false };
    let named = path.rsplit('/').next().is_some_and(|name| NAMES.contains(&name));
    named || ENGINES.iter().any(|engine| is_below(engine, path) || is_below(path, engine))
}

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        if let Some(text) = service.on("use_api_socket") {
            report.service(service, text.span, "the containers get the socket of the container engine");
        }
        for mount in service.mounts.iter().filter(|mount| mount.kind == MountKind::Bind) {
            let Some(source) = &mount.source else { continue };
            let place = Place::of(source, &project.directories);
            if holds(project, report, &place) {
                report.service(service, source.span, "the mount holds the socket of the container engine");
            }
        }
    }
    for (name, volume) in &project.volumes {
        if let Some((device, place)) = super::bind::bound(volume, &project.directories)
            && holds(project, report, &place)
        {
            report.resource(name, volume, device.span, "the volume holds the socket of the container engine");
        }
    }
}

/// Whether a path that is mounted, or where a link there leads, is an engine's, and that is not allowed.
fn holds(project: &Project, report: &mut Report<'_>, place: &Place) -> bool {
    let mut engines = |place: &Place| reaches_engine(place) && !report.allows_path(place);
    engines(place) || project.leads(place).is_some_and(|real| engines(&real))
}
