//! The audit log: what is written, what a killed run leaves, and what nobody can change unseen.

mod runs;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use rusqlite::Connection;
use vsa::address::Address;
use vsa::audit::{Actor, Audit, Entry, Error, Event, Filter, Reader, Run, Verification, verify};
use vsa::state::AuditHead;

use super::support::processes::wait_until;
use super::support::{Run as Ran, Workspace, root};

struct Log {
    _directory: tempfile::TempDir,
    jsonl: PathBuf,
    database: PathBuf,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

fn run(id: &str, command: &str) -> Run {
    Run {
        id: id.into(),
        actor: Actor {
            user: "root".into(),
            uid: 0,
            host: "vps-01".into(),
            sudo_user: Some("alice".into()),
            job: None,
        },
        command: command.into(),
        arguments: vec!["-var".into(), "password=(sensitive value)".into()],
    }
}

impl Log {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let jsonl = directory.path().join("log/audit.jsonl");
        let database = directory.path().join("log/audit.db");
        Self { _directory: directory, jsonl, database }
    }

    fn open(&self) -> Result<Audit, Error> {
        Audit::open(&self.jsonl, &self.database, run("r1", "apply"), at(0))
    }

    /// A log of `count` records.
    fn filled(count: u64) -> Self {
        let log = Self::new();
        let mut audit = log.open().unwrap();
        for index in 0..count {
            let second = i64::try_from(index).unwrap();
            let entry = Entry::new(Event::ActionDone)
                .resource(&Address::new("tenant", format!("t{index}")))
                .action("ensure_directory");
            audit.append(at(second), &[entry]).unwrap();
        }
        log
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.database).unwrap().unwrap()
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.jsonl).unwrap().lines().map(str::to_owned).collect()
    }

    fn write_lines(&self, lines: &[String]) {
        fs::write(&self.jsonl, lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect::<String>())
            .unwrap();
    }

    fn sql(&self, sql: &str) {
        Connection::open(&self.database).unwrap().execute_batch(sql).unwrap();
    }

    fn rows(&self) -> Vec<String> {
        let connection = Connection::open(&self.database).unwrap();
        let mut statement = connection.prepare("SELECT line FROM record ORDER BY seq").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn head(&self) -> AuditHead {
        self.verify(&[]).head
    }

    fn verify(&self, known: &[AuditHead]) -> Verification {
        verify(&self.jsonl, &self.database, known).unwrap()
    }

    fn faults(&self, known: &[AuditHead]) -> String {
        let faults = self.verify(known).faults;
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    fn repairs(&self) -> Vec<String> {
        let filter = Filter { event: Some(Event::LogRepaired), ..Filter::default() };
        self.open().unwrap();
        self.reader().list(&filter).unwrap().into_iter().filter_map(|record| record.detail).collect()
    }
}

#[test]
fn both_copies_hold_the_same_records() {
    let log = Log::new();
    let mut audit = log.open().unwrap();
    assert_eq!(*audit.head(), AuditHead::default());
    let head = audit.append(at(1), &[Entry::new(Event::RunStarted)]).unwrap().clone();
    assert_eq!(head.count, 1);
    let entries = [
        Entry::new(Event::ActionDone)
            .resource(&Address::new("tenant", "acme"))
            .action("ensure_directory")
            .result("made"),
        Entry::new(Event::RunFinished).exit_code(0).detail("1 made"),
    ];
    audit.append(at(2), &entries).unwrap();
    let sample = include_str!("../state/samples/audit-v1.jsonl");
    assert_eq!(log.lines(), sample.lines().collect::<Vec<_>>(), "the sample is as vsa writes it");
    assert_eq!(log.lines(), log.rows());
    let last = audit.head().clone();
    let found = log.verify(&[head, last.clone()]);
    assert_eq!(found, Verification { head: last, ..Verification::default() });
    audit.fold_on_close().unwrap();
    drop(audit);
    let names = fs::read_dir(log.jsonl.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["audit.db", "audit.jsonl"]);
    for path in [&log.jsonl, &log.database] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o640);
    }
    assert_eq!(fs::metadata(log.jsonl.parent().unwrap()).unwrap().permissions().mode() & 0o7777, 0o750);
}

