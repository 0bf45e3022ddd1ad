use super::{Project, Purpose, Report, Rule};
use crate::compose::Node;
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "host_gateway",
    code: "compose_host_gateway",
    severity: Severity::Warning,
    purpose: Purpose::Safety,
    summary: "`host-gateway` in `extra_hosts`",
    doc: "the containers reach what listens on the node: use the domain of the service that is meant",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        let build = service.at(&["build", "extra_hosts"]).and_then(Node::list).unwrap_or_default();
        for text in service.list("extra_hosts").iter().chain(build).filter_map(Node::text) {
            if text.text.contains("host-gateway") {
                report.service(service, text.span, "the containers reach the node itself");
            }
        }
    }
}
