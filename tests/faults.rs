//! Faults in the middle of a run: a full disk, a process that ends, a run that is refused. What nginx serves stays.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use vsa::address::Address;
use vsa::apply::{Outcome, Report, journal};
use vsa::host::{FileOperation, Host as _, LocalHost, Signal};
use vsa::plan::action::Access;
use vsa::plan::{Action, Operation, Phase, PlacedBody, PlacedFile, Query, Undo};

use crate::support::faulty::{Deed, Disk, Faulty, fill, free};
use crate::support::node::{Files, Ground, block_on, snapshot};
use crate::support::processes::{self, wait_until};
use crate::support::{self};

fn told(report: &Report) -> String {
    let texts = report.errors.iter().flat_map(|error| [&*error.summary, "\n", &*error.detail, "\n"]);
    texts.collect()
}

fn done(report: &Report) {
    assert_eq!(report.outcome, Outcome::Done, "{}", told(report));
}

/// Base files, and so many sites that what the journal says of them is larger than a page of a disk.
fn many(ground: &Ground, text: &str) -> Files {
    let mut files = ground.base();
    files.extend((0..60).map(|number| ground.site(&format!("s{number}.example"), text)));
    files
}

/// A site answers this, as soon as the workers of another generation have let go of its port.
fn answers(ground: &Ground, name: &str, text: &str) {
    let right = wait_until(std::time::Duration::from_secs(10), || ground.get(name).as_deref() == Some(text));
    assert!(right, "{name} answers {:?}, not {text}", ground.get(name));
}

fn directory(path: PathBuf) -> (Address, Operation) {
    let access = Access { owner: None, group: None, mode: 0o755 };
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    (Address::new("tenant", name), Operation::EnsureDirectory { path, access, owned: false })
}

#[test]
fn a_disk_that_is_full_at_the_proof_leaves_the_former_generation() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    let Some(disk) = Disk::over(&ground.directory.path().join("disk")) else { return };
    let operations = ground.directories();
    let run = ground.run(many(&ground, "one"), operations);
    done(&ground.apply(run));

    let sound = Arc::clone(&ground.host);
    let place = disk.path().to_owned();
    let full = AtomicBool::new(false);
    ground.host = Faulty::around(Arc::clone(&sound), move |deed| {
        if matches!(deed, Deed::Signal(Signal::Hangup)) && !full.swap(true, Ordering::SeqCst) {
            fill(&place);
        }
        Ok(())
    });
    let files = many(&ground, "two");
    let mut run = ground.run(files, Vec::new());
    run.journal = disk.path().join("journal.jsonl");
    let report = ground.apply(run);
    // Whether the way back could be recorded is chance: there may be room for a few bytes.
    assert!(matches!(report.outcome, Outcome::Left | Outcome::RolledBack), "{}", told(&report));
    assert!(told(&report).contains("No space left"), "{}", told(&report));
    let current = fs::read_link(ground.spec().current()).unwrap();
    assert_eq!(current, Path::new("generations/1"));
    assert!(ground.spec().current().join("nginx.conf").exists(), "what `current` names is there");
    answers(&ground, "s0.example", "one");

    disk.free();
    ground.host = sound;
    let run = ground.run(many(&ground, "three"), Vec::new());
    done(&ground.apply(run));
    answers(&ground, "s59.example", "three");
}

#[test]
fn what_current_names_is_never_removed() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    done(&ground.sites(&[("a.example", "one")]));
    let sound = Arc::clone(&ground.host);
    // nginx cannot be told to reload, and the link cannot be put back.
    ground.host = Faulty::around(sound, |deed| {
        let refuse = |why: &str| Err(vsa::host::HostError::because("do", "this", why));
        match deed {
            Deed::Signal(Signal::Hangup) => refuse("no signals today"),
            Deed::File(FileOperation::Repoint { target, .. }) if target.ends_with("1") => {
                refuse("the way back is barred")
            }
            _ => Ok(()),
        }
    });
    let report = ground.sites(&[("a.example", "two")]);
    assert_eq!(report.outcome, Outcome::Left, "{}", told(&report));
    assert_eq!(fs::read_link(ground.spec().current()).unwrap(), Path::new("generations/2"));
    assert!(ground.spec().generation(2).join("nginx.conf").exists(), "what `current` names is there");
}