#[test]
fn records_are_found_by_what_they_say() {
    let log = Log::new();
    let mut audit = log.open().unwrap();
    let domain = Address::new("domain", "shop.example.com");
    let site = |key: &str| {
        Address::in_module(Vec::new(), "domain", "site", Some(vsa::address::Key::Name(key.into())))
    };
    audit.append(at(0), &[Entry::new(Event::RunStarted)]).unwrap();
    audit.append(at(10), &[Entry::new(Event::ActionDone).resource(&domain)]).unwrap();
    audit.append(at(20), &[Entry::new(Event::ActionDone).resource(&site("a.example.com"))]).unwrap();
    audit.append(at(30), &[Entry::new(Event::ActionFailed).resource(&site("b.example.com"))]).unwrap();
    drop(audit);
    let mut other = Audit::open(&log.jsonl, &log.database, run("r2", "plan"), at(40)).unwrap();
    other.append(at(40), &[Entry::new(Event::RunStarted)]).unwrap();
    let seqs = |filter: Filter| -> Vec<u64> {
        log.reader().list(&filter).unwrap().into_iter().map(|record| record.seq).collect()
    };
    assert_eq!(seqs(Filter::default()), [1, 2, 3, 4, 5]);
    assert_eq!(seqs(Filter { limit: Some(2), ..Filter::default() }), [4, 5]);
    assert_eq!(seqs(Filter { since: Some(at(10)), until: Some(at(30)), ..Filter::default() }), [2, 3]);
    assert_eq!(seqs(Filter { command: Some("plan".into()), ..Filter::default() }), [5]);
    assert_eq!(
        seqs(Filter { run: Some("r1".into()), event: Some(Event::RunStarted), ..Filter::default() }),
        [1]
    );
    assert_eq!(seqs(Filter { resource: Some(domain.to_string()), ..Filter::default() }), [2]);
    assert_eq!(seqs(Filter { resource: Some("domain.site".into()), ..Filter::default() }), [3, 4]);
    assert_eq!(seqs(Filter { resource: Some("domain.sit".into()), ..Filter::default() }), [] as [u64; 0]);
    assert_eq!(log.reader().lines(&Filter::default()).unwrap(), log.lines());
}

#[test]
fn processes_append_in_turns() {
    let log = Log::new();
    log.open().unwrap();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let log = &log;
            scope.spawn(move || {
                let id = format!("r{worker}");
                for _ in 0..5 {
                    let mut audit = Audit::open(&log.jsonl, &log.database, run(&id, "plan"), at(0)).unwrap();
                    audit.append(at(1), &[Entry::new(Event::RunStarted)]).unwrap();
                    audit.append(at(1), &[Entry::new(Event::RunFinished).exit_code(0)]).unwrap();
                }
            });
        }
    });
    assert_eq!(log.faults(&[]), "");
    assert_eq!(log.head().count, 40);
    assert_eq!(log.lines(), log.rows());
}

#[test]
fn a_run_killed_between_the_copies_is_caught_up_and_noted() {
    let log = Log::filled(4);
    log.sql("DELETE FROM record WHERE seq > 2");
    assert_eq!(log.faults(&[]), "the database was cut before record 3; the other copy goes on to record 4");
    assert_eq!(log.repairs(), ["copied records 3 to 4 from the file into the database"]);
    let found = log.verify(&[]);
    assert_eq!((found.head.count, found.faults.len(), found.repairs), (5, 0, vec![5]));
}

#[test]
fn a_torn_line_is_cut_and_noted() {
    let log = Log::filled(2);
    OpenOptions::new().append(true).open(&log.jsonl).unwrap().write_all(b"{\"version\":1,\"se").unwrap();
    assert_eq!(log.faults(&[]), "record 3 of the file was edited: its hash is not that of its content");
    assert_eq!(log.repairs(), ["cut a torn line of 16 bytes off the file"]);
    assert_eq!(log.faults(&[]), "");
}

#[test]
fn a_line_that_lost_its_end_is_completed_from_the_database() {
    let log = Log::filled(3);
    let text = fs::read(&log.jsonl).unwrap();
    fs::write(&log.jsonl, &text[..text.len() - 40]).unwrap();
    assert_eq!(log.repairs(), ["completed a torn line of the file from the database"]);
    assert_eq!(log.faults(&[]), "");
    assert!(fs::read(&log.jsonl).unwrap().starts_with(&text));
}

#[test]
fn a_line_without_its_newline_is_ended() {
    let log = Log::filled(3);
    let text = fs::read(&log.jsonl).unwrap();
    fs::write(&log.jsonl, &text[..text.len() - 1]).unwrap();
    log.sql("DELETE FROM record WHERE seq = 3");
    assert_eq!(
        log.repairs(),
        [
            "ended a line of the file that had no newline",
            "copied records 3 to 3 from the file into the database"
        ]
    );
    assert_eq!(log.faults(&[]), "");
}

#[test]
fn a_lost_copy_is_made_again_and_noted() {
    let log = Log::filled(3);
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", log.database.display()));
    }
    assert_eq!(log.faults(&[]), "the database was cut before record 1; the other copy goes on to record 3");
    assert_eq!(log.repairs(), ["copied records 1 to 3 from the file into the database"]);
    fs::remove_file(&log.jsonl).unwrap();
    assert_eq!(log.repairs().last().unwrap(), "copied records 1 to 4 from the database into the file");
    assert_eq!(log.faults(&[]), "");
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    for which in [|log: &Log| log.jsonl.clone(), |log: &Log| log.database.clone()] {
        let log = Log::filled(1);
        let path = which(&log);
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let error = log.open().err().unwrap().to_string();
        assert!(error.contains("it is a named pipe, not a file"), "{error}");
    }
}

