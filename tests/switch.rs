//! The effect layer on a real nginx: a generation goes live, proven, or all is as before.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt as _;

use vsa::address::Address;
use vsa::apply::{Interrupt, OnFailure, Outcome, Report, Tested};
use vsa::host::{Host, HostError};
use vsa::plan::action::Access;
use vsa::plan::{Aside, Content, File, FileBody, Operation, Phase, Piece, Undo};
use vsa::value::Secret;

use crate::support::node::{Files, Ground, block_on, snapshot};
use crate::support::{self};

fn told(report: &Report) -> String {
    let texts = report.errors.iter().flat_map(|error| [&*error.summary, "\n", &*error.detail, "\n"]);
    texts.collect()
}

fn done(report: &Report) {
    assert_eq!(report.outcome, Outcome::Done, "{}", told(report));
}

fn broken_site(ground: &Ground) -> (Address, File) {
    let text = format!("server {{\n    listen {};\n    nonsense on;\n}}\n", ground.http.number);
    (Address::new("domain", "broken"), File::text("sites/broken.conf", text))
}

fn with(ground: &Ground, sites: &[(&str, &str)], more: Vec<(Address, File)>) -> Files {
    let mut files = ground.base();
    files.extend(sites.iter().map(|(name, text)| ground.site(name, text)));
    files.extend(more);
    files
}

#[test]
fn sites_are_served_and_a_change_is_served() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    done(&ground.sites(&[("a.example", "one"), ("b.example", "two")]));
    assert_eq!(ground.get("a.example").as_deref(), Some("one"));
    assert_eq!(ground.get("b.example").as_deref(), Some("two"));
    done(&ground.sites(&[("a.example", "three"), ("b.example", "two")]));
    assert_eq!(ground.get("a.example").as_deref(), Some("three"));
    assert_eq!(ground.state.nodes[&ground.address].generation, 2);

    let inode = |number, path: &str| fs::metadata(ground.spec().generation(number).join(path)).unwrap().ino();
    assert_eq!(
        inode(1, "sites/b.example.conf"),
        inode(2, "sites/b.example.conf"),
        "an unchanged file is linked"
    );
    assert_ne!(inode(1, "sites/a.example.conf"), inode(2, "sites/a.example.conf"));
    assert!(!ground.root().join("candidate").exists());
    let manifest =
        block_on(vsa::apply::read_manifest(&*ground.host, &ground.spec().generation(2))).unwrap().unwrap();
    assert_eq!((manifest.generation, &*manifest.marker), (2, "token-2"));
}

#[test]
fn a_generation_that_nginx_refuses_touches_nothing() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    done(&ground.sites(&[("a.example", "one")]));
    let before = snapshot(&ground.root());
    let broken = broken_site(&ground);
    let files = with(&ground, &[("a.example", "two")], vec![broken]);
    let run = ground.run(files, Vec::new());
    let report = ground.apply(run);
    assert_eq!(report.outcome, Outcome::Refused);
    assert!(
        told(&report).contains("unknown directive \"nonsense\" in sites/broken.conf:3"),
        "{}",
        told(&report)
    );
    assert_eq!(snapshot(&ground.root()), before);
    assert_eq!(ground.get("a.example").as_deref(), Some("one"));
}

#[test]
fn the_first_apply_that_is_refused_leaves_no_trace() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    let broken = broken_site(&ground);
    let files = with(&ground, &[], vec![broken]);
    let operations = ground.directories();
    let run = ground.run(files, operations);
    assert_eq!(ground.apply(run).outcome, Outcome::Refused);
    let left = snapshot(ground.directory.path());
    assert_eq!(left.len(), 1, "only .vsa, which the test made: {:?}", left.keys());
}

