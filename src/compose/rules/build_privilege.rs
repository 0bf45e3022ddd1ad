use super::{Project, Purpose, Report, Rule};
use crate::compose::Text;
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "build_privilege",
    code: "compose_build_privilege",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "builds with the node's network, keys or privileges",
    doc: "what a Dockerfile runs is as foreign as the container: remove it from `build`",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        let Some(build) = service.get("build") else { continue };
        if let Some(text) = build.text_of("privileged").filter(|text| Text::is_on(text)) {
            report.service(service, text.span, "the build is privileged");
        }
        if let Some(text) =
            build.text_of("network").filter(|text| !matches!(&*text.text, "" | "none" | "default"))
        {
            report.service(service, text.span, "the build uses a network that is not its own");
        }
        for node in ["entitlements", "ssh"].iter().filter_map(|key| build.get(key)) {
            if node.list().is_none_or(|list| !list.is_empty()) {
                report.service(service, node.span, "the build is given what is the node's");
            }
        }
    }
}
