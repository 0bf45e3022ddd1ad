//! State, lock and key on the disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::value::RawValue;
use vsa::address::Address;
use vsa::state::{AuditHead, State, Status, Stored, StoredOutput, VERSION};
use vsa::store::{
    BACKUPS, Error, Holder, Layout, Lock, StateFile, create_key, ensure_key, init, read_key, to_text,
};

fn layout(directory: &tempfile::TempDir) -> Layout {
    Layout::new(directory.path())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn state(serial: u64) -> State {
    State {
        version: VERSION,
        serial,
        lineage: "0e9d3f6c-8a52-4be2-a7b5-6f0f3e2f2f10".into(),
        vsa_version: "0.1.0".into(),
        key: None,
        resources: [(
            Address::new("tenant", "acme"),
            Stored {
                status: Status::Live,
                node: Address::new("node", "local"),
                name: "acme".into(),
                attributes: RawValue::from_string(r#"{"name":"Acme Ltd"}"#.into()).unwrap(),
                facts: serde_json::Map::new(),
                placed: std::collections::BTreeMap::new(),
                depends_on: [Address::new("node", "local")].into(),
                left: Vec::new(),
            },
        )]
        .into(),
        nodes: std::collections::BTreeMap::new(),
        outputs: std::collections::BTreeMap::new(),
        audit: AuditHead { count: 2, head: "ab".repeat(32) },
    }
}

fn holder(command: &str) -> Holder {
    Holder {
        who: "root@vps-01".into(),
        pid: 4711,
        since: "2026-01-02T03:04:05Z".into(),
        command: command.into(),
    }
}

#[test]
fn there_is_no_state_before_the_first_write() {
    let directory = tempfile::tempdir().unwrap();
    assert!(StateFile::new(&layout(&directory)).read().unwrap().is_none());
}

#[test]
fn a_written_state_is_private_and_reads_back() {
    let directory = tempfile::tempdir().unwrap();
    let file = StateFile::new(&layout(&directory));
    file.write(&state(1)).unwrap();
    assert_eq!(mode(file.path()), 0o600);
    insta::assert_snapshot!(fs::read_to_string(file.path()).unwrap(), @r#"
    {
      "version": 1,
      "serial": 1,
      "lineage": "0e9d3f6c-8a52-4be2-a7b5-6f0f3e2f2f10",
      "vsa_version": "0.1.0",
      "resources": {
        "tenant.acme": {"status":"live","node":"node.local","name":"acme","attributes":{"name":"Acme Ltd"},"depends_on":["node.local"]}
      },
      "nodes": {},
      "outputs": {},
      "audit": {
        "count": 2,
        "head": "abababababababababababababababababababababababababababababababab"
      }
    }
    "#);
    let read = file.read().unwrap().unwrap();
    assert_eq!(to_text(&read).unwrap(), to_text(&state(1)).unwrap());
    let left: Vec<_> = fs::read_dir(file.path().parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "no temporary file is left");
}

#[test]
fn a_write_that_was_cut_short_leaves_no_trace_in_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let file = StateFile::new(&layout(&directory));
    file.write(&state(1)).unwrap();
    let torn = file.path().with_file_name(".default.json.new");
    fs::write(&torn, "{\"version\":1,").unwrap();
    fs::set_permissions(&torn, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(file.read().unwrap().unwrap().serial, 1);
    file.write(&state(2)).unwrap();
    assert_eq!(file.read().unwrap().unwrap().serial, 2);
    assert_eq!(mode(file.path()), 0o600);
    assert!(!torn.exists());
}

#[test]
fn former_states_are_kept_within_bounds() {
    let directory = tempfile::tempdir().unwrap();
    let file = StateFile::new(&layout(&directory));
    let last = BACKUPS as u64 + 5;
    for serial in 1..=last {
        file.write(&state(serial)).unwrap();
    }
    let serials = file.serials().unwrap();
    assert_eq!(serials, (5..last).collect::<Vec<_>>());
    assert_eq!(file.read_former(7).unwrap().unwrap().serial, 7);
    assert!(file.read_former(1).unwrap().is_none());
    let backups = layout(&directory).backups();
    assert_eq!(mode(&backups), 0o700);
    assert_eq!(mode(&backups.join("7.json")), 0o600);
}

#[test]
fn what_is_not_a_state_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = StateFile::new(&layout(&directory));
    let read = |text: &str| {
        fs::create_dir_all(file.path().parent().unwrap()).unwrap();
        fs::write(file.path(), text).unwrap();
        let error = file.read().unwrap_err();
        let diagnostic = error.diagnostic();
        assert!(!diagnostic.help.is_empty());
        format!("{}\n{}", diagnostic.summary, diagnostic.help.join("\n"))
            .replace(&directory.path().display().to_string(), "…")
    };
    insta::assert_snapshot!(read("{\"version\": 1, \"serial\""), @r"
    `…/state/default.json` is not a state document: EOF while parsing an object at line 1 column 23
    put back the newest document of `.vsa/backups/`, where there is one, or that of your repository
    ");
    insta::assert_snapshot!(read("{\"version\": 1}"), @r"
    `…/state/default.json` is not a state document: missing field `serial` at line 1 column 14
    put back the newest document of `.vsa/backups/`, where there is one, or that of your repository
    ");
    insta::assert_snapshot!(read("{\"version\": 7, \"vsa_version\": \"9.0.0\", \"planets\": []}"), @r"
    `…/state/default.json` has state format 7; this vsa knows format 1 only
    use vsa 9.0.0 or later
    ");
    insta::assert_snapshot!(read(""), @r"
    `…/state/default.json` is not a state document: EOF while parsing a value at line 1 column 0
    put back the newest document of `.vsa/backups/`, where there is one, or that of your repository
    ");
}

#[test]
fn a_held_lock_names_its_holder() {
    let directory = tempfile::tempdir().unwrap();
    let path = layout(&directory).lock();
    let held = Lock::acquire(&path, &holder("vsa apply"), Duration::ZERO).unwrap();
    let error = Lock::acquire(&path, &holder("vsa plan"), Duration::from_millis(120)).unwrap_err();
    let Error::Locked { holder: Some(found), .. } = &error else { panic!("{error}") };
    assert_eq!(**found, holder("vsa apply"));
    assert_eq!(
        error.diagnostic().detail,
        "held by root@vps-01 with process 4711 since 2026-01-02T03:04:05Z: vsa apply"
    );
    drop(held);
    assert_eq!(Lock::holder(&path).unwrap(), None);
    drop(Lock::acquire(&path, &holder("vsa plan"), Duration::ZERO).unwrap());
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_lock_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = layout(&directory).lock();
    let held = Lock::acquire(&path, &holder("vsa apply"), Duration::ZERO).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Lock::acquire(&path, &holder("vsa plan"), Duration::from_mins(1)));
        drop(held);
        assert!(waiting.join().unwrap().is_ok());
    });
}

#[test]
fn init_is_repeatable_and_keeps_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let layout = layout(&directory);
    fs::write(directory.path().join(".gitignore"), "/target").unwrap();
    let made = init(&layout, true).unwrap().made;
    assert_eq!(made.len(), 4, "{made:?}");
    assert_eq!(fs::read_to_string(directory.path().join(".gitignore")).unwrap(), "/target\n.vsa/\n");
    assert!(directory.path().join("state").is_dir());
    let key = fs::read_to_string(layout.key()).unwrap();
    assert_eq!(mode(&layout.key()), 0o600);
    assert!(init(&layout, true).unwrap().made.is_empty());
    assert_eq!(fs::read_to_string(layout.key()).unwrap(), key);
}

#[test]
fn a_key_is_made_once_and_guarded() {
    let directory = tempfile::tempdir().unwrap();
    let path = layout(&directory).key();
    assert!(read_key(&path).unwrap().is_none());
    let made = ensure_key(&path).unwrap();
    assert_eq!(*ensure_key(&path).unwrap().to_hex(), *made.to_hex());
    assert!(matches!(create_key(&path), Err(Error::Io { .. })));

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = read_key(&path).unwrap_err();
    assert!(matches!(error, Error::ExposedKey { mode: 0o640, .. }));
    assert!(error.diagnostic().help[0].starts_with("run `chmod 600 "));

    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "hunter2").unwrap();
    let error = read_key(&path).unwrap_err();
    assert!(matches!(error, Error::InvalidKey { .. }));
    assert!(!error.to_string().contains("hunter2"));
}

fn any_state() -> impl Strategy<Value = State> {
    let stored = (r"[a-z][a-z0-9-]{0,9}", ".{0,20}", any::<bool>(), 0u64..9);
    let resources = prop::collection::vec(stored, 0..6);
    let outputs = prop::collection::btree_map("[a-z]{1,5}", prop::option::of(".{0,9}"), 0..4);
    (0u64..1 << 53, resources, outputs).prop_map(|(serial, resources, outputs)| {
        let mut state = state(serial);
        for (name, text, deleting, issue) in resources {
            let mut facts = serde_json::Map::new();
            if issue > 0 {
                facts.insert("issue".into(), issue.into());
            }
            let attributes = serde_json::json!({ "text": text, "inner": { "list": [text, issue] } });
            state.resources.insert(
                Address::in_module(
                    Vec::new(),
                    "domain",
                    name.as_str(),
                    Some(vsa::address::Key::Name(text.into())),
                ),
                Stored {
                    status: if deleting { Status::Deleting } else { Status::Live },
                    node: Address::new("node", "local"),
                    name: name.into(),
                    attributes: RawValue::from_string(attributes.to_string()).unwrap(),
                    facts,
                    depends_on: [Address::new("tenant", "acme")].into(),
                    placed: std::collections::BTreeMap::new(),
                    left: Vec::new(),
                },
            );
        }
        state.outputs = outputs
            .into_iter()
            .map(|(name, value)| {
                let sensitive = value.is_none();
                (name, StoredOutput { value: value.map(Into::into), sensitive, fingerprint: None })
            })
            .collect();
        state
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reads_what_it_writes(state in any_state()) {
        let directory = tempfile::tempdir().unwrap();
        let file = StateFile::new(&layout(&directory));
        file.write(&state).unwrap();
        let read = file.read().unwrap().unwrap();
        prop_assert_eq!(to_text(&read).unwrap(), to_text(&state).unwrap());
        prop_assert_eq!(read.outputs, state.outputs);
        prop_assert_eq!(read.resources.keys().collect::<Vec<_>>(), state.resources.keys().collect::<Vec<_>>());
    }
}

/// A named pipe would be waited for, and a device has no end.
#[test]
fn what_is_no_file_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let layout = layout(&directory);
    let file = StateFile::new(&layout);
    let parent = layout.state().parent().unwrap().to_owned();
    fs::create_dir_all(&parent).unwrap();
    let refusal = || {
        let error = file.read().unwrap_err().diagnostic();
        assert!(error.help[0].starts_with("move `"), "{error:?}");
        assert!(file.write(&state(2)).is_err(), "nothing of somebody else's is replaced");
        error.summary
    };
    nix::unistd::mkfifo(&layout.state(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let name = layout.state().display().to_string();
    assert_eq!(refusal(), format!("cannot read `{name}`: it is a named pipe, not a file"));
    fs::remove_file(layout.state()).unwrap();
    fs::create_dir(layout.state()).unwrap();
    assert_eq!(refusal(), format!("cannot read `{name}`: it is a directory, not a file"));
    fs::remove_dir(layout.state()).unwrap();
    std::os::unix::fs::symlink("/dev/zero", layout.state()).unwrap();
    assert_eq!(refusal(), format!("cannot read `{name}`: it is a device, not a file"));
    fs::create_dir_all(layout.key().parent().unwrap()).unwrap();
    nix::unistd::mkfifo(&layout.key(), nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(read_key(&layout.key()).unwrap_err().to_string().contains("a named pipe, not a file"));
}

#[test]
fn a_state_that_is_a_link_stays_one() {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("kept");
    fs::create_dir(&kept).unwrap();
    let (link, target) = (directory.path().join("default.json"), kept.join("vps-01.json"));
    std::os::unix::fs::symlink("kept/vps-01.json", &link).unwrap();
    let file = StateFile::at(&link, directory.path().join("backups"));
    let error = format!("{:?}", file.write(&state(1)).unwrap_err());
    assert!(error.contains("follow the link"), "{error}");
    fs::write(&target, to_text(&state(1)).unwrap()).unwrap();
    file.try_write().unwrap();
    file.write(&state(100)).unwrap();
    assert!(link.is_symlink());
    assert_eq!(file.read().unwrap().unwrap().serial, 100);
    assert!(!target.is_symlink());
    let former = directory.path().join("backups").join("1.json");
    assert!(former.is_file() && !former.is_symlink());
    let names: Vec<_> = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["vps-01.json"]);
}
