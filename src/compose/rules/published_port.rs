use super::published_database::is_database;
use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "published_port",
    code: "compose_published_port",
    severity: Severity::Warning,
    purpose: Purpose::Safety,
    summary: "ports published on all addresses of the node",
    doc: "it is reached past the proxy, without TLS, passwords and rate limits: point a `domain` at the service, or publish on `127.0.0.1`",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        for port in service.ports.iter().filter(|port| !port.is_loopback() && is_database(port).is_none()) {
            report.service(service, port.span, format!("`{}` is open to the network", port.short()));
        }
    }
}
