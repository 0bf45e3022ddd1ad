use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "cgroup_parent",
    code: "compose_cgroup_parent",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "`cgroup_parent`",
    doc: "it takes the containers out of the limits that others set: remove it, and set limits in `deploy.resources`",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        if let Some(text) = service.text("cgroup_parent").filter(|text| !text.text.is_empty()) {
            report.service(service, text.span, "the containers choose their control group");
        }
    }
}
