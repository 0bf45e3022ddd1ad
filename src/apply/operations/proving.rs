//! What shows an authority that the names of a certificate are ours.

use std::time::Duration;

use super::guarding::looked_up;
use super::issuing::Issuing;
use super::unissued::Failed;
use crate::acme::{Order, Proof};
use crate::apply::issuance::{Publishing, Shown};
use crate::diag::Diagnostic;
use crate::plan::issuance::{ChallengeType, DNS_SECRET, TxtRecord};

/// How long an authority may take to look at the proofs.
const PROVES: Duration = Duration::from_mins(2);

impl Issuing<'_> {
    /// Shows the authority that the names are ours.
    pub(super) async fn prove(&self, order: &mut dyn Order) -> Result<(), Failed> {
        let challenge = self.order.challenge;
        let proofs = order.proofs(challenge).await.map_err(|refused| self.refused(&refused))?;
        let proven = |proven: Result<(), _>| proven.map_err(|refused| self.not_proven(&refused));
        match challenge {
            _ if proofs.is_empty() => proven(order.prove(challenge, PROVES).await),
            ChallengeType::Http01 => {
                let file = |proof: Proof| (proof.token, proof.authorization);
                let files = proofs.into_iter().map(file);
                let shown =
                    Shown::show(self.context.host, self.context.spec, self.context.issuance, files).await;
                let shown = shown.map_err(Failed::node)?;
                let looked = order.prove(challenge, PROVES).await;
                self.taken_away(shown.hide().await);
                proven(looked)
            }
            ChallengeType::Dns01 => {
                self.tell("being published in the DNS");
                let resolver = self.context.issuance.resolver(self.order).map_err(Failed::node)?;
                let publishing = looked_up(&resolver, self.publishing(&proofs).await).await?;
                // Written down before they are there: what a kill leaves is withdrawn by the next order.
                self.remember(|records| records.extend(publishing.records())).await.map_err(Failed::node)?;
                let published = looked_up(&resolver, publishing.publish(self.order).await).await;
                let looked = match published {
                    Ok(()) => proven(order.prove(challenge, PROVES).await),
                    Err(failed) => Err(failed),
                };
                let withdrawn = publishing.withdraw().await;
                let noted = match &withdrawn {
                    Ok(()) => self.forget(&publishing.records()).await,
                    Err(_) => Ok(()),
                };
                self.taken_away(withdrawn);
                looked.and(noted)
            }
        }
    }

    /// Withdraws what an order before this one has left in the DNS.
    pub(super) async fn sweep(&self) -> Result<(), Failed> {
        let name = self.name;
        let look = self.context.issuance.look(self.context.spec, |ledger| {
            ledger.certificates.get(name).map(|remembered| remembered.records.clone()).unwrap_or_default()
        });
        let left = look.await.map_err(Failed::node)?;
        if left.is_empty() {
            return Ok(());
        }
        if self.order.dns.is_none() {
            // Nobody is named any more who could withdraw them.
            for record in &left {
                self.tell(&record.stays());
            }
            return self.forget(&left).await;
        }
        self.tell("former records are being withdrawn from the DNS");
        let (gone, failed) = match self.publishing(&[]).await {
            Ok(publishing) => publishing.sweep(&left).await,
            Err(error) => (Vec::new(), Some(error)),
        };
        if let Some(error) = failed {
            // It is tried again by the next order.
            self.tell(&format!("a former record stays in the DNS: {}", error.summary));
        }
        self.forget(&gone).await
    }

    /// Forgets records that are not in the DNS any more.
    async fn forget(&self, gone: &[TxtRecord]) -> Result<(), Failed> {
        let forgotten = self.remember(|records| records.retain(|record| !gone.contains(record)));
        forgotten.await.map_err(Failed::node)
    }

    async fn publishing(&self, proofs: &[Proof]) -> Result<Publishing, Diagnostic> {
        let secret = self.context.secrets.get(DNS_SECRET);
        self.context.issuance.publishing(self.order, secret, proofs).await
    }

    /// Changes what is remembered of records in the DNS.
    async fn remember(&self, change: impl FnOnce(&mut Vec<TxtRecord>) + Send) -> Result<(), Diagnostic> {
        let remember = self.context.issuance.remember(self.context.spec, self.name, |remembered| {
            change(&mut remembered.records);
        });
        remember.await
    }

    /// A proof that stays is a remark: what was proven is proven.
    fn taken_away(&self, result: Result<(), Diagnostic>) {
        if let Err(error) = result {
            self.tell(&format!("its proof could not be taken away: {}", error.summary));
        }
    }
}
