//! What `vsa cert status` says of certificates that several sites use, that none uses, and that lack a name; and what
//! `vsa cert renew` does without a state.

use std::fs;

use serde_json::json;

use super::disk_story::{self, NAME};
use super::issuing::site;
use crate::support::Workspace;
use crate::support::authority::{Fault, Problem, Step};
use crate::support::private_ca::PrivateCa;

/// A certificate that vsa makes for these names.
fn own(label: &str, names: &str) -> String {
    format!("certificate \"{label}\" {{\n  issuer = \"self_signed\"\n  names  = [{names}]\n}}\n")
}

#[test]
fn a_wildcard_is_served_where_its_sites_are() {
    let Some(ground) = Workspace::managed() else { return };
    ground.write_node("");
    let with = |label: &str| format!("tls {{\n    certificate = certificate[\"{label}\"]\n  }}");
    let mut text = "tenant \"acme\" {}\n".to_owned();
    text += &own("other.example", "\"other.example\", \"*.other.example\"");
    text += &own("below", "\"*.third.example\"");
    text += &own("mail.example.com", "\"mail.example.com\"");
    for (name, label) in [
        ("a.other.example", "other.example"),
        ("b.other.example", "other.example"),
        ("a.third.example", "below"),
    ] {
        text += &site(&ground, name, &with(label));
    }
    ground.write("main.hcl", text);
    ground.apply();
    let status = ground.vsa(["cert", "status", "-json"]).code(0).json();
    let served: Vec<_> = status
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["name"].as_str().unwrap(), row["presented"].as_str().unwrap(), row["lacks"].clone()))
        .collect();
    assert_eq!(
        served,
        [
            ("below", "yes", json!([])),
            ("mail.example.com", "no site uses it", json!([])),
            ("other.example", "yes", json!([]))
        ]
    );
    let _ = ground.vsa(["cert", "status", "-nagios"]).code(0).says("CERTIFICATES OK - 3 in order");
    // A site that is not there any more is told.
    let pid = nix::unistd::Pid::from_raw(ground.nginx_pid().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    crate::support::processes::wait_until(std::time::Duration::from_mins(1), || ground.nginx_pid().is_none());
    let told = ground.vsa(["cert", "status", "-nagios"]).code(1);
    let _ = told.says("other.example is not served (no: ").says("below is not served");
}

#[test]
fn a_name_that_could_not_be_had_is_said_to_lack() {
    let Some(story) = disk_story::Story::issued() else { return };
    let disk_story::Story { ground, authority } = &story;
    let text = ground.read("main.hcl");
    ground.write("main.hcl", text.replace("  root   =", "  aliases = [\"m.shop.example.com\"]\n  root   ="));
    let no = || Fault::Problem(Problem::new(403, "rejectedIdentifier", "not this one"));
    authority.fail(Step::NewOrder, no(), 1);
    let _ = ground.vsa(["apply", "-auto-approve"]).code(5);
    // Nothing of it was applied: the certificate that there is lacks nothing.
    let _ = ground.vsa(["cert", "status"]).code(1).says("it was asked for what is not applied");
    let applied = ground.apply();
    let _ = applied
        .says("`shop.example.com` could not be issued for `m.shop.example.com`, and waits")
        .says("clients are warned there");
    let _ = ground.vsa(["cert", "status"]).code(1).says("yes, without m.shop.example.com");
    let status = ground.vsa(["cert", "status", "-json"]).code(1).json();
    assert_eq!(status[0]["lacks"], json!(["m.shop.example.com"]));
    let told = ground.vsa(["cert", "status", "-nagios"]).code(1);
    let _ =
        told.says("shop.example.com could not be issued for m.shop.example.com: clients are warned there");
    later(&story);
    let _ = ground.vsa(["cert", "renew"]).code(0).says("0 added, 1 changed");
    let _ = ground.vsa(["cert", "status", "-nagios"]).code(0);
    story.whole(2);
}

