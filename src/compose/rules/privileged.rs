use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "privileged",
    code: "compose_privileged",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "`privileged` containers",
    doc: "a privileged container is root on the node: remove `privileged`, and add the one capability it needs",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        if let Some(text) = service.on("privileged") {
            report.service(service, text.span, "the containers are privileged");
        }
    }
}
