use super::{Project, Purpose, Report, Rule};
use crate::diag::{Diagnostic, Severity, visible};
use crate::names::INTERNAL_DOMAIN;

pub(super) const RULE: Rule = Rule {
    name: "reserved_name",
    code: "compose_reserved_name",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "names in networks that the proxy finds other stacks by",
    doc: "with such a name a container would get the requests of another site: choose one without `.vsa.internal` at its end, and without \
          a network's name behind a dot",
    check,
};

/// Whether a proxy in a container could look such a name up: as the one of a service, or as `container.network`, where
/// the networks of Compose have a `_` in their names and the domains of the world have none.
fn is_reserved(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let behind = lower.split_once('.').is_some_and(|(_, behind)| behind.contains('_'));
    behind || lower.strip_suffix(INTERNAL_DOMAIN).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        let said = |name: &str| {
            Diagnostic::error(format!("the name `{}` is not the stack's to take", visible(name)))
        };
        if is_reserved(&service.name) {
            report.add(&service.name, service.key, said(&service.name));
        }
        let aliases = service.networks.values().flat_map(|attachment| &attachment.aliases);
        for text in aliases.chain(service.text("container_name")).filter(|text| is_reserved(&text.text)) {
            report.service(
                service,
                text.span,
                format!("the name `{}` is not the stack's to take", text.shown()),
            );
        }
    }
}
