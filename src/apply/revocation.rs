//! Certificates that are taken back by the authority that issued them.

use std::sync::Arc;

use super::issuance::Issuance;
use super::lock::{held, lock_file};
use super::renewal_info::Inquiry;
use crate::acme::{Authority as _, Revocation, explain};
use crate::diag::Diagnostic;
use crate::host::{Host, first_der};
use crate::plan::issuance::{RenewalInfo, Window};
use crate::plan::{Answer, NodeSpec, Query};

/// Has a certificate revoked through the node's account, and remembers that another one is due.
///
/// # Errors
/// Another run holds the node, the certificate cannot be read, or the authority refuses.
pub async fn revoke(
    host: &Arc<dyn Host>,
    spec: &NodeSpec,
    certificate: &Inquiry,
    reason: Revocation,
) -> Result<(), Diagnostic> {
    let _held = host.lock(&lock_file(spec)).await?.ok_or_else(|| held(spec))?;
    let issuance = Issuance::new(Arc::clone(host));
    let Inquiry { name, authority, key, chain, digest } = certificate;
    let unreadable =
        |why: &str| Diagnostic::error(format!("cannot read the certificate `{}`: {why}", chain.display()));
    let der = match host.observe(&[Query::Read(chain.clone())]).await.pop() {
        Some(Answer::Bytes(bytes)) => first_der(&bytes).ok_or_else(|| unreadable("it is no certificate"))?,
        Some(Answer::Failed(why)) => return Err(unreadable(&why)),
        _ => return Err(unreadable("there is no such file")),
    };
    let client = issuance.authority(spec, authority, key.as_ref(), name).await?;
    let revoked = client.revoke(&der, reason).await;
    revoked.map_err(|refused| explain(&refused, &authority.directory, name))?;
    let now = host.now().await;
    let remembered = issuance.remember(spec, name, |remembered| {
        // As the authority would say of it: now.
        let window = Some(Window { start: now, end: now });
        remembered.renewal = Some(RenewalInfo { digest: digest.clone(), window, ask_again: i64::MAX });
    });
    remembered.await
}
