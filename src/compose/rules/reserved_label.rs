use super::{Project, Purpose, Report, Resource, Rule, Service};
use crate::compose::{Map, Node};
use crate::diag::{Diagnostic, Severity, visible};

pub(super) const RULE: Rule = Rule {
    name: "reserved_label",
    code: "compose_reserved_label",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "labels that Compose, Swarm and vsa know what is whose by",
    doc: "with such a label one stack could pass for another: remove it",
    check,
};

const RESERVED: [&str; 4] = ["com.docker.compose.", "com.docker.stack.", "com.docker.swarm.", "vsa."];

fn is_reserved(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    RESERVED.iter().any(|reserved| name.starts_with(reserved))
}

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        let places =
            [service.get("labels"), service.at(&["deploy", "labels"]), service.at(&["build", "labels"])];
        let mounts = service
            .list("volumes")
            .iter()
            .map(|node| node.get("volume").and_then(|volume| volume.get("labels")));
        for labels in places.into_iter().chain(mounts).flatten().filter_map(Node::map) {
            of(labels, &service.name, Some(service), report);
        }
    }
    let sections = [&project.networks, &project.volumes, &project.configs, &project.secrets];
    for (name, resource) in sections.into_iter().flatten() {
        let Resource { node, .. } = resource;
        if let Some(labels) = node.get("labels").and_then(Node::map) {
            of(labels, name, None, report);
        }
    }
}

fn of(labels: &Map, subject: &str, service: Option<&Service>, report: &mut Report<'_>) {
    for (label, entry) in labels.iter().filter(|(label, _)| is_reserved(label)) {
        let told = Diagnostic::error(format!("the label `{}` is not the stack's to set", visible(label)));
        report.add(subject, entry.key, told.also(service.map(|service| service.key), "of this service"));
    }
}
