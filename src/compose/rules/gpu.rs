use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "gpu",
    code: "compose_gpu",
    severity: Severity::Warning,
    purpose: Purpose::Safety,
    summary: "graphics processors: `gpus`, reserved devices",
    doc: "tenants on one node share its graphics processors, and Docker limits none of them",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        let reserved = service.at(&["deploy", "resources", "reservations", "devices"]);
        for node in service.get("gpus").into_iter().chain(reserved) {
            if node.list().is_none_or(|list| !list.is_empty())
                && node.text().is_none_or(|text| &*text.text != "0")
            {
                report.service(service, node.span, "the containers use graphics processors of the node");
            }
        }
    }
}
