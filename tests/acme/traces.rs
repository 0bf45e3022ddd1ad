//! What runs that were killed or taken back leave of certificates whose names leave the configuration then: the plan says it,
//! and an apply takes it away.

use std::fs;
use std::path::Path;

use super::disk_story::{NAME, Story};
use crate::support::authority::{Fault, Step};
use crate::support::count;

const OTHER: &str = "other.example.com";

/// The paths of what there is of a name on a node, below its root; what generations have of it apart.
fn traces(root: &Path, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.strip_prefix(root).unwrap().display().to_string();
            if shown == "generations" || shown == "logs" {
                continue;
            }
            if path.is_dir() && !path.is_symlink() {
                directories.push(path);
            }
            found.extend(shown.contains(name).then_some(shown));
        }
    }
    found.sort();
    found
}

/// Whether a path is of an issue that an old generation keeps.
fn is_kept(root: &Path, path: &str) -> bool {
    let generations = fs::read_dir(root.join("generations")).unwrap();
    let mut named = generations.filter_map(|entry| {
        let link = fs::read_link(entry.unwrap().path().join("certificates").join(NAME)).ok()?;
        Some(link.strip_prefix(root).unwrap().to_owned())
    });
    named.any(|issue| Path::new(path).starts_with(&issue) || issue.parent() == Some(Path::new(path)))
}

#[test]
fn nothing_stays_of_a_run_that_was_killed_once_its_name_goes() {
    let Some(story) = Story::issued() else { return };
    let (ground, root) = (&story.ground, story.ground.node_root());
    story.configure("", &[], "");
    ground.apply();
    assert!(story.issue(1, "privkey.pem").exists(), "an old generation keeps it");
    let step = usize::try_from(count(9, 1)).unwrap();
    let mut laid_out = 0;
    for instant in (1_usize..).step_by(step) {
        // It is taken, and laid out again.
        story.configure("", &[NAME], "");
        let Some(mut child) = ground.stopped_at(&format!("phase:prepare:{instant}")) else { break };
        child.kill().unwrap();
        child.wait().unwrap();
        laid_out += usize::from(story.linked("privkey.pem").exists());
        story.configure("", &[], "");
        ground.apply();
        let mut left = traces(&root, NAME);
        left.retain(|path| !is_kept(&root, path));
        assert!(left.is_empty(), "{left:?} is left of a kill at {instant}");
        let known = story.ledger()["certificates"].get(NAME).cloned();
        assert_eq!(known, None, "after a kill at {instant}");
        ground.assert_nothing_to_do();
    }
    assert!(laid_out > 0, "some were killed after they had laid it out");
}

#[test]
fn nothing_stays_of_a_run_that_was_taken_back_once_its_names_go() {
    let Some(story) = Story::issued() else { return };
    let (ground, root) = (&story.ground, story.ground.node_root());
    let third = "third.example.com";
    story.configure("", &[NAME, OTHER], "");
    story.taken_back(1);
    // An order that comes to no end leaves its key, and a disk that was full the half of an issue.
    story.configure("", &[NAME, third], "");
    story.authority.fail(Step::Finalize, Fault::Unavailable, usize::MAX);
    let _ = ground.vsa(["apply", "-auto-approve"]).code(5);
    story.authority.mend();
    fs::create_dir_all(root.join(format!("certificates/{third}/1.new"))).unwrap();
    assert!(root.join(format!("certificates/{third}/order.pem")).exists());
    assert!(root.join(format!("certificates/{OTHER}/1/privkey.pem")).exists());

    story.configure("", &[NAME], "");
    let _ = ground.vsa(["cert", "renew", "-force", NAME]).code(0);
    assert!(!traces(&root, OTHER).is_empty(), "a plan of some is about these");
    story.planned(&[
        &format!("certificates/{OTHER} is left of a run that did not come to its end"),
        &format!("remove the certificate in {}", root.join(format!("certificates/{OTHER}/1")).display()),
        &format!("remove the certificate in {}", root.join(format!("certificates/{third}/1")).display()),
        "2 drifted things would be repaired",
    ]);
    ground.apply();
    for name in [OTHER, third] {
        assert_eq!(traces(&root, name), [""; 0]);
        assert_eq!(story.ledger()["certificates"].get(name), None);
    }
    story.whole(story.authority.orders().len());

    // What nothing but the ledger has is as little wanted, and what is somebody else's stays.
    let mut ledger = story.ledger();
    ledger["certificates"][OTHER] =
        serde_json::json!({ "revoked": [{ "digest": "d", "at": 1, "reason": "superseded" }] });
    fs::write(root.join("accounts/ledger.json"), ledger.to_string()).unwrap();
    fs::write(root.join("live/README"), "notes").unwrap();
    fs::create_dir_all(root.join("certificates/notes.example")).unwrap();
    fs::write(root.join("certificates/notes.example/todo.txt"), "renew").unwrap();
    let others = [
        "live/backup/site.tar",
        "archive/backup/privkey1.pem.gpg",
        "archive/old/notes.txt",
        "renewal/other.conf",
    ];
    for other in others {
        fs::create_dir_all(root.join(other).parent().unwrap()).unwrap();
        fs::write(root.join(other), "somebody else's").unwrap();
    }
    story.planned(&[&format!("what `accounts/ledger.json` has of `{OTHER}` is left")]);
    ground.apply();
    assert_eq!(story.ledger()["certificates"][OTHER]["gone"], true, "what was revoked is never forgotten");
    assert_eq!(traces(&root, "notes.example").len(), 2);
    assert!(root.join("live/README").exists());
    for other in others {
        assert!(root.join(other).exists(), "{other}");
    }
    ground.assert_nothing_to_do();
}