#[test]
fn a_journal_that_could_not_be_written_goes_on_where_it_was_whole() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    let Some(disk) = Disk::over(&ground.directory.path().join("disk")) else { return };
    let operations = ground.directories();
    let run = ground.run(many(&ground, "one"), operations);
    done(&ground.apply(run));

    let journal = disk.path().join("journal.jsonl");
    let (place, path) = (disk.path().to_owned(), journal.clone());
    let full = AtomicBool::new(false);
    let last = ground.directory.path().join("first");
    let seen = Arc::new(Mutex::new(None));
    let read = Arc::clone(&seen);
    ground.host = Faulty::around(Arc::clone(&ground.host), move |deed| {
        match deed {
            Deed::Signal(Signal::Hangup) if !full.swap(true, Ordering::SeqCst) => fill(&place),
            // The way back: there is room again.
            Deed::File(FileOperation::Repoint { target, .. }) if target.ends_with("1") => free(&place),
            Deed::File(FileOperation::RemoveDirectory { path: gone }) if *gone == last => {
                *read.lock().unwrap() = Some(journal::read(&path).map(|read| read.is_some()));
            }
            _ => {}
        }
        Ok(())
    });
    let made = ["first", "second"].map(|name| directory(ground.directory.path().join(name)));
    let mut run = ground.run(many(&ground, "two"), made.into());
    run.journal = journal;
    let report = ground.apply(run);
    assert_eq!(report.outcome, Outcome::RolledBack, "{}", told(&report));
    let read = seen.lock().unwrap().take().expect("the last directory was taken back");
    assert!(read.unwrap_or_else(|error| panic!("{}: {}", error.summary, error.detail)));
    answers(&ground, "s0.example", "one");
}

#[test]
fn a_key_that_could_not_be_written_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::over(&directory.path().join("disk")) else { return };
    let key = disk.path().join("key");
    disk.fill();
    assert!(vsa::store::ensure_key(&key).is_err());
    disk.free();
    vsa::store::ensure_key(&key).unwrap();
    assert!(vsa::store::create_key(&key).is_err(), "a key is never replaced");
    assert_eq!(snapshot(disk.path()).len(), 1);
}

#[test]
fn an_nginx_that_ends_in_the_middle_of_a_switch_serves_again() {
    let Some(nginx) = support::nginx() else { return };
    // Between two looks at its process, and right after the link has moved.
    for instant in ["look", "link"] {
        let mut ground = Ground::managed(nginx.clone());
        done(&ground.sites(&[("a.example", "one")]));
        let place = ground.directory.path().to_owned();
        let pid_file = ground.spec().pid_file;
        let (settled, looks) = (AtomicBool::new(false), AtomicU32::new(0));
        ground.host = Faulty::around(Arc::clone(&ground.host), move |deed| {
            let end = || {
                for master in processes::nginx_masters(&place) {
                    processes::end(master.pid);
                }
            };
            match deed {
                Deed::File(FileOperation::SyncFilesystem { .. }) => settled.store(true, Ordering::SeqCst),
                Deed::File(FileOperation::Repoint { target, .. })
                    if instant == "link" && target.ends_with("2") =>
                {
                    end();
                }
                Deed::Observe(queries)
                    if instant == "look"
                        && settled.load(Ordering::SeqCst)
                        && queries.contains(&Query::Master(pid_file.clone()))
                        && looks.fetch_add(1, Ordering::SeqCst) == 1 =>
                {
                    end();
                }
                _ => {}
            }
            Ok(())
        });
        let report = ground.sites(&[("a.example", "two")]);
        let expected = match report.outcome {
            Outcome::Done => "two",
            Outcome::RolledBack => "one",
            other => panic!("{instant}: {other:?}: {}", told(&report)),
        };
        answers(&ground, "a.example", expected);
    }
}

