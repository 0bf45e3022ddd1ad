//! What a run shares between the certificates that it has issued: accounts with authorities, and the ledger.
//!
//! | module | what |
//! |---|---|
//! | `accounts` | authorities with the node's accounts: one attempt each |
//! | `leaving` | what is remembered of certificates that go, forgotten at once |
//! | `ledgers` | what is remembered of certificates and orders, written as seldom as can be |
//! | `outages` | authorities that break down in the middle of the run |
//! | `proofs` | what shows an authority that names are ours |
//! | `resolvers` | DNS servers, and whether they answer anybody |

mod accounts;
mod leaving;
mod ledgers;
mod outages;
mod proofs;
mod resolvers;

use std::sync::Arc;

use accounts::Accounts;
pub(super) use accounts::{Kept, Unasked, kept};
pub(super) use leaving::Gone;
use leaving::Leaving;
use ledgers::Ledgers;
use outages::Outages;
use proofs::Swept;
pub(super) use proofs::{Publishing, Shown, WELL_KNOWN};
use resolvers::Resolvers;

use crate::acme::resolver::Resolver;
use crate::acme::{Client, Proof, Refused};
use crate::diag::Diagnostic;
use crate::host::Host;
use crate::plan::NodeSpec;
use crate::plan::action::Access;
use crate::plan::issuance::account;
use crate::plan::issuance::budget::Spent;
use crate::plan::issuance::{Authority, CertificateOrder, Ledger, Ordered, Remembered};
use crate::value::Secret;

/// What is known of authorities and of a node's certificates, in one run.
#[derive(Debug)]
pub(super) struct Issuance {
    host: Arc<dyn Host>,
    accounts: Accounts,
    ledgers: Ledgers,
    leaving: Leaving,
    outages: Outages,
    resolvers: Resolvers,
    swept: Swept,
}

/// A file that nobody else may read.
pub(super) fn private() -> Access {
    Access { owner: None, group: None, mode: account::MODE }
}

/// A directory that nobody else may enter.
fn secluded() -> Access {
    Access { owner: None, group: None, mode: account::DIRECTORY_MODE }
}

impl Issuance {
    pub(super) fn new(host: Arc<dyn Host>) -> Self {
        Self {
            host,
            accounts: Accounts::default(),
            ledgers: Ledgers::default(),
            leaving: Leaving::default(),
            outages: Outages::default(),
            resolvers: Resolvers::default(),
            swept: Swept::default(),
        }
    }

    /// With the certificates that go in the run.
    pub(super) fn without(self, gone: Gone) -> Self {
        Self { leaving: Leaving::of(gone), ..self }
    }

    /// Forgets a certificate that goes, with all others of its node that go; gives what was remembered of it.
    pub(super) async fn forget(&self, spec: &NodeSpec, name: &str) -> Result<Option<Remembered>, Diagnostic> {
        self.leaving.forget((&self.ledgers, &*self.host), spec, name).await
    }

    /// Whether the run has left something on a node that stays when it is taken back.
    pub(super) fn lasts(&self) -> bool {
        self.ledgers.has_changed()
    }

    /// A record for each proof, and who publishes them.
    pub(super) async fn publishing(
        &self,
        order: &CertificateOrder,
        secret: Option<&Secret>,
        proofs: &[Proof],
    ) -> Result<Publishing, Diagnostic> {
        Publishing::of((&self.host, self.resolver(order)?), order, secret, proofs).await
    }

    /// Who is asked in the DNS for the names of an order.
    pub(super) fn resolver(&self, order: &CertificateOrder) -> Result<Resolver, Diagnostic> {
        self.resolvers.of(&order.servers())
    }

    /// What is to be said of the accounts that were asked with, once.
    pub(super) fn remarks(&self) -> Vec<String> {
        self.accounts.remarks()
    }

    /// Looks up what a node remembers.
    pub(super) async fn look<T>(
        &self,
        spec: &NodeSpec,
        look: impl FnOnce(&Ledger) -> T + Send,
    ) -> Result<T, Diagnostic> {
        self.ledgers.look(&*self.host, spec, look).await
    }

    /// Changes what a node remembers, and keeps it.
    pub(super) async fn change<T: Send>(
        &self,
        spec: &NodeSpec,
        change: impl FnOnce(&mut Ledger) -> T + Send,
    ) -> Result<T, Diagnostic> {
        self.ledgers.change(&*self.host, spec, change).await
    }

    /// Changes what a node remembers of one certificate, and keeps it.
    pub(super) async fn remember<T: Send>(
        &self,
        spec: &NodeSpec,
        name: &str,
        change: impl FnOnce(&mut Remembered) -> T + Send,
    ) -> Result<T, Diagnostic> {
        self.ledgers.remember(&*self.host, spec, name, change).await
    }

    /// Takes note of an order before it is begun, unless a limit of the authority's is spent; `counts` says whether that
    /// is looked at.
    pub(super) async fn order(
        &self,
        spec: &NodeSpec,
        order: &Ordered,
        counts: bool,
    ) -> Result<Option<Spent>, Diagnostic> {
        self.ledgers.order(&*self.host, spec, order, counts).await
    }

    /// An authority with the node's account, which is made where there is none.
    pub(super) async fn authority(
        &self,
        spec: &NodeSpec,
        authority: &Authority,
        key: Option<&Secret>,
    ) -> Result<Arc<Client>, Unasked> {
        self.accounts.authority(&*self.host, spec, authority, key).await
    }

    /// Takes note of what an authority did not do.
    pub(super) fn refused(&self, spec: &NodeSpec, authority: &Authority, refused: &Refused) {
        self.outages.note(&spec.root, authority, refused);
    }

    /// Takes note that an authority has issued a certificate.
    pub(super) fn issued(&self, spec: &NodeSpec, authority: &Authority) {
        self.outages.end(&spec.root, authority);
    }

    /// Why an authority is not asked any more in this run: it has not answered again and again.
    pub(super) fn outage(&self, spec: &NodeSpec, authority: &Authority) -> Option<Refused> {
        self.outages.of(&spec.root, authority)
    }
}
