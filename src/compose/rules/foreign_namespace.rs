use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "foreign_namespace",
    code: "compose_foreign_namespace",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "containers, networks and volumes of others: `container:`, `external_links`, the default bridge",
    doc: "what other containers have may be another tenant's: name a service of this project, or a network of it",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        for key in ["network_mode", "pid", "ipc"] {
            let Some(text) = service.text(key) else { continue };
            let mode = text.text.trim();
            let own = mode.strip_prefix("service:").is_some_and(|name| project.services.contains_key(name));
            let harmless = match key {
                "network_mode" => matches!(mode, "" | "none" | "host"),
                "ipc" => matches!(mode, "" | "none" | "host" | "private" | "shareable"),
                _ => matches!(mode, "" | "host"),
            };
            if !own && !harmless {
                report.service(service, text.span, format!("`{key}` is another container's or network's"));
            }
        }
        for text in service.texts("volumes_from") {
            let name = text.text.split(':').next().unwrap_or("");
            if name == "container" || !project.services.contains_key(name) {
                report.service(service, text.span, "the volumes are those of another container");
            }
        }
        for text in service.texts("external_links") {
            report.service(service, text.span, "the link leads to a container of others");
        }
        for text in service.texts("links") {
            let name = text.text.split(':').next().unwrap_or("");
            if !project.services.contains_key(name) {
                report.service(service, text.span, "the link leads to a container of others");
            }
        }
    }
}
