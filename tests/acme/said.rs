//! What authorities and DNS providers say, and what is told of what they offer.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::story::{NAME, Story};
use crate::support::authority::{Fault, Problem, Step, Validation};
use crate::support::named::{Named, Zone, secret};
use crate::support::node::block_on;

const TOKEN: &str = "s3cret-token-of-this-test-0123456789";

/// The files below a directory whose text holds a word.
fn holding(directory: &Path, word: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                directories.push(entry.path());
            } else if kind.is_file()
                && String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).contains(word)
            {
                found.push(entry.path());
            }
        }
    }
    found
}

/// A provider that repeats what it is asked with.
fn echo() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let errors =
                serde_json::json!([{ "code": 9109, "message": format!("no\u{1b}[31m access for {TOKEN}") }]);
            let body = serde_json::json!({ "success": false, "errors": errors }).to_string();
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 403 Forbidden\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

#[test]
fn a_secret_that_a_provider_repeats_is_told_to_nobody() {
    let Some(story) = Story::new() else { return };
    let told = story.ground.path().join("told");
    let hook = format!(
        "on_failure = [\"/usr/bin/env\", \"sh\", \"-c\", \"echo \\\"$2\\\" > {}\", \"hook\"]",
        told.display()
    );
    let provider = format!(
        "cloudflare {{\n      token = \"{TOKEN}\"\n      api   = \"http://127.0.0.1:{}\"\n    }}\n    {hook}",
        echo()
    );
    story.write(&provider, NAME);
    let failed = story.ground.vsa(["apply", "-auto-approve"]).code(5);
    let failed = failed.says("access for ********");
    assert!(!failed.stderr.contains(TOKEN) && !failed.stdout.contains(TOKEN), "{}", failed.stderr);
    assert!(!failed.stderr.contains('\u{1b}'), "{:?}", failed.stderr);
    assert_eq!(holding(story.ground.path(), TOKEN), [story.ground.configuration().join("main.hcl")]);
    assert!(fs::read_to_string(told).unwrap().contains("********"));
    let _ = story.ground.vsa(["plan"]).code(0).says("access for ********");
}

#[test]
fn a_word_without_end_is_bounded_and_steers_no_terminal() {
    let Some(story) = Story::new() else { return };
    let detail = format!("\u{1b}]0;title\u{7}no, {}", "and no, ".repeat(40_000));
    let problem = Problem::new(403, "rejectedIdentifier", &detail).of_name(NAME, "malformed", &detail);
    story.authority.fail(Step::NewOrder, Fault::Problem(problem), 1);
    let failed = story.ground.vsa(["apply", "-auto-approve"]).code(5);
    assert!(
        failed.stderr.len() < 20_000 && !failed.stderr.contains(['\u{1b}', '\u{7}']),
        "{}",
        failed.stderr.len()
    );
    let _ = failed.says("no, and no, ").says("bytes in all)");
    assert!(story.ledger().to_string().len() < 5_000);
    story.goes_on(1);
}

