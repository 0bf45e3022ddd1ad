//! `vsa cert revoke`: who is asked, what is said of it everywhere, and what takes the place of what is revoked.

use std::fs;

use super::issuing::{live, node, site};
use crate::support::authority::{Behaviour, Fault, Problem, Step, Validation, Window};
use crate::support::pebble::Options;
use crate::support::{Authority, Pebble, Workspace};

const NAME: &str = "shop.example.com";

fn serial(ground: &Workspace) -> String {
    let shown = ground.vsa(["cert", "show", NAME, "-json"]).code(0).json();
    shown["serial"].as_str().unwrap().to_owned()
}

/// Loses the accounts with authorities, and not what is remembered of certificates.
fn lose_accounts(ground: &Workspace) {
    let accounts =
        fs::read_dir(ground.node_root().join("accounts")).unwrap().map(|entry| entry.unwrap().path());
    let lost = accounts.filter(|path| !path.ends_with("ledger.json") && path.extension().is_some());
    assert!(lost.map(|path| fs::remove_file(path).unwrap()).count() > 0);
}

/// A site with a certificate of an authority that believes everybody.
fn issued(ground: &Workspace) -> Authority {
    let authority = Authority::start(Behaviour::new(Validation::Believes));
    ground.write("main.hcl", at(ground, &authority) + &site(ground, NAME, ""));
    ground.apply();
    authority
}

fn at(ground: &Workspace, authority: &Authority) -> String {
    format!(
        "node \"local\" {{\n  proxy {{\n    http_port  = {}\n    https_port = {}\n  }}\n  acme {{\n    directory   = \"{}\"\n    \
         ca          = \"{}\"\n    check_names = false\n  }}\n}}\ntenant \"acme\" {{}}\n",
        ground.http_port(),
        ground.https_port(),
        authority.directory(),
        authority.ca().display(),
    )
}

#[test]
fn what_is_revoked_is_shown_everywhere_and_another_one_takes_its_place() {
    let Some(ground) = Workspace::managed() else { return };
    let Some(pebble) = Pebble::start(&Options::new(ground.http_port())) else { return };
    ground.write("main.hcl", node(&ground, &pebble, "") + &site(&ground, NAME, ""));
    ground.apply();
    let key = || fs::read(ground.node_root().join(format!("live/{NAME}/privkey.pem"))).unwrap();
    let (first, first_key) = (serial(&ground), key());
    let _ = ground.vsa(["cert", "revoke", NAME]).code(1).says("nobody is there to approve the revocation");
    assert!(!pebble.revoked(&first));
    let revoke = ["cert", "revoke", NAME, "-auto-approve", "-reason", "key-compromise"];
    let _ = ground.vsa(revoke).code(0).says("is revoked");
    assert!(pebble.revoked(&first));
    let why = "(somebody else may have the key)";
    let _ = ground.vsa(["cert", "status"]).code(1).says("revoked: due").says("was revoked on").says(why);
    let json = ground.vsa(["cert", "status", "-json"]).code(1).json();
    assert_eq!(json[0]["revoked"]["reason"], "key_compromise");
    let _ = ground
        .vsa(["cert", "status", "-nagios"])
        .code(2)
        .says("CERTIFICATES CRITICAL - shop.example.com was revoked on");
    let _ = ground.vsa(["cert", "show", NAME]).code(0).says("revoked     was revoked on");
    assert_eq!(
        ground.vsa(["cert", "show", NAME, "-json"]).code(0).json()["revoked"]["reason"],
        "key_compromise"
    );
    let _ = ground.vsa(["plan"]).code(0).says("renewal is due: it was revoked on").says(why);
    // It is no error that what is wanted is so already.
    let _ =
        ground.vsa(revoke).code(0).says("its authority says that it was revoked before").says("is revoked");

    ground.apply();
    let (second, second_key) = (serial(&ground), key());
    assert!(first != second && first_key != second_key && !pebble.revoked(&second));
    ground.assert_nothing_to_do();
    let _ = ground.vsa(["cert", "status", "-nagios"]).code(0).says("CERTIFICATES OK");
    assert!(ground.vsa(["cert", "status", "-json"]).code(0).json()[0]["revoked"].is_null());

    let _ = ground.vsa(["cert", "issue", NAME, "-auto-approve"]).code(0).says("asked for");
    assert!(serial(&ground) != second && key() != second_key);
    assert_eq!((pebble.orders(), pebble.issued()), (3, 3));
    ground.assert_nothing_to_do();

    // A former one, whose key somebody else has: the one that took its place stays.
    let third = serial(&ground);
    let former = ["cert", "revoke", NAME, "-issue", "2", "-reason", "key-compromise", "-auto-approve"];
    let _ = ground.vsa(former).code(0).says("Issue 2 of certificate[\"shop.example.com\"] is revoked.");
    assert!(pebble.revoked(&second) && !pebble.revoked(&third));
    ground.assert_nothing_to_do();
    let _ =
        ground.vsa(["cert", "revoke", NAME, "-issue", "9", "-auto-approve"]).code(1).says("cannot be read");
    let _ = ground.vsa(["cert", "revoke", "shop.example.co", "-auto-approve"]).code(1).says("did you mean");
}

