//! A node with an authority that takes the place of one that goes: nginx answers for the new one in prepare already.

use super::disk_story::NAME;
use super::issuing::site;
use crate::support::authority::{Behaviour, Fault, Step, Validation};
use crate::support::ports::Port;
use crate::support::{Authority, Request, Workspace, fetch};

/// Has the configuration call its one node so.
fn called(ground: &Workspace, authority: &Authority, name: &str) {
    let node = format!(
        "node \"{name}\" {{\n  proxy {{\n    http_port  = {}\n    https_port = {}\n  }}\n  acme {{\n    directory   = \"{}\"\n    \
         ca          = \"{}\"\n    check_names = false\n  }}\n}}\ntenant \"{name}\" {{}}\n",
        ground.http_port(),
        ground.https_port(),
        authority.directory(),
        authority.ca().display(),
    );
    ground
        .write("main.hcl", node + &site(ground, NAME, "").replace("tenant.acme", &format!("tenant.{name}")));
}

#[test]
fn a_node_takes_over_the_ports_of_one_that_goes_before_an_authority_looks_at_it() {
    let Some(ground) = Workspace::managed() else { return };
    // It asks nginx for what it looks at.
    let authority = Authority::start(Behaviour::new(Validation::Asks(ground.http_port())));
    called(&ground, &authority, "middle");
    ground.apply();
    let served = || ground.https(NAME, "/").status == 200;
    assert!(served());

    // What fails leaves the first one as it was.
    called(&ground, &authority, "zebra");
    authority.fail(Step::Finalize, Fault::Unavailable, usize::MAX);
    let _ = ground.vsa(["apply", "-auto-approve"]).code(5).says("cannot be asked for");
    authority.mend();
    called(&ground, &authority, "middle");
    ground.assert_nothing_to_do();
    assert!(served());

    for name in ["alpha", "zebra-2"] {
        called(&ground, &authority, name);
        let plan = ground.vsa(["plan"]).code(0).stdout;
        let at = |what: &str| plan.find(what).unwrap_or_else(|| panic!("{what}: {plan}"));
        assert!(at("out of nginx") < at("switch nginx to generation 1 ("), "{plan}");
        ground.apply();
        assert!(served(), "of `{name}`");
        ground.assert_nothing_to_do();
    }
    let _ = ground.vsa(["destroy", "-auto-approve"]).code(0);
}

#[test]
fn each_of_two_nodes_in_the_place_of_one_waits_until_that_has_gone() {
    let Some(ground) = Workspace::managed() else { return };
    let authority = Authority::start(Behaviour::new(Validation::Believes));
    called(&ground, &authority, "middle");
    ground.apply();
    // One has its port for HTTP, the other one that for HTTPS.
    let others = [Port::reserve(), Port::reserve()];
    let (http, https) = (ground.http_port(), ground.https_port());
    let nodes = [("alpha", http, others[1].number), ("beta", others[0].number, https)];
    let all = nodes.map(|(name, http, https)| {
        let host = format!("{name}.example.com");
        let site = site(&ground, &host, &format!("node = node.{name}"));
        format!(
            "node \"{name}\" {{\n  proxy {{\n    http_port  = {http}\n    https_port = {https}\n  }}\n  acme {{\n    directory   = \"{}\"\n    \
             ca          = \"{}\"\n    check_names = false\n  }}\n}}\ntenant \"{name}\" {{\n  node = node.{name}\n}}\n{}",
            authority.directory(),
            authority.ca().display(),
            site.replace("tenant.acme", &format!("tenant.{name}")),
        )
    });
    ground.write("main.hcl", all.concat());
    ground.apply();
    for (name, _, https) in nodes {
        let request = Request::https(https, &format!("{name}.example.com"), "/");
        assert_eq!(fetch(&request).unwrap().status, 200, "of `{name}`");
    }
    ground.assert_nothing_to_do();
    let _ = ground.vsa(["destroy", "-auto-approve"]).code(0);
}
