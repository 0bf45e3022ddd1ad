//! What becomes of a certificate that cannot be issued: what is said, what it costs, and how it goes on.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::Value;

use super::issuing::{live, site};
use crate::support::authority::{Behaviour, Fault, Gate, Problem, Step, Validation};
use crate::support::faulty::Disk;
use crate::support::named::{Named, Zone};
use crate::support::private_ca::{PrivateCa, trusted};
use crate::support::{Authority, FakeDns, Foreign, Workspace};

const NAME: &str = "shop.example.com";

/// A site that is to have a certificate.
struct Story {
    ground: Workspace,
    authority: Authority,
    dns: FakeDns,
}

impl Story {
    fn new() -> Option<Self> {
        let ground = Workspace::managed()?;
        let dns = FakeDns::start()?;
        let authority = Authority::start(Behaviour::new(Validation::Asks(ground.http_port())));
        let story = Self { ground, authority, dns };
        story.write("", NAME);
        Some(story)
    }

    fn write(&self, more: &str, name: &str) {
        let port = self.ground.http_port();
        self.configure(&self.authority.directory(), port, more, &[name]);
    }

    fn configure(&self, directory: &str, validation_port: u16, more: &str, names: &[&str]) {
        let (ground, ca) = (&self.ground, self.authority.ca().display());
        let node = format!(
            "node \"local\" {{\n  proxy {{\n    http_port  = {}\n    https_port = {}\n  }}\n  acme {{\n    directory       = \"{directory}\"\n    \
             ca              = \"{ca}\"\n    validation_port = {validation_port}\n    resolvers       = [\"{}\"]\n    {more}\n  }}\n}}\ntenant \"acme\" {{}}\n",
            ground.http_port(),
            ground.https_port(),
            self.dns.server(),
        );
        let sites: String = names.iter().map(|name| site(ground, name, "")).collect();
        ground.write("main.hcl", node + &sites);
    }

    /// What a failed apply says of the certificate.
    fn fails(&self) -> String {
        self.told(&self.ground.vsa(["apply", "-auto-approve"]).code(5).stderr)
    }

    /// The errors in what a run printed.
    fn told(&self, printed: &str) -> String {
        let directory = self.authority.directory();
        let authority = directory.split('/').nth(2).unwrap();
        let text = printed.replace(authority, "[authority]");
        let text = text.replace(&self.ground.http_port().to_string(), "[port]");
        let text = text.replace(&self.ground.path().display().to_string(), "[ground]");
        let errors = text.find("\nerror").map_or(text.as_str(), |at| &text[at + 1..]);
        let errors = errors.split("\nerror: the apply failed").next().unwrap_or_default().trim_end();
        // The addresses of the machine that the tests run on.
        let Some((before, after)) = errors.split_once("leads to this node: ") else {
            return errors.to_owned();
        };
        format!("{before}leads to this node: [node]{}", after.find(';').map_or("", |at| &after[at..]))
    }

    /// Has the configuration say another thing.
    fn replace(&self, from: &str, to: &str) {
        let text = self.ground.read("main.hcl");
        assert!(text.contains(from), "{text}");
        self.ground.write("main.hcl", text.replace(from, to));
    }