#[test]
fn what_is_revoked_is_renewed_by_the_timer() {
    let Some(ground) = Workspace::managed() else { return };
    let authority = issued(&ground);
    let _ = ground.vsa(["cert", "revoke", NAME, "-auto-approve"]).code(0);
    assert_eq!(authority.issued()[0].revoked, Some(0));
    let _ = ground.vsa(["cert", "renew"]).code(0).says("0 added, 1 changed, 0 destroyed");
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
    assert_eq!(authority.issued().len(), 2);
}

#[test]
fn what_was_revoked_is_known_without_the_ledger() {
    let Some(ground) = Workspace::managed() else { return };
    let authority = issued(&ground);
    let revoke = || {
        let _ = ground.vsa(["cert", "revoke", NAME, "-auto-approve"]).code(0);
        fs::remove_file(ground.node_root().join("accounts/ledger.json")).unwrap();
        let _ = ground.vsa(["cert", "status"]).code(1).says("revoked: due").says("was revoked on");
        let _ = ground.vsa(["cert", "status", "-nagios"]).code(2).says("was revoked on");
        let _ = ground.vsa(["cert", "show", NAME]).code(0).says("revoked     was revoked on");
        let _ = ground.vsa(["plan"]).code(0).says("renewal is due: it was revoked on");
    };
    revoke();
    ground.apply();
    ground.assert_nothing_to_do();
    let _ = ground.vsa(["cert", "status"]).code(0);
    revoke();
    let _ = ground.vsa(["cert", "renew"]).code(0).says("0 added, 1 changed, 0 destroyed");
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
    assert_eq!(authority.issued().len(), 3);

    // Whatever stands in the note.
    let issue = fs::read_link(ground.node_root().join(format!("current/certificates/{NAME}"))).unwrap();
    fs::write(issue.join("revoked"), "no JSON").unwrap();
    let _ = ground.vsa(["plan"]).code(0).says("renewal is due: it was revoked; it ends on");
    let shown = ground.vsa(["cert", "status", "-json"]).code(1).json()[0].clone();
    assert_eq!(shown["revoked"], serde_json::json!({ "at": null, "reason": "unspecified" }));
    assert_eq!(shown["renews"], serde_json::Value::Null);
}

#[test]
fn without_its_account_a_certificate_is_revoked_with_its_own_key() {
    let Some(ground) = Workspace::managed() else { return };
    let Some(pebble) = Pebble::start(&Options::new(ground.http_port())) else { return };
    for key_type in ["ecdsa-p256", "ecdsa-p384", "rsa-2048"] {
        let own = format!("certificate \"{NAME}\" {{\n  key_type = \"{key_type}\"\n}}\n");
        ground.write("main.hcl", node(&ground, &pebble, "") + &own + &site(&ground, NAME, ""));
        ground.apply();
        let (serial, accounts) = (serial(&ground), pebble.accounts());
        lose_accounts(&ground);
        let revoked = ground.vsa(["cert", "revoke", NAME, "-auto-approve"]).code(0);
        let _ = revoked.says("it was revoked with its own key").says("is revoked");
        assert!(pebble.revoked(&serial), "{key_type}");
        assert_eq!(pebble.accounts(), accounts, "none is made for it");
    }
}