#[test]
fn a_preflight_touches_nothing_and_says_what_is_wrong() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    let test = |ground: &Ground, files: Files| {
        let work = ground.work(files);
        let stored = ground.state.nodes.get(&ground.address);
        let id = format!("test-{}", ground.http.number);
        block_on(vsa::apply::preflight(&*ground.host, &id, &work, stored, 9, "token")).unwrap()
    };
    let broken = broken_site(&ground);
    for round in 0..2 {
        let before = snapshot(ground.directory.path());
        let passed = test(&ground, with(&ground, &[("a.example", "new")], Vec::new()));
        assert!(matches!(passed, Tested::Passed { .. }), "round {round}: {passed:?}");
        let Tested::Refused { messages } = test(&ground, with(&ground, &[], vec![broken.clone()])) else {
            panic!("nginx takes nonsense")
        };
        let messages = vsa::nginx::parse_error(&messages.join("\n"));
        let place = (messages[0].file.as_deref(), messages[0].line);
        assert_eq!(place, (Some("sites/broken.conf"), Some(3)));
        let mut twice = with(&ground, &[("a.example", "one")], Vec::new());
        let (address, mut copy) = ground.site("a.example", "two");
        copy.path = "sites/copy.conf".into();
        twice.push((address, copy));
        assert!(matches!(test(&ground, twice), Tested::Refused { .. }), "two servers of one name");
        assert_eq!(snapshot(ground.directory.path()), before);
        if round == 0 {
            done(&ground.sites(&[("a.example", "one")]));
        }
    }
    ground.nginx = "/nowhere/nginx".into();
    let untested = test(&ground, with(&ground, &[], Vec::new()));
    assert_eq!(untested, Tested::NotTested { why: "there is no nginx at /nowhere/nginx".to_owned() });
}

#[test]
fn a_busy_port_is_noticed_and_taken_back() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    done(&ground.sites(&[("a.example", "one")]));
    let before = snapshot(&ground.root().join("generations"));
    let busy = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let text = format!("server {{ listen {}; }}\n", busy.local_addr().unwrap().port());
    let extra = (Address::new("domain", "busy"), File::text("sites/busy.conf", text));
    let files = with(&ground, &[("a.example", "two")], vec![extra]);
    let new = ground.root().join("new/directory");
    let access = Access { owner: None, group: None, mode: 0o755 };
    let make = Operation::EnsureDirectory { path: new.clone(), access, owned: false };
    let run = ground.run(files, vec![(Address::new("tenant", "acme"), make)]);
    let since = std::time::Instant::now();
    let report = ground.apply(run);
    assert_eq!(report.outcome, Outcome::RolledBack, "{}", told(&report));
    assert!(told(&report).contains("still could not bind()"), "{}", told(&report));
    assert!(since.elapsed().as_secs() < 20);
    assert_eq!(ground.get("a.example").as_deref(), Some("one"));
    assert_eq!(snapshot(&ground.root().join("generations")), before);
    assert!(!ground.root().join("new").exists(), "what prepare made is taken back");
    assert_eq!(ground.state.nodes[&ground.address].generation, 1);
    drop(busy);
    done(&ground.sites(&[("a.example", "three")]));
    assert_eq!(ground.get("a.example").as_deref(), Some("three"));
}

#[test]
fn a_port_that_is_busy_at_the_first_start_leaves_nothing() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    let busy = TcpListener::bind((Ipv4Addr::UNSPECIFIED, ground.http.number)).unwrap();
    let report = ground.sites(&[("a.example", "one")]);
    assert_eq!(report.outcome, Outcome::RolledBack, "{}", told(&report));
    assert!(told(&report).contains("Address already in use"), "{}", told(&report));
    let left = snapshot(ground.directory.path());
    assert_eq!(left.len(), 1, "only .vsa, which the test made: {:?}", left.keys());
    drop(busy);
    done(&ground.sites(&[("a.example", "one")]));
}

#[test]
fn a_failure_in_prepare_takes_back_or_keeps() {
    let Some(nginx) = support::nginx() else { return };
    for keep in [false, true] {
        let mut ground = Ground::managed(nginx.clone());
        done(&ground.sites(&[("a.example", "one")]));
        let file = ground.directory.path().join("file");
        fs::write(&file, "in the way").unwrap();
        let made = ground.directory.path().join("srv/acme");
        let access = Access { owner: None, group: None, mode: 0o750 };
        let of = |name: &str, path: &std::path::Path| {
            let operation =
                Operation::EnsureDirectory { path: path.to_owned(), access: access.clone(), owned: false };
            (Address::new("tenant", name), operation)
        };
        let files = with(&ground, &[("a.example", "two")], Vec::new());
        let mut run = ground.run(files, vec![of("acme", &made), of("broken", &file)]);
        for name in ["acme", "broken"] {
            let address = Address::new("tenant", name);
            run.desired.insert(address.clone(), Some(ground.stored(&address)));
        }
        run.options.on_failure = if keep { OnFailure::Keep } else { OnFailure::Rollback };
        let report = ground.apply(run);
        assert_eq!(report.outcome, if keep { Outcome::Left } else { Outcome::RolledBack });
        assert!(told(&report).contains("is there and is not a directory"), "{}", told(&report));
        assert_eq!(made.exists(), keep);
        assert_eq!(ground.directory.path().join("srv").exists(), keep);
        assert_eq!(fs::read_to_string(&file).unwrap(), "in the way");
        assert_eq!(ground.get("a.example").as_deref(), Some("one"));
        let acme = ground.state.resources.get(&Address::new("tenant", "acme"));
        assert_eq!(acme.is_some_and(|stored| stored.owns(&made)), keep);
    }
}

