//! What becomes of a certificate whose names cannot be proven: what is said, what it costs, and how it goes on.

use std::net::{Ipv4Addr, TcpListener};

use super::story::{NAME, Story, answers, stranger};
use crate::support::Foreign;
use crate::support::authority::{Problem, Validation};
use crate::support::named::{Named, Zone};

#[test]
fn a_name_that_does_not_resolve() {
    let Some(story) = Story::new() else { return };
    story.dns.by_default(None);
    insta::assert_snapshot!(story.fails(), @r#"
    error[unresolved_name]: `shop.example.com` has no A or AAAA record
     |
     = on: certificate["shop.example.com"]
     = note: the authority was not asked: nothing counts against its limits
     = help: add an A (IPv4) or AAAA (IPv6) record for `shop.example.com` that leads to this node: [node]; new records take a while
    "#);
    story.dns.servfail(NAME, true);
    story.later();
    insta::assert_snapshot!(story.fails(), @r#"
    error[unresolved_name]: the DNS servers of `shop.example.com` could not answer for A or AAAA (SERVFAIL)
     |
     = on: certificate["shop.example.com"]
     = note: the authority was not asked: nothing counts against its limits
     = help: see whether the DNS servers answer (`dig shop.example.com`); `acme { resolvers = […] }` names others to ask
    "#);
    assert!(story.authority.orders().is_empty());
    story.dns.servfail(NAME, false);
    story.dns.by_default(Some("127.0.0.1"));
    story.goes_on(1);
}

#[test]
fn a_name_that_does_not_exist() {
    let Some(story) = Story::new() else { return };
    let Some(dns) = Named::start(&[Zone::new("example.com", "")]) else { return };
    story.replace(&story.dns.server(), &dns.server());
    insta::assert_snapshot!(story.fails(), @r#"
    error[unresolved_name]: `shop.example.com` does not exist in the DNS (NXDOMAIN)
     |
     = on: certificate["shop.example.com"]
     = note: the authority was not asked: nothing counts against its limits
     = help: add an A (IPv4) or AAAA (IPv6) record for `shop.example.com` that leads to this node: [node]; new records take a while
    "#);
    assert!(story.authority.orders().is_empty());
    story.write("", NAME);
    story.goes_on(1);
}

#[test]
fn a_name_that_leads_to_another_machine_too() {
    let Some(story) = Story::new() else { return };
    let Some(foreign) = Foreign::start() else { return };
    let (v4, v6) = (foreign.v4().to_string(), foreign.v6().to_string());
    answers(foreign.listen(story.ground.http_port()), "404 Not Found");
    let elsewhere = |said: &str| {
        let told = story.fails();
        assert!(told.starts_with(&format!("error[leads_elsewhere]: `{NAME}` leads to {said}")), "{told}");
        assert!(told.contains("the authority was not asked"), "{told}");
        story.later();
    };
    // It answers, and not with what this node shows.
    for addresses in [vec![v4.as_str()], vec!["127.0.0.1", &v4]] {
        story.dns.a(NAME, &addresses);
        elsewhere(&format!("{v4}, which is not this node, and answers something else: status 404"));
    }
    // An old AAAA record beside a right A record: authorities ask IPv6 first.
    story.dns.a(NAME, &[]);
    story.dns.aaaa(NAME, &[&v6]);
    elsewhere(&format!("{v6}, which is not this node, and where nobody answers: connection refused"));
    assert!(story.authority.orders().is_empty());
    story.dns.aaaa(NAME, &[]);
    story.goes_on(1);
}

#[test]
fn a_challenge_that_something_else_answers() {
    let Some(story) = Story::new() else { return };
    for (status, said) in
        [("403 Forbidden", "status 403"), ("404 Not Found", "status 404"), ("200 OK", "another page")]
    {
        let port = stranger(status);
        story.configure(&story.authority.directory(), port, "", &[NAME]);
        let told = story.fails().replace(&port.to_string(), "[validation port]");
        assert!(told.contains(said), "{told}");
        if said == "status 403" {
            insta::assert_snapshot!(told, @r#"
            error[challenge_blocked]: something else than vsa's nginx answers for `shop.example.com` at port [validation port] of this node (127.0.0.1): status 403
             |
             = on: certificate["shop.example.com"]
             = note: the authority was not asked: nothing counts against its limits
             = help: see what listens there (`ss -ltnp 'sport = :[validation port]'`), and that nothing before nginx answers `/.well-known/acme-challenge/`; or prove control with `challenge = "dns-01"`
            "#);
        }
        story.later();
    }
    assert!(story.authority.orders().is_empty());
    story.write("", NAME);
    story.goes_on(1);
}

#[test]
fn a_challenge_that_nobody_answers() {
    let Some(story) = Story::new() else { return };
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    story.configure(&story.authority.directory(), port, "", &[NAME]);
    insta::assert_snapshot!(story.fails().replace(&port.to_string(), "[validation port]"), @r#"
    error[challenge_blocked]: nobody answers for `shop.example.com` at port [validation port] of this node (127.0.0.1): connection refused
     |
     = on: certificate["shop.example.com"]
     = note: the authority was not asked: nothing counts against its limits
     = help: let nginx listen there (`http_port`), and the firewall let port [validation port] in: the authority asks at it
    "#);
    assert!(story.authority.orders().is_empty());
    story.write("", NAME);
    story.goes_on(1);
}

#[test]
fn a_name_that_the_authority_finds_elsewhere() {
    let Some(story) = Story::new() else { return };
    story.write("check_names = false", NAME);
    let wrong =
        Problem::new(403, "unauthorized", "203.0.113.9: Invalid response from http://shop.example.com: 404");
    story.authority.behave(|it| it.validation = Validation::Finds(wrong));
    insta::assert_snapshot!(story.fails(), @r#"
    error[challenge_failed]: the authority [authority] does not issue `shop.example.com`: control over names was not proven
     |
     = on: certificate["shop.example.com"]
     = note: shop.example.com: 203.0.113.9: Invalid response from http://shop.example.com: 404
     = help: the name leads to a server that answers something else: see that its A and AAAA records name this node, and that nothing before nginx answers `/.well-known/acme-challenge/`
    "#);
    assert_eq!(story.ledger()["orders"][0]["unproven"], true);
    let port = story.ground.http_port();
    story.authority.behave(|it| it.validation = Validation::Asks(port));
    // An order that has failed has failed for good.
    story.goes_on(2);
}

#[test]
fn caa_records_that_name_another_authority() {
    let Some(story) = Story::new() else { return };
    story.dns.caa("example.com", &[("issue", "ca.example")]);
    insta::assert_snapshot!(story.fails(), @r#"
    error[caa]: the CAA records of `example.com` forbid a certificate for `shop.example.com`: `mock.example` is not among those who may issue
     |
     = on: certificate["shop.example.com"]
     = note: example.com. CAA 0 issue "ca.example"
             the authority was not asked: nothing counts against its limits
     = help: add `example.com. CAA 0 issue "mock.example"`
    "#);
    assert!(story.authority.orders().is_empty());
    story.dns.caa("example.com", &[("issue", "mock.example")]);
    story.goes_on(1);
}
