//! What a run shares between the certificates that it has issued: accounts with authorities, and the ledger.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::generation::Readers;
use crate::acme::dns::{self, DnsChallenges, Record};
use crate::acme::http::Http;
use crate::acme::resolver::Resolver;
use crate::acme::{
    Account, Authority as _, Client, Directory, ExternalAccount, Proof, Reason, Refused, explain,
};
use crate::diag::Diagnostic;
use crate::digest::sha256;
use crate::host::{FileOperation, Host};
use crate::plan::action::Access;
use crate::plan::issuance::{Authority, CertificateOrder, Ledger, host_of};
use crate::plan::{Answer, NodeSpec, Query};
use crate::value::Secret;

/// What is known of authorities and of a node's certificates, in one run.
#[derive(Debug)]
pub(super) struct Issuance {
    host: Arc<dyn Host>,
    authorities: Mutex<BTreeMap<(PathBuf, Authority), Arc<Client>>>,
    ledgers: Mutex<BTreeMap<PathBuf, Ledger>>,
    lasts: AtomicBool,
}

/// Records that an authority asks for, while it does.
pub(super) struct Published {
    provider: Box<dyn DnsChallenges>,
    records: Vec<Record>,
}

/// A file that nobody else may read.
pub(super) fn private() -> Access {
    Access { owner: None, group: None, mode: 0o600 }
}

/// A directory that nobody else may enter.
fn secluded() -> Access {
    Access { owner: None, group: None, mode: 0o700 }
}

impl Issuance {
    pub(super) fn new(host: Arc<dyn Host>) -> Self {
        let (authorities, ledgers) = Default::default();
        Self { host, authorities, ledgers, lasts: AtomicBool::new(false) }
    }

