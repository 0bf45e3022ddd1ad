use super::docker_socket::reaches_engine;
use super::{Project, Purpose, Report, Resource, Rule};
use crate::compose::path::is_below;
use crate::compose::{Directories, MountKind, Place, Text};
use crate::diag::{Severity, visible};

pub(super) const RULE: Rule = Rule {
    name: "bind",
    code: "compose_bind",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "mounts of paths outside of the tenant's directory, writable ones of what vsa writes, and what is below another \
              writable mount",
    doc: "mount what is below the stack's `data` directory, as `../data/name:/path`, or a named volume; files of the stack \
          itself with `:ro`",
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

/// Whether a container that writes to a path could have vsa write elsewhere, by a link in the place of a directory: it
/// holds, or is, the `compose` or `env` directory of a stack of the tenant's.
fn holds_written(directories: &Directories, place: &Place) -> bool {
    let Place::Local(path) = place else { return false };
    if [&directories.stack, &directories.project].iter().any(|held| is_below(held, path)) {
        return true;
    }
    let tenant = directories.tenant.trim_end_matches('/');
    let Some(below) = path.strip_prefix(tenant).filter(|rest| rest.starts_with('/')) else { return false };
    let mut segments = below.split('/').skip(1);
    // Every directory of the tenant's may be a stack's.
    match segments.nth(1) {
        None | Some("env") => true,
        Some("compose") => !is_below(path, &directories.project),
        Some(_) => false,
    }
}

/// What is wrong with a path that is mounted, as to others that containers may write to.
fn replaceable(
    project: &Project,
    report: &mut Report<'_>,
    (text, place): (&Text, &Place),
    writable: bool,
    others: &[Place],
) -> Option<String> {
    let places = [Some(place.clone()), project.leads(place)];
    let places: Vec<_> = places.into_iter().flatten().filter(|place| !report.allows_path(place)).collect();
    if writable && places.iter().any(|place| holds_written(&project.directories, place)) {
        let shown = text.shown();
        return Some(format!("`{shown}` may hold the files that a stack is started from, and is writable"));
    }
    let above = |other: &&Place| {
        let Place::Local(directory) = other else { return false };
        places.iter().any(|place| place != *other && place.is_below(directory))
    };
    let held = |place: &Place| {
        let Place::Local(path) = place else { return None };
        project.written.iter().find(|file| is_below(file, path))
    };
    if let Some(file) = places.iter().filter(|_| writable).find_map(held) {
        return Some(format!(
            "`{}` holds `{}`, which is written before each start, and is mounted writable",
            text.shown(),
            visible(file)
        ));
    }
    let other = others.iter().find(above)?;
    Some(format!(
        "`{}` is below {other}, which is mounted writable: a container could put a link there",
        text.shown()
    ))
}

/// The paths that containers may write to.
fn writable(project: &Project) -> Vec<Place> {
    let mounts = project.services.values().flat_map(|service| &service.mounts);
    let binds = mounts.filter(|mount| mount.kind == MountKind::Bind && !mount.read_only);
    let binds = binds.filter_map(|mount| mount.source.as_ref());
    let binds = binds.map(|source| Place::of(source, &project.directories));
    let volumes = project.volumes.values().filter_map(|volume| bound(volume, &project.directories));
    binds.chain(volumes.map(|(_, place)| place)).collect()
}

fn check(project: &Project, report: &mut Report<'_>) {
    let directories = &project.directories;
    let others = writable(project);
    for service in project.services.values() {
        for mount in &service.mounts {
            let source = mount.source.as_ref().filter(|_| mount.kind == MountKind::Bind);
            if let Some(source) = source {
                let place = Place::of(source, directories);
                let found = wrong(project, report, source, &place)
                    .or_else(|| replaceable(project, report, (source, &place), !mount.read_only, &others));
                if let Some(wrong) = found {
                    report.service(service, source.span, wrong);
                }
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
                .or_else(|| replaceable(project, report, (device, &place), true, &others))
        {
            report.resource(name, volume, device.span, wrong);
        }
    }
}
