//! What goes wrong on the node alone: it is no failure of the authority's, and holds up nothing that goes on without.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::disk_story::{NAME, Story};
use super::story;
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

#[test]
fn a_record_that_cannot_be_forgotten_hides_no_failure() {
    let Some(story) = story::Story::new() else { return };
    let (hook, ledger) =
        (story.ground.configuration().join("hook"), story.ground.node_root().join("accounts/ledger.json"));
    let ledger = ledger.display();
    // Nothing can be written down any more once the record is gone.
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = cleanup ] || {{ echo 'the API says no' >&2; exit 3; }}\nrm -f {ledger}\nmkdir -p {ledger}/full\n"
    );
    fs::write(&hook, script).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let exec =
        format!("challenge = \"dns-01\"\n    exec {{\n      command = [\"{}\"]\n    }}", hook.display());
    story.write(&exec, NAME);
    let told = story.fails();
    assert!(told.contains("the API says no") && !told.contains("ledger.json"), "{told}");
    assert!(fs::exists(format!("{ledger}/full")).unwrap());
}
