//! Authorities by way of `instant-acme`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use instant_acme::{
    AccountBuilder, AccountCredentials, CertificateIdentifier, Error, ExternalAccountKey, Identifier,
    NewAccount, Problem, RevocationReason, RevocationRequest,
};
use rustls::pki_types::CertificateDer;
use serde_json::Value;

use super::authority::{Authority, NewOrder, Order, Reason, Refused};
use super::http::{Http, HttpError, Response};
use super::order::Ordered;
use super::own_key::{OwnKey, encoded};
use super::refusal::{is_bad_nonce, refused};
use super::wire::{Noted, Wire};
use crate::host::clock;
use crate::plan::issuance::{Revocation, Window};
use crate::value::Secret;

/// How long the directory may take.
const PATIENCE: Duration = Duration::from_secs(30);

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

/// The directory of an authority (RFC 8555, section 7.1.1).
#[derive(Clone, Debug)]
pub struct Directory {
    http: Http,
    wire: Wire,
    address: String,
    /// Where nonces are given, and certificates revoked.
    nonces: String,
    revocations: String,
    meta: Arc<Value>,
    has_windows: bool,
    /// How far the clock here is ahead of the authority's, in seconds.
    ahead: Option<i64>,
}

/// An account with an authority, as it is kept: a JSON document that holds the account's key.
#[derive(Clone, Debug)]
pub struct Account(pub Secret);

/// How an account of its own is proven to an authority that wants one (RFC 8555, section 7.3.4).
#[derive(Clone, Debug)]
pub struct ExternalAccount<'a> {
    /// The key's id.
    pub key_id: &'a str,
    /// The key, in base64 without padding, as authorities give it.
    pub key: &'a Secret,
}

/// An authority that knows the account.
pub struct Client {
    directory: Directory,
    account: Account,
    address: String,
    identities: Vec<String>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.address)
    }
}

impl Directory {
    /// Asks for it.
    pub async fn read(http: &Http, address: &str) -> Result<Self, Refused> {
        let response = http.send(Method::GET, address, &[], Bytes::new(), PATIENCE).await;
        let response = response.map_err(|error| super::refusal::unanswered(&error))?;
        if !response.status.is_success() {
            let error = format!("it answers with status {}", response.status.as_u16());
            return Err(super::refusal::unanswered(&HttpError::Unreachable(error)));
        }
        let malformed = |what: &str| Refused::new(Reason::Malformed, format!("`{address}` {what}"));
        let directory: Value = serde_json::from_slice(&response.body)
            .map_err(|_| malformed("is no ACME directory: it is no JSON"))?;
        for resource in ["newNonce", "newAccount", "newOrder", "revokeCert"] {
            if !directory.get(resource).is_some_and(Value::is_string) {
                return Err(malformed(&format!("is no ACME directory: it has no `{resource}`")));
            }
        }
        let text = |name: &str| directory[name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            http: http.clone(),
            nonces: text("newNonce"),
            revocations: text("revokeCert"),
            wire: Wire::new(http.clone(), address.to_owned(), response.body),
            address: address.to_owned(),
            ahead: super::wire::date(&response.headers).map(|date| clock().as_second().saturating_sub(date)),
            has_windows: directory.get("renewalInfo").is_some_and(Value::is_string),
            meta: Arc::new(directory.get("meta").cloned().unwrap_or_default()),
        })
    }

    /// Whether it wants an account of its own.
    pub fn wants_external_account(&self) -> bool {
        self.meta.get("externalAccountRequired").and_then(Value::as_bool).unwrap_or(false)
    }

    /// How far the clock here is ahead of the authority's, in seconds; nothing where it does not say the time.
    pub fn ahead(&self) -> Option<i64> {
        self.ahead
    }

    /// Whether it says when certificates should be renewed (RFC 9773), and so knows what renews what.
    pub fn has_renewal_info(&self) -> bool {
        self.has_windows
    }

    /// The profiles that it has, each with what it says of it.
    pub fn profiles(&self) -> Vec<(String, String)> {
        let profiles = self.meta.get("profiles").and_then(Value::as_object);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        profiles.into_iter().flatten().map(|(name, about)| (name.clone(), text(about))).collect()
    }

    /// Makes an account, with a new key.
    pub async fn register(
        &self,
        email: Option<&str>,
        external: Option<&ExternalAccount<'_>>,
    ) -> Result<Account, Refused> {
        let contact = email.map(|email| format!("mailto:{email}"));
        let contacts: Vec<&str> = contact.iter().map(String::as_str).collect();
        let external = external.map(key).transpose()?;
        let wire = self.wire.fresh();
        let new =
            NewAccount { contact: &contacts, terms_of_service_agreed: true, only_return_existing: false };
        let made = steadily!(builder(&wire).create(&new, self.address.clone(), external.as_ref()));
        let (_, credentials) = made.map_err(|error| {
            let refused = refused(error, &wire.noted());
            // Nothing is proven here but that the key is the right one.
            let is_about_key = external.is_some() && refused.reason == Reason::WrongProof;
            if is_about_key { Refused { reason: Reason::ExternalAccount, ..refused } } else { refused }
        })?;
        let text = serde_json::to_string(&credentials)
            .map_err(|error| Refused::new(Reason::Other, format!("the account cannot be kept: {error}")))?;
        Ok(Account(Secret::new(text)))
    }

    /// Revokes a certificate (DER) with its own key (PEM), whoever it was issued to (RFC 8555, section 7.6).
    pub async fn revoke_with_key(
        &self,
        certificate: &[u8],
        key: &Secret,
        reason: Revocation,
    ) -> Result<(), Refused> {
        let unable =
            || Refused::new(Reason::NotOwner, "requests cannot be signed with the certificate's key");
        let key = OwnKey::parse(key).ok_or_else(unable)?;
        let payload =
            serde_json::json!({ "certificate": encoded(certificate), "reason": code(reason) as u8 });
        let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/jose+json"))];
        let mut tries = 1;
        loop {
            let answer = self.http.send(Method::HEAD, &self.nonces, &[], Bytes::new(), PATIENCE).await;
            let answer = answer.map_err(|error| super::refusal::unanswered(&error))?;
            let nonce = answer.headers.get("replay-nonce").and_then(|nonce| nonce.to_str().ok());
            let nonce = nonce.ok_or_else(|| Refused::new(Reason::Malformed, "it gives no nonce"))?;
            let body = key.request(&self.revocations, nonce, &payload).ok_or_else(unable)?;
            let answer = self.http.send(Method::POST, &self.revocations, &headers, body, PATIENCE).await;
            let Response { status, body, .. } = answer.map_err(|error| super::refusal::unanswered(&error))?;
            if status.is_success() {
                return Ok(());
            }
            let Ok(problem) = serde_json::from_slice::<Problem>(&body) else {
                let error = format!("it answers with status {}", status.as_u16());
                return Err(super::refusal::unanswered(&HttpError::Unreachable(error)));
            };
            let error = Error::Api(problem);
            if tries == TRIES || !is_bad_nonce(&error) {
                return Err(of_revocation(refused(error, &Noted::default())));
            }
            tries += 1;
        }
    }

    /// With an account that was made before.
    pub fn with(&self, account: Account) -> Result<Client, Refused> {
        let kept: Result<Value, _> = serde_json::from_str(account.0.expose());
        let address = kept.ok().and_then(|kept| Some(kept.get("id")?.as_str()?.to_owned()));
        let address = address
            .ok_or_else(|| Refused::new(Reason::Account, "what is kept of the account cannot be read"))?;
        let identities = self.meta.get("caaIdentities").and_then(Value::as_array);
        let identities = identities.into_iter().flatten().filter_map(Value::as_str);
        let identities = identities.map(str::to_ascii_lowercase).collect();
        Ok(Client { directory: self.clone(), account, address, identities })
    }
}

