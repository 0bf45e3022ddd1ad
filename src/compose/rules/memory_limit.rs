use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "memory_limit",
    code: "compose_no_memory_limit",
    severity: Severity::Warning,
    purpose: Purpose::Practice,
    summary: "services without a limit of memory",
    doc: "one leak then stops the whole node: set `deploy.resources.limits.memory`",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values().filter(|service| service.memory_limit().is_none()) {
        report.service(service, service.key, format!("`{}` may use all memory of the node", service.name));
    }
}
