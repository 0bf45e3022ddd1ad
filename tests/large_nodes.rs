//! Nodes so large that an apply tests aside only what changes, and nginx all of it as it reloads.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use vsa::address::Address;
use vsa::apply::{Outcome, Report};
use vsa::plan::{File, FileBody};

use crate::support::node::{Files, Ground, snapshot};
use crate::support::{self, Workspace};

const SITES: [&str; 3] = ["a.example", "b.example", "c.example"];

/// An nginx that also writes down how many site files each test of a configuration is of.
fn counting_nginx(ground: &mut Ground) -> PathBuf {
    let (script, counts) = (ground.directory.path().join("nginx"), ground.directory.path().join("counts"));
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = -t ]; then for last; do :; done; ls \"${{last%/*}}/sites\" | wc -l >> {}; fi\n\
         exec {} \"$@\"\n",
        counts.display(),
        ground.nginx.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    ground.nginx = script;
    counts
}

/// How many site files each test since the last question was of.
fn counts(file: &PathBuf) -> Vec<u32> {
    let text = fs::read_to_string(file).unwrap_or_default();
    fs::write(file, "").unwrap();
    text.lines().map(|line| line.trim().parse().unwrap()).collect()
}

/// Sites that stand for themselves, the first of which answers this.
fn sites(ground: &Ground, first: &str) -> Files {
    let texts = [first, "two", "three"];
    let sites = SITES.iter().zip(texts).map(|(name, text)| ground.site(name, text));
    let alone = sites.map(|(address, file)| (address, file.alone()));
    ground.base().into_iter().chain(alone).collect()
}

/// Applies to a node that is large from three sites on.
fn apply(ground: &mut Ground, files: Files) -> Report {
    let operations = ground.directories();
    let mut run = ground.run(files, operations);
    run.options.large = 3;
    ground.apply(run)
}

fn done(report: &Report) {
    assert_eq!(report.outcome, Outcome::Done, "{}", told(report));
}

fn told(report: &Report) -> String {
    let texts = report.errors.iter().flat_map(|error| [&*error.summary, "\n", &*error.detail, "\n"]);
    texts.collect()
}

/// A large node with its three sites live, and the counts of its tests.
fn large() -> Option<(Ground, PathBuf)> {
    let mut ground = Ground::managed(support::nginx()?);
    let file = counting_nginx(&mut ground);
    let files = sites(&ground, "one");
    done(&apply(&mut ground, files));
    assert_eq!(counts(&file), [3], "nothing is live yet: all is tested");
    Some((ground, file))
}

/// Puts this before a site's text.
fn with(files: &mut Files, name: &str, text: &str) {
    let path = format!("sites/{name}.conf");
    let (_, file) = files.iter_mut().find(|(_, file)| *file.path == *path).unwrap();
    let FileBody::Text(content) = &file.body else { panic!("a site is a text") };
    *file = File::text(path, format!("{text}{}", content.as_text().unwrap())).alone();
}

#[test]
fn one_change_is_tested_without_the_others() {
    let Some((mut ground, file)) = large() else { return };
    let files = sites(&ground, "changed");
    done(&apply(&mut ground, files));
    assert_eq!(counts(&file), [1]);
    let words = ground.words.0.lock().unwrap().clone();
    assert!(words.contains(&"testing sites/a.example.conf of 3".to_owned()), "{words:?}");
    assert_eq!(ground.get("a.example").as_deref(), Some("changed"));
    assert_eq!(ground.get("b.example").as_deref(), Some("two"));
    assert!(!ground.root().join("candidate").exists());

    // One more, and one less: neither bears on the others.
    let mut files = sites(&ground, "changed");
    files.retain(|(address, _)| address.name() != "c.example");
    let (address, new) = ground.site("d.example", "four");
    files.push((address, new.alone()));
    done(&apply(&mut ground, files));
    assert_eq!(counts(&file), [1]);
    assert_eq!(ground.get("d.example").as_deref(), Some("four"));
}