impl Client {
    /// The directory of the authority.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }
}

fn builder(wire: &Wire) -> AccountBuilder {
    instant_acme::Account::builder_with_http(Box::new(wire.clone()))
}

fn key(external: &ExternalAccount<'_>) -> Result<ExternalAccountKey, Refused> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let text = external.key.expose().trim();
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).or_else(|_| STANDARD.decode(text));
    let bytes = zeroize::Zeroizing::new(bytes.map_err(|_| {
        Refused::new(Reason::ExternalAccount, "the key of the external account is not base64")
    })?);
    Ok(ExternalAccountKey::new(external.key_id.to_owned(), &bytes))
}

/// The account as the library sees it, over this wire.
pub(super) async fn session(account: &Account, wire: &Wire) -> Result<instant_acme::Account, Refused> {
    let credentials: AccountCredentials = serde_json::from_str(account.0.expose())
        .map_err(|_| Refused::new(Reason::Account, "what is kept of the account cannot be read"))?;
    let session = builder(wire).from_credentials(credentials).await;
    session.map_err(|error| refused(error, &wire.noted()))
}

/// As the library calls it.
fn code(reason: Revocation) -> RevocationReason {
    match reason {
        Revocation::Unspecified => RevocationReason::Unspecified,
        Revocation::KeyCompromise => RevocationReason::KeyCompromise,
        Revocation::Superseded => RevocationReason::Superseded,
        Revocation::CessationOfOperation => RevocationReason::CessationOfOperation,
    }
}

/// Nothing is proven where a certificate is revoked but whose it is.
fn of_revocation(refused: Refused) -> Refused {
    let is_about_owner = refused.reason == Reason::WrongProof;
    if is_about_owner { Refused { reason: Reason::NotOwner, ..refused } } else { refused }
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
        let begun = match replaced {
            Some(replaced) => {
                let new = plain().replaces(replaced);
                match steadily!(session.new_order(&new)) {
                    // It was renewed already, or the authority does not say what it replaces: limits count, then.
                    Err(Error::Other(why)) if why.is::<HttpError>() => Err(Error::Other(why)),
                    Err(Error::Other(_)) => steadily!(session.new_order(&plain())),
                    Err(error) if super::refusal::is_about_replacing(&error) => {
                        steadily!(session.new_order(&plain()))
                    }
                    other => other,
                }
            }
            None => steadily!(session.new_order(&plain())),
        };
        let begun = begun.map_err(|error| refused(error, &wire.noted()))?;
        Ok(Box::new(Ordered::new(begun, wire, self.account.clone())))
    }

    async fn resume(&self, url: &str) -> Result<Box<dyn Order>, Refused> {
        let wire = self.directory.wire.fresh();
        let session = session(&self.account, &wire).await?;
        let order = steadily!(session.order(url.to_owned()));
        let order = order.map_err(|error| refused(error, &wire.noted()))?;
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