/// The link was moved by hand, and nginx has not been told: the way back is to what the link names.
#[test]
fn the_way_back_proves_what_the_link_named() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    done(&ground.sites(&[("a.example", "one")]));
    done(&ground.sites(&[("a.example", "two")]));
    let host = LocalHost::new("/proc/self/exe");
    let moved = FileOperation::Repoint { path: ground.spec().current(), target: "generations/1".into() };
    block_on(host.files(vec![moved])).unwrap();
    let mut files = ground.base();
    files.push(ground.site("a.example", "three"));
    // The first reload is refused.
    let reloads = AtomicU32::new(0);
    ground.host = Faulty::around(Arc::clone(&ground.host), move |deed| {
        if matches!(deed, Deed::Signal(Signal::Hangup)) && reloads.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(vsa::host::HostError::because("signal", "nginx", "not today"));
        }
        Ok(())
    });
    let run = ground.run(files, Vec::new());
    let since = std::time::Instant::now();
    let report = ground.apply(run);
    assert_eq!(report.outcome, Outcome::RolledBack, "{}", told(&report));
    assert!(since.elapsed().as_secs() < 60, "{:?}", since.elapsed());
    // What the link named.
    answers(&ground, "a.example", "one");
}

#[test]
fn an_undo_knows_which_former_file_is_its_own() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    done(&ground.sites(&[("a.example", "one")]));
    let secret = ground.directory.path().join("secret");
    let barred = ground.directory.path().join("barred");
    fs::write(&secret, "current").unwrap();
    fs::write(&barred, "in the way").unwrap();
    fs::write(ground.directory.path().join(".secret.vsa-former"), "of long ago").unwrap();
    let access = Access { owner: None, group: None, mode: 0o640 };
    let write = (
        Address::new("stack", "shop"),
        Operation::WriteFile { path: secret.clone(), access: access.clone() },
    );
    let files = {
        let mut files = ground.base();
        files.push(ground.site("a.example", "two"));
        files
    };
    let mut run = ground.run(files, vec![directory(barred), write]);
    run.actions[1].undo = Undo::FormerFile;
    // Both are intended at once, and the first one fails before the second begins.
    run.actions[1].needs.clear();
    run.options.parallelism = 1;
    let placed = PlacedFile { path: secret.clone(), access, body: PlacedBody::Bytes(b"new".to_vec().into()) };
    run.placed.insert((ground.address.clone(), secret.clone()), placed);
    let report = ground.apply(run);
    assert_eq!(report.outcome, Outcome::RolledBack, "{}", told(&report));
    assert_eq!(fs::read_to_string(&secret).unwrap(), "current");
}

/// Who holds a lock removes its file at the end: nobody else may hold a file that has no name any more.
#[test]
fn a_lock_whose_file_is_removed_is_held_by_one_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lock");
    let held = AtomicBool::new(false);
    let taken = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let host = LocalHost::new("/proc/self/exe");
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for _ in 0..4000 {
                    let Some(lock) = runtime.block_on(host.lock(&path)).unwrap() else { continue };
                    assert!(!held.swap(true, Ordering::SeqCst), "two hold the lock");
                    taken.fetch_add(1, Ordering::SeqCst);
                    std::thread::yield_now();
                    held.store(false, Ordering::SeqCst);
                    let _ = fs::remove_file(&path);
                    drop(lock);
                }
            });
        }
    });
    assert!(taken.load(Ordering::SeqCst) > 100);
}

