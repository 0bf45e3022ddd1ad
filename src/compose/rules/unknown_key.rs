use super::{Project, Purpose, Report, Rule};
use crate::compose::Node;
use crate::diag::{Diagnostic, Severity, Span, nearest, visible};

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

/// What mappings below a service, and below what the other sections name, may hold (compose-spec, "Services", "Deploy",
/// "Build", "Networks", "Volumes", "Configs", "Secrets"); `*` stands for any name, and for the items of a list. What is
/// not here holds names of its own.
const NESTED: [(&str, &[&str]); 42] = [
    (
        "services.*.blkio_config",
        &[
            "device_read_bps",
            "device_read_iops",
            "device_write_bps",
            "device_write_iops",
            "weight",
            "weight_device",
        ],
    ),
    (
        "services.*.build",
        &[
            "additional_contexts",
            "args",
            "cache_from",
            "cache_to",
            "context",
            "dockerfile",
            "dockerfile_inline",
            "entitlements",
            "extra_hosts",
            "isolation",
            "labels",
            "network",
            "no_cache",
            "no_cache_filter",
            "platforms",
            "privileged",
            "provenance",
            "pull",
            "sbom",
            "secrets",
            "shm_size",
            "ssh",
            "tags",
            "target",
            "ulimits",
        ],
    ),
    ("services.*.configs.*", &FILE),
    ("services.*.credential_spec", &["config", "file", "registry"]),
    ("services.*.depends_on.*", &["condition", "required", "restart"]),
    (
        "services.*.deploy",
        &[
            "endpoint_mode",
            "labels",
            "mode",
            "placement",
            "replicas",
            "resources",
            "restart_policy",
            "rollback_config",
            "update_config",
        ],
    ),
    ("services.*.deploy.placement", &["constraints", "max_replicas_per_node", "preferences"]),
    ("services.*.deploy.placement.preferences.*", &["spread"]),
    ("services.*.deploy.resources", &["limits", "reservations"]),
    ("services.*.deploy.resources.limits", &["cpus", "memory", "pids"]),
    ("services.*.deploy.resources.reservations", &["cpus", "devices", "generic_resources", "memory"]),
    ("services.*.deploy.resources.reservations.devices.*", &DEVICE),
    ("services.*.deploy.restart_policy", &["condition", "delay", "max_attempts", "window"]),
    ("services.*.deploy.rollback_config", &UPDATE),
    ("services.*.deploy.update_config", &UPDATE),
    ("services.*.env_file.*", &["format", "path", "required"]),
    ("services.*.extends", &["file", "service"]),
    ("services.*.gpus.*", &DEVICE),
    (
        "services.*.healthcheck",
        &["disable", "interval", "retries", "start_interval", "start_period", "test", "timeout"],
    ),
    ("services.*.logging", &["driver", "options"]),
    (
        "services.*.networks.*",
        &[
            "aliases",
            "driver_opts",
            "gw_priority",
            "interface_name",
            "ipv4_address",
            "ipv6_address",
            "link_local_ips",
            "mac_address",
            "priority",
        ],
    ),
    ("services.*.ports.*", &["app_protocol", "host_ip", "mode", "name", "protocol", "published", "target"]),
    ("services.*.post_start.*", &HOOK),
    ("services.*.pre_stop.*", &HOOK),
    ("services.*.secrets.*", &FILE),
    ("services.*.ulimits.*", &["hard", "soft"]),
    (
        "services.*.volumes.*",
        &["bind", "consistency", "image", "read_only", "source", "target", "tmpfs", "type", "volume"],
    ),
    ("services.*.volumes.*.bind", &["create_host_path", "propagation", "recursive", "selinux"]),
    ("services.*.volumes.*.image", &["subpath"]),
    ("services.*.volumes.*.tmpfs", &["mode", "size"]),
    ("services.*.volumes.*.volume", &["labels", "nocopy", "subpath"]),
    (
        "networks.*",
        &[
            "attachable",
            "driver",
            "driver_opts",
            "enable_ipv4",
            "enable_ipv6",
            "external",
            "internal",
            "ipam",
            "labels",
            "name",
        ],
    ),
    ("networks.*.external", &["name"]),
    ("networks.*.ipam", &["config", "driver", "options"]),
    ("networks.*.ipam.config.*", &["aux_addresses", "gateway", "ip_range", "subnet"]),
    ("volumes.*", &["driver", "driver_opts", "external", "labels", "name"]),
    ("volumes.*.external", &["name"]),
    ("configs.*", &["content", "environment", "external", "file", "labels", "name", "template_driver"]),
    ("configs.*.external", &["name"]),
    (
        "secrets.*",
        &["driver", "driver_opts", "environment", "external", "file", "labels", "name", "template_driver"],
    ),
    ("secrets.*.external", &["name"]),
    ("services.*.provider", &["options", "type"]),
];

