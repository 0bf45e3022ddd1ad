//! What is on the node's disk of certificates: kept as long as somebody may need it, mended where it is damaged, and
//! gone with the certificate.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::disk_story::{NAME, Story, opened};
use super::issuing::live;
use crate::support::authority::{Fault, Step, Validation};

/// What somebody does to the directory of an issue.
type Damage = &'static dyn Fn(&Path);

#[test]
fn what_was_issued_for_a_run_that_was_taken_back_waits_for_its_plan() {
    let Some(story) = Story::new() else { return };
    let (other, gone) = ("other.example.com", "gone.example.com");
    let Story { ground, authority } = &story;
    story.configure("", &[NAME, gone], "");
    ground.apply();
    let wider = format!("certificate \"{NAME}\" {{\n  names = [\"{NAME}\", \"www.{NAME}\"]\n}}\n");
    story.configure("", &[NAME, other], &wider);
    story.taken_back(2);
    assert_eq!(authority.orders().len(), 4);

    // Other things are changed, until nothing of that time is kept. What nothing wants any more goes at once.
    story.configure("", &[NAME], "");
    let text = ground.read("main.hcl");
    for version in 0..12 {
        let headers = format!("headers = {{ \"X-Version\" = \"{version}\" }}\n  root   =");
        ground.write("main.hcl", text.replace("root   =", &headers));
        ground.apply();
    }
    assert!(!story.root(&format!("certificates/{gone}")).exists(), "it went with the last generation");
    assert!(!story.root(&format!("archive/{gone}")).exists());
    assert!(!story.root(&format!("certificates/{other}")).exists());
    story.configure("", &[NAME, other], &wider);
    story.planned(&[
        &format!(
            "take the certificate that is there in {}",
            story.root(&format!("certificates/{NAME}/2")).display()
        ),
        &format!("issue a certificate for {other}"),
    ]);
    ground.apply();
    story.whole(5);
    assert_eq!(ground.https(other, "/").status, 200);

    // The next one renews what was taken, in the eyes of the authority too.
    let _ = ground.vsa(["cert", "renew", "-force", NAME]).code(0);
    let issued = authority.issued();
    let taken = issued.iter().find(|issued| issued.names.len() == 2).unwrap();
    assert_eq!(issued.last().unwrap().replaces.as_ref(), Some(&taken.id));
}

#[test]
fn what_is_asked_for_once_more_is_there_still() {
    let Some(story) = Story::issued() else { return };
    let Story { ground, authority } = &story;
    let of_type = |key_type: &str| {
        // That is longer than they are valid, and makes no new one due.
        let renewed = "renew_before = \"400d\"";
        let certificate =
            format!("certificate \"{NAME}\" {{\n  key_type = \"{key_type}\"\n  {renewed}\n}}\n");
        story.configure("", &[NAME], &certificate);
        ground.apply();
    };
    let first = live(ground, NAME);
    of_type("ecdsa-p384");
    assert_ne!(live(ground, NAME), first);
    story.whole(2);
    of_type("ecdsa-p256");
    assert_eq!(live(ground, NAME), first);
    story.whole(2);
    of_type("ecdsa-p384");
    story.whole(2);
    // One whose key others may have read is none, and neither is one that was taken back.
    opened(&story.issue(1, "privkey.pem"));
    of_type("ecdsa-p256");
    story.whole(3);
    let _ = ground.vsa(["cert", "revoke", NAME, "-auto-approve"]).code(0);
    of_type("ecdsa-p384");
    let _ = authority;
    of_type("ecdsa-p256");
    story.whole(4);
}

#[test]
fn an_older_state_that_is_put_back_goes_on_with_the_later_certificate() {
    let Some(story) = Story::issued() else { return };
    let Story { ground, .. } = &story;
    let older = ground.read("state/default.json");
    let _ = ground.vsa(["cert", "renew", "-force", NAME]).code(0);
    let renewed = live(ground, NAME);
    ground.write("state/default.json", older);
    let second = story.root(&format!("certificates/{NAME}/2"));
    story.planned(&[
        "issue 2 is there, later than the last one that the state knows",
        &format!("take the certificate that is there in {}", second.display()),
    ]);
    ground.apply();
    assert_eq!(live(ground, NAME), renewed);
    story.whole(2);
}

