//! Accounts with authorities: one that is kept is taken, where there is none one is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Turn, OnceCell};

use super::{private, secluded};
use crate::acme::http::Http;
use crate::acme::{Account, Authority as _, Client, Directory, ExternalAccount, Reason, Refused};
use crate::apply::required;
use crate::diag::Diagnostic;
use crate::digest::sha256;
use crate::host::{FileOperation, Host};
use crate::plan::issuance::{Authority, account, host_of};
use crate::plan::{Answer, NodeSpec, Query};
use crate::value::Secret;

/// Who asks: the directory of the node, the authority, and a digest of the key that names the account there.
type Asked = (PathBuf, Authority, Option<String>);

/// What came of the first attempt: nobody who asks later makes another one in the same run.
type Attempt = Arc<OnceCell<Result<Arc<Client>, Unasked>>>;

/// The authorities of a run.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    attempts: Mutex<BTreeMap<Asked, Attempt>>,
    /// By the files of accounts: two who find none would make two accounts, and lose one.
    turns: Mutex<BTreeMap<PathBuf, Arc<Turn<()>>>>,
    remarks: Mutex<Vec<String>>,
}

/// Why an authority cannot be asked.
#[derive(Clone, Debug)]
pub(in crate::apply) enum Unasked {
    /// It refused, or did not answer.
    Refused(Refused),
    /// Something is wrong on the node.
    Here(Box<Diagnostic>),
}

impl Unasked {
    /// As an error; what is refused is told by `refused`.
    pub(in crate::apply) fn told(self, refused: impl FnOnce(Refused) -> Diagnostic) -> Diagnostic {
        match self {
            Self::Refused(why) => refused(why),
            Self::Here(error) => *error,
        }
    }
}

