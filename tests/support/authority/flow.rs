//! What an authority does with a request; with orders, see `orders`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::faults::Step;
use super::http::{Reply, Request};
use super::jws::{self, Signed};
use super::state::{Account, State, Window, date};
use super::{Problem, Shared};

pub(super) type Answer = Result<Reply, Problem>;

impl Shared {
    pub(super) fn route(
        self: &Arc<Self>,
        step: Step,
        request: &Request,
        signed: Option<Result<Signed, Problem>>,
    ) -> Answer {
        let mut state = self.state.lock().unwrap();
        match (step, request.method.as_str()) {
            (Step::Directory, _) => return Ok(Reply::json(200, &self.directory(&state))),
            (Step::NewNonce, "HEAD") => return Ok(Reply::empty(200)),
            (Step::NewNonce, "GET") => return Ok(Reply::empty(204)),
            (Step::RenewalInfo, "GET") => return renewal_info(&state, &request.path),
            _ => {}
        }
        let signed = signed.ok_or_else(|| Problem::new(405, "malformed", "this needs POST"))??;
        if !state.nonces.remove(signed.text("nonce").unwrap_or_default()) {
            return Err(Problem::new(400, "badNonce", "the nonce is not known"));
        }
        if signed.text("url") != Some(&format!("{}{}", self.base, request.path)) {
            return Err(Problem::new(401, "unauthorized", "the request was signed for another URL"));
        }
        if request.path == "/new-account" {
            return self.new_account(&mut state, &signed);
        }
        if step == Step::Revoke && signed.text("kid").is_none() {
            return revoke(&mut state, &signed, None);
        }
        let account = self.account(&state, &signed)?;
        let mut words = request.path.split('/').skip(2);
        let number = words.next().and_then(|word| word.parse().ok()).unwrap_or(usize::MAX);
        match step {
            Step::NewAccount => {
                let contact = signed.payload.as_ref().and_then(|payload| payload["contact"].as_array());
                if let Some(contact) = contact {
                    let contact = contact.iter().filter_map(|contact| contact.as_str().map(str::to_owned));
                    state.accounts[account].contact = contact.collect();
                }
                Ok(Reply::json(200, &shown(&state.accounts[account])))
            }
            Step::NewOrder => self.new_order(&mut state, account, &signed),
            Step::Revoke => revoke(&mut state, &signed, Some(account)),
            Step::Order if state.orders.get(number).is_some_and(|it| it.account == account) => {
                state.advance(number);
                let order = &mut state.orders[number];
                if order.status == "processing" {
                    order.processing = order.processing.saturating_sub(1);
                    if order.processing == 0 {
                        order.status = "valid";
                    }
                }
                Ok(Reply::json(200, &state.order(number, &self.base)))
            }
            Step::Finalize if state.orders.get(number).is_some_and(|it| it.account == account) => {
                self.finalize(&mut state, number, &signed)
            }
            Step::Authorization if is_of(&state, number, account) => {
                Ok(Reply::json(200, &state.authorization(number, &self.base)))
            }
            Step::Challenge if is_of(&state, number, account) => {
                let kind = words.next().unwrap_or_default();
                self.challenge(&mut state, number, kind, &signed)
            }
            Step::Certificate if state.certificates.get(number).is_some_and(|it| it.account == account) => {
                let alternate = words.next().is_some();
                let chain = &state.certificates[number].chains[usize::from(alternate)];
                let reply = Reply::text(200, "application/pem-certificate-chain", chain.as_bytes());
                let other = if alternate { "" } else { "/1" };
                let link = format!("<{}/certificate/{number}{other}>;rel=\"alternate\"", self.base);
                Ok(reply.header("Link", link))
            }
            _ => Err(Problem::new(404, "malformed", "there is no such thing")),
        }
    }

    fn directory(&self, state: &State) -> Value {
        let base = &self.base;
        let mut directory = json!({
            "newNonce": format!("{base}/new-nonce"),
            "newAccount": format!("{base}/new-account"),
            "newOrder": format!("{base}/new-order"),
            "revokeCert": format!("{base}/revoke"),
            "meta": {
                "termsOfService": format!("{base}/terms"),
                "caaIdentities": ["mock.example"],
                "externalAccountRequired": !state.behaviour.external_accounts.is_empty(),
            },
        });
        if state.behaviour.renewal_info {
            directory["renewalInfo"] = json!(format!("{base}/renewal-info"));
        }
        if !state.behaviour.profiles.is_empty() {
            let profiles = state.behaviour.profiles.iter();
            let profiles = profiles.map(|(name, description, _)| (name.clone(), json!(description)));
            directory["meta"]["profiles"] = Value::Object(profiles.collect());
        }
        directory
    }

