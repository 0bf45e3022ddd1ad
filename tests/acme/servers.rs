//! The authorities that the tests bring along, and certbot, agree with each other.

use crate::support::authority::{Behaviour, Fault, Step, Validation};
use crate::support::certbot::{Lineage, Shows};
use crate::support::pebble::Options;
use crate::support::ports::Port;
use crate::support::private_ca::trusted;
use crate::support::{Authority, Certbot, Pebble};

const NAMES: [&str; 2] = ["shop.example.com", "www.shop.example.com"];
const HMAC: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

fn chain(lineage: &Lineage) -> String {
    std::fs::read_to_string(&lineage.fullchain).unwrap()
}

#[test]
fn certbot_gets_renews_and_revokes_a_certificate_of_pebble() {
    let port = Port::reserve();
    let options =
        Options { validity: Some(std::time::Duration::from_hours(60 * 24)), ..Options::new(port.number) };
    let (Some(pebble), directory) = (Pebble::start(&options), tempfile::tempdir().unwrap()) else { return };
    let Some(certbot) = Certbot::new(directory.path()) else { return };
    let shows = Shows::Standalone(port.number);
    certbot.issue(&pebble.directory(), pebble.ca(), shows, &NAMES, &["--key-type", "rsa"]);
    let lineages = certbot.certificates(&certbot.directory()).unwrap();
    let [lineage] = lineages.as_slice() else { panic!("{lineages:?}") };
    assert_eq!((lineage.name.as_str(), lineage.key_type.as_str()), (NAMES[0], "RSA"));
    assert_eq!(lineage.names, NAMES);
    assert_eq!(lineage.validity, "VALID: 59 days");
    trusted(&pebble.root(0), &chain(lineage), NAMES[1]).unwrap();
    assert_eq!((pebble.accounts(), pebble.orders(), pebble.issued(), pebble.fetched()), (1, 1, 1, 6));

    certbot.renew(pebble.ca());
    let renewed = certbot.certificates(&certbot.directory()).unwrap().remove(0);
    assert_ne!(renewed.serial, lineage.serial);
    assert_eq!((pebble.orders(), pebble.issued()), (2, 2));

    certbot.revoke(pebble.ca(), NAMES[0]);
    assert!(pebble.revoked(&renewed.serial) && !pebble.revoked(&lineage.serial));
}

#[test]
fn certbot_gets_and_revokes_a_certificate_of_the_mock() {
    let (port, directory) = (Port::reserve(), tempfile::tempdir().unwrap());
    let Some(certbot) = Certbot::new(directory.path()) else { return };
    let mut behaviour = Behaviour::new(Validation::Asks(port.number));
    behaviour.external_accounts = vec![("kid-1".to_owned(), HMAC.to_owned())];
    behaviour.processing = 2;
    let authority = Authority::start(behaviour);
    authority.fail(Step::NewOrder, Fault::bad_nonce(), 1);
    let shows = Shows::Standalone(port.number);
    let account = ["--eab-kid", "kid-1", "--eab-hmac-key", HMAC, "--preferred-chain", "Mock Root X2"];
    certbot.issue(&authority.directory(), authority.ca(), shows, &NAMES, &account);
    let lineage = certbot.certificates(&certbot.directory()).unwrap().remove(0);
    assert_eq!(lineage.validity, "VALID: 89 days");
    trusted(&authority.roots()[1], &chain(&lineage), NAMES[0]).unwrap();
    assert!(trusted(&authority.roots()[0], &chain(&lineage), NAMES[0]).is_err(), "it is the other chain");
    assert_eq!(authority.accounts()[0].external.as_deref(), Some("kid-1"));
    assert_eq!((authority.orders().len(), authority.count(Step::NewOrder)), (1, 2));
    let issued = authority.issued();
    assert_eq!(issued[0].serial, lineage.serial);
    assert_eq!(issued[0].revoked, None);

    certbot.revoke(authority.ca(), NAMES[0]);
    assert_eq!(authority.issued()[0].revoked, Some(0));
}

#[test]
fn pebble_binds_accounts_to_those_that_it_knows() {
    let port = Port::reserve();
    let account = ("kid-1".to_owned(), HMAC.to_owned());
    let options =
        Options { external_accounts: vec![account], alternate_roots: 1, ..Options::new(port.number) };
    let (Some(pebble), directory) = (Pebble::start(&options), tempfile::tempdir().unwrap()) else { return };
    let Some(certbot) = Certbot::new(directory.path()) else { return };
    let account = ["--eab-kid", "kid-1", "--eab-hmac-key", HMAC];
    certbot.issue(&pebble.directory(), pebble.ca(), Shows::Standalone(port.number), &NAMES, &account);
    assert!(pebble.printed().contains("Successful newAccount Binding with CA using kid \"kid-1\""));
    let lineage = certbot.certificates(&certbot.directory()).unwrap().remove(0);
    trusted(&pebble.root(0), &chain(&lineage), NAMES[0]).unwrap();
    assert_ne!(pebble.root(0), pebble.root(1));
}
