use super::{Project, Purpose, Report, Rule};
use crate::compose::Node;
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "restart",
    code: "compose_no_restart",
    severity: Severity::Warning,
    purpose: Purpose::Practice,
    summary: "services that stay down after a restart of the node",
    doc: "add `restart: unless-stopped`, or `restart: \"no\"` for what runs once",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        let policy = service.at(&["deploy", "restart_policy", "condition"]).and_then(Node::text);
        if service.text("restart").is_none() && policy.is_none() {
            report.service(service, service.key, format!("`{}` is not started again", service.name));
        }
    }
}
