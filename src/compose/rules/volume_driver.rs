use super::bind::bound;
use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "volume_driver",
    code: "compose_volume_driver",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "volumes of other drivers, or of other file systems",
    doc: "the container engine mounts them as root: use a plain named volume, or a path below the stack's `data` directory",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for (name, volume) in &project.volumes {
        if let Some(driver) =
            volume.node.text_of("driver").filter(|text| !matches!(&*text.text, "" | "local"))
        {
            report.resource(
                name,
                volume,
                driver.span,
                format!("the volume's driver is `{}`", driver.shown()),
            );
        }
        let Some(options) =
            volume.node.get("driver_opts").filter(|node| node.map().is_some_and(|map| !map.is_empty()))
        else {
            continue;
        };
        let of = |key| options.text_of(key).map_or("", |text| &*text.text);
        let memory = of("type") == "tmpfs" && of("device") == "tmpfs";
        if !memory && bound(volume, &project.directories).is_none() {
            report.resource(name, volume, options.span, "the volume is a file system of its own");
        }
    }
    for service in project.services.values() {
        if let Some(text) = service.text("volume_driver").filter(|text| &*text.text != "local") {
            report.service(service, text.span, format!("the volumes' driver is `{}`", text.shown()));
        }
    }
}
