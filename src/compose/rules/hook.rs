use super::{Project, Purpose, Report, Rule};
use crate::compose::Text;
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "hook",
    code: "compose_hook",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "privileged hooks: `post_start`, `pre_stop`",
    doc: "a privileged hook is root on the node: remove `privileged`",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        for key in ["pre_start", "post_start", "pre_stop", "post_stop"] {
            for privileged in service.list(key).iter().filter_map(|hook| hook.text_of("privileged")) {
                if Text::is_on(privileged) {
                    report.service(service, privileged.span, "the hook is privileged");
                }
            }
        }
    }
}
