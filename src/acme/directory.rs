//! Directories of authorities: what they say of themselves, and what they do for who has no account.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use instant_acme::{Error, Problem};
use serde_json::Value;

use super::account::Account;
use super::authority::{Reason, Refused};
use super::client::{Client, TRIES, code, of_revocation};
use super::http::{Http, HttpError, Response};
use super::refusal::{is_bad_nonce, refused, unanswered};
use super::signing_key::{SigningKey, encoded};
use super::wire::Wire;
use crate::host::clock;
use crate::plan::issuance::Revocation;
use crate::value::Secret;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a request is made anew whose nonce was refused: as often as with the library's own tries.
const NONCES: u32 = 3 * TRIES;

/// The directory of an authority (RFC 8555, section 7.1.1).
#[derive(Clone, Debug)]
pub struct Directory {
    http: Http,
    pub(super) wire: Wire,
    pub(super) address: String,
    /// Where nonces are given, accounts made and certificates revoked.
    nonces: String,
    pub(super) accounts: String,
    revocations: String,
    meta: Arc<Value>,
    pub(super) has_windows: bool,
    /// How far the clock here is ahead of the authority's, in seconds.
    ahead: Option<i64>,
}

impl Directory {
    /// Asks for it.
    pub async fn read(http: &Http, address: &str) -> Result<Self, Refused> {
        let response = http.send(Method::GET, address, &[], Bytes::new(), PATIENCE).await;
        let response = response.map_err(|error| unanswered(&error))?;
        if !response.status.is_success() {
            let error = format!("it answers with status {}", response.status.as_u16());
            return Err(unanswered(&HttpError::Unreachable(error)));
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
            accounts: text("newAccount"),
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

    /// Revokes a certificate (DER) with its own key (PEM), whoever it was issued to (RFC 8555, section 7.6).
    pub async fn revoke_with_key(
        &self,
        certificate: &[u8],
        key: &Secret,
        reason: Revocation,
    ) -> Result<(), Refused> {
        let unable =
            || Refused::new(Reason::NotOwner, "requests cannot be signed with the certificate's key");
        let key = SigningKey::parse(key).ok_or_else(unable)?;
        let payload =
            serde_json::json!({ "certificate": encoded(certificate), "reason": code(reason) as u8 });
        self.post(&self.revocations, &key, &payload).await.map(drop).map_err(of_revocation)
    }

    /// Sends what is signed with a key; an answer is one of success.
    pub(super) async fn post(
        &self,
        address: &str,
        key: &SigningKey,
        payload: &Value,
    ) -> Result<Response, Refused> {
        let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/jose+json"))];
        let wire = self.wire.fresh();
        let mut tries = 1;
        loop {
            let answer = self.http.send(Method::HEAD, &self.nonces, &[], Bytes::new(), PATIENCE).await;
            let answer = answer.map_err(|error| unanswered(&error))?;
            let nonce = answer.headers.get("replay-nonce").and_then(|nonce| nonce.to_str().ok());
            let nonce = nonce.ok_or_else(|| Refused::new(Reason::Malformed, "it gives no nonce"))?;
            let unsigned = || Refused::new(Reason::Other, "a request cannot be signed");
            let body = key.request(address, nonce, payload).ok_or_else(unsigned)?.to_string();
            let answer = self.http.send(Method::POST, address, &headers, body, PATIENCE).await;
            let answer = answer.map_err(|error| unanswered(&error))?;
            if answer.status.is_success() {
                return Ok(answer);
            }
            wire.note(&answer);
            let Ok(problem) = serde_json::from_slice::<Problem>(&answer.body) else {
                let error = format!("it answers with status {}", answer.status.as_u16());
                return Err(unanswered(&HttpError::Unreachable(error)));
            };
            let error = Error::Api(problem);
            if tries == NONCES || !is_bad_nonce(&error) {
                return Err(refused(error, &wire.noted()));
            }
            tries += 1;
        }
    }

    /// With an account that was made before.
    pub fn with(&self, account: Account) -> Result<Client, Refused> {
        let address = account
            .address()
            .ok_or_else(|| Refused::new(Reason::Account, "what is kept of the account cannot be read"))?;
        if account.directory().is_some_and(|directory| directory != self.address) {
            return Err(Refused::new(Reason::Account, "what is kept is an account with another authority"));
        }
        let identities = self.meta.get("caaIdentities").and_then(Value::as_array);
        let identities = identities.into_iter().flatten().filter_map(Value::as_str);
        let identities = identities.map(str::to_ascii_lowercase).collect();
        Ok(Client { directory: self.clone(), account, address, identities })
    }
}
