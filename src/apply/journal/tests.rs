//! The fold after each record, and what is read of files whole, torn and damaged.
#![expect(clippy::disallowed_methods, reason = "files are torn and damaged by hand")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::fold::fold;
use super::*;
use crate::plan::{Action, Phase, Undo, action::Access};
use crate::state::{Status, Stored, StoredNode};

fn node() -> Address {
    Address::new("node", "local")
}

fn stored(facts: Facts) -> Stored {
    Stored {
        status: Status::Live,
        node: node(),
        name: "x".into(),
        attributes: serde_json::value::RawValue::from_string("{}".to_owned()).unwrap(),
        facts,
        depends_on: BTreeSet::new(),
        placed: std::collections::BTreeMap::new(),
        left: Vec::new(),
    }
}

fn state() -> State {
    State {
        version: crate::state::VERSION,
        serial: 1,
        lineage: "lineage".to_owned(),
        vsa_version: "0".to_owned(),
        key: None,
        resources: BTreeMap::from([(Address::new("tenant", "old"), stored(Facts::new()))]),
        nodes: BTreeMap::new(),
        outputs: BTreeMap::new(),
        audit: crate::state::AuditHead::default(),
    }
}

fn action(id: u32, resource: Address, phase: Phase, operation: Operation) -> Action {
    Action { id, resource, node: node(), phase, operation, undo: Undo::Nothing, needs: Vec::new() }
}

/// A tenant is made, one goes, and a domain without actions of its own is served.
fn header() -> Header {
    let access = Access { owner: None, group: None, mode: 0o750 };
    let ensure = Operation::EnsureDirectory { path: "/srv/new".into(), access, owned: false };
    let switch = Operation::SwitchGeneration { number: 1, changed: 1, files: 1 };
    let remove = Operation::RemoveEmptyDirectory { path: "/srv/old".into() };
    let wanted = |kind, name| (Address::new(kind, name), Some(stored(Facts::new())));
    Header {
        version: VERSION,
        run: "run-1".to_owned(),
        started: 1_767_225_600,
        lineage: "lineage".to_owned(),
        serial: 1,
        moves: crate::state::Moves::new(),
        actions: vec![
            action(0, Address::new("tenant", "new"), Phase::Prepare, ensure),
            action(1, node(), Phase::Switch, switch),
            action(2, Address::new("tenant", "old"), Phase::CleanUp, remove),
        ],
        desired: BTreeMap::from([
            wanted("tenant", "new"),
            wanted("domain", "a.example"),
            (Address::new("tenant", "old"), None),
        ]),
        nodes: BTreeMap::new(),
        outputs: BTreeMap::new(),
    }
}

fn live() -> StoredNode {
    let text = r#"{"spec":{"address":"node.local","name":"local","mode":"managed","root":"/r","srv_root":"/srv",
        "nginx":"/usr/sbin/nginx","nginx_conf":"/r/current/nginx.conf","include_file":"/unused",
        "pid_file":"/r/run/nginx.pid","http_port":8080,"https_port":8443,"worker_user":null,
        "default_server":true,"drain_seconds":30},"nginx":null,"generation":1,"marker":"token","files":{}}"#;
    serde_json::from_str(text).unwrap()
}

fn records() -> Vec<Record> {
    let intent = |action| Record::Intent { action, before: Before::default() };
    let done = |action, facts| Record::Done { action, facts };
    vec![
        intent(0),
        done(0, Facts::from_iter([("owned".to_owned(), true.into())])),
        intent(1),
        Record::Live { node: node(), live: Box::new(live()) },
        done(1, Facts::new()),
        Record::Commit,
        intent(2),
        done(2, Facts::new()),
    ]
}

#[test]
fn after_each_record_the_state_tells_what_is_there() {
    let (header, records) = (header(), records());
    let names = ["tenant.new", "domain[\"a.example\"]", "tenant.old"];
    let seen: Vec<String> = (0..=records.len())
        .map(|length| {
            let mut state = state();
            fold(&mut state, &header, &records[..length]);
            let once = serde_json::to_string(&state).unwrap();
            fold(&mut state, &header, &records[..length]);
            assert_eq!(serde_json::to_string(&state).unwrap(), once, "folding twice is folding once");
            let status = |name: &str| {
                let found = state.resources.iter().find(|(address, _)| address.to_string() == name);
                found.map_or("-".to_owned(), |(_, stored)| format!("{:?}", stored.status))
            };
            let generation = state.nodes.get(&node()).map_or(0, |node| node.generation);
            format!("{} {generation}", names.map(status).join(" "))
        })
        .collect();
    assert_eq!(
        seen,
        [
            "- - Live 0",
            "Interrupted - Live 0",
            "Interrupted - Live 0",
            "Interrupted - Live 0",
            "Interrupted - Live 1",
            "Live Live Deleting 1",
            "Live Live Deleting 1",
            "Live Live Deleting 1",
            "Live Live - 1",
        ]
    );
}

