use super::{Project, Purpose, Report, Rule};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "host_namespace",
    code: "compose_host_namespace",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "namespaces of the node: `network_mode`, `pid`, `ipc`, `uts`, `userns_mode`, `cgroup` set to `host`",
    doc: "a namespace of the node shows a container what is not its own: remove the key; a site is reached through its domain",
    check,
};

const KEYS: [&str; 6] = ["network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup"];

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        for key in KEYS {
            if let Some(text) = service.text(key)
                && text.text.trim().eq_ignore_ascii_case("host")
            {
                report.service(service, text.span, format!("`{key}` is the node's own"));
            }
        }
        // The network of this name is the node's own, however it is reached.
        for (name, attachment) in &service.networks {
            let given = project.networks.get(name).and_then(super::Resource::given_name);
            if given.is_some_and(|given| &*given.text == "host") {
                report.service(service, attachment.key, "the network is the node's own");
            }
        }
    }
}
