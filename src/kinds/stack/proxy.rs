//! The stack that runs the proxy of its node in a container.

use std::path::PathBuf;

use super::attributes::{Stack, Status};
use super::joined;
use super::wanted::Wanted;
use crate::compose::{MountKind, Project, Service};
use crate::plan::docker::Mount;
use crate::plan::{BroughtContainer, BroughtProxy, Subject};
use crate::resource::Path;

/// What a stack brings of its node's proxy; `None` where it has nothing to do with that.
pub(super) fn brought(subject: Subject<'_>) -> Option<BroughtProxy> {
    if !joined::is_proxy(subject) {
        return None;
    }
    let project = Stack::of(subject).map(|stack| stack.project.name.as_str().into()).unwrap_or_default();
    let wanted = Wanted::of(subject);
    let runs = wanted.is_none_or(|wanted| wanted.attributes.status == Status::Running);
    let stopped_by = subject.desired.and_then(|resource| resource.span(&Path::root().name("status")));
    Some(BroughtProxy {
        project,
        runs,
        stopped_by,
        container: wanted.and_then(|wanted| container(subject, wanted)),
    })
}

fn container(subject: Subject<'_>, wanted: &Wanted) -> Option<BroughtContainer> {
    let project = wanted.project.as_ref()?;
    let service = joined::proxy(subject, project)?;
    let attribute = if wanted.attributes.compose.is_some() { "compose" } else { "source" };
    let tcp = service.ports.iter().filter(|port| port.protocol == "tcp" && port.published.is_some());
    Some(BroughtContainer {
        service: service.name.clone(),
        image: wanted.images().get(&*service.name).map(|image| (*image).into()),
        mounts: mounts(project, service),
        ports: service
            .text("network_mode")
            .is_none()
            .then(|| tcp.flat_map(|port| port.target.clone()).collect()),
        place: subject.desired.and_then(|resource| resource.span(&Path::root().name(attribute))),
    })
}

/// What a service mounts of the node; `None` where that may be in a volume, or must not be shown.
fn mounts(project: &Project, service: &Service) -> Option<Vec<Mount>> {
    let mount = |mount: &crate::compose::Mount| {
        let source = match mount.kind {
            MountKind::Tmpfs => PathBuf::new(),
            MountKind::Bind => {
                project.bound(mount.source.as_ref().filter(|source| !source.sensitive)?)?.into()
            }
            MountKind::Volume | MountKind::Other => return None,
        };
        let destination = (!mount.target.sensitive).then(|| PathBuf::from(&*mount.target.text))?;
        Some(Mount { volume: None, source, destination, writable: !mount.read_only })
    };
    service.mounts.iter().map(mount).collect()
}