impl From<Refused> for Unasked {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Diagnostic> for Unasked {
    fn from(error: Diagnostic) -> Self {
        Self::Here(Box::new(error))
    }
}

impl Accounts {
    /// What is to be said of them, once.
    pub(super) fn remarks(&self) -> Vec<String> {
        std::mem::take(&mut *self.remarks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An authority with the node's account. The first who asks for it connects, all others wait for what comes of that,
    /// its failure too; different authorities are asked at the same time.
    pub(super) async fn authority(
        &self,
        host: &dyn Host,
        spec: &NodeSpec,
        authority: &Authority,
        key: Option<&Secret>,
    ) -> Result<Arc<Client>, Unasked> {
        let key_digest = key.map(|key| sha256(key.expose().as_bytes()));
        let asked = (spec.root.clone(), authority.clone(), key_digest);
        let attempt = entry(&self.attempts, asked);
        attempt.get_or_init(|| self.connect(host, spec, authority, key)).await.clone()
    }

    async fn connect(
        &self,
        host: &dyn Host,
        spec: &NodeSpec,
        authority: &Authority,
        key: Option<&Secret>,
    ) -> Result<Arc<Client>, Unasked> {
        let http = http(host, authority).await?;
        let directory = Directory::read(&http, &authority.directory).await?;
        let turn = entry(&self.turns, spec.account(authority));
        let _turn = turn.lock().await;
        let account = account(host, spec, &directory, authority, key).await?;
        let client = Arc::new(directory.with(account.clone())?);
        if let Err(why) = write_to(host, spec, authority, &account, &client).await {
            let host = host_of(&authority.directory);
            let remark = format!("the authority {host} was not told the new `email`: {why}");
            self.remarks.lock().unwrap_or_else(PoisonError::into_inner).push(remark);
        }
        tracing::debug!(account = client.account(), "an authority knows the node");
        Ok(client)
    }
}

/// What stands for a key; what is made anew where nothing does.
fn entry<K: Ord, V: Default>(all: &Mutex<BTreeMap<K, Arc<V>>>, key: K) -> Arc<V> {
    Arc::clone(all.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default())
}

/// A client that trusts the authority's own root.
async fn http(host: &dyn Host, authority: &Authority) -> Result<Http, Diagnostic> {
    let private = match &authority.ca {
        Some(path) => {
            let missing = |error: Diagnostic| error.help("`acme { ca }` names a PEM file on the node");
            let [root] = required::read(host, [path]).await.map_err(missing)?;
            Some(root)
        }
        None => None,
    };
    Http::new(private.as_deref()).map_err(|error| match &authority.ca {
        Some(path) => Diagnostic { summary: format!("`{}`: {}", path.display(), error.summary), ..error },
        None => error,
    })
}

/// An authority, with the node's account where one is kept.
pub(in crate::apply) struct Kept {
    pub(in crate::apply) directory: Directory,
    pub(in crate::apply) client: Option<Client>,
}

/// Asks an authority for nothing that is new: where no account is kept, none is made.
pub(in crate::apply) async fn kept(
    host: &dyn Host,
    spec: &NodeSpec,
    authority: &Authority,
) -> Result<Kept, Unasked> {
    let http = http(host, authority).await?;
    let directory = Directory::read(&http, &authority.directory).await?;
    let account = read_account(host, &spec.account(authority)).await?;
    let registered = account.filter(|account| !account.is_unregistered());
    let client = registered.map(|account| directory.with(account)).transpose()?;
    Ok(Kept { directory, client })
}

async fn read_account(host: &dyn Host, path: &Path) -> Result<Option<Account>, Unasked> {
    match host.observe(&[Query::Read(path.to_owned())]).await.pop() {
        Some(Answer::Bytes(bytes)) => {
            let unusable = |why: &str| Unasked::from(account::unusable(path, why));
            if let Some(why) = account::wrong(&bytes) {
                return Err(unusable(why));
            }
            let text = String::from_utf8(bytes).map_err(|_| unusable("it is no text"))?;
            let account = Account(Secret::new(text));
            if account.has_key() { Ok(Some(account)) } else { Err(unusable("its key cannot be read")) }
        }
        Some(Answer::Failed(why)) => Err(account::unusable(path, &why).into()),
        _ => Ok(None),
    }
}

/// The account that is kept, or a new one.
async fn account(
    host: &dyn Host,
    spec: &NodeSpec,
    directory: &Directory,
    authority: &Authority,
    key: Option<&Secret>,
) -> Result<Account, Unasked> {
    let path = spec.account(authority);
    let kept = read_account(host, &path).await?;
    if let Some(account) = kept.as_ref().filter(|account| !account.is_unregistered()) {
        return Ok(account.clone());
    }
    // A run was ended before it knew whether the authority had taken the key.
    let found = match &kept {
        Some(unregistered) => directory.find(unregistered).await?,
        None => None,
    };
    let account = match found {
        Some(account) => account,
        None => register(host, spec, directory, authority, (kept, key)).await?,
    };
    keep(host, spec, path, &account).await?;
    Ok(account)
}

/// Makes an account, with the key that is kept already where there is one.
async fn register(
    host: &dyn Host,
    spec: &NodeSpec,
    directory: &Directory,
    authority: &Authority,
    (kept, key): (Option<Account>, Option<&Secret>),
) -> Result<Account, Unasked> {
    let external = authority.key_id.as_ref().zip(key).map(|(key_id, key)| ExternalAccount { key_id, key });
    if directory.wants_external_account() && external.is_none() {
        let detail = "it wants an account that it knows already";
        return Err(Refused::new(Reason::ExternalAccount, detail).into());
    }
    let unregistered = match kept {
        Some(unregistered) => unregistered,
        None => {
            let made = Account::make()?;
            keep(host, spec, spec.account(authority), &made).await?;
            made
        }
    };
    Ok(directory.register(&unregistered, authority.email.as_deref(), external.as_ref()).await?)
}

async fn keep(host: &dyn Host, spec: &NodeSpec, path: PathBuf, account: &Account) -> Result<(), Diagnostic> {
    let bytes = account.0.expose().as_bytes().to_vec().into();
    let operations = vec![
        FileOperation::MakeDirectory { path: spec.accounts(), access: secluded() },
        FileOperation::Sync { path: spec.root.clone() },
        FileOperation::Replace { path: path.clone(), access: private(), bytes },
        FileOperation::Sync { path },
        FileOperation::Sync { path: spec.accounts() },
    ];
    Ok(host.files(operations).await?)
}

/// Tells the authority where it shall write to, where that is not what it was told before.
async fn write_to(
    host: &dyn Host,
    spec: &NodeSpec,
    authority: &Authority,
    account: &Account,
    client: &Client,
) -> Result<(), String> {
    let email = authority.email.as_deref();
    // A former vsa did not write down what it told.
    if account.email().map_or(email.is_none(), |told| told.as_deref() == email) {
        return Ok(());
    }
    client.write_to(email).await.map_err(|refused| refused.detail)?;
    let account = account.clone().with_email(email);
    keep(host, spec, spec.account(authority), &account).await.map_err(|error| error.summary)
}
