use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "runtime",
    code: "compose_runtime",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "another `runtime` than Docker's own",
    doc: "a runtime is a program that runs as root on the node: remove `runtime`",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        if let Some(text) = service.text("runtime").filter(|text| !matches!(&*text.text, "" | "runc")) {
            report.service(service, text.span, format!("the runtime is `{}`", text.shown()));
        }
    }
}
