use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "security_option",
    code: "compose_security_option",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "`security_opt` that takes protection away",
    doc: "what Docker confines containers by stays on: remove it; `no-new-privileges:true` adds protection",
    check,
};

/// Options that add protection, or say what holds anyway.
fn is_harmless(option: &str) -> bool {
    let option = option.trim().replacen('=', ":", 1);
    matches!(
        option.as_str(),
        "no-new-privileges" | "no-new-privileges:true" | "apparmor:docker-default" | "seccomp:builtin"
    )
}

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        for text in service.texts("security_opt") {
            if !is_harmless(&text.text) {
                report.service(service, text.span, format!("`{}` takes protection away", text.shown()));
            }
        }
    }
}
