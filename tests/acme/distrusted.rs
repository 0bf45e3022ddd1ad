//! What is there of a certificate and must not be served for long, or never again: keys that others may have read, and what
//! was revoked.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

use super::disk_story::{NAME, Story, opened};
use super::issuing::live;
use crate::support::private_ca::trusted;

/// Somebody who is neither vsa nor root.
const SOMEBODY: u32 = 54_321;

/// Lets the time pass for which nothing is tried again.
fn later(story: &Story) {
    let mut ledger = story.ledger();
    ledger["certificates"][NAME]["failed"]["again"] = 0.into();
    fs::write(story.root("accounts/ledger.json"), ledger.to_string()).unwrap();
}

#[test]
fn a_key_that_others_may_have_read_serves_until_there_is_another() {
    let Some(story) = Story::issued() else { return };
    let Story { ground, authority } = &story;
    let first = live(ground, NAME);
    for damage in [&|| opened(&story.issue(1, "privkey.pem")), &|| opened(&story.archived("privkey1.pem"))]
        as [&dyn Fn(); 2]
    {
        damage();
        authority.down(true);
        let _ = ground.vsa(["apply", "-auto-approve"]).code(5).says("cannot be asked");
        let waits = ground.apply();
        let _ = waits.says("could not be renewed, and waits").says("may have been read by others");
        // Nobody is warned by a browser meanwhile, and what it was damaged by is not forgotten.
        assert_eq!(live(ground, NAME), first);
        trusted(&authority.roots()[0], &live(ground, NAME), NAME).unwrap();
        assert_eq!(ground.https(NAME, "/").status, 200);
        story.planned(&["may have been read by others: its mode is 0644"]);
        fs::set_permissions(story.issue(1, "privkey.pem"), fs::Permissions::from_mode(0o600)).unwrap();
        authority.down(false);
        later(&story);
    }
    story.planned(&[
        &format!("archive/{NAME}/privkey1.pem may have been read by others"),
        "it is issued anew, for another key",
    ]);
    ground.apply();
    assert_ne!(live(ground, NAME), first);
    story.whole(2);
    chown(story.archived("privkey2.pem"), Some(SOMEBODY), None).unwrap();
    story.planned(&[&format!("its owner is {SOMEBODY}, not 0"), "it is issued anew, for another key"]);
    ground.apply();
    story.whole(3);
}

#[test]
fn a_key_that_is_vsas_own_by_another_number_is_in_the_same_hands() {
    let Some(story) = Story::issued() else { return };
    let Story { ground, .. } = &story;
    let mut state: serde_json::Value = serde_json::from_str(&ground.read("state/default.json")).unwrap();
    let owner = &mut state["resources"][format!("certificate[\"{NAME}\"]")]["facts"]["owner"];
    assert_eq!(*owner, nix::unistd::geteuid().as_raw());
    *owner = SOMEBODY.into();
    ground.write("state/default.json", state.to_string());
    story.whole(1);
    // The copy is as good as it was, too.
    fs::remove_file(story.issue(1, "fullchain.pem")).unwrap();
    story.planned(&["its copy in the archive takes its place"]);
    ground.apply();
    story.whole(1);
}

#[test]
fn a_copy_that_was_given_to_a_group_mends_its_certificate() {
    let Some(story) = Story::issued() else { return };
    let Story { ground, authority } = &story;
    let key = story.archived("privkey1.pem");
    chown(&key, None, Some(SOMEBODY)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    ground.assert_nothing_to_do();
    fs::remove_file(story.issue(1, "fullchain.pem")).unwrap();
    story.planned(&["fullchain.pem was deleted", "its copy in the archive takes its place"]);
    ground.apply();
    ground.assert_nothing_to_do();
    assert_eq!(authority.orders().len(), 1);
}

#[test]
fn what_was_revoked_is_not_taken_again_whatever_else_is_forgotten() {
    let Some(story) = Story::issued() else { return };
    let Story { ground, .. } = &story;
    let of_type = |key_type: &str| {
        let certificate = format!("certificate \"{NAME}\" {{\n  key_type = \"{key_type}\"\n}}\n");
        story.configure("", &[NAME], &certificate);
        ground.apply();
    };
    let first = live(ground, NAME);
    let _ = ground.vsa(["cert", "revoke", NAME, "-auto-approve", "-reason", "key-compromise"]).code(0);
    of_type("ecdsa-p384");
    story.whole(2);
    fs::remove_file(story.root("accounts/ledger.json")).unwrap();
    of_type("ecdsa-p256");
    assert_ne!(live(ground, NAME), first);
    story.whole(3);
}

#[test]
fn what_was_issued_after_a_revocation_waits_for_its_plan_too() {
    let Some(story) = Story::new() else { return };
    let (other, Story { ground, authority }) = ("other.example.com", &story);
    story.configure("", &[NAME, other], "");
    ground.apply();
    let _ = ground.vsa(["cert", "revoke", NAME, "-auto-approve"]).code(0);
    story.configure("", &[other], "");
    ground.apply();
    assert_eq!(story.ledger()["certificates"][NAME]["gone"], true);
    // It is wanted again, and the run that has it issued is taken back.
    story.configure("", &[NAME, other], "");
    story.taken_back(1);
    assert_eq!(authority.orders().len(), 3);
    // A plan of another one leaves it alone.
    let _ = ground.vsa(["cert", "renew", "-force", other]).code(0);
    story.planned(&["take the certificate that is there in"]);
    ground.apply();
    story.whole(4);
}

#[test]
fn what_other_programs_read_is_what_is_served_whoever_issues_it() {
    let Some(story) = Story::issued() else { return };
    let Story { ground, .. } = &story;
    let by = |issuer: &str| {
        let certificate = format!("certificate \"{NAME}\" {{\n  {issuer}\n}}\n");
        story.configure("", &[NAME], &certificate);
        ground.apply();
        ground.assert_nothing_to_do();
        live(ground, NAME)
    };
    let issued = live(ground, NAME);
    let own = by("issuer = \"self_signed\"");
    assert_ne!(own, issued);
    assert_eq!(own, fs::read_to_string(story.issue(2, "fullchain.pem")).unwrap());
    fs::remove_file(story.linked("cert.pem")).unwrap();
    story.planned(&[&format!("live/{NAME}/cert.pem was deleted")]);
    let (certificate, key) = (story.issue(1, "fullchain.pem"), story.issue(1, "privkey.pem"));
    let files = format!(
        "issuer = \"files\"\n  certificate = \"{}\"\n  key = \"{}\"",
        certificate.display(),
        key.display()
    );
    assert_eq!(by(&files), issued);
    let _ = ground.vsa(["destroy", "-auto-approve"]).code(0);
    assert!(!ground.node_root().exists());
}

#[test]
fn records_that_nobody_can_withdraw_any_more_are_told() {
    let Some(story) = Story::issued() else { return };
    let Story { ground, .. } = &story;
    let leave = || {
        let mut ledger = story.ledger();
        let record = serde_json::json!({ "name": "_acme-challenge.example.com", "value": "proof" });
        ledger["certificates"][NAME]["records"] = serde_json::json!([record]);
        fs::write(story.root("accounts/ledger.json"), ledger.to_string()).unwrap();
    };
    let stays = "stays in the DNS, take it out by hand: `_acme-challenge.example.com` TXT \"proof\"";
    leave();
    let _ = ground.vsa(["cert", "renew", "-force", NAME]).code(0).says(stays);
    assert!(story.ledger()["certificates"][NAME].get("records").is_none());
    leave();
    story.configure("", &[], "");
    let _ = ground.apply().says(stays);
}