    fn ledger(&self) -> Value {
        let text = fs::read(self.ground.node_root().join("accounts/ledger.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Lets the time pass for which nothing is tried again.
    fn later(&self) {
        let path = self.ground.node_root().join("accounts/ledger.json");
        let mut ledger = self.ledger();
        // A run that was killed, or had no room, did not write down that it failed.
        if let Some(failed) = ledger["certificates"][NAME].get_mut("failed") {
            failed["again"] = 0.into();
            fs::write(path, ledger.to_string()).unwrap();
        }
    }

    /// Checks that the next apply has the certificate issued, and with how many orders in all.
    fn goes_on(&self, orders: usize) {
        self.private();
        self.later();
        self.ground.apply();
        trusted(&self.authority.roots()[0], &live(&self.ground, NAME), NAME).unwrap();
        assert_eq!(self.ground.https(NAME, "/").status, 200);
        assert_eq!(self.authority.orders().len(), orders);
        assert_eq!(self.authority.accounts().len(), 1);
        self.private();
        self.ground.assert_nothing_to_do();
    }

    /// Checks that nobody else may read a private key, wherever one is; gives how many there are.
    fn private(&self) -> usize {
        let mut found = 0;
        let mut directories = vec![self.ground.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    directories.push(entry.path());
                } else if kind.is_file() {
                    let text = fs::read(entry.path()).unwrap();
                    let text = String::from_utf8_lossy(&text);
                    if text.contains("PRIVATE KEY") || text.contains("key_pkcs8") {
                        found += 1;
                        let mode = entry.metadata().unwrap().permissions().mode();
                        assert_eq!(mode & 0o077, 0, "{} {mode:o}", entry.path().display());
                    }
                }
            }
        }
        found
    }

    /// An apply that is held at a step of the authority's, while something happens; what it says where it fails.
    fn meanwhile(&self, gate: &Gate, what: impl FnOnce(&mut std::process::Child)) -> (Option<i32>, String) {
        let mut command = self.ground.command(["apply", "-auto-approve"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        gate.wait_for_one();
        what(&mut child);
        gate.open();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), self.told(&String::from_utf8_lossy(&output.stderr)))
    }
}

/// Something that answers everything at a port with this status.
fn stranger(status: &'static str) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    answers(listener, status);
    port
}

fn answers(listener: TcpListener, status: &'static str) {
    use std::io::{Read as _, Write as _};
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
}

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

#[test]
fn an_authority_that_is_down() {
    let Some(story) = Story::new() else { return };
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    story.configure(&format!("https://127.0.0.1:{port}/directory"), story.ground.http_port(), "", &[NAME]);
    insta::assert_snapshot!(story.fails().replace(&port.to_string(), "[down]"), @r#"
    error[authority_down]: the authority 127.0.0.1:[down] cannot be asked for `shop.example.com`: it cannot be reached: connection refused
     |
     = on: certificate["shop.example.com"]
     = help: see whether the node reaches it (firewall, proxy, DNS), and whether it has an outage; what was begun is taken up by the next apply
    "#);
    story.write("", NAME);
    story.authority.fail(Step::Directory, Fault::Unavailable, 1);
    story.later();
    insta::assert_snapshot!(story.fails(), @r#"
    error[authority_down]: the authority [authority] cannot be asked for `shop.example.com`: it cannot be reached: it answers with status 503
     |
     = on: certificate["shop.example.com"]
     = help: see whether the node reaches it (firewall, proxy, DNS), and whether it has an outage; what was begun is taken up by the next apply
    "#);
    // In the middle of an order: what was begun is taken up.
    story.authority.fail(Step::Finalize, Fault::Unavailable, 1);
    story.later();
    insta::assert_snapshot!(story.fails(), @r#"
    error[authority_down]: the authority [authority] cannot be asked for `shop.example.com`: it cannot be reached: it answers with status 503
     |
     = on: certificate["shop.example.com"]
     = help: see whether the node reaches it (firewall, proxy, DNS), and whether it has an outage; what was begun is taken up by the next apply
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
     = help: what was begun is taken up by the next apply: try again later
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
    story.goes_on(1);
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
     = help: mend that: the next apply takes up the order, and the certificate is not asked for twice
    "#);
    disk.free();
    assert!(story.private() > 0, "the key that was sent is there");
    story.goes_on(1);
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
    let _ = story.ground.vsa(["plan"]).code(0);
}

#[test]
fn what_was_issued_is_kept_where_another_one_fails() {
    let Some(story) = Story::new() else { return };
    let names = [NAME, "good.example.org"];
    let (directory, port) = (story.authority.directory(), story.ground.http_port());
    story.configure(&directory, port, "", &names);
    story.dns.caa("example.com", &[("issue", "ca.example")]);
    let run = story.ground.vsa(["apply", "-auto-approve", "-on-failure=keep"]).code(6);
    let _ = run.says("forbid a certificate for `shop.example.com`");
    assert_eq!(story.authority.issued().len(), 1);
    // The other one is served, without being asked for again.
    story.ground.apply();
    assert_eq!(story.ground.https(names[1], "/").status, 200);
    assert!(super::issuing::live(&story.ground, names[1]).contains("CERTIFICATE"), "it is laid out too");
    assert_eq!(story.authority.orders().len(), 1);
    story.dns.caa("example.com", &[]);
    story.goes_on(2);
    assert_eq!(story.ground.https(names[1], "/").status, 200);
}

#[test]
fn one_run_tells_of_all_names_that_fail() {
    let Some(story) = Story::new() else { return };
    let names = ["a.example.com", "b.example.net", "c.example.org", "d.example.com"];
    story.configure(&story.authority.directory(), story.ground.http_port(), "", &names);
    for domain in ["example.com", "example.net"] {
        story.dns.caa(domain, &[("issue", "ca.example")]);
    }
    let run = story.ground.vsa(["apply", "-auto-approve", "-parallelism=1"]).code(5);
    for name in ["a.example.com", "b.example.net", "d.example.com"] {
        assert!(run.stderr.contains(&format!("forbid a certificate for `{name}`")), "{name}: {run}");
    }
    assert_eq!(story.authority.issued().len(), 1, "{run}");
    // It is there still.
    story.ground.apply();
    assert_eq!((story.authority.issued().len(), story.authority.orders().len()), (1, 1));
    trusted(&story.authority.roots()[0], &live(&story.ground, names[2]), names[2]).unwrap();
}

#[test]
fn an_authority_that_is_down_is_asked_once_a_run() {
    let Some(story) = Story::new() else { return };
    let names: Vec<String> = (0..12).map(|number| format!("site-{number}.example.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    story.configure(&story.authority.directory(), story.ground.http_port(), "", &names);
    story.authority.fail(Step::Directory, Fault::Unavailable, 100);
    let run = story.ground.vsa(["apply", "-auto-approve"]).code(5);
    for name in names {
        assert!(run.stderr.contains(&format!("cannot be asked for `{name}`")), "{name}: {run}");
    }
    assert_eq!(story.authority.count(Step::Directory), 1);
}
