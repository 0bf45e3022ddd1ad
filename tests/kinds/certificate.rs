//! Certificates.

use std::path::PathBuf;

use vsa::plan::issuance::Lineage;

use super::*;

const REQUEST: &str = "node.local self_signed ecdsa-p256 365 shop.example.com";

pub(super) fn linked() -> Query {
    let directory = "/node/current/certificates".into();
    Query::Linked { directory, read: "fullchain.pem", unread: "privkey.pem", rare: "revoked" }
}

pub(super) fn link(issue: u32) -> Leaf {
    Leaf::Link(format!("/node/certificates/shop.example.com/{issue}").into())
}

pub(super) fn tree<const N: usize>(leaves: [(&str, Leaf); N]) -> Answer {
    Answer::Tree(leaves.map(|(path, leaf)| (path.to_owned(), leaf)).into())
}

pub(super) fn chain(digest: &str) -> (&'static str, Leaf) {
    ("shop.example.com/fullchain.pem", Leaf::File { digest: digest.into(), mode: 0o644, ids: Ids::default() })
}

pub(super) fn key(mode: u32) -> (&'static str, Leaf) {
    ("shop.example.com/privkey.pem", Leaf::Unread { mode, ids: Ids::default(), is_anothers: false })
}

fn shop(given: &serde_json::Value) -> Case {
    Case::new(resource("certificate", "shop.example.com", given))
}

/// Issued twice, with this many days left.
fn issued(days_left: i64) -> Case {
    shop(&json!({}))
        .known(json!({ "issue": 2, "request": REQUEST, "not_after": NOW + days_left * DAY, "digest": "d" }))
        .seen(linked(), tree([("shop.example.com", link(2)), chain("d"), key(0o600)]))
}

#[test]
fn a_new_one_is_issued_for_its_label() {
    let case = shop(&json!({}));
    assert_eq!(case.link(), "/node/certificates/shop.example.com/1");
    assert_eq!(
        case.steps(),
        [Operation::IssueSelfSigned {
            issue: 1,
            request: REQUEST.into(),
            directory: "/node/certificates/shop.example.com/1".into(),
            names: vec!["shop.example.com".into()],
            key_type: "ecdsa-p256".into(),
            days: 365,
        }]
    );
}

#[test]
fn one_with_time_left_stays() {
    let case = issued(200);
    assert!(case.steps().is_empty() && case.drift().is_empty());
    assert_eq!(case.refresh().due, None);
    assert_eq!(case.link(), "/node/certificates/shop.example.com/2");
}

#[test]
fn a_third_of_the_lifetime_before_its_end_it_is_renewed() {
    assert_eq!(issued(122).refresh().due, None);
    let case = issued(121);
    assert_eq!(case.refresh().due.unwrap(), "renewal is due: it ends on 2026-05-02");
    assert_eq!(case.link(), "/node/certificates/shop.example.com/3");
    assert!(matches!(case.steps().as_slice(), [Operation::IssueSelfSigned { issue: 3, .. }]));
}

#[test]
fn a_change_of_what_is_asked_for_makes_another_issue() {
    let names = json!({ "names": ["shop.example.com", "www.shop.example.com"] });
    let mut case = issued(200);
    case.desired = Some(resource("certificate", "shop.example.com", &names));
    assert_eq!(case.link(), "/node/certificates/shop.example.com/3");
    let mut case = issued(200);
    case.desired = Some(resource("certificate", "shop.example.com", &json!({ "renew_before": "5d" })));
    assert!(case.steps().is_empty(), "the margin is not part of the certificate");
}

#[test]
fn a_touched_one_is_issued_again() {
    let it = || ("shop.example.com", link(2));
    let drift = |answer| issued(200).seen(linked(), answer).drift();
    assert_eq!(drift(tree([it(), chain("d")])), ["certificates/shop.example.com/2/privkey.pem was deleted"]);
    assert_eq!(
        drift(tree([it(), key(0o600)])),
        ["certificates/shop.example.com/2/fullchain.pem was deleted"]
    );
    assert_eq!(
        drift(tree([it(), chain("x"), key(0o600)])),
        ["certificates/shop.example.com/2/fullchain.pem was edited"]
    );
    assert_eq!(
        drift(tree([it(), chain("d"), (key(0).0, Leaf::Link("/tmp/other.key".into()))])),
        ["certificates/shop.example.com/2/privkey.pem was edited"]
    );
    assert_eq!(
        drift(tree([it(), chain("d"), key(0o644)])),
        [
            "certificates/shop.example.com/2/privkey.pem may have been read by others: its mode is 0644, not 0600"
        ]
    );
    assert_eq!(issued(200).seen(linked(), tree([it()])).link(), "/node/certificates/shop.example.com/3");
}

