use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "out_of_memory",
    code: "compose_out_of_memory",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "containers that the kernel spares when memory runs out",
    doc: "others would be stopped in its place: remove it, and set a limit in `deploy.resources.limits.memory`",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        if let Some(text) = service.on("oom_kill_disable") {
            report.service(service, text.span, "the containers are not stopped when memory runs out");
        }
        if let Some(text) = service.text("oom_score_adj").filter(|text| text.text.trim().starts_with('-')) {
            report.service(service, text.span, "the containers are stopped after all others");
        }
    }
}
