use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "provider",
    code: "compose_provider",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "services that a program on the node provides",
    doc: "Compose starts the provider's program on the node itself: use a service with an `image`",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        if let Some(node) = service.get("provider") {
            report.service(service, node.span, "a program on the node provides the service");
        }
    }
}
