//! Accounts that are made. The key is kept before an authority hears of it: what a run that was ended has left undone, the
//! next one takes up, and a key that binds to one account alone is not wasted.

use hyper::header::LOCATION;
use serde_json::{Value, json};

use super::account::{Account, ExternalAccount};
use super::authority::{Reason, Refused};
use super::directory::Directory;

impl Directory {
    /// The account of a key that was kept, where the authority knows it already (RFC 8555, section 7.3.1).
    pub async fn find(&self, key: &Account) -> Result<Option<Account>, Refused> {
        match self.ask(key, &json!({ "onlyReturnExisting": true })).await {
            Ok(account) => Ok(Some(account)),
            // Some look at the rest of the request first; who knows the key gives its account to who registers again.
            Err(refused)
                if refused.is_answer()
                    && !matches!(refused.reason, Reason::RateLimited | Reason::BadNonce) =>
            {
                Ok(None)
            }
            Err(refused) => Err(refused),
        }
    }

    /// Makes an account with a key that is kept (RFC 8555, section 7.3).
    pub async fn register(
        &self,
        key: &Account,
        email: Option<&str>,
        external: Option<&ExternalAccount<'_>>,
    ) -> Result<Account, Refused> {
        let contacts: Vec<String> = email.map(|email| format!("mailto:{email}")).into_iter().collect();
        let mut payload = json!({ "termsOfServiceAgreed": true, "contact": contacts });
        if let Some(external) = external {
            let hmac_key = external.decoded()?;
            let bound = key.signing_key()?.bound(&self.accounts, external.key_id, &hmac_key);
            payload["externalAccountBinding"] = bound.into();
        }
        let account = self.ask(key, &payload).await.map_err(|refused| {
            // Nothing is proven here but that the key is the right one.
            let is_about_key = external.is_some() && refused.reason == Reason::WrongProof;
            if is_about_key { Refused { reason: Reason::ExternalAccount, ..refused } } else { refused }
        })?;
        Ok(account.with_email(email))
    }

    async fn ask(&self, key: &Account, payload: &Value) -> Result<Account, Refused> {
        let answer = self.post(&self.accounts, &key.signing_key()?, payload).await?;
        let address = answer.headers.get(LOCATION).and_then(|address| address.to_str().ok());
        let nowhere = || Refused::new(Reason::Malformed, "it does not say where the account is");
        Ok(key.clone().registered(address.ok_or_else(nowhere)?, &self.address))
    }
}
