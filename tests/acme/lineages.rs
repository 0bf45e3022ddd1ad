//! Certificates in certbot's layout: certbot itself makes them, reads what vsa published, and leaves it alone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use vsa::apply::Outcome;
use vsa::host::HostError;
use vsa::plan::issuance::{Lineage, Piece};
use vsa::plan::{Answer, Operation, Query};

use super::lineage_ground::{
    Authority, NAME, apply, certbot, done, found, ground, lineages_of, listed, made_by_certbot, mode,
    nothing_to_copy, own, publish, published, says, tree,
};
use crate::support::faulty::{Deed, Faulty};
use crate::support::node::block_on;

#[test]
fn certbot_lists_what_vsa_publishes_and_leaves_its_renewal_alone() {
    let Some(mut ground) = certbot().and_then(|_| ground()) else { return };
    let (authority, lineage) = (Authority::new(), own(&ground));
    let (copy, first) = authority.issue(&ground, 1);
    done(&apply(&mut ground, vec![copy, publish(&lineage, &first)]));
    assert_eq!(published(&lineage), "00a001");
    let names = |directory: &Path| {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&first), ["cert.pem", "chain.pem", "fullchain.pem", "privkey.pem", "request"]);
    assert_eq!(names(&lineage.archive()), ["cert1.pem", "chain1.pem", "fullchain1.pem", "privkey1.pem"]);
    assert_eq!(
        fs::read_link(lineage.link(Piece::Cert)).unwrap(),
        Path::new("../../archive/shop.example/cert1.pem")
    );
    assert_eq!(mode(&lineage.link(Piece::Privkey)), 0o600);
    assert_eq!(mode(&lineage.home().join("live")), 0o700);

    let listed_now = listed(lineage.home());
    let text = listed_now.join("").replace(&*lineage.home().to_string_lossy(), "HOME");
    let first_lines = "shop.example
Serial Number: a001
Key Type: ECDSA
Domains: shop.example www.shop.example
Expiry Date: 20";
    assert!(text.starts_with(first_lines), "{text}");
    assert!(text.contains("Certificate Path: HOME/live/shop.example/fullchain.pem"), "{text}");
    assert!(text.contains("(VALID: 89 days)"), "{text}");

    // Twice is once.
    let before = lineages_of(lineage.home());
    done(&apply(&mut ground, vec![publish(&lineage, &first)]));
    assert_eq!(lineages_of(lineage.home()), before);

    let (copy, second) = authority.issue(&ground, 2);
    done(&apply(&mut ground, vec![copy, publish(&lineage, &second)]));
    assert_eq!(published(&lineage), "00a002");
    assert!(
        lineage.archive().join("privkey1.pem").exists() && lineage.archive().join("privkey2.pem").exists()
    );
    assert_eq!(names(&lineage.home().join("live")), ["shop.example"]);
    assert_eq!(listed(lineage.home()).len(), 1);

    // Going back to the first takes the next number: certbot would point the links to the highest.
    done(&apply(&mut ground, vec![publish(&lineage, &first)]));
    assert_eq!(published(&lineage), "00a001");
    assert!(lineage.archive().join("privkey3.pem").exists());
    let before = lineages_of(lineage.home());
    let said = says(lineage.home(), &["renew", "--no-random-sleep-on-renew"]);
    assert!(said.contains("No renewals were attempted") && said.contains("(skipped)"), "{said}");
    assert_eq!(lineages_of(lineage.home()), before);
    // Not even when it is forced.
    let said = says(lineage.home(), &["renew", "--force-renewal", "--no-random-sleep-on-renew"]);
    assert!(said.contains("The requested vsa plugin does not appear to be installed"), "{said}");
    assert_eq!(lineages_of(lineage.home()), before);

    done(&apply(&mut ground, vec![Operation::RemoveLineage { lineage: lineage.clone() }]));
    assert_eq!(lineages_of(lineage.home()), BTreeMap::new());
    done(&apply(&mut ground, vec![Operation::RemoveLineage { lineage }]));
}

