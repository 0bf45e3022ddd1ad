//! A node with an authority that takes the place of one that goes: nginx answers for the new one in prepare already.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

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

/// Who keeps what a failed run did keeps the sites of a node that gave way, too.
#[test]
fn a_node_that_gave_way_is_there_again_where_a_failed_run_is_kept() {
    let Some(ground) = Workspace::managed() else { return };
    let authority = Authority::start(Behaviour::new(Validation::Asks(ground.http_port())));
    called(&ground, &authority, "middle");
    ground.apply();
    let served = || ground.https(NAME, "/").status == 200;
    assert!(served());

    // In prepare, when it has given way to one that answers for the authority.
    called(&ground, &authority, "alpha");
    let gate = authority.hold(Step::Certificate, false);
    let mut command = ground.command(["apply", "-auto-approve", "-on-failure=keep"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    gate.wait_for(1);
    assert!(fetch(&Request::https(ground.https_port(), NAME, "/")).is_err(), "it is away meanwhile");
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    authority.mend();
    gate.open();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(6), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(served());
    // What was issued was kept, for the next apply.
    ground.apply();
    assert!(served());
    ground.assert_nothing_to_do();
    assert_eq!(authority.issued().len(), 2);

    let _ = ground.vsa(["destroy", "-auto-approve"]).code(0);
}

#[test]
fn a_node_that_goes_is_there_until_what_takes_its_place_is() {
    let Some(ground) = Workspace::managed() else { return };
    let [http, https] = [Port::reserve(), Port::reserve()];
    let write = |name: &str, (http, https): (u16, u16)| {
        let site = "  tls {\n    enabled = false\n  }\n  root = \"/srv/shop\"\n";
        let text = format!(
            "node \"{name}\" {{\n  proxy {{\n    http_port  = {http}\n    https_port = {https}\n  }}\n}}\ntenant \"{name}\" \
             {{}}\ndomain \"{NAME}\" {{\n  tenant = tenant.{name}\n{site}}}\n",
        );
        ground.write("main.hcl", text);
    };
    write("zebra", (ground.http_port(), ground.https_port()));
    ground.apply();
    let served = |port| fetch(&Request::http(port, NAME, "/")).is_ok();
    assert!(served(ground.http_port()));

    // One on its port, and one that has two of its own.
    let keeping = ["apply", "-auto-approve", "-on-failure=keep"];
    for port in [ground.http_port(), http.number] {
        write("alpha", (port, https.number));
        let mut taken = None;
        let ran = ground.meanwhile(keeping, "phase:switch:1", || {
            taken = Some(TcpListener::bind((Ipv4Addr::UNSPECIFIED, https.number)).unwrap());
        });
        let _ = ran.code(6).says(&https.number.to_string());
        assert!(served(ground.http_port()), "beside one on {port}");
    }
    ground.apply();
    assert!(served(http.number) && !served(ground.http_port()));
    ground.assert_nothing_to_do();
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
