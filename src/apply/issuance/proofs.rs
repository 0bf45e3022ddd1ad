//! What shows an authority that names are ours, for as long as it looks: records in the DNS, files that nginx answers with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::acme::Proof;
use crate::acme::dns::{self, DnsChallenges, Record};
use crate::acme::http::Http;
use crate::acme::resolver::Resolver;
use crate::apply::generation::Readers;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host};
use crate::plan::NodeSpec;
use crate::plan::issuance::CertificateOrder;
use crate::value::Secret;

/// Records that an authority asks for, while it does.
pub(in crate::apply) struct Published {
    provider: Box<dyn DnsChallenges>,
    records: Vec<Record>,
}

impl Published {
    /// Publishes a record for each proof, and waits until their servers answer with it.
    pub(in crate::apply) async fn publish(
        host: &Arc<dyn Host>,
        order: &CertificateOrder,
        secret: Option<&Secret>,
        proofs: &[Proof],
    ) -> Result<Self, Diagnostic> {
        let resolver = Resolver::new(&order.servers())?;
        let Some(provider) = &order.dns else {
            return Err(Diagnostic::error("nobody is named who changes DNS records"));
        };
        let provider = dns::provider(provider, secret, host, &Http::new(None)?)?;
        let mut published = Self { provider, records: Vec::new() };
        let done = published.all(&resolver, order, proofs).await;
        match done {
            Ok(()) => Ok(published),
            Err(error) => {
                // What was published so far is of no use.
                let _ = published.withdraw().await;
                Err(error)
            }
        }
    }

    async fn all(
        &mut self,
        resolver: &Resolver,
        order: &CertificateOrder,
        proofs: &[Proof],
    ) -> Result<(), Diagnostic> {
        for proof in proofs {
            let record = Record::of(resolver, &proof.name, proof.record.clone()).await?;
            // Noted before: what is half done is withdrawn too.
            self.records.push(record.clone());
            self.provider.publish(&record).await?;
        }
        let patience = Duration::from_secs(order.propagation.into());
        Ok(dns::wait_until_published(resolver, &self.records, patience).await?)
    }

    /// Takes them away.
    pub(in crate::apply) async fn withdraw(self) -> Result<(), Diagnostic> {
        let mut result = Ok(());
        for record in &self.records {
            result = result.and(self.provider.withdraw(record).await.map_err(Diagnostic::from));
        }
        result
    }
}

/// Files that an authority asks for, while it does.
pub(in crate::apply) struct Shown<'a> {
    host: &'a dyn Host,
    files: Vec<PathBuf>,
}

/// Below the directory that challenges are answered from (RFC 8555, section 8.3).
pub(in crate::apply) const WELL_KNOWN: &str = ".well-known/acme-challenge";

impl<'a> Shown<'a> {
    /// Writes each file, by its name, where nginx's workers read it.
    pub(in crate::apply) async fn show(
        host: &'a dyn Host,
        spec: &NodeSpec,
        files: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Diagnostic> {
        let readers = Readers::of(host, spec).await?;
        let top = spec.challenges();
        let directory = top.join(WELL_KNOWN);
        let make = |path: PathBuf| FileOperation::MakeDirectory { path, access: readers.directory() };
        let mut operations = vec![make(top.clone()), make(top.join(".well-known")), make(directory.clone())];
        let mut shown = Vec::new();
        for (name, content) in files {
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if name.is_empty() || name.len() > 256 || !name.bytes().all(is_token) {
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
