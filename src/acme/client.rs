//! Authorities by way of `instant-acme`.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use hyper::Uri;
use instant_acme::{
    AccountBuilder, AccountCredentials, CertificateIdentifier, Error, Identifier, RevocationReason,
    RevocationRequest,
};
use rustls::pki_types::CertificateDer;

use super::account::Account;
use super::authority::{Authority, NewOrder, Order, Reason, Refused};
use super::directory::Directory;
use super::http::HttpError;
use super::order::Ordered;
use super::refusal::{of_order, refused};
use super::wire::Wire;
use crate::plan::issuance::{Revocation, Window};

/// How often a request is made anew whose nonce was refused: each of them is three by the library. With one nonce in
/// five refused, one in some 10^10 requests fails.
pub(super) const TRIES: u32 = 5;

/// Asks again while the authority refuses the nonce (RFC 8555, section 6.5): it has not done anything then.
macro_rules! steadily {
    ($ask:expr) => {{
        let mut tries = 1;
        loop {
            match $ask.await {
                Err(error)
                    if tries < $crate::acme::client::TRIES && $crate::acme::refusal::is_bad_nonce(&error) =>
                {
                    tries += 1;
                }
                other => break other,
            }
        }
    }};
}
pub(super) use steadily;

/// An authority that knows the account.
pub struct Client {
    pub(super) directory: Directory,
    pub(super) account: Account,
    pub(super) address: String,
    pub(super) identities: Vec<String>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.address)
    }
}

impl Client {
    /// Nothing is proven yet where an order is begun or looked up but whose account it is. What an authority finds wrong
    /// with the request of an account that has its address elsewhere is that address.
    fn of_account(&self, refused: Refused) -> Refused {
        let place = |address: &str| address.parse().ok().and_then(|url: Uri| url.authority().cloned());
        let is_elsewhere = || place(&self.address) != place(&self.directory.accounts);
        let is_about_account = match refused.reason {
            Reason::WrongProof => true,
            Reason::Other => is_elsewhere(),
            _ => false,
        };
        if is_about_account { Refused { reason: Reason::Account, ..refused } } else { refused }
    }

    /// The directory of the authority.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Tells it where to write to (RFC 8555, section 7.3.2).
    pub async fn write_to(&self, email: Option<&str>) -> Result<(), Refused> {
        let wire = self.directory.wire.fresh();
        let session = session(&self.account, &wire).await?;
        let contact = email.map(|email| format!("mailto:{email}"));
        let contacts: Vec<&str> = contact.iter().map(String::as_str).collect();
        steadily!(session.update_contacts(&contacts)).map_err(|error| refused(error, &wire.noted()))
    }
}

pub(super) fn builder(wire: &Wire) -> AccountBuilder {
    instant_acme::Account::builder_with_http(Box::new(wire.clone()))
}

/// The account as the library sees it, over this wire.
pub(super) async fn session(account: &Account, wire: &Wire) -> Result<instant_acme::Account, Refused> {
    let credentials: AccountCredentials = serde_json::from_str(account.0.expose())
        .map_err(|_| Refused::new(Reason::Account, "what is kept of the account cannot be read"))?;
    let session = builder(wire).from_credentials(credentials).await;
    session.map_err(|error| refused(error, &wire.noted()))
}

/// As the library calls it.
pub(super) fn code(reason: Revocation) -> RevocationReason {
    match reason {
        Revocation::Unspecified => RevocationReason::Unspecified,
        Revocation::KeyCompromise => RevocationReason::KeyCompromise,
        Revocation::Superseded => RevocationReason::Superseded,
        Revocation::CessationOfOperation => RevocationReason::CessationOfOperation,
    }
}

/// Nothing is proven where a certificate is revoked but whose it is.
pub(super) fn of_revocation(refused: Refused) -> Refused {
    let is_about_owner = refused.reason == Reason::WrongProof;
    if is_about_owner { Refused { reason: Reason::NotOwner, ..refused } } else { refused }
}

