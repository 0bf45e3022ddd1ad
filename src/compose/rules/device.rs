use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "device",
    code: "compose_device",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "devices of the node: `devices`, `device_cgroup_rules`",
    doc: "a device of the node is shared with all who use the node: remove it",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        for node in service.list("devices") {
            report.service(service, node.span, "a device of the node is handed in");
        }
        for node in service.list("device_cgroup_rules") {
            report.service(service, node.span, "the rule opens devices of the node");
        }
    }
}
