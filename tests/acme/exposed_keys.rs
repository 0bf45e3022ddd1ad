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
    // What is laid out again is closed with that.
    opened(&story.archived("privkey1.pem"));
    fs::remove_file(story.linked("cert.pem")).unwrap();
    story.planned(&["cert.pem was deleted", "publish the certificate"]);
    ground.apply();
    assert_eq!(live(ground, NAME), fs::read_to_string(story.archived("fullchain1.pem")).unwrap());
    replaced(&story, 2);
    // So is a former copy of the same key.
    fs::write(story.archived("chain2.pem"), "nothing").unwrap();
    ground.apply();
    opened(&story.archived("privkey2.pem"));
    fs::remove_file(story.linked("cert.pem")).unwrap();
    ground.apply();
    replaced(&story, 3);
    // A key of which nothing is used any more is closed, and that is all.
    opened(&story.archived("privkey1.pem"));
    fs::remove_file(story.linked("cert.pem")).unwrap();
    ground.apply();
    story.whole(3);
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
