//! What was edited since the last apply, and a renewal that nobody looks at before.

use std::collections::BTreeSet;
use std::fs;

use super::issuing::{live, site};
use super::renewing::node;
use super::story::{NAME, Story};
use crate::stack::Ground;
use crate::support::authority::{Behaviour, Validation};
use crate::support::private_ca::trusted;
use crate::support::{Authority, Workspace, images};

/// A site as its domain declares it, beside its certificate of the same name.
fn with_own_certificate(story: &Story, until_issued: &str) {
    let tls = format!("tls {{\n    until_issued = \"{until_issued}\"\n  }}");
    story.replace(&site(&story.ground, NAME, ""), "");
    let own = format!("certificate \"{NAME}\" {{\n  key_type = \"ecdsa-p384\"\n}}\n");
    let text = story.ground.read("main.hcl") + &site(&story.ground, NAME, &tls) + &own;
    story.ground.write("main.hcl", text);
}

#[test]
fn a_renewal_renews_what_was_applied_and_leaves_every_edit_to_an_apply() {
    let Some(story) = Story::new() else { return };
    let (ground, authority) = (&story.ground, &story.authority);
    ground.apply();
    let default_server = || {
        fs::read_to_string(ground.generation(ground.live_generation()).join("base/default_server.conf"))
            .unwrap()
    };
    let before = default_server();
    // Another port, and a name that leads nowhere yet.
    story.replace(
        &format!("https_port = {}", ground.https_port()),
        &format!("https_port = {}\n    http2 = false", ground.http_port() + 1),
    );
    story.replace("tenant = tenant.acme", "aliases = [\"m.shop.example.com\"]\n  tenant = tenant.acme");
    let shown = ground.vsa(["cert", "renew", "-force", "-plan"]).code(0);
    let shown = shown.says("`certificate[\"shop.example.com\"]` was edited, and is taken as it was applied");
    let shown = shown.says("the same holds for `node.local`");
    let shown = shown.says("`vsa apply` makes the change").says("1 to change");
    assert!(!shown.stdout.contains("node.local\" will be"), "{}", shown.stdout);
    let _ = ground.vsa(["cert", "renew", "-force"]).code(0).says("0 added, 1 changed, 0 destroyed");
    assert_eq!(authority.issued()[1].names, [NAME]);
    assert_eq!(ground.https(NAME, "/").status, 200);
    assert_eq!(default_server(), before, "what is the node's is as it was");

    // A plan of all makes the edits.
    let plan = ground.vsa(["plan", "-detailed-exitcode"]).code(2);
    let _ = plan.says("node.local").says("m.shop.example.com").says("http2");
    // Who asks for the certificate by name gets it as it is wanted; the node waits, and that is said.
    let told = ground.vsa(["cert", "issue", NAME, "-auto-approve"]).code(0);
    let _ = told.says("`node.local` was edited, and is taken as it was applied");
    assert_eq!(authority.issued()[2].names, [NAME, "m.shop.example.com"]);
    assert_eq!(default_server(), before);
    let told = ground.apply();
    assert!(!told.stderr.contains("was edited"), "{}", told.stderr);
    assert_ne!(default_server(), before);
    assert_eq!(authority.orders().len(), 3, "what was issued for it is taken");
    ground.assert_nothing_to_do();
}

#[test]
fn what_was_edited_together_is_judged_together() {
    let Some(story) = Story::new() else { return };
    let ground = &story.ground;
    ground.apply();
    // A wildcard is right by what the node says now, and would not be by what it said.
    let exec = "challenge = \"dns-01\"\n    exec {\n      command = [\"/bin/true\"]\n    }\n    ca ";
    story.replace("ca  ", exec);
    let wildcard = "certificate \"example.com\" {\n  names = [\"example.com\", \"*.example.com\"]\n}\n";
    ground.write("main.hcl", ground.read("main.hcl") + wildcard);
    let told = ground.vsa(["cert", "renew", "-force"]).code(0);
    let _ = told.says("`node.local` was edited, and is taken as it was applied");
    assert_eq!(story.authority.issued().len(), 2);
    // One that is wrong as it is declared stops it.
    ground.write("main.hcl", ground.read("main.hcl").replace("dns-01", "http-01"));
    let _ = ground.vsa(["cert", "renew", "-force"]).code(1).says("*.example.com");
    assert_eq!(story.authority.orders().len(), 2);
}

#[test]
fn a_site_beside_its_declared_certificate_is_switched_in_by_the_renewal_that_has_it_issued() {
    for until_issued in ["http", "none"] {
        let Some(story) = Story::new() else { return };
        with_own_certificate(&story, until_issued);
        let ground = &story.ground;
        story.authority.down(true);
        let _ = ground.vsa(["apply", "-auto-approve", "-on-failure=keep"]).code(6);
        story.authority.down(false);
        story.later();
        let _ = ground.vsa(["cert", "renew"]).code(0);
        trusted(&story.authority.roots()[0], &live(ground, NAME), NAME).unwrap();
        assert_eq!(ground.https(NAME, "/").status, 200);
        ground.assert_nothing_to_do();
    }
}

#[test]
fn a_site_that_was_edited_is_not_switched_in_unseen() {
    let Some(story) = Story::new() else { return };
    with_own_certificate(&story, "http");
    let ground = &story.ground;
    story.authority.down(true);
    let _ = ground.vsa(["apply", "-auto-approve", "-on-failure=keep"]).code(6);
    story.authority.down(false);
    story.later();
    story.replace("  root   =", "  headers = { \"X-Version\" = \"2\" }\n  root   =");
    let told = ground.vsa(["cert", "renew"]).code(0);
    let _ = told.says("`domain[\"shop.example.com\"]` stays as it is: it, or what goes with it, was edited");
    trusted(&story.authority.roots()[0], &live(ground, NAME), NAME).unwrap();
    let plain = ground.http(NAME, "/");
    assert_eq!((plain.status, plain.header("x-version")), (200, None), "as it was applied");
    ground.apply();
    assert_eq!(ground.https(NAME, "/").header("x-version"), Some("2"));
    assert_eq!(story.authority.orders().len(), 1);
    ground.assert_nothing_to_do();
}

