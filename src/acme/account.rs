//! Accounts with authorities, as they are kept and proven.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use zeroize::Zeroizing;

use super::authority::{Reason, Refused};
use super::signing_key::{SigningKey, encoded};
use crate::value::Secret;

/// An account with an authority, as it is kept: a JSON document that holds the account's key, as the library reads it. One
/// without an address is a key that the authority may not know yet.
#[derive(Clone, Debug)]
pub struct Account(pub Secret);

/// Beside what the library keeps of an account: where its authority was told to write to.
const EMAIL: &str = "email";

const KEY: &str = "key_pkcs8";
const ADDRESS: &str = "id";
const DIRECTORY: &str = "directory";

impl Account {
    /// A new key, which no authority knows.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn make() -> Result<Self, Refused> {
        let key = SigningKey::make().ok_or_else(|| Refused::new(Reason::Other, "no key can be made"))?;
        Ok(Self(Secret::new(format!("{{\"{KEY}\":\"{}\"}}", encoded(&key)))))
    }

    /// Whether its key is one.
    pub fn has_key(&self) -> bool {
        self.signing_key().is_ok()
    }

    /// Where the authority has it.
    pub(super) fn address(&self) -> Option<String> {
        Some(self.kept()?.get(ADDRESS)?.as_str()?.to_owned())
    }

    /// The directory of the authority that it is with; a former vsa did not always write it down.
    pub(super) fn directory(&self) -> Option<String> {
        Some(self.kept()?.get(DIRECTORY)?.as_str()?.to_owned())
    }

    /// Whether it is a key that the authority may not know yet; what cannot be read is none.
    pub fn is_unregistered(&self) -> bool {
        self.kept().is_some_and(|kept| kept.get(KEY).is_some() && kept.get(ADDRESS).is_none())
    }

    /// Where its authority was told to write to: nowhere, or there. `None` where that was not written down.
    pub fn email(&self) -> Option<Option<String>> {
        self.kept()?.get(EMAIL).map(|email| email.as_str().map(str::to_owned))
    }

    /// With where its authority was told to write to.
    #[must_use]
    pub fn with_email(self, email: Option<&str>) -> Self {
        self.with([(EMAIL, email.into())])
    }

    /// With its address, and that of the authority's directory.
    pub(super) fn registered(self, address: &str, directory: &str) -> Self {
        self.with([(ADDRESS, address.into()), (DIRECTORY, directory.into())])
    }

    /// The key that requests of nobody the authority knows are signed with.
    pub(super) fn signing_key(&self) -> Result<SigningKey, Refused> {
        let key = self.kept().and_then(|kept| {
            let key = URL_SAFE_NO_PAD.decode(kept.get(KEY)?.as_str()?).ok().map(Zeroizing::new)?;
            SigningKey::from_pkcs8(&key)
        });
        key.ok_or_else(|| Refused::new(Reason::Account, "what is kept of the account cannot be read"))
    }

    fn kept(&self) -> Option<Value> {
        serde_json::from_str(self.0.expose()).ok()
    }

    fn with<const N: usize>(self, members: [(&str, Value); N]) -> Self {
        match self.kept() {
            Some(Value::Object(mut kept)) => {
                kept.extend(members.map(|(name, value)| (name.to_owned(), value)));
                Self(Secret::new(Value::Object(kept).to_string()))
            }
            _ => self,
        }
    }
}

/// How an account of its own is proven to an authority that wants one (RFC 8555, section 7.3.4).
#[derive(Clone, Debug)]
pub struct ExternalAccount<'a> {
    /// The key's id.
    pub key_id: &'a str,
    /// The key, in base64 without padding, as authorities give it.
    pub key: &'a Secret,
}

impl ExternalAccount<'_> {
    pub(super) fn decoded(&self) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let text = self.key.expose().trim();
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).or_else(|_| STANDARD.decode(text));
        let malformed =
            |_| Refused::new(Reason::ExternalAccount, "the key of the external account is not base64");
        bytes.map(Zeroizing::new).map_err(malformed)
    }
}
