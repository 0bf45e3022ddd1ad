//! Certificates that a run has laid out in certbot's layout, and that is taken back.

use std::fs;

use vsa::apply::Outcome;
use vsa::plan::Operation;
use vsa::plan::issuance::Lineage;

use super::lineage_ground::{
    Authority, NAME, apply, done, ground, lineages_of, nothing_to_copy, own, publish,
};

#[test]
fn what_a_failed_run_published_is_taken_back() {
    let Some(mut ground) = ground() else { return };
    let (authority, lineage) = (Authority::new(), own(&ground));
    let (copy, first) = authority.issue(&ground, 1);
    let before = lineages_of(&ground.root());
    let fails = nothing_to_copy(&ground);
    let report = apply(&mut ground, vec![copy.clone(), publish(&lineage, &first), fails.clone()]);
    assert_eq!(report.outcome, Outcome::RolledBack, "{:?}", report.errors);
    assert_eq!(lineages_of(&ground.root()), before, "nothing was there");

    done(&apply(&mut ground, vec![copy, publish(&lineage, &first)]));
    let before = lineages_of(&ground.root());
    let (copy, second) = authority.issue(&ground, 2);
    let other = match publish(&lineage, &second) {
        Operation::PublishCertificate { lineage, directory, .. } => {
            Operation::PublishCertificate { lineage, directory, server: None }
        }
        operation => operation,
    };
    let stop = Operation::StopCertbot { lineage: lineage.clone() };
    let report = apply(&mut ground, vec![copy.clone(), other, stop, fails.clone()]);
    assert_eq!(report.outcome, Outcome::RolledBack, "{:?}", report.errors);
    assert_eq!(lineages_of(&ground.root()), before, "links, files and configuration are as before");
    // A configuration that had gone is written, and goes again.
    fs::remove_dir_all(Lineage::renewals(&ground.root())).unwrap();
    let before = lineages_of(&ground.root());
    let report = apply(&mut ground, vec![publish(&lineage, &first), fails.clone()]);
    assert_eq!(report.outcome, Outcome::RolledBack, "{:?}", report.errors);
    assert_eq!(lineages_of(&ground.root()), before);
    let home = tempfile::tempdir().unwrap();
    let others = Lineage::new(home.path(), NAME).unwrap();
    done(&apply(&mut ground, vec![publish(&others, &first)]));
    fs::remove_file(others.renewal()).unwrap();
    let kept = lineages_of(home.path());
    let report = apply(&mut ground, vec![publish(&others, &first), fails.clone()]);
    assert_eq!(report.outcome, Outcome::RolledBack, "{:?}", report.errors);
    assert_eq!(lineages_of(home.path()), kept);
    // An issue that was there with its number keeps it.
    let report = apply(&mut ground, vec![publish(&lineage, &first), fails]);
    assert_eq!(report.outcome, Outcome::RolledBack);
    assert_eq!(lineages_of(&ground.root()), before);
    // One that cannot be read was not published.
    done(&apply(&mut ground, vec![copy]));
    fs::remove_file(second.join("privkey.pem")).unwrap();
    nix::unistd::mkfifo(&second.join("privkey.pem"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    for lineage in [&lineage, &others] {
        let report = apply(&mut ground, vec![publish(lineage, &second)]);
        assert_eq!(report.outcome, Outcome::RolledBack, "{:?}", report.errors);
        assert!(report.errors[0].summary.contains("it is a named pipe"), "{:?}", report.errors);
    }
    // Who looks at it here would wait for its writer.
    fs::remove_file(second.join("privkey.pem")).unwrap();
    assert_eq!((lineages_of(&ground.root()), lineages_of(home.path())), (before, kept));
}
