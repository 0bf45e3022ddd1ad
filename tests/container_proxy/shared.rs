//! A network that the proxy shares with all that it serves, in the place of one for each stack.

use std::fs;

use super::Ground;

#[test]
fn only_what_sites_name_is_in_the_network_that_the_proxy_shares() {
    let Some(ground) = Ground::new() else { return };
    let edge = format!("edge{}", ground.workspace.http_port());
    let of = |tenant: &str, service: &str| {
        ground.networks(&ground.engine.container(&ground.project(tenant, tenant), service))
    };
    let default = |tenant: &str| format!("{}_default", ground.project(tenant, tenant));
    ground.node(&format!("network = \"{edge}\"")).shop("one", "1", "").shop("two", "2", "");
    drop(ground.workspace.vsa(["plan"]).code(1).says(&format!("there is no network `{edge}`")));
    ground.workspace.write("network.hcl", format!("network \"{edge}\" {{}}\n"));
    drop(ground.workspace.apply());
    assert_eq!((ground.get("one"), ground.get("two")), ("1 one".to_owned(), "2 two".to_owned()));
    for tenant in ["one", "two"] {
        assert_eq!(of(tenant, "db"), [default(tenant)]);
        assert!(of(tenant, "web").contains(&edge) && of(tenant, "web").contains(&default(tenant)));
    }
    let proxy = ground.networks(&ground.container());
    assert!(proxy.contains(&edge), "{proxy:?}");
    assert!(!proxy.contains(&default("one")) && !proxy.contains(&default("two")), "{proxy:?}");
    drop(ground.workspace.assert_nothing_to_do());

    // Back to a network for each.
    ground.node("");
    drop(ground.workspace.apply());
    assert_eq!((ground.get("one"), ground.get("two")), ("1 one".to_owned(), "2 two".to_owned()));
    let proxy = ground.networks(&ground.container());
    assert!(proxy.contains(&default("one")) && proxy.contains(&default("two")), "{proxy:?}");
    assert!(!proxy.contains(&edge), "{proxy:?}");
    assert_eq!(of("one", "web"), [default("one")]);
    drop(ground.workspace.assert_nothing_to_do());
    fs::remove_file(ground.source("network.hcl")).unwrap();
    drop(ground.workspace.apply());
    let networks = ground.engine.ask(&["network", "ls", "--format", "{{.Name}}"]);
    assert!(!networks.contains(&edge), "{networks}");
    drop(ground.workspace.assert_nothing_to_do());
}