#[test]
fn a_change_that_may_bear_on_others_is_tested_with_all_of_them() {
    let Some((mut ground, file)) = large() else { return };
    let assert_whole = |ground: &mut Ground, files: Files, why: &str| {
        done(&apply(ground, files));
        assert_eq!(counts(&file), [3], "{why}");
    };

    let mut files = sites(&ground, "two");
    let (_, site) = files.iter_mut().find(|(_, file)| *file.path == *"sites/a.example.conf").unwrap();
    site.alone = false;
    assert_whole(&mut ground, files, "a site that does not stand for itself changes");

    let mut files = sites(&ground, "three");
    let (_, base) = files.iter_mut().find(|(_, file)| *file.path == *"nginx.conf").unwrap();
    let FileBody::Text(content) = &base.body else { panic!("nginx.conf is a text") };
    let text = content.as_text().unwrap().replace("access_log off;", "access_log off;\nserver_tokens off;");
    *base = File::text("nginx.conf", text);
    assert_whole(&mut ground, files, "the node's own file changes");
    let files = sites(&ground, "three");
    assert_whole(&mut ground, files, "and changes back");

    let files = sites(&ground, "four");
    let former = ground.state.nodes.get_mut(&ground.address).unwrap();
    former.nginx.as_mut().unwrap().version.patch += 1;
    assert_whole(&mut ground, files, "another nginx accepted what is live");

    let files = sites(&ground, "five");
    let former = ground.state.nodes.get_mut(&ground.address).unwrap();
    former.marker = "another".to_owned();
    assert_whole(&mut ground, files, "nginx does not serve the state's generation");

    let operations = ground.directories();
    let files = sites(&ground, "six");
    let run = ground.run(files, operations);
    done(&ground.apply(run));
    assert_eq!(counts(&file), [3], "the node is not large");
}

#[test]
fn what_nginx_refuses_in_a_change_touches_nothing() {
    let Some((mut ground, file)) = large() else { return };
    let before = snapshot(&ground.root());
    let mut files = sites(&ground, "changed");
    with(&mut files, "a.example", "nonsense on;\n");
    let report = apply(&mut ground, files);
    assert_eq!(report.outcome, Outcome::Refused);
    let told = told(&report);
    assert!(told.contains("unknown directive \"nonsense\" in sites/a.example.conf:1"), "{told}");
    assert_eq!(counts(&file), [1]);
    assert_eq!(snapshot(&ground.root()), before);
}

/// Applies while a client asks for a site again and again: each time it must answer this.
fn apply_under_load(ground: &mut Ground, files: Files, expected: &str) -> Report {
    let (stop, asked) = (AtomicBool::new(false), AtomicU32::new(0));
    let port = ground.http.number;
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) || asked.load(Ordering::SeqCst) == 0 {
                let answer = support::fetch(&support::Request::http(port, "a.example", "/")).unwrap();
                assert_eq!(answer.text(), expected);
                asked.fetch_add(1, Ordering::SeqCst);
            }
        });
        let report = apply(ground, files);
        stop.store(true, Ordering::SeqCst);
        client.join().unwrap();
        report
    })
}

#[test]
fn what_only_the_whole_shows_is_noticed_by_the_reload_and_taken_back() {
    let Some((mut ground, file)) = large() else { return };
    let mut files = sites(&ground, "one");
    with(&mut files, "b.example", "upstream app { server 127.0.0.1:9; }\n");
    done(&apply(&mut ground, files));
    counts(&file);

    let before = snapshot(&ground.root().join("generations"));
    let mut files = sites(&ground, "changed");
    with(&mut files, "b.example", "upstream app { server 127.0.0.1:9; }\n");
    with(&mut files, "a.example", "# nothing here\nupstream app { server 127.0.0.1:9; }\n");
    let since = std::time::Instant::now();
    let report = apply_under_load(&mut ground, files, "one");
    assert_eq!(report.outcome, Outcome::RolledBack, "{}", told(&report));
    assert_eq!(counts(&file), [1], "the test aside did not see it");
    assert_eq!(report.errors[0].code, Some(vsa::apply::REFUSED));
    // nginx reads the files in the order of their names: the second one is refused.
    let told = told(&report);
    assert!(told.contains("duplicate upstream \"app\" in sites/b.example.conf:1"), "{told}");
    assert!(since.elapsed().as_secs() < 20, "it is nginx's word that ends the wait");
    assert_eq!(snapshot(&ground.root().join("generations")), before);
    assert_eq!(ground.state.nodes[&ground.address].generation, 2);
    assert_eq!(fs::read_link(ground.root().join("current")).unwrap(), PathBuf::from("generations/2"));
    let files = sites(&ground, "mended");
    done(&apply(&mut ground, files));
    assert_eq!(ground.get("a.example").as_deref(), Some("mended"));
}

