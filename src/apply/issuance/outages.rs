//! Authorities that break down in the middle of a run: each certificate would wait for them in vain.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::acme::Refused;

/// How often one is asked without an answer, one time after the other, before nobody asks it any more.
const MOST: u32 = 3;

/// What did not answer, by the authorities' directories: how often since it issued last, and what was said of it then.
#[derive(Debug, Default)]
pub(super) struct Outages(Mutex<BTreeMap<String, (u32, Refused)>>);

impl Outages {
    /// Takes note of what an authority did not do; an answer is none of these.
    pub(super) fn note(&self, directory: &str, refused: &Refused) {
        if !refused.is_answer() {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let (times, last) = all.entry(directory.to_owned()).or_insert_with(|| (0, refused.clone()));
            *times += 1;
            last.clone_from(refused);
        }
    }

    /// Takes note that an authority has issued.
    pub(super) fn end(&self, directory: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(directory);
    }

    /// Why an authority is not asked any more, where that is so.
    pub(super) fn of(&self, directory: &str) -> Option<Refused> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(directory).filter(|(times, _)| *times >= MOST).map(|(_, last)| last.clone())
    }
}