    /// The account that signed a request.
    fn account(&self, state: &State, signed: &Signed) -> Result<usize, Problem> {
        let of = format!("{}/account/", self.base);
        let number = signed.text("kid").and_then(|kid| kid.strip_prefix(&of)?.parse::<usize>().ok());
        let number = number.filter(|number| *number < state.accounts.len());
        let number =
            number.ok_or_else(|| Problem::new(400, "accountDoesNotExist", "there is no such account"))?;
        signed.verify(&state.accounts[number].key)?;
        Ok(number)
    }

    fn new_account(&self, state: &mut State, signed: &Signed) -> Answer {
        let key = &signed.protected["jwk"];
        signed.verify(key)?;
        let payload = signed.payload.clone().unwrap_or_default();
        let thumbprint = jws::thumbprint(key);
        let place = |number: usize| format!("{}/account/{number}", self.base);
        if let Some(number) = state.accounts.iter().position(|account| account.thumbprint == thumbprint) {
            let shown = shown(&state.accounts[number]);
            return Ok(Reply::json(200, &shown).header("Location", place(number)));
        }
        if payload["onlyReturnExisting"] == true {
            return Err(Problem::new(400, "accountDoesNotExist", "there is no account with this key"));
        }
        if payload["termsOfServiceAgreed"] != true {
            return Err(Problem::new(403, "userActionRequired", "the terms were not agreed to"));
        }
        let external = match &payload["externalAccountBinding"] {
            Value::Null if state.behaviour.external_accounts.is_empty() => None,
            Value::Null => {
                let detail = "an account here is bound to an external one";
                return Err(Problem::new(400, "externalAccountRequired", detail));
            }
            binding => Some(external(state, &Signed::decode(binding)?, key)?),
        };
        let contact = payload["contact"].as_array().into_iter().flatten();
        let contact = contact.filter_map(|contact| contact.as_str().map(str::to_owned)).collect();
        let account = Account { key: key.clone(), contact, external, thumbprint };
        let reply = Reply::json(201, &shown(&account)).header("Location", place(state.accounts.len()));
        state.accounts.push(account);
        Ok(reply)
    }
}

fn is_of(state: &State, authorization: usize, account: usize) -> bool {
    state.authorizations.get(authorization).is_some_and(|it| it.account == account)
}

fn shown(account: &Account) -> Value {
    json!({ "status": "valid", "contact": account.contact })
}

/// The external account that a binding names (RFC 8555 section 7.3.4).
fn external(state: &State, binding: &Signed, key: &Value) -> Result<String, Problem> {
    let id = binding.text("kid").unwrap_or_default();
    let mut known = state.behaviour.external_accounts.iter();
    let (_, hmac) = known
        .find(|(known, _)| known == id)
        .ok_or_else(|| Problem::new(401, "unauthorized", "there is no such external account"))?;
    // As some authorities do, it is for one account alone.
    if state.accounts.iter().any(|account| account.external.as_deref() == Some(id)) {
        return Err(Problem::new(401, "unauthorized", "the external account has one here"));
    }
    binding.verify_hmac(hmac)?;
    if binding.payload.as_ref() != Some(key) {
        return Err(Problem::new(400, "malformed", "the binding is for another key"));
    }
    Ok(id.to_owned())
}

fn revoke(state: &mut State, signed: &Signed, account: Option<usize>) -> Answer {
    let payload = signed.payload.clone().unwrap_or_default();
    let der = jws::bytes(payload["certificate"].as_str().unwrap_or_default())?;
    let found = state.certificates.iter_mut().find(|it| it.der == der);
    let found = found.ok_or_else(|| Problem::new(404, "malformed", "there is no such certificate"))?;
    if account != Some(found.account) {
        return Err(Problem::new(403, "unauthorized", "only its account may revoke it here"));
    }
    if found.revoked.is_some() {
        return Err(Problem::new(400, "alreadyRevoked", "the certificate is revoked already"));
    }
    found.revoked = Some(payload["reason"].as_u64().unwrap_or(0));
    Ok(Reply::empty(200))
}

/// When to renew a certificate (RFC 9773 section 4.1).
fn renewal_info(state: &State, path: &str) -> Answer {
    let id = path.rsplit('/').next().unwrap_or_default();
    let found = state.certificates.iter().find(|certificate| certificate.id == id);
    let found = found.ok_or_else(|| Problem::new(404, "malformed", "there is no such certificate"))?;
    let third = (found.not_after - found.not_before) / 3;
    let by_itself = Window {
        start: found.not_after - third,
        end: found.not_after - third + third / 15,
        explanation: None,
    };
    let window = state.windows.get(id).or(state.behaviour.window.as_ref()).unwrap_or(&by_itself);
    let mut shown = json!({ "suggestedWindow": { "start": date(window.start), "end": date(window.end) } });
    if let Some(explanation) = &window.explanation {
        shown["explanationURL"] = json!(explanation);
    }
    let reply = Reply::json(200, &shown);
    Ok(match &state.behaviour.ask_again {
        Some(after) => reply.header("Retry-After", after),
        None => reply,
    })
}
