//! What nodes remember of their certificates, in one run: changed in memory, and on disk before whoever changed it goes on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as Turn;

use super::{private, secluded};
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host};
use crate::plan::issuance::budget::{Budget, Spent};
use crate::plan::issuance::{Ledger, Ordered, Remembered};
use crate::plan::{Answer, NodeSpec, Query};

/// The ledgers of a run's nodes.
#[derive(Debug, Default)]
pub(super) struct Ledgers {
    files: Turn<BTreeMap<PathBuf, Arc<LedgerFile>>>,
    has_changed: AtomicBool,
}

/// One of them.
#[derive(Debug)]
struct LedgerFile {
    known: Mutex<Known>,
    /// How many of the changes are on disk. While one writes, those who change something meanwhile wait here: whoever is
    /// next writes it for all.
    written: Turn<u64>,
}

#[derive(Debug)]
struct Known {
    ledger: Ledger,
    /// What its orders leave; `None` as long as that is not known.
    budget: Option<Budget>,
    /// How often it was changed.
    changes: u64,
}

impl LedgerFile {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledgers {
    /// Whether anything was changed.
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed.load(Ordering::SeqCst)
    }

    /// Looks something up.
    pub(super) async fn look<T>(
        &self,
        host: &dyn Host,
        spec: &NodeSpec,
        look: impl FnOnce(&Ledger) -> T + Send,
    ) -> Result<T, Diagnostic> {
        let file = self.open(host, spec).await?;
        let told = look(&file.known().ledger);
        Ok(told)
    }

    /// Changes what is remembered, and keeps it.
    pub(super) async fn change<T: Send>(
        &self,
        host: &dyn Host,
        spec: &NodeSpec,
        change: impl FnOnce(&mut Ledger) -> T + Send,
    ) -> Result<T, Diagnostic> {
        self.write(host, spec, |known| {
            known.budget = None;
            change(&mut known.ledger)
        })
        .await
    }

    /// Changes what is remembered of one certificate, and keeps it.
    pub(super) async fn remember<T: Send>(
        &self,
        host: &dyn Host,
        spec: &NodeSpec,
        name: &str,
        change: impl FnOnce(&mut Remembered) -> T + Send,
    ) -> Result<T, Diagnostic> {
        self.write(host, spec, |known| change(known.ledger.of(name))).await
    }

    /// Takes note of an order, unless a limit is spent that counts.
    pub(super) async fn order(
        &self,
        host: &dyn Host,
        spec: &NodeSpec,
        order: &Ordered,
        counts: bool,
    ) -> Result<Option<Spent>, Diagnostic> {
        let file = self.open(host, spec).await?;
        let spent = {
            let mut known = file.known();
            let Known { ledger, budget, .. } = &mut *known;
            let budget = budget.get_or_insert_with(|| Budget::of(ledger, order.at));
            let spent = if counts { budget.spent(order) } else { None };
            if spent.is_none() {
                budget.count(order);
                ledger.ordered(order.clone());
                known.changes += 1;
            }
            spent
        };
        if spent.is_none() {
            self.keep(host, spec, &file).await?;
        }
        Ok(spent)
    }

    async fn write<T: Send>(
        &self,
        host: &dyn Host,
        spec: &NodeSpec,
        change: impl FnOnce(&mut Known) -> T + Send,
    ) -> Result<T, Diagnostic> {
        let file = self.open(host, spec).await?;
        let told = {
            let mut known = file.known();
            known.changes += 1;
            change(&mut known)
        };
        self.keep(host, spec, &file).await?;
        Ok(told)
    }

    async fn open(&self, host: &dyn Host, spec: &NodeSpec) -> Result<Arc<LedgerFile>, Diagnostic> {
        let path = spec.ledger();
        let mut files = self.files.lock().await;
        if let Some(file) = files.get(&path) {
            return Ok(Arc::clone(file));
        }
        let known = Known { ledger: read(host, &path).await?, budget: None, changes: 0 };
        let file = Arc::new(LedgerFile { known: Mutex::new(known), written: Turn::new(0) });
        files.insert(path, Arc::clone(&file));
        Ok(file)
    }

    /// Has all changes on disk that were made until now. What could not be kept is written with the next change.
    async fn keep(&self, host: &dyn Host, spec: &NodeSpec, file: &LedgerFile) -> Result<(), Diagnostic> {
        self.has_changed.store(true, Ordering::SeqCst);
        let wanted = file.known().changes;
        let mut written = file.written.lock().await;
        if *written >= wanted {
            return Ok(());
        }
        let (text, changes) = {
            let known = file.known();
            (known.ledger.text(), known.changes)
        };
        let directory = FileOperation::MakeDirectory { path: spec.accounts(), access: secluded() };
        let bytes = text.into_bytes().into();
        let replace = FileOperation::Replace { path: spec.ledger(), access: private(), bytes };
        host.files(vec![directory, replace]).await?;
        *written = changes;
        Ok(())
    }
}

async fn read(host: &dyn Host, path: &Path) -> Result<Ledger, Diagnostic> {
    match host.observe(&[Query::Ledger(path.to_owned())]).await.pop() {
        Some(Answer::Ledger(ledger)) => Ok((*ledger).clone()),
        Some(Answer::Failed(why)) => Err(Ledger::unreadable(path, &why)),
        _ => Ok(Ledger::default()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use futures_util::{StreamExt as _, stream};

    use super::*;
    use crate::host::LocalHost;
    use crate::plan::issuance::UnderWay;
    use crate::state::State;

    /// A node in a directory of its own.
    pub(in super::super) fn spec(root: &Path) -> NodeSpec {
        let state: State =
            serde_json::from_str(include_str!("../../../state/samples/state-v1-with-certificates.json"))
                .unwrap();
        let spec = state.nodes.into_values().next().unwrap().spec;
        NodeSpec { root: root.to_owned(), ..spec }
    }

    /// What happens to a certificate that is issued; its order is on disk before it is begun.
    async fn issued(ledgers: &Ledgers, host: &LocalHost, spec: &NodeSpec, number: usize) {
        let name = format!("site-{number}.example.com");
        let directory = "https://ca.example/directory".to_owned();
        let order = Ordered {
            at: 1,
            directory,
            names: vec![name.clone()],
            exempt: false,
            unproven: false,
            unanswered: false,
        };
        assert_eq!(ledgers.order(host, spec, &order, true).await.unwrap(), None);
        let kept = read(host, &spec.ledger()).await.unwrap();
        assert!(kept.orders.contains(&order), "{number}");
        let url = format!("https://ca.example/order/{number}");
        let under_way = UnderWay { url, account: "a".to_owned(), request: "r".to_owned() };
        ledgers.remember(host, spec, &name, |known| known.order = Some(under_way)).await.unwrap();
        ledgers.remember(host, spec, &name, Remembered::succeed).await.unwrap();
    }

    #[tokio::test]
    async fn what_many_note_at_once_is_on_disk_before_each_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let (host, spec) = (LocalHost::new("/nonexistent/vsa"), spec(directory.path()));
        let ledgers = Ledgers::default();
        let all = stream::iter(0..60).map(|number| issued(&ledgers, &host, &spec, number));
        all.buffer_unordered(10).collect::<Vec<()>>().await;
        let kept = read(&host, &spec.ledger()).await.unwrap();
        assert_eq!((kept.orders.len(), kept.certificates.len()), (60, 60));
        assert!(kept.certificates.values().all(|known| known.order.is_none()));
        assert!(ledgers.has_changed());
    }
}
