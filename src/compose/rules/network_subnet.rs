use ipnet::IpNet;

use super::{Project, Purpose, Report, Rule};
use crate::compose::Node;
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "network_subnet",
    code: "compose_network_subnet",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "networks with public addresses, or with addresses from a driver",
    doc: "the node would route these addresses to the containers: remove `ipam`, or take a private `subnet`",
    check,
};

/// Private and shared addresses, and those of a link (RFC 1918, 6598, 3927, 4193, 4291).
const PRIVATE: [&str; 7] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
];

fn is_private(subnet: &str) -> bool {
    let Ok(subnet) = subnet.parse::<IpNet>() else { return false };
    PRIVATE.iter().filter_map(|range| range.parse::<IpNet>().ok()).any(|range| range.contains(&subnet))
}

fn check(project: &Project, report: &mut Report<'_>) {
    for (name, network) in &project.networks {
        let Some(ipam) = network.node.get("ipam") else { continue };
        if let Some(driver) = ipam.text_of("driver").filter(|text| !matches!(&*text.text, "" | "default")) {
            let summary = format!("the network's addresses come from the driver `{}`", driver.shown());
            report.resource(name, network, driver.span, summary);
        }
        for range in ipam.get("config").and_then(Node::list).unwrap_or_default() {
            if let Some(subnet) = range.text_of("subnet").filter(|text| !is_private(&text.text)) {
                let summary = format!("the network's subnet `{}` is not private", subnet.shown());
                report.resource(name, network, subnet.span, summary);
            }
        }
    }
}