#[test]
fn a_profile_that_there_is_not_is_found_before_an_order_is_begun() {
    let Some(story) = Story::new() else { return };
    story.write("profile = \"shrotlived\"", NAME);
    insta::assert_snapshot!(story.fails(), @r#"
    error[no_such_profile]: the authority [authority] has no profile `shrotlived`
     |
     = on: certificate["shop.example.com"]
     = note: it has no profiles at all
     = help: leave `profile` away
    "#);
    story.authority.behave(|it| {
        let day = Duration::from_hours(24);
        it.profiles = vec![
            ("shortlived".to_owned(), "six days".to_owned(), day * 6),
            ("classic".to_owned(), "as ever".to_owned(), day * 90),
        ];
    });
    story.later();
    let told = story.fails();
    for said in ["classic: as ever", "shortlived: six days", "did you mean `shortlived`?"] {
        assert!(told.contains(said), "{told}");
    }
    assert!(story.authority.orders().is_empty());
    story.write("profile = \"shortlived\"", NAME);
    story.goes_on(1);
}

#[test]
fn a_chain_that_there_is_not_is_told_with_those_that_there_are() {
    let Some(story) = Story::new() else { return };
    story.write("preferred_chain = \"Mock Root X9\"", NAME);
    let _ = story
        .ground
        .vsa(["apply", "-auto-approve"])
        .code(0)
        .says("no chain by `Mock Root X9` is offered, but by `Mock Root X1`, `Mock Root X2`: the usual one is taken");
    story.goes_on(1);
}

#[test]
fn another_address_to_write_to_is_told_to_the_authority() {
    let Some(story) = Story::new() else { return };
    let contact = || story.authority.accounts()[0].contact.join(" ");
    let with = |email: &str| {
        story.write(&format!("email = \"{email}\""), NAME);
        story.ground.apply();
        story.ground.vsa(["cert", "issue", NAME, "-auto-approve"]).code(0)
    };
    let _ = with("first@example.com");
    let asked = |step| story.authority.count(step);
    assert_eq!((contact().as_str(), asked(Step::NewAccount)), ("mailto:first@example.com", 1));
    let _ = with("first@example.com");
    assert_eq!(asked(Step::NewAccount), 1, "nothing is new");
    let _ = with("second@example.com");
    assert_eq!((contact().as_str(), asked(Step::NewAccount)), ("mailto:second@example.com", 2));
    // That it is not taken is no reason to have no certificate, and it is told again.
    let refused = Problem::new(400, "invalidContact", "example.net has no MX record");
    story.authority.fail(Step::NewAccount, Fault::Problem(refused), 1);
    let _ = with("third@example.net").says("was not told the new `email`: example.net has no MX record");
    assert_eq!(contact(), "mailto:second@example.com");
    let _ = with("third@example.net");
    assert_eq!(contact(), "mailto:third@example.net");
    story.write("", NAME);
    story.ground.apply();
    let _ = story.ground.vsa(["cert", "issue", NAME, "-auto-approve"]).code(0);
    assert_eq!(contact(), "");
    assert_eq!((story.authority.accounts().len(), story.authority.issued().len()), (1, 7));
}

#[test]
fn records_that_a_kill_leaves_are_withdrawn_by_the_next_order() {
    let Some(story) = Story::new() else { return };
    let Some(dns) = Named::start(&[Zone::new("example.com", "")]) else { return };
    let key = secret();
    let provider = format!(
        "check_names = false\n    rfc2136 {{\n      server   = \"{}\"\n      key_name = \"vsa\"\n      key      = \"{}\"\n    }}",
        dns.server(),
        key.expose()
    );
    story.write(&provider, NAME);
    story.replace(&format!("[\"{}\"]", story.dns.server()), &format!("[\"{}\"]", dns.server()));
    story.authority.behave(|it| it.validation = Validation::Believes);
    let records = || {
        let found = block_on(dns.resolver().txt(&format!("_acme-challenge.{NAME}")));
        found.unwrap_or_default().len()
    };
    let gate = story.authority.hold(Step::Challenge, false);
    let (code, _) = story.meanwhile(&gate, |child| {
        assert_eq!(records(), 1);
        child.kill().unwrap();
    });
    assert_eq!((code, records()), (None, 1));
    story.authority.mend();
    // The order cannot be taken up: another one has another record.
    let ledger = story.ground.node_root().join("accounts/ledger.json");
    let mut known = story.ledger();
    assert_eq!(known["certificates"][NAME]["records"].as_array().unwrap().len(), 1);
    known["certificates"][NAME].as_object_mut().unwrap().remove("order");
    fs::write(ledger, known.to_string()).unwrap();
    story.ground.apply();
    assert_eq!((records(), story.authority.orders().len()), (0, 2));
    assert!(story.ledger()["certificates"][NAME].get("records").is_none());
}

#[test]
fn looking_around_where_nothing_is_leaves_nothing() {
    let ground = crate::support::Workspace::new();
    for command in
        [vec!["cert", "status"], vec!["cert", "status", "-nagios"], vec!["cert", "show", "x"], vec!["show"]]
    {
        assert_ne!(ground.vsa(command.clone()).exit, Some(0), "{command:?}");
        let left: Vec<_> = fs::read_dir(ground.configuration()).unwrap().collect();
        assert!(left.is_empty(), "{command:?}: {left:?}");
    }
}

#[test]
fn what_says_nothing_to_an_authority_is_an_error() {
    let ground = crate::support::Workspace::new();
    let told = |more: &str| {
        ground.write(
            "main.hcl",
            format!("certificate \"{NAME}\" {{\n  issuer = \"letsencrypt\"\n  {more}\n}}\n"),
        );
        ground.vsa(["validate"])
    };
    let _ = told("key_type = \"rsa-2048\"").code(0);
    for (name, value) in
        [("days", "365"), ("days", "90"), ("key", "\"/etc/a.key\""), ("certificate", "\"/etc/a.pem\"")]
    {
        let said = format!("`{name}` is of no use to a certificate that an authority issues");
        let _ = told(&format!("{name} = {value}")).code(1).says(&said);
    }
    let _ = told("acme {\n    ca = \"root.pem\"\n  }").code(0);
    ground.write(
        "main.hcl",
        format!("certificate \"{NAME}\" {{\n  acme {{\n    directory = \"nonsense\"\n  }}\n}}\n"),
    );
    let _ = ground.vsa(["validate"]).code(1).says("takes an ACME directory");
    let text = "acme {\n    directory = \"https://ca.example/dir\"\n    ca = \"root.pem\"\n  }";
    ground.write("main.hcl", format!("certificate \"{NAME}\" {{\n  {text}\n}}\n"));
    let _ = ground.vsa(["validate"]).code(1).says("`root.pem` does not begin at the root");
}