#[test]
fn what_may_have_been_made_is_vsas() {
    let mut state = state();
    fold(&mut state, &header(), &records()[..1]);
    assert_eq!(state.resources[&Address::new("tenant", "new")].facts["directories"]["/srv/new"], true);
    let mut undone = records();
    undone.truncate(2);
    undone.push(Record::Undone { action: 0 });
    let mut after = self::state();
    fold(&mut after, &header(), &undone);
    assert!(!after.resources.contains_key(&Address::new("tenant", "new")));
}

#[test]
fn a_torn_line_was_never_relied_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.jsonl");
    assert!(read(&path).unwrap().is_none());
    let mut journal = Journal::begin(&path, header()).unwrap();
    journal.append(&records()[..3], true).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let torn = whole.len() - whole.len() / 20;
    for length in [whole.len(), whole.len() - 1, whole.len() - 10, torn] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let interrupted = read(&path).unwrap().unwrap();
        assert!(!interrupted.committed());
        assert_eq!(interrupted.generation(&node()), Some(1));
    }
    std::fs::write(&path, [b"rubbish\n", &*whole].concat()).unwrap();
    assert!(read(&path).is_err(), "damage in the middle is not a kill");
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for no_beginning in [&b""[..], b"\n", &whole[..first / 2], &whole[first..], b"{}\n"] {
        std::fs::write(&path, no_beginning).unwrap();
        let error = read(&path).unwrap_err();
        assert_eq!(error.code, Some("damaged_journal"), "no kill leaves a journal without its beginning");
    }
    let mut journal = Journal::begin(&path, header()).unwrap();
    journal.end().unwrap();
    assert!(read(&path).unwrap().is_none());
}

#[test]
fn every_version_ever_written_is_read() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("state/samples");
    let sample = samples.join("journal-v1.jsonl");
    let text: String = std::iter::once(Record::Begin(Box::new(header())))
        .chain(records())
        .map(|record| serde_json::to_string(&record).unwrap() + "\n")
        .collect();
    assert_eq!(std::fs::read_to_string(&sample).unwrap(), text, "a changed record needs a new version");
    let mut state = state();
    read(&sample).unwrap().unwrap().fold(&mut state);
    assert_eq!(state.resources.len(), 2);
}

/// Of a run that moved a certificate, and was ended before what is on the first node had gone.
#[test]
fn a_sample_of_a_move_says_what_is_left() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("state/samples/journal-v1-with-move.jsonl");
    for line in std::fs::read_to_string(&sample).unwrap().lines() {
        let record: Record = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), line, "a changed record needs a new version");
    }
    let (first, second) = (Address::new("node", "b"), Address::new("node", "a"));
    let certificate: Address = "certificate[\"shop.example.com\"]".parse().unwrap();
    let mut state = state();
    let known = Stored { node: first.clone(), ..stored(Facts::from_iter([("issue".to_owned(), 3.into())])) };
    state.resources.insert(certificate.clone(), known);
    read(&sample).unwrap().unwrap().fold(&mut state);
    let known = &state.resources[&certificate];
    assert_eq!((&known.node, &known.facts["published"]), (&second, &1.into()));
    let left: Vec<_> = known.left.iter().map(|left| (&left.node, &left.facts["issue"])).collect();
    assert_eq!(left, [(&first, &3.into())]);
}

#[test]
fn what_was_begun_and_not_done_says_nothing_about_what_is_there() {
    let header = header();
    let noted = Facts::from_iter([("order".to_owned(), "another".into())]);
    let begun = [
        Record::Intent { action: 0, before: Before::default() },
        Record::Noted { action: 0, facts: noted },
        Record::Failed { action: 0, reason: "no".to_owned() },
    ];
    let (mut state, tenant) = (state(), Address::new("tenant", "new"));
    let before = Facts::from_iter([("order".to_owned(), "the first".into())]);
    state.resources.insert(tenant.clone(), stored(before));
    fold(&mut state, &header, &begun);
    assert_eq!(state.resources[&tenant].facts["order"], "the first");
}
