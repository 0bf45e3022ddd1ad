use super::{Project, Purpose, Report, Resource, Rule};
use crate::diag::{Severity, Span};

pub(super) const RULE: Rule = Rule {
    name: "external",
    code: "compose_external",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "networks, volumes, configs and secrets that are not the stack's own",
    doc: "what exists under that name may be another tenant's: remove `external` and `name`, so that the project has its own",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    let sections = [
        ("network", &project.networks),
        ("volume", &project.volumes),
        ("config", &project.configs),
        ("secret", &project.secrets),
    ];
    for (what, section) in sections {
        for (name, resource) in section {
            let Some((at, known)) = foreign(project, name, resource) else { continue };
            if !project.owned.iter().any(|owned| **owned == *known) {
                report.resource(name, resource, at, format!("the {what} is not the stack's own"));
            }
        }
    }
}

/// The name that Docker knows it by, where that need not be of this project.
fn foreign<'a>(project: &Project, name: &'a str, resource: &'a Resource) -> Option<(Span, &'a str)> {
    let given = resource.given_name();
    if resource.is_external() {
        let at = resource.node.get("external").map_or(resource.key, |node| node.span);
        return Some((at, given.map_or(name, |given| &given.text)));
    }
    let given = given?;
    let own = given.text.strip_prefix(&*project.started_as).is_some_and(|rest| rest.starts_with('_'));
    (!own).then_some((given.span, &*given.text))
}
