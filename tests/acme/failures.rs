//! What becomes of a certificate that an authority does not issue: what is said, what it costs, and how it goes on.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use super::issuing::{live, site};
use super::story::{NAME, Story};
use crate::support::Authority;
use crate::support::authority::{Behaviour, Fault, Problem, Step, Validation};
use crate::support::faulty::Disk;
use crate::support::private_ca::{PrivateCa, trusted};

#[test]
fn an_authority_that_is_down() {
    let Some(story) = Story::new() else { return };
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    story.configure(&format!("https://127.0.0.1:{port}/directory"), story.ground.http_port(), "", &[NAME]);
    insta::assert_snapshot!(story.fails().replace(&port.to_string(), "[down]"), @r#"
    error[authority_down]: the authority 127.0.0.1:[down] cannot be asked for `shop.example.com`: it cannot be reached: connection refused
     |
     = on: certificate["shop.example.com"]
     = help: see whether the node reaches it (firewall, proxy, DNS), and whether it has an outage; what was begun is taken up by the next apply or renewal, once the pause has ended
    "#);
    story.write("", NAME);
    story.authority.fail(Step::Directory, Fault::Unavailable, 1);
    story.later();
    insta::assert_snapshot!(story.fails(), @r#"
    error[authority_down]: the authority [authority] cannot be asked for `shop.example.com`: it cannot be reached: it answers with status 503
     |
     = on: certificate["shop.example.com"]
     = help: see whether the node reaches it (firewall, proxy, DNS), and whether it has an outage; what was begun is taken up by the next apply or renewal, once the pause has ended
    "#);
    // In the middle of an order: what was begun is taken up.
    story.authority.fail(Step::Finalize, Fault::Unavailable, 1);
    story.later();
    insta::assert_snapshot!(story.fails(), @r#"
    error[authority_down]: the authority [authority] cannot be asked for `shop.example.com`: it cannot be reached: it answers with status 503
     |
     = on: certificate["shop.example.com"]
     = help: see whether the node reaches it (firewall, proxy, DNS), and whether it has an outage; what was begun is taken up by the next apply or renewal, once the pause has ended
    "#);
    assert_eq!(story.authority.orders().len(), 1);
    // It is there still, although it cannot be asked about.
    story.authority.fail(Step::Order, Fault::Unavailable, 1);
    story.later();
    let _ = story.fails();
    story.goes_on(1);
}

#[test]
fn an_authority_that_is_slow() {
    let Some(story) = Story::new() else { return };
    // It has issued, and its answer comes too late.
    let gate = story.authority.hold(Step::Finalize, true);
    insta::assert_snapshot!(story.fails(), @r#"
    error[authority_down]: the authority [authority] cannot be asked for `shop.example.com`: it did not answer within 30 s
     |
     = on: certificate["shop.example.com"]
     = help: what was begun is taken up by the next apply or renewal, once the pause has ended
    "#);
    story.authority.mend();
    gate.open();
    story.goes_on(1);
    assert_eq!(story.authority.issued().len(), 1);
}

#[test]
fn an_order_that_fails() {
    let Some(story) = Story::new() else { return };
    story
        .authority
        .behave(|it| it.refuses = Some(Problem::new(403, "rejectedIdentifier", "the name is on a list")));
    insta::assert_snapshot!(story.fails(), @r#"
    error[rejected_name]: the authority [authority] does not issue `shop.example.com`: the name is on a list
     |
     = on: certificate["shop.example.com"]
     = help: it does not issue for this name: leave it away, or ask another authority
    "#);
    assert_eq!(story.authority.orders()[0].status, "invalid");
    story.authority.behave(|it| it.refuses = None);
    story.goes_on(2);
}

#[test]
fn an_authority_that_has_been_asked_too_often() {
    let Some(story) = Story::new() else { return };
    let now = jiff::Timestamp::now().as_second();
    story.authority.fail(Step::NewOrder, Fault::Problem(Problem::rate_limited("7200")), 1);
    let _ = story.fails();
    let again = story.ledger()["certificates"][NAME]["failed"]["again"].as_i64().unwrap();
    assert!((now + 7200..now + 7300).contains(&again), "{again}");
    let date = "Fri, 01 Jan 2038 00:00:00 GMT";
    story.authority.fail(Step::NewOrder, Fault::Problem(Problem::rate_limited(date)), 1);
    story.later();
    insta::assert_snapshot!(story.fails(), @r#"
    error[rate_limited]: the authority [authority] does not issue `shop.example.com`: too many certificates already issued for this exact set of names
     |
     = on: certificate["shop.example.com"]
     = help: it says that it may be asked again from 2038-01-01 00:00:00 UTC on; vsa waits for no more than 7 days, and asks again then
    "#);
    let ledger = story.ledger();
    let again = ledger["certificates"][NAME]["failed"]["again"].as_i64().unwrap();
    let week = 7 * 86_400;
    assert!((now + week..now + week + 100).contains(&again), "{again}");
    assert_eq!(ledger["orders"].as_array().unwrap().len(), 0, "none was begun");
    // It is not asked before.
    let asked = story.authority.requests().len();
    story.ground.apply();
    assert_eq!(story.authority.requests().len(), asked);
    // That passes by itself: nobody has to wait for a renewal.
    story.goes_on(1);
}

#[test]
fn a_clock_that_is_wrong() {
    let Some(story) = Story::new() else { return };
    story.authority.behave(|it| it.clock = 3 * 86_400 + 60);
    insta::assert_snapshot!(story.fails(), @r#"
    error[clock]: the clock of this machine is 3 d 0 h behind that of the authority [authority]
     |
     = on: certificate["shop.example.com"]
     = note: the authority was not asked: nothing counts against its limits
     = help: set it right (`timedatectl set-ntp true`): certificates would seem not to be valid yet, or to have ended
    "#);
    assert!(story.authority.orders().is_empty());
    story.authority.behave(|it| it.clock = 0);
    // What this machine wrote down while its clock went a year ahead holds nothing up once it is right.
    let mut ledger = story.ledger();
    let failed = &mut ledger["certificates"][NAME]["failed"];
    for moment in ["at", "again"] {
        failed[moment] = (failed[moment].as_i64().unwrap() + 365 * 86_400).into();
    }
    fs::write(story.ground.node_root().join("accounts/ledger.json"), ledger.to_string()).unwrap();
    story.ground.apply();
    story.has(1);
}

#[test]
fn an_authority_whose_own_certificate_is_not_valid_yet() {
    let Some(story) = Story::new() else { return };
    let behaviour = Behaviour::new(Validation::Asks(story.ground.http_port()));
    let early = Authority::presenting(&PrivateCa::valid_from(2100), behaviour);
    story.replace(&story.authority.directory(), &early.directory());
    story.replace(&story.authority.ca().display().to_string(), &early.ca().display().to_string());
    let told = story.fails().replace(early.directory().split('/').nth(2).unwrap(), "[early]");
    let (before, after) = told.split_once("this machine's clock says ").unwrap();
    insta::assert_snapshot!(format!("{before}this machine's clock says [now]{}", &after[23..]), @r#"
    error[authority_untrusted]: the authority [early] cannot be asked for `shop.example.com`: its certificate is not trusted: it is not valid yet: it begins on 2100-01-01 00:00:00 UTC, and this machine's clock says [now]
     |
     = on: certificate["shop.example.com"]
     = help: see whether the clock of this machine is right (`timedatectl`): if it is, the authority's own certificate is not valid now
    "#);
    assert!(early.orders().is_empty());
    story.write("", NAME);
    story.goes_on(1);
}

#[test]
fn a_disk_that_is_full_when_the_certificate_comes() {
    let Some(story) = Story::new() else { return };
    let Some(disk) = Disk::over(&story.ground.node_root()) else { return };
    let gate = story.authority.hold(Step::Certificate, false);
    let (code, told) = story.meanwhile(&gate, |_| disk.fill());
    assert_eq!(code, Some(5), "{told}");
    insta::assert_snapshot!(told, @r#"
    error[host]: cannot write `[ground]/site/.vsa/nodes/local/certificates/shop.example.com/1.new/privkey.pem`: no space left on device
     |
     = on: certificate["shop.example.com"]
     = help: make room where `[ground]/site/.vsa/nodes/local/certificates/shop.example.com/1.new` is (`df -h`, `df -i`), and run it again
     = help: mend that: the next apply takes up the order, and the certificate is not asked for twice
    "#);
    disk.free();
    assert!(story.private() > 0, "the key that was sent is there");
    story.goes_on(1);
    assert_eq!(story.authority.issued().len(), 1);
}

#[test]
fn what_the_node_cannot_store_holds_the_next_run_up_no_longer() {
    let Some(story) = Story::new() else { return };
    story.authority.fail(Step::Directory, Fault::Unavailable, 1);
    let _ = story.fails();
    story.later();
    // What is remembered has room.
    let Some(disk) = Disk::over(&story.ground.node_root().join("certificates")) else { return };
    let gate = story.authority.hold(Step::Certificate, false);
    let (code, told) = story.meanwhile(&gate, |_| disk.fill());
    assert_eq!(code, Some(5), "{told}");
    let failed = |story: &Story| story.ledger()["certificates"][NAME]["failed"].clone();
    assert!(failed(&story)["why"].as_str().unwrap().contains("no space left"), "{}", failed(&story));
    // It is full still: that is said, and nothing waits.
    let again = story.fails();
    assert!(again.contains("no space left on device"), "{again}");
    assert_eq!((&failed(&story)["times"], &failed(&story)["again"]), (&1.into(), &0.into()));
    disk.free();
    story.ground.apply();
    story.has(1);
    assert_eq!(story.authority.issued().len(), 1);
}

#[test]
fn a_run_that_is_killed_before_the_certificate_is_there() {
    let Some(story) = Story::new() else { return };
    for step in [Step::Finalize, Step::Certificate] {
        let gate = story.authority.hold(step, true);
        let (code, _) = story.meanwhile(&gate, |child| child.kill().unwrap());
        assert_eq!(code, None);
        story.authority.mend();
        assert!(story.private() > 0, "the key that was sent is there");
    }
    story.goes_on(1);
    assert_eq!(story.authority.issued().len(), 1);
}

#[test]
fn an_order_that_is_finished_is_not_taken_up_again() {
    let Some(story) = Story::new() else { return };
    let accounts = story.ground.node_root().join("accounts");
    let (ledger, aside) = (accounts.join("ledger.json"), accounts.join("aside"));
    let gate = story.authority.hold(Step::Certificate, true);
    // The certificate is kept, and the run comes to its end before it is noted that the order is done.
    let (code, _) = story.meanwhile(&gate, |_| {
        fs::rename(&ledger, &aside).unwrap();
        fs::create_dir_all(ledger.join("in the way")).unwrap();
    });
    assert_eq!(code, Some(5));
    story.authority.mend();
    fs::remove_dir_all(&ledger).unwrap();
    fs::rename(&aside, &ledger).unwrap();
    assert!(story.ledger()["certificates"][NAME]["order"].is_object());
    let directory = story.ground.node_root().join("certificates").join(NAME);
    fs::copy(directory.join("1/privkey.pem"), directory.join("order.pem")).unwrap();
    story.goes_on(1);
    assert!(
        story.ledger()["certificates"][NAME].get("order").is_none() && !directory.join("order.pem").exists()
    );

    let key =
        || fs::read(directory.parent().unwrap().join("../live").join(NAME).join("privkey.pem")).unwrap();
    let (before, first) = (key(), live(&story.ground, NAME));
    let _ = story.ground.vsa(["cert", "issue", NAME, "-auto-approve"]).code(0);
    assert!(key() != before && live(&story.ground, NAME) != first);
    assert_eq!((story.authority.orders().len(), story.authority.issued().len()), (2, 2));
}

#[test]
fn what_cannot_be_asked_is_told_by_the_plan() {
    let Some(story) = Story::new() else { return };
    let ca = story.authority.ca().display().to_string();
    let wrong = story.ground.path().join("wrong.pem");
    let wrong = wrong.display().to_string();
    story.replace(&ca, &wrong);
    let told = || story.told(&story.ground.vsa(["plan"]).code(1).stderr);
    insta::assert_snapshot!(told(), @r#"
    error[unusable_root]: the root certificate `[ground]/wrong.pem` is not there
     |
     = help: `acme { ca }` names a PEM file on the node: the root that the authority's own server is checked against
    "#);
    fs::write(&wrong, "no certificate\n").unwrap();
    assert!(told().contains("wrong.pem` cannot be used: there is no certificate in it"), "{}", told());
    story.replace(&wrong, &ca);
    story.ground.apply();

    // What is there goes on, and the next renewal would fail.
    story.replace(&ca, &wrong);
    let _ = story.ground.vsa(["plan"]).code(0).says("warning[unusable_root]: the root certificate `");
    story.replace(&wrong, &ca);
    let ledger = story.ground.node_root().join("accounts/ledger.json");
    let kept = fs::read(&ledger).unwrap();
    fs::write(&ledger, "{\"version\": 9}").unwrap();
    let _ = story
        .ground
        .vsa(["plan"])
        .code(0)
        .says("warning[unreadable_ledger]: cannot read `")
        .says("which a later vsa wrote");
    fs::write(&ledger, &kept[..kept.len() / 2]).unwrap();
    let _ = story.ground.vsa(["plan"]).code(0).says("it is damaged");
    let _ = story.ground.vsa(["cert", "status"]).code(0).says("it is damaged");
    let _ = story
        .ground
        .vsa(["cert", "status", "-nagios"])
        .code(1)
        .says("what is remembered of it cannot be read");
    let issue = story.ground.vsa(["cert", "issue", NAME, "-auto-approve"]).code(1);
    let issue = issue.says("error[unreadable_ledger]").says("remove it to begin anew");
    assert_eq!(issue.stderr.matches("unreadable_ledger").count(), 1, "{issue}");
    // For another one it is graver: it is said once.
    let more = site(&story.ground, "other.example.com", "");
    story.ground.write("more.hcl", more);
    let plan = story.ground.vsa(["plan"]).code(1).says("error[unreadable_ledger]");
    assert_eq!(plan.stderr.matches("unreadable_ledger").count(), 1, "{plan}");
    assert_eq!(fs::read(&ledger).unwrap(), &kept[..kept.len() / 2], "it is not lost");
    assert_eq!(story.authority.orders().len(), 1);
}
