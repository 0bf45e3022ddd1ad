use super::docker_socket::reaches_engine;
use super::{Project, Purpose, Report, Resource, Rule};
use crate::compose::{Directories, MountKind, Place, Text};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "bind",
    code: "compose_bind",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "mounts of paths outside of the tenant's directory",
    doc: "mount what is below the stack's `data` directory, as `../data/name:/path`, or a named volume",
    check,
};

/// The path that a named volume of the local driver is a bind of, where it is one.
pub(in crate::compose) fn bound<'a>(
    volume: &'a Resource,
    directories: &Directories,
) -> Option<(&'a Text, Place)> {
    let options = volume.node.get("driver_opts")?;
    let device = options.text_of("device")?;
    let flags = options.text_of("o").map_or("", |text| &*text.text);
    let binds = flags.split(',').any(|flag| matches!(flag.trim(), "bind" | "rbind"));
    binds.then(|| (device, Place::of(device, directories)))
}

/// What is wrong with a path that is mounted: as it is written, or by where a link leads.
fn wrong(project: &Project, report: &mut Report<'_>, text: &Text, place: &Place) -> Option<String> {
    let mut foreign = |place: &Place| {
        !place.is_below(&project.directories.tenant) && !reaches_engine(place) && !report.allows_path(place)
    };
    let shown = text.shown();
    if foreign(place) {
        return Some(format!("`{shown}` is not below the tenant's directory"));
    }
    let real = project.leads(place).filter(|real| foreign(real))?;
    Some(format!("`{shown}` leads to {real} by a symbolic link, which is not below the tenant's directory"))
}

fn check(project: &Project, report: &mut Report<'_>) {
    let directories = &project.directories;
    for service in project.services.values() {
        for mount in &service.mounts {
            let source = mount.source.as_ref().filter(|_| mount.kind == MountKind::Bind);
            if let Some(source) = source
                && let Some(wrong) = wrong(project, report, source, &Place::of(source, directories))
            {
                report.service(service, source.span, wrong);
            }
            if mount.kind == MountKind::Other {
                report.service(service, mount.span, "the mount is of a kind that reaches beyond the stack");
            }
            if let Some(propagation) = mount.propagation.as_ref().filter(|text| text.text.contains("shared"))
            {
                report.service(service, propagation.span, "what the container mounts shows up on the node");
            }
        }
    }
    for (name, volume) in &project.volumes {
        if let Some((device, place)) = bound(volume, directories)
            && let Some(wrong) = wrong(project, report, device, &place)
        {
            report.resource(name, volume, device.span, wrong);
        }
    }
}
