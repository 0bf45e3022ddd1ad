use super::{Project, Purpose, Report, Rule};
use crate::diag::{Diagnostic, Severity, visible};

pub(super) const RULE: Rule = Rule {
    name: "engine_variable",
    code: "compose_engine_variable",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "variables that Compose and Docker themselves obey",
    doc: "it changes which files Compose reads, or which engine it speaks to: remove it from `env`",
    check,
};

const OBEYED: [&str; 7] = [
    "DOCKER_API_VERSION",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
];

fn check(project: &Project, report: &mut Report<'_>) {
    for name in &project.variables {
        // Profiles of a stack are harmless: all its services are looked at.
        let compose = name.starts_with("COMPOSE_") && &**name != "COMPOSE_PROFILES";
        if compose || OBEYED.contains(&&**name) {
            let summary = format!("the variable `{}` steers Compose itself", visible(name));
            report.add(name, None, Diagnostic::error(summary));
        }
    }
}
