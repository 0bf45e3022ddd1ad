//! What cannot move to another node, because no data moves with it.

use insta::assert_snapshot;

use super::*;

/// What a kind says of a resource that was on the node `first` and is wanted on another one.
fn refusal(kind: &str, name: &str, given: &serde_json::Value) -> String {
    let case = Case::new(resource(kind, name, given));
    let first = Address::new("node", "first");
    let subject = Subject { moves_from: Some(&first), ..case.subject() };
    let findings = case.kind().refresh(subject).findings;
    let [refusal] = findings.iter().collect::<Vec<_>>()[..] else { panic!("{findings:?}") };
    assert_eq!(refusal.severity, Severity::Error);
    format!("{}\n{}\nhelp: {}", refusal.summary, refusal.detail, refusal.help.join("\n"))
}

#[test]
fn a_tenant_a_stack_and_a_network_stay_on_their_node() {
    assert_snapshot!(refusal("tenant", "acme", &json!({})), @r"
    `tenant.acme` cannot move to another node
    its directory is on `node.first`, and vsa moves no data
    help: declare a tenant of another label there, move the data, then remove this one
    ");
    assert_snapshot!(refusal("network", "back", &json!({})), @r"
    `network.back` cannot move to another node
    what is in it is on `node.first`, and vsa moves no data
    help: declare a network of another label there, let stacks there use it, then remove this one
    ");
    assert_snapshot!(refusal("stack", "shop", &json!({})), @r"
    `stack.shop` cannot move to another node
    its containers and its data are on `node.first`, and vsa moves no data
    help: declare a stack of another label there, move the data, then remove this one
    ");
}
