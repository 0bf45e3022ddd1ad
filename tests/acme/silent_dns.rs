//! DNS servers that answer nobody: they are waited for once, not for each name.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use vsa::acme::resolver::{Failure, LookupError, Resolver};
use vsa::names::{ResolverAddress, Text as _};

use super::story::Story;

/// A DNS server that takes each question, and answers REFUSED or nothing at all. It listens as long as the test's process
/// runs.
struct Server {
    address: String,
    questions: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Server {
    fn start(answers: impl Fn(&[u8]) -> bool + Send + 'static) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let questions = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&questions);
        std::thread::spawn(move || {
            let mut packet = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut packet) {
                let packet = &mut packet[..length];
                taken.lock().unwrap().push(packet.to_ascii_lowercase());
                if answers(packet) {
                    // A response (QR) with REFUSED as RCODE (RFC 1035, section 4.1.1).
                    packet[2] |= 0x80;
                    packet[3] = (packet[3] & 0xf0) | 5;
                    socket.send_to(packet, from).unwrap();
                }
            }
        });
        Self { address, questions }
    }

    fn resolver(&self) -> Resolver {
        Resolver::new(&[ResolverAddress::parse(&self.address).unwrap()]).unwrap()
    }

    /// Whether it was asked for a name, by its first label.
    fn was_asked(&self, name: &str) -> bool {
        let label = label(name);
        let is_about = |packet: &Vec<u8>| packet.windows(label.len()).any(|part| part == label);
        self.questions.lock().unwrap().iter().any(is_about)
    }
}

/// The first label of a name, as it stands in a question (RFC 1035, section 3.1).
fn label(name: &str) -> Vec<u8> {
    let label = name.split('.').next().unwrap();
    [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat()
}

fn run<T>(done: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(done)
}

fn failure<T: std::fmt::Debug>(found: Result<T, LookupError>) -> Failure {
    found.unwrap_err().failure
}

#[test]
fn the_first_who_finds_out_that_nobody_answers_is_the_last_to_wait() {
    let server = Server::start(|_| false);
    let resolver = server.resolver();
    let silent = Failure::Silent(server.address.as_str().into());
    run(async {
        let begun = Instant::now();
        let names: Vec<String> = (0..20).map(|number| format!("site-{number}.example")).collect();
        let first = join_all(names.iter().map(|name| resolver.addresses(name))).await;
        assert!(first.into_iter().all(|found| failure(found) == silent));
        let (waited, another) = (begun.elapsed(), resolver.clone());
        for name in &names {
            assert_eq!(failure(another.txt(name).await), silent);
        }
        assert!(begun.elapsed() < waited + Duration::from_secs(2), "{waited:?}, then {:?}", begun.elapsed());
    });
}

#[test]
fn a_name_whose_own_servers_are_down_says_nothing_about_others() {
    let dead = label("dead.example");
    let server = Server::start(move |packet| !packet.windows(dead.len()).any(|part| part == dead));
    let resolver = server.resolver();
    run(async {
        let failed = resolver.addresses("dead.example").await.unwrap_err();
        insta::assert_snapshot!(failed, @"no DNS server answered for `dead.example` A or AAAA in time");
        assert_eq!(failure(resolver.txt("alive.example").await), Failure::Refused);
    });
}

#[test]
fn dns_servers_that_answer_nobody_are_waited_for_once() {
    let Some(story) = Story::new() else { return };
    let server = Server::start(|_| false);
    let names: Vec<String> = (0..12).map(|number| format!("site-{number}.example.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (directory, port) = (story.authority.directory(), story.ground.http_port());
    story.configure(&directory, port, "", &names);
    story.replace(&story.dns.server(), &server.address);
    let run = story.ground.vsa(["apply", "-auto-approve", "-parallelism=2"]).code(5);
    let told = story.told(&run.stderr).replace(&server.address, "[server]");
    // Either of the two that were begun at once.
    let told = told.replacen("site-1.", "site-0.", 1);
    let (first, others) = told.split_once("\n\n").unwrap();
    insta::assert_snapshot!(first, @r#"
    error[dns]: no DNS server answers: [server]
     |
     = on: certificate["site-0.example.com"]
     = note: no other question was put to them in this run, and no authority was asked what needs their answers
     = help: see whether the node reaches them (`dig @<address> .`), or name others: `acme { resolvers = […] }`; the next apply or renewal tries again
    "#);
    assert_eq!(others.matches("no DNS server answers").count(), names.len() - 1, "{others}");
    let asked = names.iter().filter(|name| server.was_asked(name)).count();
    assert_eq!(asked, 2, "the others know of it");
    assert!(story.authority.orders().is_empty());

    // Nothing waits once somebody answers.
    story.replace(&server.address, &story.dns.server());
    story.ground.apply();
    assert_eq!(story.authority.orders().len(), names.len());
}
