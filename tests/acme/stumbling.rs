//! What goes wrong on the node alone: it is no failure of the authority's, and holds up nothing that goes on without.

use std::fs;

use super::disk_story::{NAME, Story};
use crate::support::authority::Window;

/// A renewal has become due a moment ago.
fn due(story: &Story) {
    let now = jiff::Timestamp::now().as_second();
    let window = Window { start: now - 120, end: now - 60, explanation: None };
    story.authority.behave(|it| it.window = Some(window));
}

#[test]
fn a_renewal_that_the_node_fails_holds_no_other_change_up_and_spends_no_order() {
    let Some(story) = Story::issued() else { return };
    let Story { ground, authority } = &story;
    due(&story);
    // Nobody removes a directory for a key.
    let in_the_way = story.root(&format!("certificates/{NAME}/order.pem"));
    fs::create_dir_all(in_the_way.join("full")).unwrap();
    for _ in 0..2 {
        let _ = ground.vsa(["cert", "renew"]).code(5).says("order.pem`: is a directory");
        let ledger = story.ledger();
        assert_eq!(ledger["orders"].as_array().unwrap().len(), 1, "{ledger}");
        assert_eq!(ledger["certificates"][NAME]["failed"]["times"], 0, "{ledger}");
    }
    let text = ground.read("main.hcl");
    ground.write("main.hcl", text.replace("root   =", "headers = { \"X-Version\" = \"2\" }\n  root   ="));
    let applied = ground.vsa(["apply", "-auto-approve"]).code(0);
    let _ = applied.says(&format!("`{NAME}` could not be renewed, and waits")).says("0 added, 1 changed");
    assert_eq!(authority.orders().len(), 1);

    fs::remove_dir_all(in_the_way).unwrap();
    let _ = ground.vsa(["cert", "renew"]).code(0).says("0 added, 1 changed, 0 destroyed");
    authority.behave(|it| it.window = None);
    story.whole(2);
}
