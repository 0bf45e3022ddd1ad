use super::{Project, Purpose, Report, Rule};
use crate::diag::{Diagnostic, Severity, visible};

pub(super) const RULE: Rule = Rule {
    name: "reserved_name",
    code: "compose_reserved_name",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "names in networks that the proxy finds other stacks by",
    doc: "a proxy in a container looks up names in the networks of all stacks: with a dot in it a name may be that of another container, of a \
          stack's service, or of a host of the world, whose requests would come here; choose one without",
    check,
};

/// Whether a proxy in a container could look such a name up: as the one of a service, as `container.network`, or as a
/// host of the world. What it looks up has a dot.
fn is_reserved(name: &str) -> bool {
    name.contains('.')
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
