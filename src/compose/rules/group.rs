use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "group",
    code: "compose_group",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "`group_add`",
    doc: "groups of the node open its files and sockets to a container: remove `group_add`, and set `user`",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        for text in service.texts("group_add") {
            report.service(service, text.span, format!("the containers join the group `{}`", text.shown()));
        }
    }
}
