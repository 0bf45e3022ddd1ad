//! What authorities want to know, and what they give: accounts, keys, chains, names below names.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use x509_parser::parse_x509_certificate;

use super::issuing::{live, node, site};
use super::story::{NAME, Story};
use crate::support::authority::{Fault, Problem, Step};
use crate::support::named::{Named, Zone, secret};
use crate::support::pebble::Options;
use crate::support::private_ca::trusted;
use crate::support::{Pebble, Request, Workspace, count, fetch, presented};

const HMAC: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

/// The size of a key that a handshake presents, in bits, and whether it is RSA.
fn key(ground: &Workspace, name: &str) -> (usize, bool) {
    let chain = ground.within(|| presented(ground.https_port(), name));
    let (_, leaf) = parse_x509_certificate(&chain[0]).unwrap();
    let is_rsa = leaf.public_key().algorithm.algorithm.to_id_string() == "1.2.840.113549.1.1.1";
    (leaf.public_key().parsed().unwrap().key_size(), is_rsa)
}

#[test]
fn an_account_of_ones_own_is_asked_for_where_the_authority_wants_one() {
    let Some(ground) = Workspace::managed() else { return };
    let external_accounts = vec![("kid-1".to_owned(), HMAC.to_owned())];
    let Some(pebble) = Pebble::start(&Options { external_accounts, ..Options::new(ground.http_port()) })
    else {
        return;
    };
    let write = |more: &str| {
        ground.write("main.hcl", node(&ground, &pebble, more) + &site(&ground, "shop.example.com", ""));
    };
    let eab = |key: &str| format!("eab {{\n    key_id   = \"kid-1\"\n    hmac_key = \"{key}\"\n  }}");
    write("");
    let none = ground.vsa(["apply", "-auto-approve"]).code(5);
    let _ = none.says("it wants an account that it knows already").says("eab {");
    // Another key is tried at once.
    write(&eab("d3Jvbmc"));
    let _ = ground.vsa(["apply", "-auto-approve"]).code(5).says("hmac_key");
    ground.apply();
    assert_eq!(pebble.accounts(), 0);
    write(&eab(HMAC));
    ground.apply();
    trusted(&pebble.root(0), &live(&ground, "shop.example.com"), "shop.example.com").unwrap();
    let state = ground.read("state/default.json");
    assert!(!state.contains(HMAC) && pebble.accounts() == 1);
}

/// The key of the only account that the node keeps.
fn account_key(ground: &Workspace) -> String {
    let files = fs::read_dir(ground.node_root().join("accounts")).unwrap().map(|entry| entry.unwrap().path());
    let kept = files.filter_map(|file| serde_json::from_slice::<Value>(&fs::read(file).ok()?).ok());
    let mut keys = kept.filter_map(|kept| kept["key_pkcs8"].as_str().map(str::to_owned));
    let key = keys.next().unwrap();
    assert_eq!(keys.next(), None);
    key
}

/// One external account is for one account alone.
#[test]
fn a_key_that_an_authority_may_have_heard_of_is_the_one_that_is_registered() {
    for (was_made, finds) in [(true, true), (true, false), (false, true)] {
        let Some(story) = Story::new() else { return };
        story.authority.behave(|it| it.external_accounts = vec![("kid-1".to_owned(), HMAC.to_owned())]);
        story
            .write(&format!("eab {{\n      key_id   = \"kid-1\"\n      hmac_key = \"{HMAC}\"\n    }}"), NAME);
        if was_made {
            let gate = story.authority.hold(Step::NewAccount, true);
            assert_eq!(story.meanwhile(&gate, |child| child.kill().unwrap()).0, None);
        } else {
            story.authority.fail(Step::NewAccount, Fault::Closed, 1);
            let _ = story.fails();
            story.later();
        }
        assert_eq!(story.authority.accounts().len(), usize::from(was_made));
        // The key is there, and nobody else reads it.
        let key = account_key(&story.ground);
        assert!(story.private() > 0);
        if !finds {
            // An authority that looks at the rest of the request before it looks whose key it is.
            let detail = "an account here is bound to an external one";
            let problem = Problem::new(400, "externalAccountRequired", detail);
            story.authority.fail(Step::NewAccount, Fault::Problem(problem), 1);
        }
        story.ground.apply();
        story.has(1);
        assert_eq!(account_key(&story.ground), key);
        assert_eq!(story.authority.accounts()[0].external.as_deref(), Some("kid-1"));
    }
}