#[test]
fn an_interrupt_takes_everything_back() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    done(&ground.sites(&[("a.example", "one")]));
    let files = with(&ground, &[("a.example", "two")], Vec::new());
    let run = ground.run(files, Vec::new());
    let interrupt = Interrupt::never();
    interrupt.raise();
    let report = ground.apply_until(run, interrupt);
    assert_eq!(report.outcome, Outcome::RolledBack);
    assert_eq!(report.errors[0].code, Some("interrupted"));
    assert_eq!(ground.get("a.example").as_deref(), Some("one"));
    assert!(
        vsa::apply::journal::read(&ground.directory.path().join(".vsa/journal.jsonl")).unwrap().is_none()
    );
}

#[test]
fn another_state_and_another_run_are_refused() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    done(&ground.sites(&[("a.example", "one")]));
    let files = with(&ground, &[("a.example", "two")], Vec::new());
    let mut run = ground.run(files.clone(), Vec::new());
    run.prior.lineage = "another".to_owned();
    let report = ground.apply(run);
    assert_eq!((report.outcome, report.errors[0].code), (Outcome::Refused, Some("foreign_node")));
    let held = block_on(ground.host.lock(&ground.root().join("lock"))).unwrap().unwrap();
    ground.state.lineage = "lineage-1".to_owned();
    let run = ground.run(files, Vec::new());
    let report = ground.apply(run);
    assert_eq!((report.outcome, report.errors[0].code), (Outcome::Refused, Some("node_locked")));
    drop(held);
    assert_eq!(ground.get("a.example").as_deref(), Some("one"));
}

#[test]
fn passwords_are_hashed_once_and_never_stand_in_the_journal() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    let auth = |passwords: &[(&str, &str)]| {
        let pieces = passwords
            .iter()
            .map(|(user, password)| Piece::Password {
                user: (*user).into(),
                password: Secret::new(*password),
                cost: 4,
            })
            .collect();
        let body = FileBody::Text(Content { pieces });
        (Address::new("auth", "staff"), File::new("auth/staff", body).read_per_request())
    };
    let text = |ground: &Ground| fs::read_to_string(ground.root().join("current/auth/staff")).unwrap();
    let apply = |ground: &mut Ground, passwords: &[(&str, &str)]| {
        let files = with(ground, &[("a.example", "one")], vec![auth(passwords)]);
        let operations = ground.directories();
        let run = ground.run(files, operations);
        done(&ground.apply(run));
        text(ground)
    };
    let first = apply(&mut ground, &[("alice", "canary-one"), ("bob", "canary-two")]);
    assert_eq!(apply(&mut ground, &[("alice", "canary-one"), ("bob", "canary-two")]), first);
    let second = apply(&mut ground, &[("alice", "canary-one"), ("bob", "canary-three")]);
    assert_eq!(first.lines().next(), second.lines().next());
    assert_ne!(first.lines().nth(1), second.lines().nth(1));
    assert!(
        bcrypt::verify("canary-three", second.lines().nth(1).unwrap().strip_prefix("bob:").unwrap()).unwrap()
    );
    for (path, text) in snapshot(ground.directory.path()) {
        assert!(!text.contains("canary"), "{}", path.display());
    }
    let files = with(&ground, &[("a.example", "one")], Vec::new());
    let run = ground.run(files, Vec::new());
    done(&ground.apply(run));
    let node = &ground.state.nodes[&ground.address];
    assert_eq!(node.retained.keys().map(|path| &**path).collect::<Vec<_>>(), ["auth/staff"]);
    assert_eq!(text(&ground), second, "old workers may still ask for it");
}

