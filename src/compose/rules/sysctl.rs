use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "sysctl",
    code: "compose_sysctl",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "settings of the kernel that are not a container's own",
    doc: "a container has its own `net.*`, `fs.mqueue.*` and message and shared memory settings: remove the others",
    check,
};

/// Settings that belong to a namespace (Docker, `docker run --sysctl`).
const OWN: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        for (name, entry) in service.section("sysctls") {
            // The kernel takes `/` for `.`.
            let dotted = name.trim().replace('/', ".");
            let own =
                dotted.starts_with("net.") || dotted.starts_with("fs.mqueue.") || OWN.contains(&&*dotted);
            if !own {
                let name = crate::diag::visible(name);
                report.service(service, entry.key, format!("`{name}` is a setting of the whole node"));
            }
        }
    }
}