/// However many certificates go, each generation's manifest is read once.
#[test]
fn manifests_are_read_once_for_all_certificates() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    done(&ground.sites(&[("a.example", "one")]));
    let read = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&read);
    ground.host = Faulty::around(Arc::clone(&ground.host), move |deed| {
        if let Deed::Observe(queries) = deed {
            let manifest =
                |query: &&Query| matches!(query, Query::Read(path) if path.ends_with("manifest.json"));
            seen.fetch_add(u32::try_from(queries.iter().filter(manifest).count()).unwrap(), Ordering::SeqCst);
        }
        Ok(())
    });
    let reads = |ground: &mut Ground, certificates: u64| {
        let mut files = ground.base();
        files.push(ground.site("a.example", &format!("{certificates} go")));
        let mut run = ground.run(files, Vec::new());
        for issue in 1..=certificates {
            run.actions.push(Action {
                id: u32::try_from(run.actions.len()).unwrap(),
                resource: Address::new("certificate", "a.example"),
                node: ground.address.clone(),
                phase: Phase::CleanUp,
                operation: Operation::RemoveCertificate {
                    directory: ground.spec().certificate("a.example", issue),
                },
                undo: Undo::Irreversible { reason: "removed".to_owned() },
                needs: Vec::new(),
            });
        }
        read.store(0, Ordering::SeqCst);
        done(&ground.apply(run));
        read.load(Ordering::SeqCst)
    };
    let none = reads(&mut ground, 0);
    let many = reads(&mut ground, 20);
    // There are three generations when they go.
    assert_eq!(many - none, 3);
}

/// Issues of certificates that a killed run made, which nothing names: the next pruning removes them with their keys.
#[test]
fn certificates_that_nothing_names_are_removed() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    done(&ground.sites(&[("a.example", "one")]));
    let certificates = ground.root().join("certificates");
    for issue in ["a.example/1", "a.example/2.new", "b.example/7"] {
        fs::create_dir_all(certificates.join(issue)).unwrap();
        fs::write(certificates.join(issue).join("privkey.pem"), "a key").unwrap();
    }
    // One that the state knows stays, served or not.
    let known = Address::new("certificate", "b.example");
    let mut stored = ground.stored(&known);
    stored.facts.insert("issue".to_owned(), 7.into());
    ground.state.resources.insert(known.clone(), stored);
    let mut files = ground.base();
    files.push(ground.site("a.example", "two"));
    let mut run = ground.run(files, Vec::new());
    run.desired.remove(&known);
    run.actions.push(Action {
        id: 1,
        resource: ground.address.clone(),
        node: ground.address.clone(),
        phase: Phase::CleanUp,
        operation: Operation::PruneGenerations { live: 2, keep: 10 },
        undo: Undo::Irreversible { reason: "removed".to_owned() },
        needs: Vec::new(),
    });
    done(&ground.apply(run));
    let left: Vec<_> = snapshot(&certificates).into_keys().map(|path| path.display().to_string()).collect();
    assert_eq!(left, ["b.example", "b.example/7", "b.example/7/privkey.pem"]);
    assert!(ground.spec().generation(1).exists());
}

#[test]
fn a_candidate_that_cannot_be_written_leaves_nothing_in_the_way() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    let before = snapshot(&ground.spec().root);
    let sound = Arc::clone(&ground.host);
    let full = AtomicU32::new(0);
    ground.host = Faulty::around(Arc::clone(&sound), move |deed| match deed {
        // The candidate's directories are there, its files are not.
        Deed::File(FileOperation::Unordered(_)) if full.fetch_add(1, Ordering::SeqCst) == 0 => {
            Err(vsa::host::HostError::because("write", "a file", "No space left on device"))
        }
        _ => Ok(()),
    });
    let report = ground.sites(&[("a.example", "one")]);
    assert!(told(&report).contains("No space left"), "{}", told(&report));
    assert_eq!(snapshot(&ground.spec().root), before, "all is as it was");
    ground.host = Arc::clone(&sound);
    done(&ground.sites(&[("a.example", "one")]));
    answers(&ground, "a.example", "one");
    // Beside a generation that is live, too.
    let full = AtomicU32::new(0);
    ground.host = Faulty::around(Arc::clone(&sound), move |deed| match deed {
        Deed::File(FileOperation::Unordered(_)) if full.fetch_add(1, Ordering::SeqCst) == 0 => {
            Err(vsa::host::HostError::because("write", "a file", "No space left on device"))
        }
        _ => Ok(()),
    });
    let report = ground.sites(&[("a.example", "two")]);
    assert!(told(&report).contains("No space left"), "{}", told(&report));
    assert!(!ground.spec().candidate().exists());
    answers(&ground, "a.example", "one");
}