#[test]
fn another_key_that_could_not_be_had_is_left_to_the_timer() {
    let Some(story) = disk_story::Story::issued() else { return };
    let disk_story::Story { ground, authority } = &story;
    let own = format!("certificate \"{NAME}\" {{\n  key_type = \"ecdsa-p384\"\n}}\n");
    ground.write("main.hcl", ground.read("main.hcl") + &own);
    let no = || Fault::Problem(Problem::new(403, "rejectedIdentifier", "not this one"));
    authority.fail(Step::NewOrder, no(), 1);
    let _ = ground.vsa(["apply", "-auto-approve"]).code(5);
    let _ = ground.vsa(["cert", "status"]).code(1).says("it was asked for what is not applied");
    ground.apply();
    let _ =
        ground.vsa(["cert", "status"]).code(1).says("`vsa cert renew`, or its timer, tries it again from");
    later(&story);
    let _ = ground.vsa(["cert", "renew"]).code(0).says("0 added, 1 changed");
    let _ = ground.vsa(["cert", "status"]).code(0);
    story.whole(2);
}

#[test]
fn what_was_asked_for_before_it_was_due_is_tried_again() {
    let Some(story) = disk_story::Story::issued() else { return };
    let disk_story::Story { ground, authority } = &story;
    authority.down(true);
    let _ = ground.vsa(["cert", "renew", "-force", NAME]).code(5);
    authority.down(false);
    let _ =
        ground.vsa(["cert", "status"]).code(1).says("`vsa cert renew`, or its timer, tries it again from");
    let _ = ground.vsa(["cert", "status", "-nagios"]).code(1).says("could not be renewed");
    let _ = ground.vsa(["cert", "renew"]).code(1).says("could not be renewed, and waits");
    assert!(authority.orders().len() == 1);
    later(&story);
    ground.assert_nothing_to_do();
    let _ = ground.vsa(["cert", "renew"]).code(0).says("0 added, 1 changed");
    let _ = ground.vsa(["cert", "status", "-nagios"]).code(0);
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
    story.whole(2);
}

#[test]
fn what_was_asked_for_in_vain_and_is_no_longer_wanted_is_forgotten() {
    let Some(story) = disk_story::Story::issued() else { return };
    let disk_story::Story { ground, authority } = &story;
    let text = ground.read("main.hcl");
    ground.write("main.hcl", text.replace("  root   =", "  aliases = [\"m.shop.example.com\"]\n  root   ="));
    authority.fail(Step::NewOrder, Fault::Problem(Problem::new(403, "rejectedIdentifier", "no")), 1);
    let _ = ground.vsa(["apply", "-auto-approve"]).code(5);
    ground.write("main.hcl", text);
    let _ = ground.vsa(["cert", "status", "-nagios"]).code(1);
    later(&story);
    let _ = ground.vsa(["cert", "status", "-nagios"]).code(0);
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
    story.whole(1);
}

/// Lets the time pass for which nothing is tried again.
fn later(story: &disk_story::Story) {
    let mut ledger = story.ledger();
    ledger["certificates"][NAME]["failed"]["again"] = 0.into();
    fs::write(story.root("accounts/ledger.json"), ledger.to_string()).unwrap();
}

#[test]
fn a_state_that_is_lost_is_no_reason_to_renew_nothing() {
    let Some(ground) = Workspace::managed() else { return };
    ground.write_node("");
    ground.write("main.hcl", "tenant \"acme\" {}\n".to_owned() + &site(&ground, NAME, ""));
    let _ = ground.vsa(["cert", "renew"]).code(0).says("nothing was applied yet");
    let _ = ground.vsa(["cert", "status"]).code(1).says("`vsa apply` makes it");
    ground.apply();
    let state = ground.configuration().join("state/default.json");
    fs::remove_file(&state).unwrap();
    let lost = ground.vsa(["cert", "renew"]).code(1);
    let _ = lost.says("error[foreign_node]").says("put the state back");
    // The node is there no more, either, and former states are.
    let _ = fs::remove_dir_all(ground.configuration().join(".vsa/backups"));
    fs::create_dir_all(ground.configuration().join(".vsa/backups")).unwrap();
    ground.write(".vsa/backups/1.json", "{}");
    fs::remove_file(ground.node_root().join("owner.json")).unwrap();
    let _ =
        ground.vsa(["cert", "renew"]).code(1).says("there was one: former ones are in").says("put it back");
    let status = ground.vsa(["cert", "status"]).code(1).says("put it back");
    assert!(!status.stderr.contains("makes it"), "{status}");
}

