//! What authorities say about when certificates should be renewed (RFC 9773), kept in the ledger of their node.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::timeout;

use super::issuance::{Issuance, Kept, kept};
use super::lock::{held, lock_file};
use crate::acme::{Authority as _, explain};
use crate::diag::Diagnostic;
use crate::host::{Host, first_der};
use crate::plan::issuance::{Authority, Ledger, RenewalInfo, Window};
use crate::plan::{Answer, NodeSpec, Query};

/// How long an authority may take to answer for all certificates: nobody waits for what is only a hint.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many are asked about at once.
const AT_ONCE: usize = 10;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A certificate whose authority may have something to say about its renewal.
#[derive(Debug)]
pub struct Inquiry {
    /// Its name.
    pub name: String,
    /// Who issued it.
    pub authority: Authority,
    /// The PEM file with the certificate and its chain.
    pub chain: PathBuf,
    /// The digest of that file.
    pub digest: String,
}

/// What a node remembers of its certificates, with what their authorities say about renewal: those are asked of which
/// nothing is known, and those whose answer is no longer to be relied on. One that does not answer is asked later.
///
/// # Errors
/// Another run holds the node, or what it remembers cannot be read or kept.
pub async fn renewal_info(
    host: &Arc<dyn Host>,
    spec: &NodeSpec,
    inquiries: Vec<Inquiry>,
) -> Result<Ledger, Diagnostic> {
    let issuance = Issuance::new(Arc::clone(host));
    let now = host.now().await;
    let ledger = issuance.look(spec, Ledger::clone).await?;
    let is_open = |inquiry: &Inquiry| {
        let known = ledger.certificates.get(&inquiry.name).and_then(|known| known.renewal.as_ref());
        known.is_none_or(|known| known.digest != inquiry.digest || !known.holds(now))
    };
    let open: Vec<Inquiry> = inquiries.into_iter().filter(is_open).collect();
    if open.is_empty() {
        return Ok(ledger);
    }
    let _held = host.lock(&lock_file(spec)).await?.ok_or_else(|| held(spec))?;
    let mut by_authority: BTreeMap<Authority, Vec<Inquiry>> = BTreeMap::new();
    for inquiry in open {
        by_authority.entry(inquiry.authority.clone()).or_default().push(inquiry);
    }
    let asked = by_authority
        .into_iter()
        .map(|(authority, inquiries)| async move { ask(&**host, spec, &authority, inquiries).await });
    let told: Vec<_> = futures_util::future::join_all(asked).await.into_iter().flatten().collect();
    // What was known before this run took the lock may have changed.
    let issuance = Issuance::new(Arc::clone(host));
    let kept = issuance.change(spec, |ledger| {
        for (name, told) in told {
            let remembered = ledger.of(&name);
            let former = remembered.renewal.take().filter(|former| former.digest == told.digest);
            let window = match told.answer {
                Said::Window(window) => Some(window),
                Said::Nothing => None,
                // An authority that does not answer has not changed its mind.
                Said::Unknown => former.and_then(|former| former.window),
            };
            remembered.renewal = Some(RenewalInfo { digest: told.digest, window, ask_again: told.ask_again });
        }
        ledger.clone()
    });
    kept.await
}

/// What an authority says about when a certificate should be renewed.
enum Said {
    /// In this window.
    Window(Window),
    /// That is its owner's to know.
    Nothing,
    /// What cannot be understood, or it did not answer.
    Unknown,
}

/// What came of asking about a certificate.
struct Told {
    digest: String,
    answer: Said,
    ask_again: i64,
}

async fn ask(
    host: &dyn Host,
    spec: &NodeSpec,
    authority: &Authority,
    inquiries: Vec<Inquiry>,
) -> Vec<(String, Told)> {
    let now = host.now().await;
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    let digests: Vec<(String, String)> =
        inquiries.iter().map(|inquiry| (inquiry.name.clone(), inquiry.digest.clone())).collect();
    let Some(first) = inquiries.first() else { return Vec::new() };
    let name = first.name.clone();
    let all = async {
        let asked = kept(host, spec, authority).await;
        let account = spec.account(authority);
        let refused = |refused| explain(&refused, &authority.directory, &name, &account);
        let client = match asked.map_err(|failed| failed.told(refused)) {
            Ok(Kept { client: Some(client), .. }) => client,
            Ok(_) => {
                tracing::debug!(
                    authority = authority.directory,
                    "the account has gone that renewal is asked by"
                );
                return;
            }
            Err(error) => {
                tracing::debug!(error = error.summary, "an authority cannot be asked about renewal");
                return;
            }
        };
        let client = &client;
        let mut answers = stream::iter(inquiries)
            .map(|inquiry| async move {
                let read = host.observe(&[Query::Read(inquiry.chain.clone())]).await.pop();
                let certificate = match read {
                    Some(Answer::Bytes(bytes)) => first_der(&bytes),
                    _ => None,
                };
                let answer = match certificate {
                    Some(certificate) => client.window(&certificate).await.map_err(|error| error.detail),
                    None => Err("the certificate cannot be read".to_owned()),
                };
                (inquiry, answer)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((inquiry, answer)) = answers.next().await {
            let (answer, after) = match answer {
                Ok(Some((window, again))) => {
                    let again = i64::try_from(again.as_secs()).unwrap_or(DAY);
                    (Said::Window(window), again.clamp(MINUTE, DAY))
                }
                Ok(None) => (Said::Nothing, DAY),
                Err(why) => {
                    tracing::debug!(certificate = inquiry.name, why, "nothing is known about its renewal");
                    (Said::Unknown, HOUR)
                }
            };
            let ask_again = now.saturating_add(after);
            told.insert(inquiry.name, Told { digest: inquiry.digest, answer, ask_again });
        }
    };
    if timeout(PATIENCE, all).await.is_err() {
        tracing::debug!(authority = authority.directory, "an authority takes too long about renewals");
    }
    let unanswered = |digest| Told { digest, answer: Said::Unknown, ask_again: now.saturating_add(HOUR) };
    digests
        .into_iter()
        .map(|(name, digest)| {
            let told = told.remove(&name).unwrap_or_else(|| unanswered(digest));
            (name, told)
        })
        .collect()
}
