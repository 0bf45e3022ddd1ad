use super::{Project, Purpose, Report, Rule};
use crate::compose::Node;
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "logging",
    code: "compose_logging",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "logging drivers that send elsewhere",
    doc: "the container engine itself sends the log, from the node's network: use `json-file`, `local` or `journald`",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        if let Some(driver) = service.at(&["logging", "driver"]).and_then(Node::text)
            && !matches!(&*driver.text, "" | "json-file" | "local" | "journald" | "none")
        {
            report.service(service, driver.span, format!("the logging driver is `{}`", driver.shown()));
        }
    }
}