fn certificate(ground: &Ground, issue: u64) -> (Operation, (Address, File), (Address, File)) {
    let directory = ground.spec().certificate("a.example", issue);
    let operation = Operation::IssueSelfSigned {
        issue,
        request: "a.example".to_owned(),
        directory: directory.clone(),
        names: vec!["a.example".to_owned()],
        key_type: "ecdsa-p256".to_owned(),
        days: 90,
    };
    let address = Address::new("certificate", "a.example");
    let link = File::link("certificates/a.example", directory.to_string_lossy(), Aside::Certificate);
    let text = format!(
        "server {{\n    listen {} ssl;\n    server_name a.example;\n    \
         ssl_certificate certificates/a.example/fullchain.pem;\n    \
         ssl_certificate_key certificates/a.example/privkey.pem;\n    return 200 tls;\n}}\n",
        ground.http.number
    );
    (
        operation,
        (address, link),
        (Address::new("domain", "a.example"), File::text("sites/a.example.conf", text)),
    )
}

#[test]
fn certificates_are_issued_tested_and_kept_with_their_generations() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    // TLS on a port of its own, so that the marker still answers on the plain one.
    let tls = support::ports::Port::reserve();
    let (operation, link, (domain, mut site)) = certificate(&ground, 1);
    if let FileBody::Text(content) = &site.body {
        let text = content.as_text().unwrap();
        let text = text.replace(&format!("listen {}", ground.http.number), &format!("listen {}", tls.number));
        site = File::text("sites/a.example.conf", text);
    }
    let mut operations = ground.directories();
    operations.push((link.0.clone(), operation.clone()));
    let files = with(&ground, &[], vec![link.clone(), (domain, site)]);
    let run = ground.run(files.clone(), operations.clone());
    done(&ground.apply(run));
    let directory = ground.spec().certificate("a.example", 1);
    let key = fs::read(directory.join("privkey.pem")).unwrap();
    let facts = &ground.state.resources[&link.0].facts;
    assert!(facts["not_after"].as_i64().is_some() && facts["digest"].as_str().is_some());
    let answer = support::fetch(&support::Request::https(tls.number, "a.example", "/")).unwrap();
    assert_eq!(answer.text(), "tls");

    let run = ground.run(files.clone(), operations.clone());
    done(&ground.apply(run));
    assert_eq!(fs::read(directory.join("privkey.pem")).unwrap(), key, "issuing twice is issuing once");
    // What an interrupted run made for another request is not taken for what is asked for now.
    fs::write(directory.join("request"), "a.example ecdsa-p384 1").unwrap();
    let run = ground.run(files, operations);
    done(&ground.apply(run));
    assert_ne!(fs::read(directory.join("privkey.pem")).unwrap(), key);

    let mut run = {
        let files = with(&ground, &[("a.example", "plain")], Vec::new());
        ground.run(files, Vec::new())
    };
    let id = u32::try_from(run.actions.len()).unwrap();
    run.actions.push(vsa::plan::Action {
        id,
        resource: link.0.clone(),
        node: ground.address.clone(),
        phase: Phase::CleanUp,
        operation: Operation::RemoveCertificate { directory: directory.clone() },
        undo: Undo::Irreversible { reason: "removed".to_owned() },
        needs: Vec::new(),
    });
    done(&ground.apply(run));
    assert!(directory.exists(), "an old generation still names it");
    assert!(!ground.state.resources.contains_key(&link.0));
    let mut run = {
        let files = with(&ground, &[("a.example", "plainer")], Vec::new());
        ground.run(files, Vec::new())
    };
    run.actions.push(vsa::plan::Action {
        id: 1,
        resource: ground.address.clone(),
        node: ground.address.clone(),
        phase: Phase::CleanUp,
        operation: Operation::PruneGenerations { live: 5, keep: 1 },
        undo: Undo::Irreversible { reason: "removed".to_owned() },
        needs: Vec::new(),
    });
    done(&ground.apply(run));
    assert!(!ground.spec().generation(3).exists() && ground.spec().generation(4).exists());
    assert!(!directory.exists(), "it went with the last generation that named it");
    assert!(!ground.root().join("certificates").exists());
}

#[test]
fn destroy_leaves_nothing() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    done(&ground.sites(&[("a.example", "one")]));
    done(&ground.apply_destroy());
    let left = snapshot(ground.directory.path());
    let names: Vec<_> = left.keys().map(|path| path.to_string_lossy().into_owned()).collect();
    assert_eq!(names, [".vsa"]);
    assert!(ground.state.nodes.is_empty() && ground.state.resources.is_empty());
    assert_eq!(ground.get("a.example"), None);
}

