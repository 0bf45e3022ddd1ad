use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "latest_tag",
    code: "compose_latest_tag",
    severity: Severity::Info,
    purpose: Purpose::Practice,
    summary: "images without a version",
    doc: "another image runs after the next pull, without a change in any file: write a version or a digest",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values().filter(|service| service.get("build").is_none()) {
        let Some(image) = service.image() else { continue };
        let name = image.text.rsplit('/').next().unwrap_or("");
        let tag = name.split_once(':').map_or("latest", |(_, tag)| tag);
        if tag == "latest" && !image.text.contains('@') && !image.sensitive {
            report.service(service, image.span, format!("`{}` has no version", image.shown()));
        }
    }
}
