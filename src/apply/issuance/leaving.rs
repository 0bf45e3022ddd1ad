//! What a node remembers of certificates that go: all of them that go in a run are forgotten at once.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::Mutex;

use super::Ledgers;
use crate::address::Address;
use crate::diag::Diagnostic;
use crate::host::Host;
use crate::plan::NodeSpec;
use crate::plan::issuance::{Ledger, Remembered};

/// The certificates that go in a run, by their nodes.
pub(in crate::apply) type Gone = BTreeMap<Address, BTreeSet<String>>;

/// What is to be forgotten in a run, and was.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    names: Gone,
    forgotten: Mutex<BTreeMap<Address, Forgotten>>,
}

/// What was remembered on a node of those that go.
#[derive(Debug, Default)]
struct Forgotten {
    known: BTreeMap<String, Remembered>,
    /// Whether that they are forgotten is on disk.
    is_kept: bool,
}

impl Leaving {
    pub(super) fn of(names: Gone) -> Self {
        Self { names, forgotten: Mutex::default() }
    }

    /// Forgets a certificate, with all others of its node that go; gives what was remembered of it.
    pub(super) async fn forget(
        &self,
        (ledgers, host): (&Ledgers, &dyn Host),
        spec: &NodeSpec,
        name: &str,
    ) -> Result<Option<Remembered>, Diagnostic> {
        let mut all = self.forgotten.lock().await;
        let forgotten = all.entry(spec.address.clone()).or_default();
        if !forgotten.is_kept {
            let others = self.names.get(&spec.address).into_iter().flatten().map(String::as_str);
            let names: BTreeSet<&str> = others.chain([name]).collect();
            let found = ledgers.look(host, spec, |ledger| {
                let known = |name: &&str| {
                    let known = ledger.certificates.get(*name).filter(|known| !known.is_gone)?;
                    Some(((*name).to_owned(), known.clone()))
                };
                names.iter().filter_map(known).collect::<Vec<_>>()
            });
            forgotten.known.extend(found.await?);
            // What is not known any more may not be on disk yet.
            if !forgotten.known.is_empty() {
                let forget = |ledger: &mut Ledger| names.iter().for_each(|name| ledger.forget(name));
                ledgers.change(host, spec, forget).await?;
            }
            forgotten.is_kept = true;
        }
        Ok(forgotten.known.remove(name))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ledgers::tests::spec;
    use super::*;
    use crate::host::{FileOperation, LocalHost};
    use crate::plan::{Answer, Query};

    #[tokio::test]
    async fn all_that_go_are_forgotten_by_one_write() {
        let directory = tempfile::tempdir().unwrap();
        let (host, spec) = (LocalHost::new("/nonexistent/vsa"), spec(directory.path()));
        let ledgers = Ledgers::default();
        for name in ["a.example", "b.example", "c.example"] {
            ledgers.remember(&host, &spec, name, |known| known.stumble(1, name, ("r", "w"))).await.unwrap();
        }
        let going = ["a.example", "b.example", "never.example"].map(str::to_owned);
        let leaving = Leaving::of(Gone::from([(spec.address.clone(), going.clone().into())]));
        let why = |known: Option<Remembered>| known.and_then(|known| Some(known.failed?.why));
        let first = leaving.forget((&ledgers, &host), &spec, "b.example").await.unwrap();
        assert_eq!(why(first).as_deref(), Some("b.example"));
        let Some(Answer::Ledger(left)) = host.observe(&[Query::Ledger(spec.ledger())]).await.pop() else {
            panic!("it is not there");
        };
        assert!(left.certificates.keys().eq(["c.example"]));

        // It is not written again.
        host.files(vec![FileOperation::Remove { path: spec.ledger() }]).await.unwrap();
        let second = leaving.forget((&ledgers, &host), &spec, "a.example").await.unwrap();
        assert_eq!(why(second).as_deref(), Some("a.example"));
        assert_eq!(leaving.forget((&ledgers, &host), &spec, "never.example").await.unwrap(), None);
        let after = host.observe(&[Query::Ledger(spec.ledger())]).await.pop();
        assert_eq!(after, Some(Answer::Absent));
    }
}
