//! What stands where certificates are laid out: told by the plan, before an order is spent.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::disk_story::{NAME, Story};
use super::imports::Imports;

/// Has a path be a link that leads to itself, while something happens.
fn in_a_circle(path: &Path, what: impl FnOnce()) {
    let kept = path.ancestors().nth(2).unwrap().join("kept");
    fs::rename(path, &kept).unwrap();
    symlink(path, path).unwrap();
    what();
    fs::remove_file(path).unwrap();
    fs::rename(&kept, path).unwrap();
}

#[test]
fn what_leads_in_a_circle_under_certbots_paths_holds_nothing_else_up() {
    let Some(imports) = Imports::new() else { return };
    let Imports { ground, pebble, .. } = &imports;
    imports.configure(&imports.taken_over());
    ground.apply();
    let mut orders = pebble.orders();
    let places = [
        ("live".to_owned(), "cannot be looked at"),
        (format!("live/{NAME}"), "is a link that leads to itself"),
        ("archive".to_owned(), "is a link that leads to itself"),
        (format!("archive/{NAME}"), "is a link that leads to itself"),
    ];
    for (place, says) in places {
        let path = imports.home().join(place);
        in_a_circle(&path, || {
            let plan = ground.vsa(["plan"]).code(0).says("warning[obstructed]").says("No changes");
            let _ = plan.says(&format!("`{}` {says}", path.display()));
            let _ = ground.vsa(["cert", "renew", "-force"]).code(0);
            orders += 1;
            assert_eq!(pebble.orders(), orders);
        });
        let _ = ground.vsa(["plan"]).code(0).says("is not the certificate that is served");
        ground.apply();
        ground.assert_nothing_to_do();
    }
    assert_eq!(pebble.orders(), orders);
}

#[test]
fn what_nobody_lays_a_certificate_out_over_is_said_before_an_order_is_spent() {
    let Some(story) = Story::new() else { return };
    let ground = &story.ground;
    let refused = |says: &str| {
        for command in [&["plan"][..], &["apply", "-auto-approve"]] {
            let _ = ground.vsa(command).code(1).says("error[obstructed]").says(says).says("move it away");
        }
    };
    // The node is vsa's, and has no certificate yet.
    story.configure("", &[], "");
    ground.apply();
    story.configure("", &[NAME], "");
    for home in ["live", "archive"] {
        let path = story.root(&format!("{home}/{NAME}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "notes").unwrap();
        refused(&format!("{}` is no directory", path.display()));
        fs::remove_file(&path).unwrap();
        symlink(&path, &path).unwrap();
        refused(&format!("{}` is no directory", path.display()));
        fs::remove_file(&path).unwrap();
    }
    let renewal = story.root(&format!("renewal/{NAME}.conf"));
    fs::create_dir_all(&renewal).unwrap();
    refused(&format!("{}` is no file", renewal.display()));
    fs::remove_dir(&renewal).unwrap();
    assert_eq!(story.authority.orders().len(), 0);
    ground.apply();

    // Of one that is there, too: a renewal would be in vain.
    for home in ["live", "archive"] {
        let path = story.root(&format!("{home}/{NAME}"));
        in_a_circle(&path, || {
            refused(&format!("{}` is a link that leads to itself", path.display()));
            let renewed = ground.vsa(["cert", "renew", "-force"]).code(1);
            let _ = renewed.says("is a link that leads to itself");
        });
        in_a_circle(&story.root(home), || refused("is in the way of vsa's own files"));
    }
    // Nothing else is hidden by what is there in the place of a certificate's own directory.
    let path = story.root(&format!("certificates/{NAME}"));
    in_a_circle(&path, || {
        refused(&format!("{}` is no directory", path.display()));
        let renewed = ground.vsa(["cert", "renew", "-force"]).code(1);
        let _ = renewed.says("is no directory");
    });
    // The directories were made by hand before.
    ground.apply();
    story.whole(1);
}

#[test]
fn what_keys_are_in_is_nobody_elses_to_write_to() {
    use std::os::unix::fs::PermissionsExt as _;

    let Some(story) = Story::issued() else { return };
    let ground = &story.ground;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let names = ["live", "archive", "renewal"];
    let issues = [format!("certificates/{NAME}"), format!("certificates/{NAME}/1")];
    let homes = names.map(|name| (story.root(name), 0o700));
    let issues = issues.map(|name| (story.root(&name), 0o750));
    let all: Vec<_> = homes.iter().chain(&issues).collect();
    for (path, wanted) in &all {
        assert_eq!(mode(path), *wanted, "{}", path.display());
        set(path, 0o777);
    }
    let mut plan = ground.vsa(["plan"]).code(0).says("5 drifted things would be repaired");
    // What a group was given of what is laid out is left to it.
    for (path, wanted) in &all {
        let wanted = if *wanted == 0o700 { 0o750 } else { *wanted };
        plan = plan.says(&format!("{} mode is 0777, not {wanted:04o}", path.display()));
    }
    ground.apply();
    for (path, _) in &all {
        assert_eq!(mode(path), 0o750, "{}", path.display());
    }
    story.whole(1);
    assert!(story.issue(1, "privkey.pem").exists(), "it is the same issue");
}
