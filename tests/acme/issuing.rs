//! Certificates that an authority issues, as a user has them issued.

use crate::support::pebble::Options;
use crate::support::private_ca::trusted;
use crate::support::{Pebble, Workspace};

/// A configuration whose node asks an authority.
pub(super) fn node(ground: &Workspace, pebble: &Pebble, more: &str) -> String {
    format!(
        "node \"local\" {{\n  proxy {{\n    http_port  = {}\n    https_port = {}\n  }}\n  acme {{\n    directory       = \"{}\"\n    \
         ca              = \"{}\"\n    validation_port = {}\n    resolvers       = [\"{}\"]\n    {more}\n  }}\n}}\ntenant \"acme\" {{}}\n",
        ground.http_port(),
        ground.https_port(),
        pebble.directory(),
        pebble.ca().display(),
        ground.http_port(),
        pebble.dns.server(),
    )
}

/// A site of files.
pub(super) fn site(ground: &Workspace, name: &str, more: &str) -> String {
    ground.write("www/index.html", "hello\n");
    crate::support::open_to_all(&ground.configuration().join("www"));
    format!(
        "domain \"{name}\" {{\n  tenant = tenant.acme\n  root   = \"{}/www\"\n  {more}\n}}\n",
        ground.configuration().display()
    )
}

/// The chain that is live for a certificate.
pub(super) fn live(ground: &Workspace, name: &str) -> String {
    let path = ground.node_root().join(format!("live/{name}/fullchain.pem"));
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_new_site_is_served_with_its_certificate_after_one_apply() {
    let Some(ground) = Workspace::managed() else { return };
    let options = Options { rejected_nonces: 20, ..Options::new(ground.http_port()) };
    let Some(pebble) = Pebble::start(&options) else { return };
    let aliases = "aliases = [\"www.shop.example.com\"]";
    ground.write("main.hcl", node(&ground, &pebble, "") + &site(&ground, "shop.example.com", aliases));
    let plan = ground.vsa(["plan"]).code(0);
    let _ = plan
        .says("switch nginx to generation 1 (15 files), which answers for what the authority looks at")
        .says("issue a certificate for shop.example.com, www.shop.example.com (ecdsa-p256)")
        .says("switch nginx to generation 2");
    ground.apply();
    let chain = live(&ground, "shop.example.com");
    for name in ["shop.example.com", "www.shop.example.com"] {
        trusted(&pebble.root(0), &chain, name).unwrap();
    }
    let response = ground.https("shop.example.com", "/");
    assert_eq!((response.status, response.body.as_slice()), (200, b"hello\n".as_slice()));
    assert_eq!((pebble.orders(), pebble.issued(), pebble.accounts()), (1, 1, 1));
    ground.assert_nothing_to_do();
    assert_eq!(pebble.orders(), 1);
    let _ = ground.vsa(["destroy", "-auto-approve"]).code(0);
    assert!(!ground.node_root().exists(), "all of it was vsa's");
}

#[test]
fn a_failure_is_remembered_and_the_site_answers_meanwhile() {
    let Some(ground) = Workspace::managed() else { return };
    let blocked = vec!["bad.example.com".to_owned()];
    let Some(pebble) = Pebble::start(&Options { blocked, ..Options::new(ground.http_port()) }) else {
        return;
    };
    let sites = site(&ground, "bad.example.com", "") + &site(&ground, "good.example.com", "");
    ground.write("main.hcl", node(&ground, &pebble, "") + &sites);
    let failed = ground.vsa(["apply", "-auto-approve"]).code(5);
    let _ = failed.says("does not issue `bad.example.com`");
    let orders = pebble.orders();
    let _ = ground.vsa(["plan"]).code(0).says("`bad.example.com` could not be issued, and waits");
    ground.apply();
    // What was issued before the run was taken back is not asked for again.
    assert_eq!(pebble.orders(), orders);
    assert_eq!(ground.https("bad.example.com", "/").status, 200);
    trusted(&pebble.root(0), &live(&ground, "good.example.com"), "good.example.com").unwrap();
    ground.assert_nothing_to_do();
}