#[test]
fn what_no_authority_issues_is_renewed_by_the_timer_too() {
    let Some(ground) = Workspace::managed() else { return };
    ground.write_node("");
    let path = ground.configuration();
    let ca = PrivateCa::new();
    ca.write(&path);
    let files = format!(
        "certificate \"local\" {{\n  issuer      = \"files\"\n  names       = [\"localhost\"]\n  certificate = \"{0}/server.pem\"\n  \
         key         = \"{0}/server.key\"\n}}\n",
        path.display()
    );
    ground.write("main.hcl", own("mail.example.com", "\"mail.example.com\"") + &files);
    ground.apply();
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due: the next one is").says("mail");
    let copy = |issue: u32| {
        fs::read_to_string(ground.node_root().join(format!("certificates/local/{issue}/fullchain.pem")))
    };
    assert_eq!(copy(1).unwrap(), ca.certificate);

    // Another one, half of it at first.
    let another = PrivateCa::new();
    ground.write("server.pem", &another.certificate);
    let broken = ground.vsa(["cert", "renew"]).code(1);
    let _ =
        broken.says("error[unusable_certificate]: `").says("a certificate cannot be copied from its files");
    let _ = ground
        .vsa(["cert", "status", "-nagios"])
        .code(1)
        .says("local is copied from files that cannot be used");
    let _ = ground.vsa(["cert", "status"]).code(1).says("the copy that vsa made of the former ones goes on");
    ground.write("server.key", &another.key);
    let _ = ground.vsa(["cert", "status", "-nagios"]).code(0);
    let _ = ground.vsa(["cert", "renew"]).code(0).says("0 added, 1 changed");
    assert_eq!(copy(2).unwrap(), another.certificate);
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");

    // Nobody is asked for what is copied, and that is said; vsa makes its own anew.
    let _ = ground
        .vsa(["cert", "renew", "-force", "local"])
        .code(0)
        .says("`local` is copied from files")
        .says("server.pem");
    let _ =
        ground.vsa(["cert", "issue", "local", "-auto-approve"]).code(1).says("`local` is copied from files");
    assert!(copy(3).is_err());
    let made =
        |issue: u32| ground.node_root().join(format!("certificates/mail.example.com/{issue}")).exists();
    let _ = ground.vsa(["cert", "issue", "mail.example.com", "-auto-approve"]).code(0).says("asked for");
    let _ = ground.vsa(["cert", "renew", "-force", "mail.example.com"]).code(0).says("0 added, 1 changed");
    assert!(made(3) && !made(4));
    let _ =
        ground.vsa(["cert", "renew", "mial.example.com"]).code(1).says("did you mean `mail.example.com`?");
    ground.assert_nothing_to_do();

    // Its time has come.
    let mut state: serde_json::Value = serde_json::from_str(&ground.read("state/default.json")).unwrap();
    let soon = jiff::Timestamp::now().as_second() + 86_400;
    for name in ["mail.example.com", "local"] {
        let address =
            if name == "local" { "certificate.local".to_owned() } else { format!("certificate[\"{name}\"]") };
        state["resources"][&*address]["facts"]["not_after"] = soon.into();
    }
    ground.write("state/default.json", state.to_string());
    let _ =
        ground.vsa(["cert", "status", "-nagios"]).code(1).says("nobody has put another one into its files");
    ca.write(&path);
    let _ = ground
        .vsa(["cert", "status", "-nagios"])
        .code(1)
        .says("another one is in its files: `vsa cert renew` copies it");
    let _ = ground.vsa(["cert", "renew"]).code(0).says("renewal is due").says("0 added, 2 changed");
    assert!(made(4));
    ground.assert_nothing_to_do();
}
