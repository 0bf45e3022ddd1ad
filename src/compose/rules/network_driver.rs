use super::{Project, Purpose, Report, Rule};
use crate::compose::Node;
use crate::diag::{Severity, visible};

pub(super) const RULE: Rule = Rule {
    name: "network_driver",
    code: "compose_network_driver",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "network drivers that reach the node's own networks",
    doc: "they put containers beside the node, past its firewall and its proxy: remove `driver` and `driver_opts`",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    for (name, network) in &project.networks {
        if let Some(driver) = network.node.text_of("driver")
            && !matches!(&*driver.text, "" | "bridge" | "overlay" | "none")
        {
            report.resource(
                name,
                network,
                driver.span,
                format!("the network's driver is `{}`", driver.shown()),
            );
        }
        for (option, entry) in network.node.get("driver_opts").and_then(Node::map).into_iter().flatten() {
            let harmless =
                ["com.docker.network.driver.mtu", "com.docker.network.bridge.enable_icc", "encrypted"];
            if !harmless.contains(&&**option) {
                let summary = format!("the network's option `{}` is set", visible(option));
                report.resource(name, network, entry.key, summary);
            }
        }
    }
}