#[test]
fn a_damaged_certificate_is_mended_from_its_copy() {
    let Some(story) = Story::issued() else { return };
    let Story { ground, .. } = &story;
    let chain = live(ground, NAME);
    let damages: [(&str, Damage); 5] = [
        ("fullchain.pem was deleted", &|path| fs::remove_file(path.join("fullchain.pem")).unwrap()),
        ("fullchain.pem was edited", &|path| fs::write(path.join("fullchain.pem"), "nothing").unwrap()),
        ("privkey.pem was deleted", &|path| fs::remove_file(path.join("privkey.pem")).unwrap()),
        ("privkey.pem is not the key of the certificate", &|path| {
            let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
            fs::write(path.join("privkey.pem"), other).unwrap();
        }),
        // nginx would wait at it.
        ("privkey.pem is not the key of the certificate", &|path| {
            fs::remove_file(path.join("privkey.pem")).unwrap();
            nix::unistd::mkfifo(&path.join("privkey.pem"), nix::sys::stat::Mode::from_bits_truncate(0o600))
                .unwrap();
        }),
    ];
    for (number, (says, damage)) in (1..).zip(damages) {
        damage(&story.root(&format!("certificates/{NAME}/{number}")));
        story.planned(&[says, "its copy in the archive takes its place"]);
        ground.apply();
        assert_eq!(live(ground, NAME), chain);
        story.whole(1);
    }
    // The copy is of the same order.
    let _ = ground.vsa(["cert", "renew", "-force", NAME]).code(0);
    let issued = story.authority.issued();
    assert_eq!(issued[1].replaces.as_ref(), Some(&issued[0].id));
    story.whole(2);

    // A key that others may have read is none any more, wherever the copy is, and whatever else is wrong.
    opened(&story.issue(7, "privkey.pem"));
    fs::remove_file(story.issue(7, "fullchain.pem")).unwrap();
    story.planned(&["may have been read by others: its mode is 0644", "it is issued anew, for another key"]);
    ground.apply();
    story.whole(3);
    opened(&story.archived("privkey3.pem"));
    fs::remove_file(story.issue(8, "privkey.pem")).unwrap();
    story.planned(&["privkey.pem was deleted", "it is issued anew"]);
    ground.apply();
    story.whole(4);
}

#[test]
fn what_other_programs_read_is_mended() {
    let Some(story) = Story::issued() else { return };
    let Story { ground, .. } = &story;
    let chain = live(ground, NAME);
    let generation = ground.live_generation();
    let linked = |file: &str| format!("live/{NAME}/{file}");
    let damages: [(String, &dyn Fn()); 10] = [
        (format!("live/{NAME} was deleted"), &|| fs::remove_dir_all(story.linked("")).unwrap()),
        (format!("{} was deleted", linked("cert.pem")), &|| {
            fs::remove_file(story.linked("cert.pem")).unwrap();
        }),
        (format!("{} leads to `/etc/hosts`", linked("chain.pem")), &|| {
            fs::remove_file(story.linked("chain.pem")).unwrap();
            symlink("/etc/hosts", story.linked("chain.pem")).unwrap();
        }),
        (format!("{} is no link any more", linked("privkey.pem")), &|| {
            fs::remove_file(story.linked("privkey.pem")).unwrap();
            fs::write(story.linked("privkey.pem"), "the only copy").unwrap();
        }),
        (format!("archive/{NAME}/cert1.pem was deleted"), &|| {
            fs::remove_file(story.archived("cert1.pem")).unwrap();
        }),
        (format!("archive/{NAME}/chain1.pem was edited"), &|| {
            fs::write(story.archived("chain1.pem"), "nothing").unwrap();
        }),
        (format!("archive/{NAME}/fullchain2.pem was edited"), &|| {
            fs::write(story.archived("fullchain2.pem"), "nothing").unwrap();
        }),
        (format!("archive/{NAME}/privkey3.pem is not the key of the certificate"), &|| {
            let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
            fs::write(story.archived("privkey3.pem"), other).unwrap();
        }),
        (format!("archive/{NAME}/privkey4.pem is not the key of the certificate"), &|| {
            fs::write(story.archived("privkey4.pem"), "").unwrap();
        }),
        (format!("live/{NAME} was deleted"), &|| {
            fs::remove_dir_all(story.root("live")).unwrap();
            fs::remove_dir_all(story.root("archive")).unwrap();
        }),
    ];
    for (says, damage) in damages {
        damage();
        story.planned(&[&says, "publish the certificate"]);
        ground.apply();
        assert_eq!(live(ground, NAME), chain, "{says}");
        story.whole(1);
        if says.contains("is no link") {
            assert_eq!(fs::read_to_string(story.linked("privkey.pem.former1")).unwrap(), "the only copy");
        }
    }
    assert_eq!(ground.live_generation(), generation, "nginx has nothing to do with it");
    let _ = ground.vsa(["destroy", "-auto-approve"]).code(0);
    assert!(!ground.node_root().exists());
}