#[test]
fn an_edit_is_found() {
    let log = Log::filled(5);
    let mut lines = log.lines();
    lines[2] = lines[2].replace("tenant.t2", "tenant.t9");
    log.write_lines(&lines);
    assert_eq!(log.faults(&[]), "record 3 of the file was edited: its hash is not that of its content");
    log.sql("UPDATE record SET line = replace(line, 'tenant.t3', 'tenant.t8') WHERE seq = 4");
    assert_eq!(
        log.faults(&[]),
        "record 3 of the file was edited: its hash is not that of its content\n\
         record 4 of the database was edited: its hash is not that of its content"
    );
    assert_eq!(log.verify(&[]).head.count, 2);
}

#[test]
fn a_deletion_is_found() {
    let log = Log::filled(6);
    let mut lines = log.lines();
    lines.drain(2..4);
    log.write_lines(&lines);
    log.sql("DELETE FROM record WHERE seq = 5");
    assert_eq!(
        log.faults(&[]),
        "records 3 to 4 of the file were deleted\nrecord 5 of the database was deleted"
    );
}

#[test]
fn an_insertion_is_found() {
    let log = Log::filled(4);
    let mut lines = log.lines();
    lines.insert(3, lines[1].clone());
    log.write_lines(&lines);
    assert_eq!(
        log.faults(&[]),
        "in the place of record 4 of the file stands record 2: it was moved or put in"
    );
}

#[test]
fn a_new_order_is_found() {
    let log = Log::filled(4);
    let mut lines = log.lines();
    lines.swap(1, 2);
    log.write_lines(&lines);
    log.sql("UPDATE record SET seq = 9 WHERE seq = 2; UPDATE record SET seq = 2 WHERE seq = 3; UPDATE record SET seq = 3 WHERE seq = 9");
    assert_eq!(log.faults(&[]), "record 2 of the file was deleted\nrecord 2 of the database was deleted");
}

#[test]
fn a_cut_of_one_copy_is_found() {
    let log = Log::filled(5);
    log.write_lines(&log.lines()[..3]);
    assert_eq!(log.faults(&[]), "the file was cut before record 4; the other copy goes on to record 5");
}

#[test]
fn a_cut_of_both_copies_is_found_by_a_known_head() {
    let log = Log::filled(5);
    let known = log.head();
    log.write_lines(&log.lines()[..3]);
    log.sql("DELETE FROM record WHERE seq > 3");
    assert_eq!(log.faults(&[]), "");
    assert_eq!(
        log.faults(std::slice::from_ref(&known)),
        "the log was cut before record 4: record 5 is known to have been in it"
    );
    assert!(!log.open().unwrap().contains(&known).unwrap());
}

#[test]
fn a_chain_made_anew_is_found_by_a_known_head() {
    let log = Log::filled(4);
    let known = log.head();
    let forged = Log::new();
    let mut audit = forged.open().unwrap();
    for _ in 0..4 {
        audit.append(at(0), &[Entry::new(Event::RunStarted)]).unwrap();
    }
    drop(audit);
    fs::copy(&forged.jsonl, &log.jsonl).unwrap();
    assert_eq!(log.faults(&[]), "file and database hold different records 1");
    assert!(matches!(log.open(), Err(Error::Tampered { seq: 4, .. })));
    assert_eq!(
        forged.faults(&[known]),
        "record 4 is not the one that is known: the log was written anew up to it or before it"
    );
}

#[test]
fn a_table_that_answers_otherwise_is_found() {
    let log = Log::filled(2);
    log.sql(
        "CREATE TABLE other (seq INTEGER PRIMARY KEY, line TEXT, time TEXT, command TEXT);
         INSERT INTO other SELECT seq, line, time, 'nothing' FROM record;
         DROP TABLE record; ALTER TABLE other RENAME TO record;",
    );
    assert_eq!(log.faults(&[]), "the table of the database is not as vsa makes it");
}

#[test]
fn what_is_not_an_audit_database_is_left_alone() {
    let log = Log::new();
    fs::create_dir_all(log.database.parent().unwrap()).unwrap();
    log.sql("CREATE TABLE cats (name TEXT)");
    let error = log.open().unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    assert!(!error.diagnostic().help.is_empty());
    fs::write(&log.database, "not a database at all, but long enough to look at; ".repeat(40)).unwrap();
    assert!(matches!(log.open().unwrap_err(), Error::Database { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever single byte of the file somebody changes, removes or puts in, it is found.
    #[test]
    fn every_byte_of_the_file_is_guarded(position in 0usize..1500, byte in 1u8..=255, how in 0u8..3) {
        let log = Log::filled(4);
        let mut bytes = fs::read(&log.jsonl).unwrap();
        let position = position % bytes.len();
        match how {
            0 => bytes[position] = bytes[position].wrapping_add(byte),
            1 => drop(bytes.remove(position)),
            _ => bytes.insert(position, byte),
        }
        fs::write(&log.jsonl, bytes).unwrap();
        prop_assert!(!log.verify(&[]).faults.is_empty());
    }
}
