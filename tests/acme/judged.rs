//! What a site offers by TLS, as independent judges see it.

use std::time::Duration;

use super::issuing::{node, site};
use crate::support::pebble::Options;
use crate::support::sslyze::sslyze;
use crate::support::testssl::{Finding, testssl};
use crate::support::{Pebble, Workspace};

const DAY: Duration = Duration::from_hours(24);

/// A site with a certificate of an authority, whose root is beside its configuration.
fn served() -> Option<(Workspace, Pebble)> {
    let ground = Workspace::managed()?;
    let options = Options {
        validity: Some(90 * DAY),
        // One of Let's Encrypt's says where revocations are listed: pebble can do as much.
        ocsp_responder: Some("http://ocsp.example.com".to_owned()),
        ..Options::new(ground.http_port())
    };
    let pebble = Pebble::start(&options)?;
    ground.write("main.hcl", node(&ground, &pebble, "") + &site(&ground, "shop.example.com", ""));
    ground.apply();
    ground.write("root.pem", pebble.root(0));
    Some((ground, pebble))
}

#[test]
fn what_is_offered_is_mozillas_intermediate_profile() {
    let Some((ground, _pebble)) = served() else { return };
    let root = ground.configuration().join("root.pem");
    let judged = ground.within(|| sslyze(ground.https_port(), "shop.example.com", &root));
    let Some(lacks) = judged else { return };
    assert_eq!(lacks, Vec::<String>::new());
}

#[test]
fn nothing_of_what_is_offered_is_weak() {
    let Some((ground, _pebble)) = served() else { return };
    let root = ground.configuration().join("root.pem");
    // All but a look at each known client, which takes as long as the rest.
    let checks = [
        "--protocols",
        "--std",
        "--fs",
        "--server-preference",
        "--server-defaults",
        "--headers",
        "--vulnerable",
    ];
    let judged = ground.within(|| testssl(ground.https_port(), "shop.example.com", &root, &checks));
    let Some(findings) = judged else { return };
    let of = |id: &str| findings.iter().find(|finding| finding.id == id).map(|finding| &*finding.summary);
    assert_eq!(of("ALPN_HTTP2"), Some("h2"), "{findings:#?}");
    assert_eq!(of("heartbleed"), Some("not vulnerable, no heartbeat extension"), "{findings:#?}");
    let grave: Vec<_> = findings.iter().filter(|finding| finding.is_grave()).collect();
    let ids: Vec<_> = grave.iter().map(|Finding { id, .. }| &**id).collect();
    // Mozilla leaves the order to clients: each cipher is strong, and a phone without AES takes the one that suits it.
    assert_eq!(ids, ["cipher_order"], "{grave:#?}");
}