#[test]
fn an_edited_site_is_not_switched_in_with_another_one_of_its_stack() {
    let Some(ground) = Ground::new() else { return };
    let authority = Authority::start(Behaviour::new(Validation::Believes));
    ground.compose(&images::app(&ground.engine, "1"));
    let (workspace, tenant) = (&ground.workspace, ground.tenant());
    let acme = format!(
        "\n  acme {{\n    directory   = \"{}\"\n    ca          = \"{}\"\n    check_names = false\n  }}\n}}\n",
        authority.directory(),
        authority.ca().display(),
    );
    let node = workspace.read("node.hcl");
    workspace.write("node.hcl", node.trim_end().strip_suffix('}').unwrap().to_owned() + &acme);
    let site = |name: &str, more: &str| {
        format!(
            "domain \"{name}.example.com\" {{\n  tenant = tenant.{tenant}\n  {more}\n  upstream {{\n    stack = stack.shop\n    \
             service = \"web\"\n    port = 3000\n  }}\n}}\n"
        )
    };
    let write = |sites: &[String]| {
        let stack = format!(
            "tenant \"{tenant}\" {{}}\nstack \"shop\" {{\n  tenant = tenant.{tenant}\n  source = \"./shop\"\n  env = {{ GREETING = \
             \"hello\" }}\n}}\n"
        );
        workspace.write("main.hcl", stack + &sites.concat());
    };
    write(&[site("one", ""), site("two", "")]);
    authority.down(true);
    let _ = workspace.vsa(["apply", "-auto-approve", "-on-failure=keep"]).code(6);
    authority.down(false);
    let path = workspace.node_root().join("accounts/ledger.json");
    let mut ledger: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for known in ledger["certificates"].as_object_mut().unwrap().values_mut() {
        known["failed"]["again"] = 0.into();
    }
    fs::write(path, ledger.to_string()).unwrap();

    // One was edited, one is new, and one waits for its first certificate: they share a stack.
    write(&[site("one", ""), site("two", "headers = { \"X-Version\" = \"2\" }"), site("three", "")]);
    let mut told = workspace.vsa(["cert", "renew"]).code(0);
    for name in ["one", "two"] {
        told = told.says(&format!(
            "`domain[\"{name}.example.com\"]` stays as it is: it, or what goes with it, was edited"
        ));
    }
    let issued: BTreeSet<Vec<String>> =
        authority.issued().iter().map(|issued| issued.names.clone()).collect();
    assert_eq!(issued, ["one", "two"].map(|name| vec![format!("{name}.example.com")]).into());
    assert_eq!(workspace.https("two.example.com", "/").header("x-version"), None);
    let plan = workspace.vsa(["plan"]).code(0);
    let _ = plan.says("domain[\"three.example.com\"] will be created").says("X-Version");

    workspace.apply();
    assert_eq!(workspace.https("two.example.com", "/").header("x-version"), Some("2"));
    assert_eq!(authority.orders().len(), 3);
    for name in ["one", "two", "three"] {
        let name = format!("{name}.example.com");
        trusted(&authority.roots()[0], &live(workspace, &name), &name).unwrap();
        assert_eq!(workspace.https(&name, "/").status, 200);
    }
    workspace.assert_nothing_to_do();
}

#[test]
fn a_renewal_takes_nothing_along_that_the_certificate_names() {
    let Some(story) = Story::new() else { return };
    let (ground, authority) = (&story.ground, &story.authority);
    let certificate = "certificate \"mail\" {\n  names      = [\"mail.example.com\"]\n  depends_on = [domain[\"shop.example.com\"]]\n}\n";
    ground.write("main.hcl", ground.read("main.hcl") + certificate);
    ground.apply();
    story.replace("  root   =", "  headers = { \"X-Version\" = \"2\" }\n  root   =");
    let _ = ground.vsa(["cert", "renew", "mail", "-force"]).code(0).says("0 added, 1 changed, 0 destroyed");
    assert_eq!(authority.issued()[2].names, ["mail.example.com"]);
    assert_eq!(ground.https(NAME, "/").header("x-version"), None);
    ground.apply();
    assert_eq!(ground.https(NAME, "/").header("x-version"), Some("2"));
    ground.assert_nothing_to_do();
}

#[test]
fn a_certificate_goes_with_the_site_that_brings_it_along() {
    let Some(ground) = Workspace::managed() else { return };
    let authority = Authority::start(Behaviour::new(Validation::Believes));
    let node = node(&ground, &authority, "");
    let own = "certificate \"two.example.com\" {\n  key_type = \"ecdsa-p384\"\n}\n";
    let sites =
        ["one.example.com", "two.example.com", "three.example.com"].map(|name| site(&ground, name, ""));
    ground.write("main.hcl", node + &sites.concat() + own);
    ground.apply();
    for name in ["one.example.com", "two.example.com"] {
        let target = format!("certificate[\"{name}\"]");
        let gone = ground.vsa(["destroy", "-auto-approve", "-target", &target]).code(0);
        let _ = gone.says("0 added, 0 changed, 2 destroyed");
        assert!(!ground.node_root().join("live").join(name).exists());
    }
    assert_eq!(ground.https("three.example.com", "/").status, 200);
    let _ = ground.vsa(["plan"]).code(0).says("Plan: 4 to add, 0 to change, 0 to destroy");
}
