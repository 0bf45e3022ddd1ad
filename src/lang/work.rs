//! How much an evaluation may do.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::diag::Diagnostic;

/// How many steps the evaluation of a configuration may take: one is an expression, 16 bytes that are made, or 512 that
/// are looked through. Tens of thousands of resources take some millions.
const MOST_STEPS: u64 = 20_000_000;

/// How often a [`Meter`] tells what it counted: rarely enough for threads not to wait for each other.
const TELL: u64 = 1 << 14;

/// The steps that all evaluations of a configuration have taken.
#[derive(Debug, Default)]
pub struct Work(AtomicU64);

impl Work {
    /// Whether there have been more than there may be.
    pub fn is_exceeded(&self) -> bool {
        self.0.load(Ordering::Relaxed) > MOST_STEPS
    }
}

/// What is said where there have been more steps than there may be; without its place.
pub fn too_much_work() -> Diagnostic {
    let most = MOST_STEPS / 1_000_000;
    Diagnostic::error("the configuration takes too much work to evaluate")
        .code(TOO_MUCH_WORK)
        .detail(format!(
            "at most {most} million steps are taken: one is an expression, or 16 bytes that are made"
        ))
        .help("look for iterations inside iterations, and for texts and lists that grow with each local")
}

/// The code of [`too_much_work`].
pub const TOO_MUCH_WORK: &str = "too_much_work";

/// Counts steps for one thread, and tells a [`Work`] now and then, and when it is dropped.
#[derive(Debug, Default)]
pub struct Meter<'a> {
    work: Option<&'a Work>,
    untold: Cell<u64>,
    /// All that there have been, as far as known here.
    known: Cell<u64>,
}

impl<'a> Meter<'a> {
    /// Of a part of all the work.
    pub fn of(work: &'a Work) -> Self {
        Self { work: Some(work), untold: Cell::default(), known: Cell::default() }
    }

    /// Counts steps; `false` where there have been more than there may be.
    pub fn spend(&self, steps: u64) -> bool {
        self.untold.set(self.untold.get().saturating_add(steps));
        if self.untold.get() >= TELL {
            self.tell();
        }
        self.known.get() <= MOST_STEPS
    }

    fn tell(&self) {
        let steps = self.untold.replace(0);
        let before = self.work.map_or(self.known.get(), |work| work.0.fetch_add(steps, Ordering::Relaxed));
        self.known.set(before.saturating_add(steps));
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        self.tell();
    }
}