#[test]
fn keys_are_of_the_type_that_is_asked_for_and_the_chain_of_the_root() {
    let Some(ground) = Workspace::managed() else { return };
    let options = Options { alternate_roots: 1, chain_length: 2, ..Options::new(ground.http_port()) };
    let Some(pebble) = Pebble::start(&options) else { return };
    let other = pebble.root(1);
    let root = x509_parser::pem::parse_x509_pem(other.as_bytes()).unwrap().1;
    let root = root.parse_x509().unwrap();
    let root = root.subject().iter_common_name().next().unwrap().as_str().unwrap().to_owned();
    let types = [
        ("p256", "ecdsa-p256", (256, false)),
        ("p384", "ecdsa-p384", (384, false)),
        ("rsa", "rsa-2048", (2048, true)),
    ];
    let sites = types.map(|(name, key_type, _)| {
        let of = format!("tls {{\n    certificate = certificate.{name}\n  }}");
        let certificate = format!("certificate \"{name}\" {{\n  names    = [\"{name}.example.com\"]\n  key_type = \"{key_type}\"\n}}\n");
        certificate + &site(&ground, &format!("{name}.example.com"), &of)
    });
    let chain = format!("preferred_chain = \"{root}\"");
    ground.write("main.hcl", node(&ground, &pebble, &chain) + &sites.concat());
    ground.apply();
    for (name, _, expected) in types {
        let host = format!("{name}.example.com");
        assert_eq!(key(&ground, &host), expected, "{name}");
        trusted(&other, &live(&ground, name), &host).unwrap();
        assert!(trusted(&pebble.root(0), &live(&ground, name), &host).is_err(), "it is the other chain");
        let response = ground.https(&host, "/");
        assert!(response.header("strict-transport-security").is_some(), "{response:?}");
    }
    // A new key each time.
    let keys = || -> BTreeSet<Vec<u8>> {
        let keys = types.map(|(name, ..)| {
            let chain = ground.within(|| presented(ground.https_port(), &format!("{name}.example.com")));
            parse_x509_certificate(&chain[0]).unwrap().1.public_key().raw.to_vec()
        });
        keys.into()
    };
    let before = keys();
    let _ = ground.vsa(["cert", "renew", "-force"]).code(0).says("asked for");
    assert!(before.is_disjoint(&keys()));
    assert_eq!(pebble.issued(), 6);
    ground.assert_nothing_to_do();
}

#[test]
fn a_wildcard_is_issued_by_way_of_a_name_server() {
    let Some(ground) = Workspace::managed() else { return };
    let Some(named) = Named::start(&[Zone::new("example.com", "")]) else { return };
    let dns_server = Some(named.server());
    let Some(pebble) = Pebble::start(&Options { dns_server, ..Options::new(ground.http_port()) }) else {
        return;
    };
    let (server, key) = (named.server(), secret());
    let dns = format!(
        "rfc2136 {{\n    server   = \"{server}\"\n    key_name = \"vsa\"\n    key      = \"{}\"\n  }}",
        key.expose()
    );
    let settings = node(&ground, &pebble, &dns).replace(&pebble.dns.server(), &server);
    let of = "tls {\n    certificate = certificate.wild\n  }";
    let wild = "certificate \"wild\" {\n  names = [\"*.example.com\", \"example.com\"]\n}\n";
    ground.write("main.hcl", settings + wild + &site(&ground, "any.example.com", of));
    ground.apply();
    for name in ["any.example.com", "example.com"] {
        trusted(&pebble.root(0), &live(&ground, "wild"), name).unwrap();
    }
    assert_eq!(ground.https("any.example.com", "/").status, 200);
    assert_eq!((pebble.fetched(), pebble.orders()), (0, 1));
    let printed = named.printed();
    assert_eq!(printed.matches("adding an RR at '_acme-challenge.example.com'").count(), 2, "{printed}");
    assert!(printed.contains("deleting"), "{printed}");
}

#[test]
fn what_a_site_does_until_it_has_its_certificate() {
    let Some(ground) = Workspace::managed() else { return };
    let blocked = vec!["example.com".to_owned()];
    let Some(pebble) = Pebble::start(&Options { blocked, ..Options::new(ground.http_port()) }) else {
        return;
    };
    let sites = ["http", "none", "self_signed"].map(|what| {
        site(
            &ground,
            &format!("{}.example.com", what.replace('_', "-")),
            &format!("tls {{\n    until_issued = \"{what}\"\n  }}"),
        )
    });
    ground.write("main.hcl", node(&ground, &pebble, "") + &sites.concat());
    let _ = ground.vsa(["apply", "-auto-approve"]).code(5);
    ground.apply();
    let plain = ground.http("http.example.com", "/");
    assert_eq!((plain.status, plain.header("strict-transport-security")), (200, None));
    let response = ground.https("self-signed.example.com", "/");
    assert_eq!((response.status, response.header("strict-transport-security")), (200, None));
    let none = Request::http(ground.http_port(), "none.example.com", "/");
    assert!(ground.within(|| fetch(&none)).is_err(), "it is as one that is not there");
}

#[test]
fn nonces_that_are_refused_fail_no_issuance() {
    let Some(ground) = Workspace::managed() else { return };
    let options = Options { rejected_nonces: 20, ..Options::new(ground.http_port()) };
    let Some(pebble) = Pebble::start(&options) else { return };
    let names = (0..count(20, 200)).map(|number| format!("site-{number}.example.com"));
    let sites: String = names.map(|name| site(&ground, &name, "")).collect();
    ground.write("main.hcl", node(&ground, &pebble, "") + &sites);
    ground.apply();
    let wanted = usize::try_from(count(20, 200)).unwrap();
    assert_eq!((pebble.issued(), pebble.orders(), pebble.accounts()), (wanted, wanted, 1));
}
