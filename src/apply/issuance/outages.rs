//! Authorities that break down in the middle of a run: each certificate would wait for them in vain.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::acme::Refused;
use crate::plan::issuance::Authority;

/// How often one is asked without an answer, one time after the other, before nobody asks it any more.
const MOST: u32 = 3;

/// Who was asked: from which node, by its directory, since what is wrong may be on the way, or with its root.
type Asked = (PathBuf, Authority);

/// Who did not answer: how often since it issued last, and what was said of it then.
#[derive(Debug, Default)]
pub(super) struct Outages(Mutex<BTreeMap<Asked, (u32, Refused)>>);

impl Outages {
    /// Takes note of what an authority did not do; an answer is none of these.
    pub(super) fn note(&self, root: &Path, authority: &Authority, refused: &Refused) {
        if !refused.is_answer() {
            let mut all = self.all();
            let (times, last) = all.entry(asked(root, authority)).or_insert_with(|| (0, refused.clone()));
            *times += 1;
            last.clone_from(refused);
        }
    }

    /// Takes note that an authority has issued.
    pub(super) fn end(&self, root: &Path, authority: &Authority) {
        self.all().remove(&asked(root, authority));
    }

    /// Why an authority is not asked any more, where that is so.
    pub(super) fn of(&self, root: &Path, authority: &Authority) -> Option<Refused> {
        let all = self.all();
        all.get(&asked(root, authority)).filter(|(times, _)| *times >= MOST).map(|(_, last)| last.clone())
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Asked, (u32, Refused)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn asked(root: &Path, authority: &Authority) -> Asked {
    (root.to_owned(), authority.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acme::Reason;

    #[test]
    fn who_is_reached_in_another_way_is_asked_all_the_same() {
        let authority = |ca: &str| Authority {
            directory: "https://ca/dir".to_owned(),
            email: None,
            ca: Some(ca.into()),
            key_id: None,
        };
        let (outages, wrong) = (Outages::default(), authority("/wrong.pem"));
        for _ in 0..MOST {
            outages.note(Path::new("/a"), &wrong, &Refused::new(Reason::Untrusted, "its root is another"));
        }
        assert!(outages.of(Path::new("/a"), &wrong).is_some());
        assert!(outages.of(Path::new("/b"), &wrong).is_none());
        assert!(outages.of(Path::new("/a"), &authority("/right.pem")).is_none());
        outages.end(Path::new("/a"), &wrong);
        assert!(outages.of(Path::new("/a"), &wrong).is_none());
    }
}
