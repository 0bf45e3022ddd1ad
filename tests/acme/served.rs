//! Certificates as clients see them, while they are renewed too.

use x509_parser::parse_x509_certificate;

use super::issuing::{node, site};
use crate::support::pebble::Options;
use crate::support::{Connections, Load, Pebble, Request, Workspace, count, presented};

/// Requests a second.
const RATE: u32 = 100;

fn serial(ground: &Workspace, name: &str) -> String {
    let chain = ground.within(|| presented(ground.https_port(), name));
    parse_x509_certificate(&chain[0]).unwrap().1.raw_serial_as_string()
}

#[test]
fn a_renewal_loses_no_request_and_is_served_at_once() {
    let Some(ground) = Workspace::managed() else { return };
    let Some(pebble) = Pebble::start(&Options::new(ground.http_port())) else { return };
    ground.write(
        "main.hcl",
        node(&ground, &pebble, "")
            + &site(&ground, "shop.example.com", "rate_limit {\n    enabled = false\n  }"),
    );
    ground.apply();
    let request = Request::https(ground.https_port(), "shop.example.com", "/");
    let loads = [Connections::Fresh, Connections::KeptAlive]
        .map(|connections| ground.within(|| Load::start(RATE, connections, vec![request.clone()])));
    let mut seen = vec![serial(&ground, "shop.example.com")];
    for _ in 0..count(3, 20) {
        let _ = ground.vsa(["cert", "renew", "-force"]).code(0);
        let now = serial(&ground, "shop.example.com");
        assert!(!seen.contains(&now), "the handshake after it presents the new one");
        seen.push(now);
        for load in &loads {
            load.wait_for(u64::from(RATE) / 4);
        }
    }
    for load in loads {
        let report = load.stop();
        report.assert_all_answered();
        assert_eq!(report.statuses.get(&200), Some(&report.sent), "{report:#?}");
        println!("{} requests, none lost, over {} renewals", report.sent, seen.len() - 1);
    }
}

#[test]
fn a_name_that_nobody_has_is_refused_in_the_handshake() {
    let Some(ground) = Workspace::managed() else { return };
    let Some(pebble) = Pebble::start(&Options::new(ground.http_port())) else { return };
    ground.write("main.hcl", node(&ground, &pebble, "") + &site(&ground, "shop.example.com", ""));
    ground.apply();
    let other = Request::https(ground.https_port(), "other.example.com", "/");
    let refused = ground.within(|| crate::support::fetch(&other)).unwrap_err();
    assert!(refused.to_string().contains("UnrecognisedName"), "{refused}");
}
