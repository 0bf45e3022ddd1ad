//! Accounts with authorities, as they are kept and proven.

use instant_acme::ExternalAccountKey;
use serde_json::Value;

use super::authority::{Reason, Refused};
use crate::value::Secret;

/// An account with an authority, as it is kept: a JSON document that holds the account's key.
#[derive(Clone, Debug)]
pub struct Account(pub Secret);

/// Beside what the library keeps of an account: where its authority was told to write to.
const EMAIL: &str = "email";

impl Account {
    /// Where its authority was told to write to: nowhere, or there. `None` where that was not written down.
    pub fn email(&self) -> Option<Option<String>> {
        let kept: Value = serde_json::from_str(self.0.expose()).ok()?;
        kept.get(EMAIL).map(|email| email.as_str().map(str::to_owned))
    }

    /// With where its authority was told to write to.
    #[must_use]
    pub fn with_email(self, email: Option<&str>) -> Self {
        match serde_json::from_str(self.0.expose()) {
            Ok(Value::Object(mut kept)) => {
                kept.insert(EMAIL.to_owned(), email.into());
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

pub(super) fn key(external: &ExternalAccount<'_>) -> Result<ExternalAccountKey, Refused> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let text = external.key.expose().trim();
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).or_else(|_| STANDARD.decode(text));
    let bytes = zeroize::Zeroizing::new(bytes.map_err(|_| {
        Refused::new(Reason::ExternalAccount, "the key of the external account is not base64")
    })?);
    Ok(ExternalAccountKey::new(external.key_id.to_owned(), &bytes))
}