#[test]
fn nothing_stays_of_a_certificate_that_goes() {
    let Some(story) = Story::new() else { return };
    let Story { ground, authority } = &story;
    let other = "other.example.com";
    story.configure("", &[NAME, other], "");
    // Its order is begun, and comes to no end.
    authority.fail(Step::Finalize, Fault::Unavailable, usize::MAX);
    let _ = ground.vsa(["apply", "-auto-approve"]).code(5);
    authority.mend();
    assert!(story.root(&format!("certificates/{NAME}/order.pem")).exists());
    // Another one stands for it.
    ground.apply();
    assert_eq!(ground.https(NAME, "/").status, 200);
    assert!(story.ledger()["certificates"][NAME]["order"].is_object());
    story.configure("", &[other], "");
    ground.apply();
    let left: Vec<_> = walk(&story.root(&format!("certificates/{NAME}")));
    let generations = ["0/", "request"];
    assert!(left.iter().all(|path| generations.iter().any(|part| path.contains(part))), "{left:?}");
    assert_eq!(story.ledger()["certificates"].get(NAME), None);
    ground.assert_nothing_to_do();
}

#[test]
fn a_key_of_which_no_copy_is_a_file_is_replaced() {
    let Some(story) = Story::issued() else { return };
    let fifo = |path: &Path| {
        fs::remove_file(path).unwrap();
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    };
    for number in 1..3 {
        fifo(&story.issue(number, "privkey.pem"));
        fifo(&story.archived(&format!("privkey{number}.pem")));
        if number == 2 {
            // Nobody reads it any more, and it is looked at alone.
            let generation = story.ground.generation(story.ground.live_generation());
            fs::remove_file(generation.join("certificates").join(NAME)).unwrap();
        }
        story.planned(&["privkey.pem is not the key of the certificate", "it is issued anew"]);
        story.ground.apply();
        story.whole(usize::try_from(number).unwrap() + 1);
    }
}

/// The paths of all files below a directory.
fn walk(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let found = entries.flat_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] }
    });
    found.collect()
}

#[test]
fn what_a_killed_run_showed_the_authority_is_taken_away_by_the_next() {
    let Some(story) = Story::issued() else { return };
    let shown = story.root("acme/.well-known/acme-challenge");
    fs::create_dir_all(&shown).unwrap();
    let left = ["vsa-0123456789abcdef", "DGyRejmCefe7v4NfDGDKfA", ".DGyRejmCefe7v4NfDGDKfA.new"];
    for name in left {
        fs::write(shown.join(name), "proof").unwrap();
    }
    fs::write(shown.join("README.txt"), "somebody's").unwrap();
    let http = story.ground.http_port();
    story.authority.behave(|it| it.validation = Validation::Asks(http));
    let _ = story.ground.vsa(["cert", "renew", "-force", NAME]).code(0);
    let names: Vec<_> = walk(&shown);
    assert_eq!(names, [shown.join("README.txt").display().to_string()]);
}

#[test]
fn a_lineage_of_certbots_is_of_one_certificate() {
    let Some(story) = Story::new() else { return };
    let taking = |label: &str, home: &str| {
        format!("certificate \"{label}\" {{\n  certbot = \"{home}\"\n  lineage = \"{NAME}\"\n}}\n")
    };
    let more = taking("one.example", "/etc/letsencrypt") + &taking("two.example", "/etc//letsencrypt/");
    story.configure("", &[], &more);
    let _ = story.ground.vsa(["validate"]).code(1).says("lineage of certbot's").says("two.example");
}

#[test]
fn what_nobody_lays_a_certificate_out_over_is_said_by_the_plan() {
    let Some(story) = Story::issued() else { return };
    let (live, aside) = (story.root(&format!("live/{NAME}")), story.root("aside"));
    fs::rename(&live, &aside).unwrap();
    fs::write(&live, "notes").unwrap();
    let refused = story.ground.vsa(["plan"]).code(1);
    let _ = refused.says("error[obstructed]").says("is no directory").says("move it away");
    fs::remove_file(&live).unwrap();
    fs::rename(&aside, &live).unwrap();
    fs::remove_file(story.linked("cert.pem")).unwrap();
    fs::create_dir(story.linked("cert.pem")).unwrap();
    let _ = story.ground.vsa(["plan"]).code(1).says("error[obstructed]").says("is neither a link nor a file");
    fs::remove_dir(story.linked("cert.pem")).unwrap();
    story.ground.apply();
    story.whole(1);
}