#[test]
fn one_that_nginx_does_not_read_is_looked_at_alone() {
    let file = |name: &str| PathBuf::from("/node/certificates/shop.example.com/2").join(name);
    let (chain_file, key_file) = (file("fullchain.pem"), file("privkey.pem"));
    let alone = || {
        [Query::Stat(chain_file.clone()), Query::Digest(chain_file.clone()), Query::Stat(key_file.clone())]
    };
    let elsewhere = || tree([("shop.example.com", link(1)), chain("x"), key(0o600)]);
    let stat = |mode| Answer::Stat(Stat { file_type: FileType::File, mode, uid: 0, gid: 0, empty: false });
    for answer in [elsewhere, || tree([]), || Answer::Absent] {
        let case = || issued(200).seen(linked(), answer());
        let asked = case().kind().queries(case().subject());
        assert_eq!((&asked[1], &asked[2..5]), (&Query::Myself, &alone()[..]));
        assert_eq!(asked[5..], [Query::Read(file("revoked"))]);
        let drift = |answers: [Answer; 3]| {
            let found = alone().into_iter().zip(answers);
            found.fold(case(), |case, (query, answer)| case.seen(query, answer)).drift()
        };
        let digest = || Answer::Digest("d".into());
        assert!(drift([stat(0o644), digest(), stat(0o600)]).is_empty());
        assert_eq!(
            drift([stat(0o644), digest(), Answer::Absent]),
            ["certificates/shop.example.com/2/privkey.pem was deleted"]
        );
        assert_eq!(
            drift([stat(0o644), digest(), stat(0o644)]),
            [
                "certificates/shop.example.com/2/privkey.pem may have been read by others: its mode is 0644, not 0600"
            ]
        );
        assert_eq!(
            drift([Answer::Absent, Answer::Absent, Answer::Absent]),
            ["certificates/shop.example.com/2/fullchain.pem was deleted"]
        );
    }
}

#[test]
fn one_that_goes_takes_its_keys_along() {
    assert_eq!(
        issued(200).gone().steps(),
        [Operation::RemoveCertificate { directory: "/node/certificates/shop.example.com/2".into() }]
    );
}

#[test]
fn one_that_was_never_issued_leaves_nothing_behind_either() {
    let lineage = Lineage::new("/etc/letsencrypt", "shop").unwrap();
    let case = shop(&json!({})).known(json!({ "certbot": { "home": "/etc/letsencrypt", "name": "shop" } }));
    assert_eq!(
        case.gone().steps(),
        [
            Operation::ResumeCertbot { lineage, is_shared: false },
            Operation::RemoveCertificate { directory: "/node/certificates/shop.example.com/0".into() },
        ]
    );
}

