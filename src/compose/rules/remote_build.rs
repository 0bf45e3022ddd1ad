use super::{Project, Purpose, Report, Rule};
use crate::compose::Node;
use crate::compose::path::is_remote;
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "remote_build",
    code: "compose_remote_build",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "build contexts that are fetched from elsewhere",
    doc: "what is built then changes without a plan: put the sources into the stack's directory, or name an `image`",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        let Some(build) = service.get("build") else { continue };
        let more = build.get("additional_contexts").and_then(Node::map);
        let more = more.into_iter().flatten().filter_map(|(_, entry)| entry.node.text());
        let more = more.filter(|text| {
            !text.text.starts_with("docker-image://") && !text.text.starts_with("oci-layout://")
        });
        for text in build.text_of("context").into_iter().chain(more) {
            if is_remote(&text.text) {
                report.service(service, text.span, "the build context is fetched from elsewhere");
            }
        }
    }
}
