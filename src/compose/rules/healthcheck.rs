use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "healthcheck",
    code: "compose_no_healthcheck",
    severity: Severity::Warning,
    purpose: Purpose::Practice,
    summary: "services without a `healthcheck`",
    doc: "without one, a container that runs counts as healthy: add a `healthcheck` with a `test`",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    // The image may bring one of its own, so that this is no error.
    for service in project.services.values().filter(|service| !service.has_healthcheck()) {
        report.service(
            service,
            service.key,
            format!("`{}` does not say how its health is found out", service.name),
        );
    }
}