/// Whether an order can be asked for there.
fn is_address(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|url| url.scheme_str() == Some("https") && url.host().is_some())
}

fn identifier(certificate: &[u8]) -> Option<CertificateIdentifier<'static>> {
    let certificate = CertificateDer::from(certificate);
    CertificateIdentifier::try_from(&certificate).ok().map(CertificateIdentifier::into_owned)
}

#[async_trait]
impl Authority for Client {
    fn account(&self) -> &str {
        &self.address
    }

    fn identities(&self) -> &[String] {
        &self.identities
    }

    async fn begin(&self, order: &NewOrder<'_>) -> Result<Box<dyn Order>, Refused> {
        let wire = self.directory.wire.fresh();
        let session = session(&self.account, &wire).await?;
        let names: Vec<_> = order.names.iter().cloned().map(Identifier::Dns).collect();
        let plain = || {
            let new = instant_acme::NewOrder::new(&names);
            order.profile.map_or(new, |profile| instant_acme::NewOrder::new(&names).profile(profile))
        };
        let replaced = order.replaces.filter(|_| self.directory.has_windows).and_then(identifier);
        let mut renews = replaced.is_some();
        let begun = match replaced {
            Some(replaced) => {
                let new = plain().replaces(replaced);
                match steadily!(session.new_order(&new)) {
                    // It was renewed already, or the authority does not say what it replaces: limits count, then.
                    Err(Error::Other(why)) if why.is::<HttpError>() => Err(Error::Other(why)),
                    Err(Error::Other(_)) => {
                        renews = false;
                        steadily!(session.new_order(&plain()))
                    }
                    Err(error) if super::refusal::is_about_replacing(&error) => {
                        renews = false;
                        steadily!(session.new_order(&plain()))
                    }
                    other => other,
                }
            }
            None => steadily!(session.new_order(&plain())),
        };
        let begun = begun.map_err(|error| self.of_account(refused(error, &wire.noted())))?;
        if !is_address(begun.url()) {
            return Err(Refused::new(Reason::Malformed, "it gives the order no `https` address"));
        }
        Ok(Box::new(Ordered::new(begun, wire, self.account.clone()).renewing(renews)))
    }

    async fn resume(&self, url: &str) -> Result<Box<dyn Order>, Refused> {
        if !is_address(url) {
            return Err(Refused::new(Reason::Order, "the order has no `https` address"));
        }
        let wire = self.directory.wire.fresh();
        let session = session(&self.account, &wire).await?;
        let order = steadily!(session.order(url.to_owned()));
        let order = order.map_err(|error| self.of_account(of_order(error, url, &wire.noted())))?;
        Ok(Box::new(Ordered::new(order, wire, self.account.clone())))
    }

    async fn window(&self, certificate: &[u8]) -> Result<Option<(Window, Duration)>, Refused> {
        let Some(identifier) = identifier(certificate).filter(|_| self.directory.has_windows) else {
            return Ok(None);
        };
        let wire = self.directory.wire.fresh();
        let session = session(&self.account, &wire).await?;
        let (info, again) =
            session.renewal_info(&identifier).await.map_err(|error| refused(error, &wire.noted()))?;
        let window = Window {
            start: info.suggested_window.start.unix_timestamp(),
            end: info.suggested_window.end.unix_timestamp(),
        };
        if window.end < window.start {
            return Err(Refused::new(Reason::Malformed, "its window of renewal ends before it begins"));
        }
        Ok(Some((window, again)))
    }

    async fn revoke(&self, certificate: &[u8], reason: Revocation) -> Result<(), Refused> {
        let wire = self.directory.wire.fresh();
        let session = session(&self.account, &wire).await?;
        let certificate = CertificateDer::from(certificate);
        let request = RevocationRequest { certificate: &certificate, reason: Some(code(reason)) };
        steadily!(session.revoke(&request)).map_err(|error| of_revocation(refused(error, &wire.noted())))
    }
}