#[test]
fn one_that_comes_back_spares_what_old_generations_keep() {
    let kept = ["2", "10", "notes"].map(|name| (name.to_owned(), FileType::Directory)).into();
    let former = Query::Entries("/node/certificates/shop.example.com".into());
    assert_eq!(
        shop(&json!({})).seen(former, Answer::Entries(kept)).link(),
        "/node/certificates/shop.example.com/11"
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let check = |name: &str, given: &serde_json::Value| check(&resource("certificate", name, given));
    let trusted = "warning: browsers do not trust a self-signed certificate";
    assert_eq!(check("shop.example.com", &json!({})), [trusted]);
    assert!(check("shop.example.com", &json!({ "issuer": "self_signed" })).is_empty());
    assert_eq!(
        check("site", &json!({ "issuer": "self_signed" })),
        ["error: `names` is missing: `site` is no name of a site"]
    );
    assert_eq!(check("shop.example.com", &json!({ "issuer": "acme" })), ["error: no authority is named"]);
    assert_eq!(
        check("shop.example.com", &json!({ "issuer": "files", "certificate": "a.pem" })),
        ["error: `a.pem` does not begin at the root", "error: issuer `files` needs `key`"]
    );
    assert_eq!(
        check("shop.example.com", &json!({ "issuer": "self_signed", "days": 5, "renew_before": "120h" })),
        ["error: with 5 days and `renew_before` of that or more it would be renewed at every apply"]
    );
}

mod from_files {
    use super::*;

    const FILES: &str = "node.local files /etc/a.pem /etc/a.key";

    fn facts(days_left: i64, names: &[&str]) -> Answer {
        Answer::Certificate(CertificateFacts {
            not_before: NOW - (90 - days_left) * DAY,
            not_after: NOW + days_left * DAY,
            names: names.iter().map(ToString::to_string).collect(),
            issuer: "Some CA".into(),
            ..CertificateFacts::default()
        })
    }

    fn source(answer: Answer, digest: &str) -> Case {
        shop(&json!({ "issuer": "files", "certificate": "/etc/a.pem", "key": "/etc/a.key" }))
            .seen(Query::Certificate("/etc/a.pem".into()), answer)
            .seen(Query::Digest("/etc/a.pem".into()), Answer::Digest(digest.into()))
    }

    fn copied(answer: Answer, digest: &str) -> Case {
        source(answer, digest)
            .known(json!({ "issue": 1, "request": FILES, "not_after": NOW + 60 * DAY, "digest": "d" }))
    }

    #[test]
    fn it_is_copied_once() {
        let right = || facts(60, &["*.example.com"]);
        assert!(matches!(
            source(right(), "d").steps().as_slice(),
            [Operation::CopyCertificate { issue: 1, .. }]
        ));
        let case = copied(right(), "d");
        assert!(case.steps().is_empty() && case.findings().is_empty());
        assert_eq!(case.refresh().due, None);
    }

    #[test]
    fn a_new_one_in_its_place_is_copied_again() {
        let case = copied(facts(89, &["shop.example.com"]), "e");
        assert_eq!(case.refresh().due.unwrap(), "`/etc/a.pem` was renewed: it ends on 2026-03-31");
        assert!(matches!(case.steps().as_slice(), [Operation::CopyCertificate { issue: 2, .. }]));
    }

    #[test]
    fn its_end_is_a_finding() {
        let right = &["shop.example.com"];
        assert_eq!(copied(facts(29, right), "d").findings(), ["warning: `/etc/a.pem` ends on 2026-01-30"]);
        assert_eq!(copied(facts(-1, right), "d").findings(), ["warning: `/etc/a.pem` ended on 2025-12-31"]);
        assert_eq!(copied(facts(29, right), "d").refresh().due, None);
    }

    #[test]
    fn one_that_cannot_be_used_stops_only_what_needs_it() {
        let wrong = || facts(60, &["other.example"]);
        assert_eq!(source(wrong(), "d").findings(), ["error: `/etc/a.pem` is not for `shop.example.com`"]);
        assert_eq!(copied(wrong(), "e").findings(), ["warning: `/etc/a.pem` is not for `shop.example.com`"]);
        assert_eq!(copied(wrong(), "e").refresh().due, None);
        assert_eq!(source(Answer::Absent, "d").findings(), ["error: there is no `/etc/a.pem`"]);
        let broken = Answer::Failed("it is not a PEM file".into());
        assert_eq!(
            source(broken, "d").findings(),
            ["error: `/etc/a.pem` cannot be used: it is not a PEM file"]
        );
        let key = || Query::PrivateKey { key: "/etc/a.key".into(), certificate: "/etc/a.pem".into() };
        let no_key = source(facts(60, &["shop.example.com"]), "d").seen(key(), Answer::Absent);
        assert_eq!(no_key.findings(), ["error: there is no `/etc/a.key`"]);
        let wrong = Answer::PrivateKey { wrong: Some("there is no private key in it".into()) };
        let other = source(facts(60, &["shop.example.com"]), "d").seen(key(), wrong);
        assert_eq!(other.findings(), ["error: `/etc/a.key` cannot be used: there is no private key in it"]);
    }
}
