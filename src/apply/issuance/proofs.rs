//! What shows an authority that names are ours, for as long as it looks: records in the DNS, files that nginx answers with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::Issuance;
use crate::acme::Proof;
use crate::acme::dns::{self, DnsChallenges};
use crate::acme::http::Http;
use crate::acme::resolver::Resolver;
use crate::apply::generation::Readers;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host};
use crate::plan::issuance::{CertificateOrder, TxtRecord};
use crate::plan::observation::FileType;
use crate::plan::{Answer, NodeSpec, Query};
use crate::value::Secret;

/// How long it may take until all records of an order are published, beside what their servers may take to answer with
/// them.
const PUBLISHES: Duration = Duration::from_mins(15);

/// How long it may take to withdraw them.
const WITHDRAWS: Duration = Duration::from_mins(10);

/// Records that an authority asks for, while it does.
pub(in crate::apply) struct Publishing {
    provider: Box<dyn DnsChallenges>,
    resolver: Resolver,
    records: Vec<TxtRecord>,
}

impl Publishing {
    /// A record for each proof.
    pub(in crate::apply) async fn of(
        (host, resolver): (&Arc<dyn Host>, Resolver),
        order: &CertificateOrder,
        secret: Option<&Secret>,
        proofs: &[Proof],
    ) -> Result<Self, Diagnostic> {
        let Some(provider) = &order.dns else {
            return Err(Diagnostic::error("nobody is named who changes DNS records"));
        };
        let provider = dns::provider(provider, secret, host, &Http::new(None)?)?;
        let mut records = Vec::new();
        let found = async {
            for proof in proofs {
                records.push(dns::challenge_record(&resolver, &proof.name, proof.record.clone()).await?);
            }
            Ok::<_, Diagnostic>(())
        };
        within(PUBLISHES, "finding out where the DNS records belong", found).await?;
        Ok(Self { provider, resolver, records })
    }

    /// What is remembered of them.
    pub(in crate::apply) fn records(&self) -> Vec<TxtRecord> {
        self.records.clone()
    }

    /// Publishes them, and waits until their servers answer with all.
    pub(in crate::apply) async fn publish(&self, order: &CertificateOrder) -> Result<(), Diagnostic> {
        let published = async {
            for record in &self.records {
                self.provider.publish(record).await?;
            }
            Ok(())
        };
        let what = format!("publishing {} DNS records", self.records.len());
        within(PUBLISHES, &what, published).await?;
        let patience = Duration::from_secs(order.propagation.into());
        Ok(dns::wait_until_published(&self.resolver, &self.records, patience).await?)
    }

    /// Takes them away; what is not there is none.
    pub(in crate::apply) async fn withdraw(&self) -> Result<(), Diagnostic> {
        let withdrawn = async {
            let mut result = Ok(());
            for record in &self.records {
                result = result.and(self.provider.withdraw(record).await.map_err(Diagnostic::from));
            }
            result
        };
        within(WITHDRAWS, &format!("withdrawing {} DNS records", self.records.len()), withdrawn).await
    }

    /// Takes away what an order before has left; gives what has gone, and why something else has not.
    pub(in crate::apply) async fn sweep(&self, left: &[TxtRecord]) -> (Vec<TxtRecord>, Option<Diagnostic>) {
        let mut gone = Vec::new();
        let swept = async {
            let mut result = Ok(());
            for record in left {
                match self.provider.withdraw(record).await {
                    Ok(()) => gone.push(record.clone()),
                    Err(error) => result = result.and(Err(error.into())),
                }
            }
            result
        };
        let failed = within(WITHDRAWS, "withdrawing former DNS records", swept).await.err();
        (gone, failed)
    }
}

/// What a provider does, in one bound of time for all records.
async fn within(
    patience: Duration,
    what: &str,
    done: impl Future<Output = Result<(), Diagnostic>>,
) -> Result<(), Diagnostic> {
    tokio::time::timeout(patience, done).await.unwrap_or_else(|_| {
        let waited = patience.as_secs() / 60;
        Err(Diagnostic::error(format!("{what} was not done within {waited} min"))
            .code("dns")
            .help("see why the DNS provider is slow; a certificate with fewer names needs fewer records"))
    })
}

/// Files that an authority asks for, while it does.
pub(in crate::apply) struct Shown<'a> {
    host: &'a dyn Host,
    files: Vec<PathBuf>,
}

/// Whether a name is one of a file that an authority may ask for: base64 for URLs.
fn is_token(name: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.len() <= 256 && name.bytes().all(is_digit)
}

/// The directories of files to be shown that hold nothing of former runs.
#[derive(Debug, Default)]
pub(super) struct Swept(Mutex<BTreeSet<PathBuf>>);

impl Swept {
    /// Removes the files that former runs left in a directory, once a run: whoever holds the node is alone there, and shows
    /// nothing before.
    async fn sweep(&self, host: &dyn Host, directory: &Path) -> Result<(), Diagnostic> {
        let mut swept = self.0.lock().await;
        if swept.contains(directory) {
            return Ok(());
        }
        let found = host.observe(&[Query::Entries(directory.to_owned())]).await.pop();
        if let Some(Answer::Entries(entries)) = found {
            let is_left = |(name, found): &(String, FileType)| {
                let unfinished = name.strip_prefix('.').and_then(|name| name.strip_suffix(".new"));
                *found == FileType::File && is_token(unfinished.unwrap_or(name))
            };
            let left = entries.into_iter().filter(is_left);
            let remove = left.map(|(name, _)| FileOperation::Remove { path: directory.join(name) });
            host.files(remove.collect()).await?;
        }
        swept.insert(directory.to_owned());
        Ok(())
    }
}

/// Below the directory that challenges are answered from (RFC 8555, section 8.3).
pub(in crate::apply) const WELL_KNOWN: &str = ".well-known/acme-challenge";

impl<'a> Shown<'a> {
    /// Writes each file, by its name, where nginx's workers read it.
    pub(in crate::apply) async fn show(
        host: &'a dyn Host,
        spec: &NodeSpec,
        issuance: &Issuance,
        files: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Diagnostic> {
        let readers = Readers::of(host, spec).await?;
        let top = spec.challenges();
        let directory = top.join(WELL_KNOWN);
        let make = |path: PathBuf| FileOperation::MakeDirectory { path, access: readers.directory() };
        issuance.swept.sweep(host, &directory).await?;
        let mut operations = vec![make(top.clone()), make(top.join(".well-known")), make(directory.clone())];
        let mut shown = Vec::new();
        for (name, content) in files {
            if !is_token(&name) {
                return Err(Diagnostic::error("the authority's token is no name of a file").help(
                    "it must be base64 for URLs (RFC 8555, section 8.3): this is no authority to trust",
                ));
            }
            let path = directory.join(name);
            operations.push(FileOperation::Replace {
                path: path.clone(),
                access: readers.file(),
                bytes: content.into_bytes().into(),
            });
            shown.push(path);
        }
        host.files(operations).await?;
        Ok(Self { host, files: shown })
    }

    /// Takes them away.
    pub(in crate::apply) async fn hide(self) -> Result<(), Diagnostic> {
        let remove = self.files.into_iter().map(|path| FileOperation::Remove { path });
        Ok(self.host.files(remove.collect()).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_is_one_bound_for_all_records() {
        let never = std::future::pending();
        let error = within(Duration::from_millis(1), "publishing 3 DNS records", never).await.unwrap_err();
        insta::assert_snapshot!(error.summary, @"publishing 3 DNS records was not done within 0 min");
        assert!(within(PUBLISHES, "nothing", async { Ok(()) }).await.is_ok());
    }
}