#[test]
fn nginx_is_started_and_stopped() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    done(&ground.sites(&[("a.example", "one")]));
    let node = ground.state.nodes[&ground.address].clone();
    assert_eq!(block_on(vsa::apply::start(&*ground.host, &node)).unwrap(), None);
    assert!(block_on(vsa::apply::stop(&*ground.host, &node.spec)).unwrap());
    assert!(!block_on(vsa::apply::stop(&*ground.host, &node.spec)).unwrap());
    assert_eq!(ground.get("a.example"), None);
    assert_eq!(block_on(vsa::apply::start(&*ground.host, &node)).unwrap(), Some(1));
    let status = block_on(vsa::apply::Proxy::new(&*ground.host, &node.spec).status());
    assert_eq!(status.serves.as_deref(), Some("1 token-1"));
    assert!(status.master.is_some());
    block_on(vsa::apply::stop(&*ground.host, &node.spec)).unwrap();
    done(&ground.sites(&[("a.example", "two")]));
    assert_eq!(ground.get("a.example").as_deref(), Some("two"), "a switch starts what does not run");
}

#[test]
fn the_systems_nginx_takes_one_file() {
    let Some(nginx) = support::nginx() else { return };
    if !support::root() {
        return;
    }
    let mut ground = Ground::system(nginx);
    let etc = snapshot(&ground.etc());
    let work = ground.work(with(&ground, &[("a.example", "one")], Vec::new()));
    let without_log = |ground: &Ground| {
        let mut found = snapshot(ground.directory.path());
        found.retain(|path, _| !path.starts_with("var"));
        found
    };
    let before = without_log(&ground);
    let tested = block_on(vsa::apply::preflight(&*ground.host, "system", &work, None, 1, "token")).unwrap();
    assert!(matches!(tested, Tested::Passed { .. }), "{tested:?}");
    assert_eq!(without_log(&ground), before, "a preflight touches nothing");

    done(&ground.sites(&[("a.example", "one")]));
    assert_eq!(ground.get("a.example").as_deref(), Some("one"));
    assert_eq!(ground.get("foreign.example").as_deref(), Some("foreign"));
    assert_eq!(snapshot(&ground.etc()).len(), etc.len() + 1);

    let broken = broken_site(&ground);
    let files = with(&ground, &[("a.example", "two")], vec![broken]);
    let run = ground.run(files, Vec::new());
    let report = ground.apply(run);
    assert_eq!(report.outcome, Outcome::Refused);
    assert!(told(&report).contains("in sites/broken.conf:3"), "{}", told(&report));

    let report = ground.sites(&[("a.example", "two"), ("foreign.example", "hijacked")]);
    assert_eq!(report.outcome, Outcome::Refused, "a name of somebody else's");
    assert_eq!(ground.get("foreign.example").as_deref(), Some("foreign"));

    fs::write(ground.etc().join("conf.d/zz.conf"), "rubbish;\n").unwrap();
    let report = ground.sites(&[("a.example", "two")]);
    assert_eq!((report.outcome, report.errors[0].code), (Outcome::Refused, Some("nginx_broken_before")));
    assert!(told(&report).contains("conf.d/zz.conf:1"), "{}", told(&report));
    fs::remove_file(ground.etc().join("conf.d/zz.conf")).unwrap();

    done(&ground.apply_destroy());
    assert_eq!(snapshot(&ground.etc()), etc);
    assert_eq!(ground.get("foreign.example").as_deref(), Some("foreign"));
    assert_eq!(ground.get("a.example").as_deref(), Some("foreign"), "the only server is the default one");
    assert!(!ground.root().exists());
}

#[test]
fn removal_stays_below_its_root() {
    let directory = tempfile::tempdir().unwrap();
    let host = vsa::host::LocalHost::new("/proc/self/exe");
    let (root, beside) = (directory.path().join("root"), directory.path().join("beside"));
    fs::create_dir_all(&root).unwrap();
    fs::create_dir_all(&beside).unwrap();
    for path in [beside.clone(), root.clone(), root.join("../beside"), root.join("..")] {
        let operation = vsa::host::FileOperation::RemoveTree { root: root.clone(), path };
        let error: HostError = block_on(host.files(vec![operation])).unwrap_err();
        assert!(error.reason.contains("is not below"), "{error}");
    }
    assert!(beside.exists() && root.exists());
}
