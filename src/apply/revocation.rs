//! Certificates that are taken back by the authority that issued them.

use std::path::PathBuf;
use std::sync::Arc;

use super::certificate::{CHAIN, KEY};
use super::issuance::{Issuance, kept};
use super::lock::{held, lock_file};
use super::required;
use crate::acme::{Authority as _, Reason, Refused, explain_revocation};
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host, first_der};
use crate::plan::NodeSpec;
use crate::plan::action::Access;
use crate::plan::issuance::lineage::FILE_MODE;
use crate::plan::issuance::{Authority, REVOKED, Revocation, Revoked};
use crate::value::Secret;

/// A certificate that is to be revoked.
#[derive(Debug)]
pub struct Revoking {
    /// Its name.
    pub name: String,
    /// Who issued it.
    pub authority: Authority,
    /// The account that it was issued to.
    pub account: Option<String>,
    /// The directory of the issue.
    pub directory: PathBuf,
    /// The digest of its chain's file.
    pub digest: String,
}

/// How a certificate came to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokedBy {
    /// Through the account that it was issued to.
    Account,
    /// With its own key: the account has gone.
    OwnKey,
    /// It was before.
    Before,
}

/// Has a certificate revoked by who issued it, and remembers that.
///
/// # Errors
/// Another run holds the node, the certificate cannot be read, or the authority refuses.
pub async fn revoke(
    host: &Arc<dyn Host>,
    spec: &NodeSpec,
    certificate: &Revoking,
    reason: Revocation,
) -> Result<RevokedBy, Diagnostic> {
    let _held = host.lock(&lock_file(spec)).await?.ok_or_else(|| held(spec))?;
    let issuance = Issuance::new(Arc::clone(host));
    // What cannot be remembered is not done.
    issuance.look(spec, |_| ()).await?;
    let Revoking { name, authority, directory, digest, .. } = certificate;
    let [chain] = required::read(&**host, [&directory.join(CHAIN)]).await?;
    let unreadable = || {
        Diagnostic::error(format!("`{}` is no certificate", directory.join(CHAIN).display()))
            .help("`vsa plan` says what is wrong with its files; another one takes its place by `vsa apply`")
    };
    let der = first_der(&chain).ok_or_else(unreadable)?;
    let refused = |refused: Refused| explain_revocation(&refused, &authority.directory, name);
    let asked = kept(&**host, spec, authority).await.map_err(|failed| failed.told(refused))?;
    // Another account than the one that it was issued to would be refused.
    let client = asked
        .client
        .filter(|client| certificate.account.as_deref().is_none_or(|account| account == client.account()));
    let through_account = match client {
        Some(client) => Some(client.revoke(&der, reason).await),
        None => None,
    };
    let by = match through_account {
        Some(Ok(())) => RevokedBy::Account,
        Some(Err(error)) if error.reason == Reason::AlreadyRevoked => RevokedBy::Before,
        Some(Err(error)) if !matches!(error.reason, Reason::Account | Reason::NotOwner) => {
            return Err(refused(error));
        }
        None | Some(Err(_)) => {
            let [key] = required::read(&**host, [&directory.join(KEY)]).await?;
            let key = Secret::new(String::from_utf8_lossy(&key).into_owned());
            match asked.directory.revoke_with_key(&der, &key, reason).await {
                Ok(()) => RevokedBy::OwnKey,
                Err(error) if error.reason == Reason::AlreadyRevoked => RevokedBy::Before,
                Err(error) => return Err(refused(error)),
            }
        }
    };
    let at = host.now().await;
    let revoked = Revoked { digest: digest.clone(), at, reason };
    let text = serde_json::to_string(&revoked).unwrap_or_default();
    // It goes with the issue, wherever what the node remembers goes.
    let access = Access { owner: None, group: None, mode: FILE_MODE };
    let note = FileOperation::Replace { path: directory.join(REVOKED), access, bytes: text.into() };
    let noted = host.files(vec![note]).await.map_err(Diagnostic::from);
    let remembered = issuance.remember(spec, name, |remembered| remembered.revoke(revoked)).await;
    noted.and(remembered).map(|()| by).map_err(|error| {
        error
            .detail("its authority has revoked it: plans go on as if it had not, where neither note is there")
    })
}
