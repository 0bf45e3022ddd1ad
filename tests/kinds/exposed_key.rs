//! A certificate of Let's Encrypt whose key others may have read.

use std::collections::BTreeMap;

use vsa::plan::issuance::budget::Spent;

use super::certificate::{chain, key, link, linked, tree};
use super::*;

/// With this mode of its key.
fn issued(mode: u32) -> Case {
    let directory = "https://acme-v02.api.letsencrypt.org/directory";
    let facts = json!({
        "issue": 1,
        "request": format!("node.local acme {directory} ecdsa-p256 - shop.example.com"),
        "not_before": NOW - DAY,
        "not_after": NOW + 89 * DAY,
        "digest": "d",
        "published": 1,
        "published_issue": 1,
    });
    Case::new(resource("certificate", "shop.example.com", &json!({ "issuer": "letsencrypt" })))
        .known(facts)
        .seen(linked(), tree([("shop.example.com", link(1)), chain("d"), key(mode)]))
}

#[test]
fn it_is_issued_anew() {
    assert!(issued(0o600).steps().is_empty());
    let case = issued(0o644);
    assert!(matches!(case.steps()[0], Operation::IssueCertificate { issue: 2, .. }));
    assert_eq!(
        case.drift(),
        [
            "certificates/shop.example.com/1/privkey.pem may have been read by others: its mode is 0644, not 0600"
        ]
    );
}

#[test]
fn with_no_order_left_it_is_served_on() {
    let mut case = issued(0o644);
    let spent = Spent { limit: "5 certificates in 7 days".to_owned(), again: NOW + DAY };
    case.node.overspent = Arc::new(BTreeMap::from([(case.address.clone(), spent)]));
    assert!(case.steps().is_empty(), "{:?}", case.steps());
    assert_eq!(case.link(), "/node/certificates/shop.example.com/1");
    assert_eq!(case.findings(), ["warning: `shop.example.com` is not ordered now"]);
    let refreshed = case.refresh();
    assert_eq!((refreshed.drift.len(), refreshed.drift[0].repaired, refreshed.due), (1, false, None));
}
