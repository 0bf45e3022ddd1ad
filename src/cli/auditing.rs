//! A command's records in the audit log.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::audit::{self, Actor, Audit, Entry, Event, Run, Verification};
use crate::config::Settings;
use crate::diag::{Diagnostic, Diagnostics, Severity, Sources};
use crate::state::AuditHead;
use crate::store::Layout;

use super::{Audited, Environment, Exit, Failure, Terminal};

/// The audit log as one run of a command sees it: not begun, open, or not to be had.
pub struct Auditing {
    audited: Audited,
    run: Run,
    paths: Option<(PathBuf, PathBuf)>,
    log: Option<Audit>,
    /// What happened and could not be recorded when it did, with its time.
    owed: Vec<(Timestamp, Vec<Entry>)>,
}

/// Who runs the program.
pub(crate) fn actor(environment: &Environment) -> Actor {
    let uid = nix::unistd::Uid::current();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    Actor {
        user: user.map_or_else(|| uid.to_string(), |user| user.name),
        uid: uid.as_raw(),
        host: host.unwrap_or_else(|| "localhost".to_owned()),
        sudo_user: environment.sudo_user.clone(),
        job: environment.job.clone(),
    }
}

impl Auditing {
    /// Of a command that has not begun.
    pub fn new(audited: Audited, run: Run) -> Self {
        Self { audited, run, paths: None, log: None, owed: Vec::new() }
    }

    /// Where the two copies of the log are.
    pub fn paths(&self, layout: &Layout) -> (PathBuf, PathBuf) {
        self.paths.clone().unwrap_or_else(|| Self::places(layout, &Settings::default()))
    }

    /// Whether the command changes nothing.
    pub fn only_reads(&self) -> bool {
        self.audited != Audited::Mutating
    }

    /// Whether the log is open, or was found not to be had.
    pub fn begun(&self) -> bool {
        self.paths.is_some()
    }

    fn places(layout: &Layout, settings: &Settings) -> (PathBuf, PathBuf) {
        let place = |path: &Option<PathBuf>, default: PathBuf| {
            path.as_ref().map_or(default, |path| layout.configuration().join(path))
        };
        let jsonl = place(&settings.audit.jsonl, layout.audit_jsonl());
        let database = place(&settings.audit.database, layout.audit_database());
        (jsonl, database)
    }

    /// Looks for what somebody did to the log. The run has not begun yet: its first record would mend the log's end.
    pub fn verify(
        layout: &Layout,
        settings: &Settings,
        known: &[AuditHead],
    ) -> Result<Verification, audit::Error> {
        let (jsonl, database) = Self::places(layout, settings);
        audit::verify(&jsonl, &database, known)
    }

    /// Opens the log where `settings` say it is, and records that the run began.
    ///
    /// # Errors
    /// Of a command that changes things, where it cannot be audited; a reading one warns.
    pub fn begin(
        &mut self,
        layout: &Layout,
        settings: &Settings,
        now: Timestamp,
        terminal: Terminal,
    ) -> Result<(), Failure> {
        let (jsonl, database) = Self::places(layout, settings);
        self.paths = Some((jsonl.clone(), database.clone()));
        let opened = Audit::open(&jsonl, &database, self.run.clone(), now).and_then(|mut log| {
            log.append(now, &[Entry::new(Event::RunStarted)])?;
            Ok(log)
        });
        match opened {
            Ok(log) => self.log = Some(log),
            Err(error) => self.refused(&error, terminal)?,
        }
        Ok(())
    }

    fn refused(&self, error: &audit::Error, terminal: Terminal) -> Result<(), Failure> {
        let mut diagnostic = error.diagnostic();
        if self.audited == Audited::Mutating {
            diagnostic
                .help
                .push("nothing was done: a command that changes things runs only where it is audited".into());
            return Err(diagnostic.into());
        }
        diagnostic.help.push("this command only reads, so it goes on without being audited".into());
        warn(diagnostic, terminal);
        Ok(())
    }