#[test]
fn a_name_that_another_site_has_is_noticed_by_the_reload_and_taken_back() {
    let Some((mut ground, file)) = large() else { return };
    let mut files = sites(&ground, "one");
    let (_, mut thief) = ground.site("a.example", "stolen");
    thief.path = "sites/0.conf".into();
    files.push((Address::new("domain", "thief"), thief.alone()));
    let report = apply(&mut ground, files);
    assert_eq!(report.outcome, Outcome::RolledBack, "{}", told(&report));
    assert_eq!(counts(&file), [1]);
    assert!(told(&report).contains("conflicting server name \"a.example\""), "{}", told(&report));
    // The workers that took the name may still finish a request.
    let since = std::time::Instant::now();
    while ground.get("a.example").as_deref() != Some("one") {
        assert!(since.elapsed().as_secs() < 10, "{:?}", ground.get("a.example"));
    }
}

/// A domain whose upstream is trusted by the authorities in this file.
fn behind_tls(host: &str, ca: &str) -> String {
    format!(
        "domain \"{host}\" {{\n  tenant = tenant.acme\n  tls {{\n    enabled = false\n  }}\n  upstream {{\n    \
         address = \"https://127.0.0.1:9\"\n    ca      = \"{ca}\"\n  }}\n}}\n"
    )
}

#[test]
fn an_apply_to_a_large_node_says_what_was_tested() {
    let Some(workspace) = Workspace::managed() else { return };
    let ca = workspace.path().join("ca.pem");
    let own = rcgen::generate_simple_self_signed(["ca.example".to_owned()]).unwrap();
    fs::write(&ca, own.cert.pem()).unwrap();
    let place = ca.to_string_lossy().into_owned();
    workspace.write_node("");
    workspace.write("main.hcl", "tenant \"acme\" {}\n");
    workspace.write(
        "many.hcl",
        "domain \"many\" {\n  for_each = toset(flatten([for ten in range(200) : [for one in range(10) : \"site-${ten * 10 + one}.example.com\"]]))\n  \
         tenant = tenant.acme\n  tls {\n    enabled = false\n  }\n  redirect {\n    to = \"https://example.net\"\n  \
         }\n}\n",
    );
    workspace.write("one.hcl", behind_tls("one.example.com", &place));
    workspace.write("two.hcl", behind_tls("two.example.com", &place));
    let apply = || workspace.vsa(["apply", "-auto-approve"]);
    drop(apply().code(0).says("nginx tests the next generation before anything is touched"));
    let change = |lines: &str| {
        let text =
            behind_tls("two.example.com", &place).replace("  upstream", &format!("  {lines}\n  upstream"));
        workspace.write("two.hcl", text);
    };

    change("body_size = \"1m\"");
    let how = "the 1 of 2002 site files that change";
    drop(apply().code(0).says(how));
    let audit = workspace.vsa(["audit", "export"]).code(0);
    assert!(audit.stdout.contains(&format!("nginx tested {how} aside")), "{}", audit.stdout);

    // What an administrator adds is not looked into: all is tested.
    change("body_size = \"1m\"\n  extra_config = \"keepalive_timeout 10s;\"");
    drop(apply().code(0).says("nginx tests the next generation before anything is touched"));

    // A fault in what changes is found before anything is touched.
    let generation = workspace.live_generation();
    workspace.write("two.hcl", behind_tls("two.example.com", "/nowhere/ca.pem"));
    drop(apply().code(1).says("/nowhere/ca.pem"));
    assert_eq!(workspace.live_generation(), generation);
    workspace.write("two.hcl", behind_tls("two.example.com", &place));
    drop(apply().code(0));

    // A fault elsewhere, by somebody else: the reload finds it, and all is as before.
    let generation = workspace.live_generation();
    fs::rename(&ca, workspace.path().join("away.pem")).unwrap();
    let other = workspace.path().join("other.pem");
    fs::copy(workspace.path().join("away.pem"), &other).unwrap();
    workspace.write("two.hcl", behind_tls("two.example.com", &other.to_string_lossy()));
    drop(apply().code(5).says("ca.pem").says("rolled back").says(how));
    assert_eq!(workspace.live_generation(), generation);
    assert_eq!(workspace.http("site-7.example.com", "/").status, 301);
    fs::rename(workspace.path().join("away.pem"), &ca).unwrap();
    drop(apply().code(0).says(how));
    drop(workspace.assert_nothing_to_do());
}
