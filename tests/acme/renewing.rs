//! `vsa cert renew`, with an authority that says when.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::issuing::{live, site};
use crate::support::authority::{Behaviour, Fault, Step, Validation, Window};
use crate::support::private_ca::trusted;
use crate::support::{Authority, Workspace};

pub(super) fn node(ground: &Workspace, authority: &Authority, more: &str) -> String {
    format!(
        "node \"local\" {{\n  proxy {{\n    http_port  = {}\n    https_port = {}\n  }}\n  acme {{\n    directory   = \"{}\"\n    \
         ca          = \"{}\"\n    check_names = false\n    {more}\n  }}\n}}\ntenant \"acme\" {{}}\n",
        ground.http_port(),
        ground.https_port(),
        authority.directory(),
        authority.ca().display(),
    )
}

/// Sites whose certificates an authority has issued that believes everybody.
pub(super) fn issued(ground: &Workspace, names: &[&str], more: &str) -> Authority {
    let authority = Authority::start(Behaviour::new(Validation::Believes));
    let sites: String = names.iter().map(|name| site(ground, name, "")).collect();
    authority.behave(|it| {
        it.profiles = vec![("short".to_owned(), "six days".to_owned(), Duration::from_hours(144))];
    });
    ground.write("main.hcl", node(ground, &authority, more) + &sites);
    ground.apply();
    authority
}

/// A window that has come.
pub(super) fn past() -> Window {
    Window { start: 1_000, end: 2_000, explanation: None }
}

#[test]
fn what_the_authority_wants_renewed_is_renewed_and_nothing_else() {
    let Some(ground) = Workspace::managed() else { return };
    let authority = issued(&ground, &["one.example.com", "two.example.com"], "profile = \"short\"");
    let before = authority.issued();
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due: the next one is certificate");
    assert_eq!((authority.orders().len(), authority.count(Step::RenewalInfo)), (2, 2));
    // It is not asked again before it said so.
    let _ = ground.vsa(["cert", "renew"]).code(0);
    assert_eq!(authority.count(Step::RenewalInfo), 2);

    let one = before.iter().find(|issued| issued.names == ["one.example.com"]).unwrap();
    authority.window(&one.id, past());
    forget_windows(&ground);
    // Another change is nobody's business here.
    let text = std::fs::read_to_string(ground.configuration().join("main.hcl")).unwrap();
    ground.write("main.hcl", text.replace("root   =", "headers = { \"X-Version\" = \"2\" }\n  root   ="));
    let shown = ground.vsa(["cert", "renew", "-plan"]).code(0);
    let _ = shown.says("the authority wants it from 1970-01-01 on").says("1 to change");
    assert_eq!(authority.issued().len(), 2);
    let _ = ground.vsa(["cert", "renew"]).code(0).says("0 added, 1 changed, 0 destroyed");
    let after = authority.issued();
    assert_eq!(after.len(), 3);
    assert_eq!((after[2].replaces.as_ref(), after[2].profile.as_deref()), (Some(&one.id), Some("short")));
    trusted(&authority.roots()[0], &live(&ground, "one.example.com"), "one.example.com").unwrap();
    assert_eq!(ground.https("one.example.com", "/").status, 200);
    assert_ne!(public_key(&one.der), public_key(&after[2].der), "another key");
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
    assert_eq!(authority.issued().len(), 3);
}

#[test]
fn answers_about_renewal_that_make_no_sense_are_put_up_with() {
    let Some(ground) = Workspace::managed() else { return };
    let authority = issued(&ground, &["one.example.com"], "");
    for (times, fault) in [Fault::not_json(), Fault::Closed, Fault::Unavailable].into_iter().enumerate() {
        authority.fail(Step::RenewalInfo, fault, 1);
        let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
        assert_eq!(authority.count(Step::RenewalInfo), times + 1);
        forget_windows(&ground);
    }
    authority.behave(|it| it.window = Some(Window { start: 2_000, end: 1_000, explanation: None }));
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
    forget_windows(&ground);
    authority.down(true);
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
    authority.down(false);
    forget_windows(&ground);
    // One that does not say how long its answer can be relied on.
    authority.behave(|it| (it.window, it.ask_again) = (Some(past()), None));
    let _ = ground.vsa(["cert", "renew"]).code(0).says("0 added, 1 changed, 0 destroyed");
    assert_eq!(authority.issued().len(), 2);
}

#[test]
fn one_failure_holds_no_other_renewal_up_and_somebody_is_told() {
    let Some(ground) = Workspace::managed() else { return };
    let told = ground.configuration().join("told");
    let hook = ground.configuration().join("hook");
    std::fs::write(&hook, format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >> {}\n", told.display())).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let hook = format!("on_failure = [\"{}\", \"certificates\"]", hook.display());
    let authority = issued(&ground, &["one.example.com", "two.example.com"], &hook);
    authority.behave(|it| it.window = Some(past()));
    authority.fail(Step::NewOrder, Fault::Problem(rate_limited()), 1);
    let failed = ground.vsa(["cert", "renew", "-parallelism=1"]).code(6);
    assert!(!failed.stdout.contains("Apply complete!") && !failed.stderr.contains("rolled back"), "{failed}");
    let _ = failed
        .says("a certificate could not be issued: the rest goes on without")
        .says("Applied in part. Resources: 0 added, 1 changed, 0 destroyed.")
        .says("Issued: certificate[\"two.example.com\"]")
        .says("error[rate_limited]")
        .says("a certificate could not be issued; all else is applied");
    assert_eq!(authority.issued().len(), 3);
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.starts_with("certificates\none.example.com\nthe authority "), "{told}");
    authority.behave(|it| it.window = None);
    // It waits, and the exit code keeps saying so.
    let _ = ground.vsa(["cert", "renew"]).code(1).says("`one.example.com` could not be renewed, and waits");
    assert_eq!(authority.orders().len(), 3);
    let _ = ground.vsa(["cert", "renew", "-force", "one.example.com"]).code(0).says("asked for");
    assert_eq!(authority.issued().len(), 4);
    let _ = ground.vsa(["cert", "renew", "oen.example.com"]).code(1).says("did you mean `one.example.com`?");
}

fn rate_limited() -> crate::support::authority::Problem {
    crate::support::authority::Problem::rate_limited("3600")
}

/// Has all authorities asked again, as if the time had come.
fn forget_windows(ground: &Workspace) {
    let path = ground.node_root().join("accounts/ledger.json");
    let mut ledger: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for remembered in ledger["certificates"].as_object_mut().unwrap().values_mut() {
        remembered["renewal"]["ask_again"] = 0.into();
    }
    std::fs::write(path, ledger.to_string()).unwrap();
}

fn public_key(certificate: &[u8]) -> Vec<u8> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).unwrap();
    certificate.public_key().raw.to_vec()
}
