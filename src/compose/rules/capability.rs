use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "capability",
    code: "compose_capability",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "`cap_add` of more than Docker gives every container",
    doc: "capabilities reach past the container: remove it from `cap_add`",
    check,
};

/// What a container has anyway (Docker's default set), so that `cap_drop: [ALL]` can be followed by it, and locked
/// memory, which other limits bound.
const HARMLESS: [&str; 15] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        for text in service.texts("cap_add") {
            let name = text.text.trim().to_ascii_uppercase();
            let name = name.strip_prefix("CAP_").unwrap_or(&name);
            if !HARMLESS.contains(&name) {
                report.service(service, text.span, format!("the capability `{}` is added", text.shown()));
            }
        }
    }
}
