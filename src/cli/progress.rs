//! What happens during an apply: for people, and for the audit log.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::apply::{Event, Events, Outcome, Scope};
use crate::audit::{self, Entry};
use crate::plan::{Action, Phase};

use super::Terminal;
use super::render::describe;

/// How many records are gathered before they are written: each writing waits for the disk.
const BATCH: usize = 256;

/// How often what moves is drawn.
const TICK: Duration = Duration::from_millis(120);

/// Takes records for the audit log.
type Writer = dyn Fn(Vec<Entry>) + Send + Sync;

/// Draws progress, and hands on what the audit log shall hold.
pub(crate) struct Progress {
    terminal: Terminal,
    bars: MultiProgress,
    bar: ProgressBar,
    /// A line for each service that is waited for, by the action that waits.
    services: Mutex<BTreeMap<(u32, String), ProgressBar>>,
    entries: Mutex<Vec<Entry>>,
    /// Which nodes' generations were not tested whole before the switch, in words.
    tested_in_part: Mutex<Vec<String>>,
    write: Box<Writer>,
}

impl Progress {
    /// For a run of so many actions; `write` takes records for the audit log.
    pub(crate) fn new(
        terminal: Terminal,
        actions: usize,
        write: impl Fn(Vec<Entry>) + Send + Sync + 'static,
    ) -> Self {
        let target =
            if terminal.progress { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let length = u64::try_from(actions).unwrap_or(u64::MAX);
        let bars = MultiProgress::with_draw_target(target);
        let bar = bars.add(ProgressBar::new(length));
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        if terminal.progress {
            bar.enable_steady_tick(TICK);
        }
        Self {
            terminal,
            bars,
            bar,
            services: Mutex::default(),
            entries: Mutex::default(),
            tested_in_part: Mutex::default(),
            write: Box::new(write),
        }
    }

    fn note(&self, text: &str) {
        self.bars.suspend(|| self.terminal.note(text));
    }

    /// Shows what the containers of a service do: in a line of its own on a terminal, else line after line.
    fn service(&self, action: &Action, service: &str, state: &str) {
        let text = format!("{}: {service} is {state}", action.resource);
        if !self.terminal.progress {
            self.note(&text);
            return;
        }
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        let line = services.entry((action.id, service.to_owned())).or_insert_with(|| {
            let line = self.bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
                line.set_style(style);
            }
            line.enable_steady_tick(TICK);
            line
        });
        line.set_message(text);
    }

    /// Takes away the lines of what an action waited for.
    fn waited(&self, action: &Action) {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.retain(|(id, _), line| {
            if *id == action.id {
                line.finish_and_clear();
                self.bars.remove(line);
            }
            *id != action.id
        });
    }

    fn record(&self, entry: Entry, now: bool) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(entry);
        if now || entries.len() >= BATCH {
            (self.write)(std::mem::take(&mut *entries));
        }
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.1}s", took.as_secs_f64())
}

impl Events for Progress {
    fn event(&self, event: Event<'_>) {
        let paint = self.terminal.error;
        match event {
            Event::Started { .. } => {}
            Event::Testing { node, files, scope: Scope::Whole } => {
                self.bar.set_message(format!("{node}: nginx tests {files} files"));
            }
            Event::Testing { node, scope: Scope::Changed { files, of }, .. } => {
                let part = format!(
                    "{node}: nginx tested the {} of {of} site files that change aside, and all of them as it reloaded",
                    files.len()
                );
                self.tested_in_part.lock().unwrap_or_else(PoisonError::into_inner).push(part);
                self.bar.set_message(format!("{node}: nginx tests the {} files that change", files.len()));
            }
            Event::Phase(phase) => self.bar.set_message(match phase {
                Phase::Prepare => "prepare",
                Phase::Switch => "switch",
                Phase::CleanUp => "clean up",
            }),
            Event::Hashing { passwords } => self.bar.set_message(format!("hashing {passwords} passwords")),
            Event::Begun(action) => {
                let text = describe(&action.operation);
                self.bar.set_message(format!("{}: {text}", action.resource));
                self.record(
                    Entry::new(audit::Event::ActionStarted).resource(&action.resource).action(text),
                    false,
                );
            }
            Event::Service { action, service, state } => self.service(action, service, state),
            Event::Done { action, took } => {
                self.waited(action);
                self.bar.inc(1);
                let text = describe(&action.operation);
                self.note(&format!("{}: {text} [{}]", action.resource, seconds(took)));
                self.record(
                    Entry::new(audit::Event::ActionDone).resource(&action.resource).action(text),
                    false,
                );
            }
            Event::Failed { action, error } => {
                self.waited(action);
                let text = describe(&action.operation);
                self.note(&format!("{} {}: {text}: {}", paint.red("failed"), action.resource, error.summary));
                let entry = Entry::new(audit::Event::ActionFailed).resource(&action.resource).action(text);
                self.record(entry.detail(error.summary.clone()), true);
            }
            Event::Undone { action } => {
                let text = describe(&action.operation);
                self.note(&format!("{} {}: {text}", paint.yellow("taken back"), action.resource));
                self.record(
                    Entry::new(audit::Event::ActionUndone).resource(&action.resource).action(text),
                    false,
                );
            }
            Event::NotUndone { action, error } => {
                let text = describe(&action.operation);
                self.note(&format!(
                    "{} {}: {text}: {}",
                    paint.red("not taken back"),
                    action.resource,
                    error.summary
                ));
                let entry = Entry::new(audit::Event::ActionFailed).resource(&action.resource).action(text);
                self.record(entry.detail(format!("could not be taken back: {}", error.summary)), true);
            }
            Event::Live { node, generation } => {
                self.note(&format!("{node}: nginx says that it serves generation {generation}"));
            }
            Event::Committed => {
                let parts =
                    std::mem::take(&mut *self.tested_in_part.lock().unwrap_or_else(PoisonError::into_inner));
                for part in &parts {
                    self.note(part);
                }
                let entry = Entry::new(audit::Event::Committed);
                self.record(if parts.is_empty() { entry } else { entry.detail(parts.join("; ")) }, true);
            }
            Event::Draining { node, workers } => {
                self.bar.set_message(format!("{node}: {workers} old workers finish their requests"));
            }
            Event::Ended(outcome) => {
                self.bar.finish_and_clear();
                let batch = std::mem::take(&mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner));
                if !batch.is_empty() {
                    (self.write)(batch);
                }
                if *outcome == Outcome::RolledBack {
                    self.record(Entry::new(audit::Event::RolledBack), true);
                }
            }
        }
    }
}