    /// Publishes a record for each proof, and waits until their servers answer with it.
    pub(super) async fn publish(
        &self,
        order: &CertificateOrder,
        secret: Option<&Secret>,
        proofs: &[Proof],
    ) -> Result<Published, Diagnostic> {
        let resolver = Resolver::new(&order.servers())?;
        let Some(provider) = &order.dns else {
            return Err(Diagnostic::error("nobody is named who changes DNS records"));
        };
        let provider = dns::provider(provider, secret, &self.host, &Http::new(None)?)?;
        let mut published = Published { provider, records: Vec::new() };
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

    /// Whether the run has left something on a node that stays when it is taken back.
    pub(super) fn lasts(&self) -> bool {
        self.lasts.load(Ordering::SeqCst)
    }

    /// Changes what the node remembers, and keeps it.
    pub(super) async fn remember<T>(
        &self,
        host: &dyn Host,
        spec: &NodeSpec,
        change: impl FnOnce(&mut Ledger) -> T + Send,
    ) -> Result<T, Diagnostic> {
        let path = spec.ledger();
        let mut ledgers = self.ledgers.lock().await;
        let before = match ledgers.get(&path) {
            Some(known) => known.clone(),
            None => read(host, &path).await?,
        };
        let mut ledger = before.clone();
        let told = change(&mut ledger);
        if ledger != before {
            self.lasts.store(true, Ordering::SeqCst);
            let bytes = ledger.text().into_bytes().into();
            let directory = FileOperation::MakeDirectory { path: spec.accounts(), access: secluded() };
            let replace = FileOperation::Replace { path: path.clone(), access: private(), bytes };
            host.files(vec![directory, replace]).await?;
        }
        // What could not be kept is not known either: the next change is written with it.
        ledgers.insert(path, ledger);
        Ok(told)
    }

    /// An authority with the node's account, which is made where there is none.
    pub(super) async fn authority(
        &self,
        host: &dyn Host,
        spec: &NodeSpec,
        authority: &Authority,
        key: Option<&Secret>,
        certificate: &str,
    ) -> Result<Arc<Client>, Diagnostic> {
        let mut authorities = self.authorities.lock().await;
        let known = (spec.root.clone(), authority.clone());
        if let Some(client) = authorities.get(&known) {
            return Ok(Arc::clone(client));
        }
        let private = match &authority.ca {
            Some(path) => Some(root(host, path).await?),
            None => None,
        };
        let http = Http::new(private.as_deref()).map_err(|error| match &authority.ca {
            Some(path) => Diagnostic { summary: format!("`{}`: {}", path.display(), error.summary), ..error },
            None => error,
        })?;
        let refused = |refused: Refused| explain(&refused, &authority.directory, certificate);
        let directory = Directory::read(&http, &authority.directory).await.map_err(refused)?;
        let account = account(host, spec, &directory, authority, key).await.map_err(|error| match error {
            Failed::Refused(error) => refused(error),
            Failed::Here(error) => error,
        })?;
        let client = Arc::new(directory.with(account).map_err(refused)?);
        authorities.insert(known, Arc::clone(&client));
        tracing::debug!(account = client.account(), "an authority knows the node");
        Ok(client)
    }
}

async fn read(host: &dyn Host, path: &Path) -> Result<Ledger, Diagnostic> {
    match host.observe(&[Query::Ledger(path.to_owned())]).await.pop() {
        Some(Answer::Ledger(ledger)) => Ok((*ledger).clone()),
        Some(Answer::Failed(why)) => Err(Diagnostic::error(format!(
            "cannot read `{}`: {why}",
            path.display()
        ))
        .help(
            "it holds what is remembered of failed attempts and limits: mend it, or remove it to begin anew",
        )),
        _ => Ok(Ledger::default()),
    }
}

async fn root(host: &dyn Host, path: &Path) -> Result<Vec<u8>, Diagnostic> {
    let why = match host.observe(&[Query::Read(path.to_owned())]).await.pop() {
        Some(Answer::Bytes(bytes)) => return Ok(bytes),
        Some(Answer::Failed(why)) => why,
        _ => "there is no such file".to_owned(),
    };
    Err(Diagnostic::error(format!("cannot read the root certificate `{}`: {why}", path.display()))
        .help("`acme { ca }` names a PEM file on the node"))
}

/// Why there is no account.
enum Failed {
    Refused(Refused),
    Here(Diagnostic),
}

/// Where an account is kept: by the authority, and the key that names it there.
fn file(spec: &NodeSpec, authority: &Authority) -> PathBuf {
    let host = host_of(&authority.directory);
    let host: String = host
        .chars()
        .map(|char| if char.is_ascii_alphanumeric() || char == '.' { char } else { '-' })
        .collect();
    let what = format!("{} {}", authority.directory, authority.key_id.as_deref().unwrap_or_default());
    let digest = sha256(what.as_bytes());
    spec.accounts().join(format!("{host}-{}.json", digest.get(..12).unwrap_or_default()))
}

/// The account that is kept, or a new one.
async fn account(
    host: &dyn Host,
    spec: &NodeSpec,
    directory: &Directory,
    authority: &Authority,
    key: Option<&Secret>,
) -> Result<Account, Failed> {
    let path = file(spec, authority);
    match host.observe(&[Query::Read(path.clone())]).await.pop() {
        Some(Answer::Bytes(bytes)) => {
            let text = String::from_utf8(bytes)
                .map_err(|_| Failed::Refused(Refused::new(Reason::Account, "its file is no text")))?;
            return Ok(Account(Secret::new(text)));
        }
        Some(Answer::Failed(why)) => {
            let error = format!("cannot read the account `{}`: {why}", path.display());
            return Err(Failed::Here(Diagnostic::error(error)));
        }
        _ => {}
    }
    let external = match (&authority.key_id, key) {
        (Some(key_id), Some(key)) => Some(ExternalAccount { key_id, key }),
        _ => None,
    };
    if directory.wants_external_account() && external.is_none() {
        let detail = "it wants an account that it knows already";
        return Err(Failed::Refused(Refused::new(Reason::ExternalAccount, detail)));
    }
    let email = authority.email.as_deref();
    let account = directory.register(email, external.as_ref()).await.map_err(Failed::Refused)?;
    let bytes = account.0.expose().as_bytes().to_vec().into();
    let operations = vec![
        FileOperation::MakeDirectory { path: spec.accounts(), access: secluded() },
        FileOperation::Replace { path: path.clone(), access: private(), bytes },
        FileOperation::Sync { path },
        FileOperation::Sync { path: spec.accounts() },
    ];
    host.files(operations).await.map_err(|error| Failed::Here(error.into()))?;
    Ok(account)
}

impl Published {
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
    pub(super) async fn withdraw(self) -> Result<(), Diagnostic> {
        let mut result = Ok(());
        for record in &self.records {
            result = result.and(self.provider.withdraw(record).await.map_err(Diagnostic::from));
        }
        result
    }
}

/// Files that an authority asks for, while it does.
pub(super) struct Shown<'a> {
    host: &'a dyn Host,
    files: Vec<PathBuf>,
}

/// Below the directory that challenges are answered from (RFC 8555, section 8.3).
pub(super) const WELL_KNOWN: &str = ".well-known/acme-challenge";

impl<'a> Shown<'a> {
    /// Writes each file, by its name, where nginx's workers read it.
    pub(super) async fn show(
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
    pub(super) async fn hide(self) -> Result<(), Diagnostic> {
        let remove = self.files.into_iter().map(|path| FileOperation::Remove { path });
        Ok(self.host.files(remove.collect()).await?)
    }
}