#[test]
fn what_an_authority_says_against_a_revocation_is_about_that() {
    let Some(ground) = Workspace::managed() else { return };
    let authority = issued(&ground);
    let told = |kind: &str, detail: &str| {
        authority.fail(Step::Revoke, Fault::Problem(Problem::new(403, kind, detail)), 2);
        let failed = ground.vsa(["cert", "revoke", NAME, "-auto-approve"]).code(1);
        authority.mend();
        let error = failed.stderr.find("error[").map_or("", |at| &failed.stderr[at..]);
        error.trim_end().replace(authority.directory().split('/').nth(2).unwrap(), "[authority]")
    };
    insta::assert_snapshot!(told("badRevocationReason", "this reason is for the authority alone"), @r#"
    error[not_revoked]: the authority [authority] does not revoke `shop.example.com`: this reason is for the authority alone
     |
     = help: see what it says; `-reason` names another reason, and its own pages may take requests too
    "#);
    insta::assert_snapshot!(told("unauthorized", "it is of another account"), @r#"
    error[not_revoked]: the authority [authority] does not revoke `shop.example.com`: it is of another account
     |
     = help: it revokes for the account that it issued the certificate to, and for who has the certificate's key: see that both are of this certificate
    "#);
    authority.fail(Step::Directory, Fault::Unavailable, 1);
    let down = ground.vsa(["cert", "revoke", NAME, "-auto-approve"]).code(1);
    let _ = down.says("cannot be asked to revoke").says("nothing was revoked");
    assert_eq!(authority.issued()[0].revoked, None);
    let _ = ground.vsa(["cert", "status", "-nagios"]).code(0);
}

#[test]
fn who_issued_a_certificate_is_asked_about_it_whoever_is_configured_now() {
    let Some(ground) = Workspace::managed() else { return };
    let former = issued(&ground);
    let another = Authority::start(Behaviour::new(Validation::Believes));
    ground.write("main.hcl", at(&ground, &another) + &site(&ground, NAME, ""));
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
    assert_eq!((former.count(Step::RenewalInfo), another.requests().len()), (1, 0));
    let _ = ground.vsa(["cert", "revoke", NAME, "-auto-approve", "-reason", "superseded"]).code(0);
    assert_eq!((former.issued()[0].revoked, another.requests().len()), (Some(4), 0));
    // And that is said of a certificate that the configuration has forgotten, too.
    ground.apply();
    assert_eq!((former.issued().len(), another.issued().len()), (1, 1));
    assert!(live(&ground, NAME).contains("CERTIFICATE"));
}

#[test]
fn a_former_authority_with_a_root_of_its_own_is_asked_by_any_root_that_is_named() {
    let Some(ground) = Workspace::managed() else { return };
    let former = issued(&ground);
    let another = Authority::start(Behaviour::new(Validation::Believes));
    let both = ground.configuration().join("roots.pem");
    fs::write(&both, [fs::read(another.ca()).unwrap(), fs::read(former.ca()).unwrap()].concat()).unwrap();
    let now = at(&ground, &another);
    ground.write("main.hcl", now.clone() + &site(&ground, NAME, ""));
    ground.apply();
    let revoke = ["cert", "revoke", NAME, "-issue", "1", "-auto-approve"];
    // Where none is its own, that is what is wrong.
    let _ = ground.vsa(revoke).code(1).says("error[authority_untrusted]");
    let ca = another.ca().display().to_string();
    ground.write("main.hcl", now.replace(&ca, &both.display().to_string()) + &site(&ground, NAME, ""));
    ground.apply();
    let _ = ground.vsa(revoke).code(0).says("Issue 1 of");
    assert!(former.issued()[0].revoked.is_some() && another.issued()[0].revoked.is_none());
}

#[test]
fn a_window_that_is_past_is_told_as_due_now() {
    let Some(ground) = Workspace::managed() else { return };
    let authority = issued(&ground);
    let now = jiff::Timestamp::now().as_second();
    authority
        .window(&authority.issued()[0].id, Window { start: now - 7200, end: now - 3600, explanation: None });
    let _ = ground.vsa(["cert", "renew", "-plan"]).code(0).says("the authority wants it from");
    let _ = ground.vsa(["cert", "status"]).code(0).says(" due ");
    let _ = ground
        .vsa(["cert", "status", "-nagios"])
        .code(1)
        .says("shop.example.com is due now: its authority wants it renewed since");
}