    /// Records what is about to happen.
    ///
    /// # Errors
    /// As [`Auditing::begin`].
    pub fn append(&mut self, now: Timestamp, entries: &[Entry], terminal: Terminal) -> Result<(), Failure> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let appended = log.append(now, entries).map(|_| ());
        appended.or_else(|error| self.refused(&error, terminal))
    }

    /// Records what has happened. Where that fails, the run goes on to a defined end: the records are kept, and tried
    /// again with the next ones and at the end.
    pub fn record(&mut self, now: Timestamp, entries: Vec<Entry>, terminal: Terminal) {
        let is_first = self.owed.is_empty();
        self.owed.push((now, entries));
        if let Err(error) = self.pay()
            && is_first
        {
            let help =
                "the run goes on; what it did is recorded as soon as that is possible, or counted at its end";
            warn(error.diagnostic().help(help), terminal);
        }
    }

    /// Records what is owed, in its order.
    fn pay(&mut self) -> Result<(), audit::Error> {
        let Some(log) = &mut self.log else { return Ok(()) };
        while let Some((at, entries)) = self.owed.first() {
            let appended = log.append(*at, entries).map(|_| ());
            if matches!(appended, Ok(()) | Err(audit::Error::Behind(_))) {
                self.owed.remove(0);
            }
            appended?;
        }
        Ok(())
    }

    /// Records how the run ended; gives how the command ends, and the line about the log that ends each run's output.
    pub fn finish(
        &mut self,
        result: Result<Exit, Failure>,
        now: Timestamp,
        terminal: Terminal,
    ) -> (Result<Exit, Failure>, Option<String>) {
        let (event, exit, detail) = match &result {
            Ok(exit) => (Event::RunFinished, *exit, None),
            Err(failure) => {
                let errors = failure.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
                let summaries: Vec<_> = errors.map(|error| error.summary.clone()).collect();
                let ran = matches!(failure.exit, Exit::RolledBack | Exit::Left);
                let event = if ran { Event::RunFinished } else { Event::RunRefused };
                (event, failure.exit, Some(summaries.join("; ")))
            }
        };
        let mut entry = Entry::new(event).exit_code(i32::from(exit as u8));
        entry.detail = detail;
        self.owed.push((now, vec![entry]));
        let result = match self.pay() {
            Ok(()) => result,
            Err(error) => self.unrecorded(&error, result, terminal),
        };
        if let Some(log) = self.log.as_ref().filter(|_| self.audited == Audited::Mutating) {
            // The records are there either way; this is about how many files hold them.
            let _ = log.fold_on_close();
        }
        (result, self.log.as_ref().map(|log| line(log.head())))
    }

    /// How a command ends whose last records are in one copy of the log or in none: one that changed something has
    /// left something to look at.
    fn unrecorded(
        &self,
        error: &audit::Error,
        result: Result<Exit, Failure>,
        terminal: Terminal,
    ) -> Result<Exit, Failure> {
        let missing: usize = self.owed.iter().map(|(_, entries)| entries.len()).sum();
        let diagnostic = error.diagnostic().detail(match missing {
            0 => "the records of this run are in the file alone; the next run copies them".to_owned(),
            1 => "one record of this run is not in it".to_owned(),
            _ => format!("{missing} records of this run are not in it"),
        });
        if self.audited != Audited::Mutating {
            warn(diagnostic, terminal);
            return result;
        }
        let (exit, mut diagnostics) = match result {
            Ok(_) => (Exit::Left, Diagnostics::new()),
            Err(failure) if failure.exit == Exit::RolledBack => (Exit::Left, failure.diagnostics),
            Err(failure) => (failure.exit, failure.diagnostics),
        };
        diagnostics.push(diagnostic);
        Err(Failure { exit, diagnostics })
    }

    /// How far the log reaches.
    pub fn head(&self) -> AuditHead {
        self.log.as_ref().map(|log| log.head().clone()).unwrap_or_default()
    }
}

fn warn(mut diagnostic: Diagnostic, terminal: Terminal) {
    diagnostic.severity = Severity::Warning;
    terminal.diagnostics([&diagnostic], &Sources::new());
}

fn line(head: &AuditHead) -> String {
    format!("audit: {} records, head {}", head.count, head.head)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn begun(directory: &std::path::Path) -> Auditing {
        let actor = Actor { user: "root".into(), uid: 0, host: "vps-01".into(), sudo_user: None, job: None };
        let run = Run { id: "r1".into(), actor, command: "apply".into(), arguments: Vec::new() };
        let mut auditing = Auditing::new(Audited::Mutating, run);
        let begun = auditing.begin(&Layout::new(directory), &Settings::default(), at(0), Terminal::new(true));
        begun.unwrap();
        auditing
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_could_not_be_recorded_when_it_happened_is_recorded_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let mut auditing = begun(directory.path());
        let (jsonl, _) = auditing.paths(&Layout::new(directory.path()));
        let whole = std::fs::metadata(&jsonl).unwrap().len();
        let mut file = std::fs::OpenOptions::new().append(true).open(&jsonl).unwrap();
        file.write_all(b"not a record\n").unwrap();
        let terminal = Terminal::new(true);
        auditing.record(at(1), vec![Entry::new(Event::ActionDone)], terminal);
        auditing.record(at(2), vec![Entry::new(Event::Committed)], terminal);
        file.set_len(whole).unwrap();
        let (result, _) = auditing.finish(Ok(Exit::Done), at(3), terminal);
        assert_eq!(result.unwrap(), Exit::Done);
        let (_, database) = auditing.paths(&Layout::new(directory.path()));
        let log = audit::Reader::open(&database).unwrap().unwrap();
        let records = log.list(&audit::Filter::default()).unwrap();
        let seen: Vec<(Timestamp, Event)> =
            records.iter().map(|record| (record.time.parse().unwrap(), record.event)).collect();
        let expected = [
            (at(0), Event::RunStarted),
            (at(1), Event::ActionDone),
            (at(2), Event::Committed),
            (at(3), Event::RunFinished),
        ];
        assert_eq!(seen, expected);
    }
}