const DEVICE: [&str; 5] = ["capabilities", "count", "device_ids", "driver", "options"];
const FILE: [&str; 5] = ["gid", "mode", "source", "target", "uid"];
const HOOK: [&str; 5] = ["command", "environment", "privileged", "user", "working_dir"];
const UPDATE: [&str; 6] = ["delay", "failure_action", "max_failure_ratio", "monitor", "order", "parallelism"];

/// What the mapping at a path may hold, where that is known.
fn nested(path: &[&str]) -> Option<&'static [&'static str]> {
    let is_at = |pattern: &str| {
        let mut segments = pattern.split('.');
        let fit =
            path.iter().all(|name| segments.next().is_some_and(|segment| segment == "*" || segment == *name));
        fit && segments.next().is_none()
    };
    NESTED.iter().find(|(pattern, _)| is_at(pattern)).map(|(_, keys)| *keys)
}

fn unknown(key: &str, known: &'static [&'static str], of: Option<&str>) -> Option<Diagnostic> {
    if known.contains(&key) || key.starts_with("x-") {
        return None;
    }
    let of = of.map_or_else(String::new, |of| format!(" in `{}`", visible(of)));
    let told = Diagnostic::error(format!("the key `{}` is not known{of}", visible(key)));
    Some(match nearest(key, known.iter().copied()) {
        Some(near) => told.help(format!("did you mean `{near}`?")),
        None => told,
    })
}

/// Looks at what is below a node.
fn below<'a>(node: &'a Node, path: &mut Vec<&'a str>, report: &mut dyn FnMut(Diagnostic, Span)) {
    let known = nested(path);
    for (key, entry) in node.map().into_iter().flatten() {
        if let Some(told) = known.and_then(|known| unknown(key, known, path.last().copied())) {
            report(told, entry.key);
            continue;
        }
        path.push(key);
        below(&entry.node, path, report);
        path.pop();
    }
    for item in node.list().into_iter().flatten() {
        path.push("-");
        below(item, path, report);
        path.pop();
    }
}

fn check(project: &Project, report: &mut Report<'_>) {
    for (key, entry) in project.tree.map().into_iter().flatten() {
        if let Some(told) = unknown(key, &TOP, None) {
            report.add(key, entry.key, told);
        }
    }
    for service in project.services.values() {
        for (key, entry) in service.node.map().into_iter().flatten() {
            if let Some(told) = unknown(key, &SERVICE, None) {
                report.add(&service.name, entry.key, told.also(service.key, "of this service"));
            }
        }
        below(&service.node, &mut vec!["services", &service.name], &mut |told, at| {
            report.add(&service.name, at, told.also(service.key, "of this service"));
        });
    }
    let sections = [
        ("networks", &project.networks),
        ("volumes", &project.volumes),
        ("configs", &project.configs),
        ("secrets", &project.secrets),
    ];
    for (section, resources) in sections {
        for (name, resource) in resources {
            below(&resource.node, &mut vec![section, name], &mut |told, at| {
                report.add(name, at, told.also(resource.key, ""));
            });
        }
    }
}
