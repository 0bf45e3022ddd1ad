use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "container_name",
    code: "compose_container_name",
    severity: Severity::Warning,
    purpose: Purpose::Safety,
    summary: "`container_name`",
    doc: "a name is there once on a node, so that two containers cannot stand side by side during an update: remove it",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        if let Some(text) = service.text("container_name") {
            report.service(service, text.span, "the container's name is fixed");
        }
    }
}