#[test]
fn a_lineage_of_certbots_is_read_taken_over_and_renewed_without_changing_a_path() {
    let Some(mut ground) = ground() else { return };
    let (authority, home) = (Authority::new(), tempfile::tempdir().unwrap());
    let Some(lineage) = made_by_certbot(home.path(), &authority) else { return };
    let read = found(&ground, home.path()).remove(NAME).unwrap().unwrap();
    assert_eq!((read.number, read.key_mode, read.key_ids.uid), (1, 0o600, nix::unistd::geteuid().as_raw()));
    assert_eq!(read.renewal.live(), Some(&*lineage.live()));
    assert!(read.renewal.autorenew);
    let renewal = &read.renewal;
    let words = [&renewal.authenticator, &renewal.server, &renewal.account, &renewal.key_type];
    assert_eq!(
        words.map(|word| word.as_deref().unwrap()),
        ["webroot", "https://ca.example/directory", "0123456789abcdef", "ecdsa"]
    );
    assert_eq!(read.renewal.webroot_path, [authority.directory.path()]);
    let facts = &read.certificate;
    assert_eq!(facts.names, [NAME, "www.shop.example"]);
    assert_eq!(
        [&*facts.issuer, &facts.issuer_name, &facts.serial, &facts.key_type],
        ["Authority of a test", "CN=Authority of a test", "00a001", "ecdsa-p384"]
    );

    // A group that may read the key may read the next one, and what else somebody put there stays.
    let group = nix::unistd::getegid().as_raw();
    fs::set_permissions(lineage.archive().join("privkey1.pem"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("fullchain.pem", lineage.live().join("bundle.pem")).unwrap();
    let readme = fs::read(lineage.live().join("README")).unwrap();
    let text = fs::read_to_string(lineage.renewal()).unwrap();

    let (copy, second) = authority.issue(&ground, 2);
    let stop = Operation::StopCertbot { lineage: lineage.clone() };
    let (before, fails) = (tree(home.path()), nothing_to_copy(&ground));
    let all = vec![copy.clone(), stop.clone(), publish(&lineage, &second), fails];
    assert_eq!(apply(&mut ground, all).outcome, Outcome::RolledBack);
    assert_eq!(tree(home.path()), before, "a run that failed leaves all of it as certbot made it");
    done(&apply(&mut ground, vec![copy, stop.clone(), publish(&lineage, &second)]));
    assert_eq!(published(&lineage), "00a002");
    let read = found(&ground, home.path()).remove(NAME).unwrap().unwrap();
    assert_eq!((read.number, read.key_mode, read.key_ids.gid), (2, 0o640, group));
    assert!(!read.renewal.autorenew);
    let now = fs::read_to_string(lineage.renewal()).unwrap();
    assert_eq!(now.replace("autorenew = False # vsa renews it\n", ""), text);
    assert!(!lineage.renewal().with_file_name(".shop.example.conf.vsa-former").exists());
    assert_eq!(fs::read(lineage.live().join("README")).unwrap(), readme);
    assert_eq!(fs::read_link(lineage.live().join("bundle.pem")).unwrap(), Path::new("fullchain.pem"));

    let (copy, third) = authority.issue(&ground, 3);
    done(&apply(&mut ground, vec![copy, stop, publish(&lineage, &third)]));
    assert_eq!(published(&lineage), "00a003");
    assert_eq!(fs::read_to_string(lineage.renewal()).unwrap(), now);
    let said = listed(home.path()).join("");
    assert!(said.contains("(VALID: 89 days)") && said.contains("shop.example www.shop.example"), "{said}");
    assert!(
        said.contains(&format!("Private Key Path: {}", lineage.link(Piece::Privkey).display())),
        "{said}"
    );
    let said = says(home.path(), &["renew", "--no-random-sleep-on-renew"]);
    assert!(said.contains("(skipped)"), "{said}");
    assert_eq!(published(&lineage), "00a003");

    // What vsa did not make, it never removes.
    let refused = apply(&mut ground, vec![Operation::RemoveLineage { lineage: lineage.clone() }]);
    assert_eq!(refused.outcome, Outcome::RolledBack);
    assert!(refused.errors[0].summary.contains("is not below"), "{:?}", refused.errors);
    assert_eq!(published(&lineage), "00a003");
}

#[test]
fn a_kill_at_any_step_leaves_the_old_pair_or_the_new_and_the_next_run_finishes_it() {
    let Some(mut ground) = ground() else { return };
    let (authority, lineage) = (Authority::new(), own(&ground));
    let (copy, first) = authority.issue(&ground, 1);
    let (next, second) = authority.issue(&ground, 2);
    done(&apply(&mut ground, vec![copy, publish(&lineage, &first), next]));
    let saved = ground.directory.path().join("saved");
    let rename = |from: PathBuf, to: PathBuf| fs::rename(from, to).unwrap();
    let copied = |from: &Path, to: &Path| {
        let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
        assert!(status.success());
    };
    fs::create_dir(&saved).unwrap();
    for part in ["live", "archive", "renewal"] {
        copied(&lineage.home().join(part), &saved);
    }
    let mut seen = Vec::new();
    for step in 0.. {
        for part in ["live", "archive", "renewal"] {
            let gone = saved.with_file_name(format!("gone-{step}-{part}"));
            rename(lineage.home().join(part), gone);
            copied(&saved.join(part), lineage.home());
        }
        let host = Arc::clone(&ground.host);
        let done_so_far = Arc::new(AtomicUsize::new(0));
        let (counter, home) = (Arc::clone(&done_so_far), lineage.home().to_owned());
        ground.host = Faulty::around(Arc::clone(&host), move |deed| {
            let Deed::File(operation) = deed else { return Ok(()) };
            let shown = format!("{operation:?}");
            let is_counted = ["live", "archive", "renewal"]
                .iter()
                .any(|part| shown.contains(&*home.join(part).to_string_lossy()));
            let is_dead = counter.load(Ordering::SeqCst) > step;
            if is_dead || (is_counted && counter.fetch_add(1, Ordering::SeqCst) >= step) {
                counter.fetch_add(step + 1, Ordering::SeqCst);
                return Err(HostError::because("reach", "/", "it was killed"));
            }
            Ok(())
        });
        let report = apply(&mut ground, vec![publish(&lineage, &second)]);
        ground.host = host;
        let was_killed = report.outcome != Outcome::Done;
        let serial = published(&lineage);
        assert!(["00a001", "00a002"].contains(&&*serial), "{serial}");
        seen.push(serial);
        for entry in fs::read_dir(lineage.archive()).unwrap().map(|entry| entry.unwrap()) {
            if entry.file_name().to_string_lossy().contains("privkey") {
                assert_eq!(mode(&entry.path()), 0o600, "{}", entry.path().display());
            }
        }
        done(&apply(&mut ground, vec![publish(&lineage, &second)]));
        assert_eq!(published(&lineage), "00a002");
        assert!(!lineage.archive().join("cert3.pem").exists(), "the number that was begun is used");
        assert_eq!(fs::read_dir(lineage.home().join("live")).unwrap().count(), 1);
        if !was_killed {
            break;
        }
    }
    assert!(seen.len() > 8 && seen.is_sorted(), "{seen:?}");
}

/// Breaks the home that it is given.
type Breaks<'a> = Box<dyn Fn(&Path) + 'a>;

#[test]
fn what_is_wrong_with_a_lineage_is_said() {
    let Some(mut ground) = ground() else { return };
    let (authority, lineage) = (Authority::new(), own(&ground));
    let (copy, first) = authority.issue(&ground, 1);
    done(&apply(&mut ground, vec![copy, publish(&lineage, &first)]));
    let saved = ground.directory.path().join("home");
    let renewal = Path::new("renewal/shop.example.conf");
    let (live, archive) = (Path::new("live/shop.example"), Path::new("archive/shop.example"));
    let edited = |home: &Path, from: &str, to: &str| {
        let text = fs::read_to_string(home.join(renewal)).unwrap();
        assert!(text.contains(from));
        fs::write(home.join(renewal), text.replace(from, to)).unwrap();
    };
    let cases: Vec<Breaks<'_>> = vec![
        Box::new(|_| {}),
        Box::new(|home| fs::remove_file(home.join(live).join("chain.pem")).unwrap()),
        Box::new(|home| {
            fs::remove_file(home.join(live).join("cert.pem")).unwrap();
            fs::write(home.join(live).join("cert.pem"), "").unwrap();
        }),
        Box::new(|home| fs::remove_file(home.join(archive).join("privkey1.pem")).unwrap()),
        Box::new(|home| {
            fs::remove_file(home.join(live).join("cert.pem")).unwrap();
            symlink("/etc/hosts", home.join(live).join("cert.pem")).unwrap();
        }),
        Box::new(|home| fs::write(home.join(archive).join("fullchain1.pem"), "nothing").unwrap()),
        Box::new(|home| fs::write(home.join(archive).join("privkey1.pem"), "nothing").unwrap()),
        Box::new(|home| {
            let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
            fs::write(home.join(archive).join("privkey1.pem"), other).unwrap();
        }),
        Box::new(|home| edited(home, "fullchain = ", "# ")),
        Box::new(|home| edited(home, "[renewalparams]", "[renewalparams")),
        Box::new(|home| edited(home, "cert.pem\n", "other.pem\n")),
        Box::new(|home| fs::write(home.join(renewal), [0xff, 0xfe]).unwrap()),
        Box::new(|home| fs::remove_dir_all(home.join("archive")).unwrap()),
        Box::new(|home| edited(home, &home.to_string_lossy(), &lineage.home().to_string_lossy())),
    ];
    let mut told = Vec::new();
    for breaks in cases {
        let _ = fs::remove_dir_all(&saved);
        fs::create_dir(&saved).unwrap();
        for part in ["live", "archive", "renewal"] {
            let status =
                Command::new("cp").arg("-a").arg(lineage.home().join(part)).arg(&saved).status().unwrap();
            assert!(status.success());
        }
        edited(&saved, &lineage.home().to_string_lossy(), &saved.to_string_lossy());
        breaks(&saved);
        told.push(match found(&ground, &saved).remove(NAME).unwrap() {
            Ok(found) => format!("whole, of {}", found.certificate.issuer),
            Err(reason) => {
                let reason = reason.replace(&*saved.to_string_lossy(), "HOME");
                reason.replace(&*lineage.home().to_string_lossy(), "ROOT")
            }
        });
    }
    insta::assert_snapshot!(told.join("\n"), @r"
    whole, of Authority of a test
    `HOME/live/shop.example/chain.pem` is not there
    `HOME/live/shop.example/cert.pem` is not a link
    `HOME/live/shop.example/privkey.pem` leads to `HOME/archive/shop.example/privkey1.pem`, which is not there
    `HOME/live/shop.example/cert.pem` leads to `/etc/hosts`, not to `HOME/archive/shop.example/certN.pem`
    `HOME/live/shop.example/fullchain.pem`: there is no certificate in it
    `HOME/live/shop.example/privkey.pem`: there is no private key in it
    `HOME/live/shop.example/privkey.pem` is not the key of `HOME/live/shop.example/fullchain.pem`
    `HOME/renewal/shop.example.conf`, `fullchain = …` is missing, which certbot needs too
    `HOME/renewal/shop.example.conf`, line 8: the section's `[` has no `]`
    `HOME/renewal/shop.example.conf`: its four links are not `cert.pem`, `chain.pem`, `fullchain.pem` and `privkey.pem` of one directory
    `HOME/renewal/shop.example.conf` is not UTF-8
    cannot find `HOME/archive/shop.example`: no such file or directory
    `HOME/renewal/shop.example.conf`: its links are in `ROOT/live/shop.example`, not in `HOME/live/shop.example`
    ");
    assert_eq!(block_on(ground.host.observe(&[Query::Lineages("/none".into())])), [Answer::Absent]);
}

#[test]
fn a_file_in_the_place_of_a_link_is_never_lost() {
    let Some(mut ground) = ground() else { return };
    let (authority, lineage) = (Authority::new(), own(&ground));
    let (copy, first) = authority.issue(&ground, 1);
    done(&apply(&mut ground, vec![copy, publish(&lineage, &first)]));
    fs::remove_file(lineage.link(Piece::Privkey)).unwrap();
    fs::write(lineage.link(Piece::Privkey), "the only copy").unwrap();
    let (copy, second) = authority.issue(&ground, 2);
    done(&apply(&mut ground, vec![copy, publish(&lineage, &second)]));
    assert_eq!(published(&lineage), "00a002");
    assert_eq!(fs::read_to_string(lineage.live().join("privkey.pem.former1")).unwrap(), "the only copy");

    // Where the directory is another program's, that one has to be asked.
    let home = tempfile::tempdir().unwrap();
    let others = Lineage::new(home.path(), NAME).unwrap();
    done(&apply(&mut ground, vec![publish(&others, &first)]));
    fs::remove_file(others.link(Piece::Privkey)).unwrap();
    fs::write(others.link(Piece::Privkey), "the only copy").unwrap();
    let report = apply(&mut ground, vec![publish(&others, &second)]);
    assert!(
        report.errors[0].summary.ends_with("live/shop.example/privkey.pem` is not a link"),
        "{:?}",
        report.errors
    );
    assert_eq!(fs::read_to_string(others.link(Piece::Privkey)).unwrap(), "the only copy");
}
