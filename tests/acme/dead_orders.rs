//! Orders that lead nowhere are given up: nobody is asked for them again.

use super::issuing::{live, node, site};
use super::story::{NAME, Story};
use crate::support::authority::{Fault, Step};
use crate::support::pebble::Options;
use crate::support::private_ca::trusted;
use crate::support::{Pebble, Workspace};

#[test]
fn an_order_without_an_address_is_none() {
    let Some(story) = Story::new() else { return };
    let order =
        r#"{"status":"pending","identifiers":[],"authorizations":[],"finalize":"https://127.0.0.1:1/f"}"#;
    let headers = vec![
        ("Content-Type", "application/json".to_owned()),
        ("Location", "file:///etc/shadow".to_owned()),
        ("Replay-Nonce", "bm9uY2U".to_owned()),
    ];
    story.authority.fail(Step::NewOrder, Fault::Answer(201, headers, order.to_owned()), 1);
    let said = story.fails();
    assert!(said.contains("it gives the order no `https` address"), "{said}");
    story.later();
    story.ground.apply();
    trusted(&story.authority.roots()[0], &live(&story.ground, NAME), NAME).unwrap();
    story.ground.assert_nothing_to_do();
}

#[test]
fn a_certificate_that_is_none_is_not_fetched_again() {
    let Some(story) = Story::new() else { return };
    let headers = vec![("Content-Type", "application/pem-certificate-chain".to_owned())];
    let chain = "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n";
    story.authority.fail(Step::Certificate, Fault::Answer(200, headers, chain.to_owned()), 9);
    let said = story.fails();
    assert!(said.contains("is none: it cannot be read"), "{said}");
    story.authority.mend();
    story.later();
    story.ground.apply();
    assert_eq!(story.authority.orders().len(), 2);
    trusted(&story.authority.roots()[0], &live(&story.ground, NAME), NAME).unwrap();
    story.ground.assert_nothing_to_do();
}

#[test]
fn names_in_another_order_cost_none() {
    let Some(ground) = Workspace::managed() else { return };
    let Some(pebble) = Pebble::start(&Options::new(ground.http_port())) else { return };
    for aliases in [
        r#"["www.shop.example.com", "m.shop.example.com"]"#,
        r#"["m.shop.example.com", "www.shop.example.com"]"#,
    ] {
        let site = site(&ground, NAME, &format!("aliases = {aliases}"));
        ground.write("main.hcl", node(&ground, &pebble, "") + &site);
        ground.apply();
        ground.assert_nothing_to_do();
        assert_eq!(pebble.orders(), 1);
    }
}
