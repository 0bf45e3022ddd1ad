//! Keys that others may have read: they are replaced, and used until they are.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::disk_story::{NAME, Story, opened};
use super::issuing::live;

#[test]
fn a_key_that_others_may_have_read_is_replaced_although_its_copy_was_closed_since() {
    let Some(story) = Story::issued() else { return };
    let Story { ground, .. } = &story;
    let replaced = |story: &Story, orders| {
        story.planned(&["a copy of it was open to them", "it is issued anew, for another key"]);
        let _ = ground.vsa(["cert", "renew"]).code(0).says("0 added, 1 changed, 0 destroyed");
        story.whole(orders);
        let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
    };
    // A former copy of the same key is closed where the certificate is laid out again.
    fs::write(story.archived("chain1.pem"), "nothing").unwrap();
    ground.apply();
    opened(&story.archived("privkey1.pem"));
    fs::remove_file(story.linked("cert.pem")).unwrap();
    story.planned(&["cert.pem was deleted", "publish the certificate"]);
    ground.apply();
    assert_eq!(live(ground, NAME), fs::read_to_string(story.archived("fullchain2.pem")).unwrap());
    replaced(&story, 2);
    // A key of which nothing is used any more is closed, and that is all.
    opened(&story.archived("privkey1.pem"));
    fs::remove_file(story.linked("cert.pem")).unwrap();
    ground.apply();
    story.whole(2);
}

#[test]
fn a_renewal_takes_a_key_up_that_others_may_have_read() {
    let Some(story) = Story::issued() else { return };
    for (orders, key) in [(2, story.issue(1, "privkey.pem")), (3, story.archived("privkey2.pem"))] {
        let _ = story.ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
        opened(&key);
        let _ = story.ground.vsa(["cert", "renew"]).code(0).says("may have been read by others");
        assert_eq!(story.authority.orders().len(), orders);
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(key, private).unwrap();
        story.whole(orders);
    }
}

#[test]
fn a_former_key_that_was_found_open_is_not_taken_again() {
    let Some(story) = Story::issued() else { return };
    let Story { ground, .. } = &story;
    let of_type = |key_type: &str| {
        // That is longer than they are valid, and makes no new one due.
        let certificate =
            "certificate \"shop.example.com\" {\n  renew_before = \"400d\"\n  key_type = \"TYPE\"\n}\n";
        story.configure("", &[NAME], &certificate.replace("TYPE", key_type));
        ground.apply();
    };
    // Closed by what lays another one out, its copy was open all the same.
    opened(&story.archived("privkey1.pem"));
    of_type("ecdsa-p384");
    story.whole(2);
    of_type("ecdsa-p256");
    story.whole(3);
}

#[test]
fn a_key_that_its_owner_alone_may_read_is_no_worse_than_it_was() {
    let Some(story) = Story::issued() else { return };
    let stricter = fs::Permissions::from_mode(0o400);
    for key in [story.issue(1, "privkey.pem"), story.archived("privkey1.pem")] {
        fs::set_permissions(&key, stricter.clone()).unwrap();
        let _ = story.ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
        story.ground.assert_nothing_to_do();
    }
    // What is laid out again remembers nothing of it, either.
    fs::remove_file(story.linked("cert.pem")).unwrap();
    story.ground.apply();
    story.ground.assert_nothing_to_do();
    assert_eq!(story.authority.orders().len(), 1);
}

#[test]
fn a_key_that_is_open_beside_other_damage_is_replaced_by_one_apply() {
    let Some(story) = Story::issued() else { return };
    let damages: [&dyn Fn(); 3] = [
        &|| fs::remove_file(story.linked("cert.pem")).unwrap(),
        &|| fs::remove_file(story.linked("privkey.pem")).unwrap(),
        &|| fs::remove_dir_all(story.linked("")).unwrap(),
    ];
    for (number, damage) in (1..).zip(damages) {
        opened(&story.archived(&format!("privkey{number}.pem")));
        damage();
        story.planned(&[
            "may have been read by others: its mode is 0644",
            "it is issued anew, for another key",
        ]);
        if number == 3 {
            let _ = story.ground.vsa(["cert", "renew"]).code(0);
        } else {
            story.ground.apply();
        }
        story.whole(number + 1);
    }
}
