//! A command's records in the audit log.

use std::path::PathBuf;

use crate::audit::{self, Actor, Audit, Entry, Event, Run, Verification};
use crate::config::Settings;
use crate::diag::Diagnostic;
use crate::state::AuditHead;
use crate::store::Layout;

use super::{Audited, Environment, Exit, Failure, Terminal};

/// The audit log as one run of a command sees it: not begun, open, or not to be had.
pub struct Auditing {
    audited: Audited,
    run: Run,
    paths: Option<(PathBuf, PathBuf)>,
    log: Option<Audit>,
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
        Self { audited, run, paths: None, log: None }
    }

    /// Where the two copies of the log are.
    pub fn paths(&self, layout: &Layout) -> (PathBuf, PathBuf) {
        self.paths.clone().unwrap_or_else(|| Self::places(layout, &Settings::default()))
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
        now: jiff::Timestamp,
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

    fn refused(&mut self, error: &audit::Error, terminal: Terminal) -> Result<(), Failure> {
        let mut diagnostic = error.diagnostic();
        if self.audited == Audited::Mutating {
            diagnostic
                .help
                .push("nothing was done: a command that changes things runs only where it is audited".into());
            return Err(diagnostic.into());
        }
        diagnostic.severity = crate::diag::Severity::Warning;
        diagnostic.help.push("this command only reads, so it goes on without being audited".into());
        terminal.diagnostics(&Vec::<Diagnostic>::from([diagnostic]), &crate::diag::Sources::new());
        Ok(())
    }

    /// Records something.
    ///
    /// # Errors
    /// As [`Auditing::begin`].
    pub fn append(
        &mut self,
        now: jiff::Timestamp,
        entries: &[Entry],
        terminal: Terminal,
    ) -> Result<(), Failure> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let appended = log.append(now, entries).map(|_| ());
        match appended {
            Ok(()) => Ok(()),
            Err(error) => self.refused(&error, terminal),
        }
    }

    /// Records how the run ended; gives the line about the log that ends each run's output.
    pub fn finish(
        &mut self,
        result: &Result<Exit, Failure>,
        now: jiff::Timestamp,
        terminal: Terminal,
    ) -> Option<String> {
        let (event, exit, detail) = match result {
            Ok(exit) => (Event::RunFinished, *exit, None),
            Err(failure) => {
                let summaries: Vec<_> = failure
                    .diagnostics
                    .iter()
                    .filter(|diagnostic| diagnostic.is_error())
                    .map(|d| d.summary.clone())
                    .collect();
                let ran = matches!(failure.exit, Exit::RolledBack | Exit::Left);
                (
                    if ran { Event::RunFinished } else { Event::RunRefused },
                    failure.exit,
                    Some(summaries.join("; ")),
                )
            }
        };
        let mut entry = Entry::new(event).exit_code(i32::from(exit as u8));
        entry.detail = detail;
        // The run is over either way; that its end could not be recorded is said, and changes nothing.
        let _ = self.append(now, &[entry], terminal);
        if let Some(log) = self.log.as_ref().filter(|_| self.audited == Audited::Mutating) {
            // The records are there either way; this is about how many files hold them.
            let _ = log.fold_on_close();
        }
        self.log.as_ref().map(|log| line(log.head()))
    }

    /// The open log.
    pub fn log(&self) -> Option<&Audit> {
        self.log.as_ref()
    }

    /// How far the log reaches.
    pub fn head(&self) -> AuditHead {
        self.log.as_ref().map(|log| log.head().clone()).unwrap_or_default()
    }
}

fn line(head: &AuditHead) -> String {
    format!("audit: {} records, head {}", head.count, head.head)
}
