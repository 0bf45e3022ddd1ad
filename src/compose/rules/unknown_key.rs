use super::{Project, Purpose, Report, Rule};
use crate::diag::{Diagnostic, Severity, nearest, visible};

pub(super) const RULE: Rule = Rule {
    name: "unknown_key",
    code: "compose_unknown_key",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "keys that no rule knows",
    doc: "what a key does that no rule knows cannot be judged: correct or remove it; a note of your own begins with `x-`",
    check,
};

const TOP: [&str; 9] =
    ["version", "name", "services", "networks", "volumes", "configs", "secrets", "include", "models"];

/// The keys of a service (compose-spec, "Services"), and of the version 2 files that the first Compose takes.
const SERVICE: [&str; 92] = [
    "annotations",
    "attach",
    "blkio_config",
    "build",
    "cap_add",
    "cap_drop",
    "cgroup",
    "cgroup_parent",
    "command",
    "configs",
    "container_name",
    "cpu_count",
    "cpu_percent",
    "cpu_period",
    "cpu_quota",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpu_shares",
    "cpus",
    "cpuset",
    "credential_spec",
    "depends_on",
    "deploy",
    "develop",
    "device_cgroup_rules",
    "devices",
    "dns",
    "dns_opt",
    "dns_search",
    "domainname",
    "entrypoint",
    "env_file",
    "environment",
    "expose",
    "extends",
    "external_links",
    "extra_hosts",
    "gpus",
    "group_add",
    "healthcheck",
    "hostname",
    "image",
    "init",
    "ipc",
    "isolation",
    "label_file",
    "labels",
    "links",
    "logging",
    "mac_address",
    "mem_limit",
    "mem_reservation",
    "mem_swappiness",
    "memswap_limit",
    "models",
    "network_mode",
    "networks",
    "oom_kill_disable",
    "oom_score_adj",
    "pid",
    "pids_limit",
    "platform",
    "ports",
    "post_start",
    "pre_stop",
    "privileged",
    "profiles",
    "provider",
    "pull_policy",
    "read_only",
    "restart",
    "runtime",
    "scale",
    "secrets",
    "security_opt",
    "shm_size",
    "stdin_open",
    "stop_grace_period",
    "stop_signal",
    "storage_opt",
    "sysctls",
    "tmpfs",
    "tty",
    "ulimits",
    "use_api_socket",
    "user",
    "userns_mode",
    "uts",
    "volume_driver",
    "volumes",
    "volumes_from",
    "working_dir",
];

fn check(project: &Project, report: &mut Report<'_>) {
    let unknown = |key: &str, known: &'static [&'static str]| {
        if known.contains(&key) || key.starts_with("x-") {
            return None;
        }
        let told = Diagnostic::error(format!("the key `{}` is not known", visible(key)));
        Some(match nearest(key, known.iter().copied()) {
            Some(near) => told.help(format!("did you mean `{near}`?")),
            None => told,
        })
    };
    for (key, entry) in project.tree.map().into_iter().flatten() {
        if let Some(told) = unknown(key, &TOP) {
            report.add(key, entry.key, told);
        }
    }
    for service in project.services.values() {
        for (key, entry) in service.node.map().into_iter().flatten() {
            if let Some(told) = unknown(key, &SERVICE) {
                report.add(&service.name, entry.key, told.also(service.key, "of this service"));
            }
        }
    }
}
