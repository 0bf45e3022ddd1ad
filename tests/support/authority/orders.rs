//! What becomes of an order: its names are shown to be the client's, and it is finalized.

use std::sync::Arc;

use super::flow::Answer;
use super::http::Reply;
use super::issue::Terms;
use super::jws::{self, Signed};
use super::state::{Authorization, Order, State, Validation};
use super::{Problem, Shared};
use crate::support;

impl Shared {
    pub(super) fn new_order(&self, state: &mut State, account: usize, signed: &Signed) -> Answer {
        let payload = signed.payload.clone().unwrap_or_default();
        let names = payload["identifiers"].as_array().into_iter().flatten();
        let names: Vec<_> = names.filter_map(|name| name["value"].as_str().map(str::to_owned)).collect();
        if names.is_empty() {
            return Err(Problem::new(400, "malformed", "an order needs names"));
        }
        let profile = payload["profile"].as_str().map(str::to_owned);
        let known = |wanted: &String| state.behaviour.profiles.iter().any(|(name, ..)| name == wanted);
        if let Some(profile) = profile.as_ref().filter(|profile| !known(profile)) {
            let detail = format!("there is no profile {profile:?}");
            return Err(Problem::new(400, "invalidProfile", &detail));
        }
        let replaces = payload["replaces"].as_str().map(str::to_owned);
        if let Some(id) = &replaces {
            let replaced = state.certificates.iter().find(|it| it.id == *id && it.account == account);
            if !replaced.is_some_and(|it| it.names.iter().any(|name| names.contains(name))) {
                return Err(Problem::new(400, "malformed", "the order replaces what is not its own"));
            }
            let taken = |order: &Order| order.replaces.as_ref() == Some(id) && order.status != "invalid";
            if state.orders.iter().any(taken) {
                return Err(Problem::new(409, "alreadyReplaced", "another order replaces this certificate"));
            }
        }
        let authorizations = names.iter().map(|name| {
            state.authorizations.push(Authorization {
                account,
                name: name.trim_start_matches("*.").to_owned(),
                wildcard: name.starts_with("*."),
                status: "pending",
                token: jws::encode(uuid::Uuid::new_v4().as_bytes()),
                chosen: None,
                error: None,
            });
            state.authorizations.len() - 1
        });
        let authorizations = authorizations.collect();
        let number = state.orders.len();
        state.orders.push(Order {
            account,
            names,
            replaces,
            profile,
            status: "pending",
            error: None,
            authorizations,
            certificate: None,
            processing: 0,
        });
        let shown = state.order(number, &self.base);
        Ok(Reply::json(201, &shown).header("Location", format!("{}/order/{number}", self.base)))
    }

    pub(super) fn challenge(
        self: &Arc<Self>,
        state: &mut State,
        number: usize,
        kind: &str,
        signed: &Signed,
    ) -> Answer {
        let it = &mut state.authorizations[number];
        if !it.kinds().contains(&kind) {
            return Err(Problem::new(404, "malformed", "there is no such challenge"));
        }
        if signed.payload.is_some() && it.status == "pending" && it.chosen.is_none() {
            it.chosen = Some(kind.to_owned());
            let answer = format!("{}.{}", it.token, state.accounts[it.account].thumbprint);
            let (shared, validation) = (Arc::clone(self), state.behaviour.validation.clone());
            let (it, kind) = (it.clone(), kind.to_owned());
            std::thread::spawn(move || {
                let found = match validation {
                    Validation::Believes => Ok(()),
                    Validation::Never => return,
                    Validation::Finds(problem) => Err(problem),
                    Validation::Asks(port) => ask(port, &it, &kind, &answer),
                };
                let it = &mut shared.state.lock().unwrap().authorizations[number];
                it.status = if found.is_ok() { "valid" } else { "invalid" };
                it.error = found.err();
            });
        }
        let up = format!("<{}/authorization/{number}>;rel=\"up\"", self.base);
        Ok(Reply::json(200, &state.challenge(number, kind, &self.base)).header("Link", up))
    }

    pub(super) fn finalize(&self, state: &mut State, number: usize, signed: &Signed) -> Answer {
        state.advance(number);
        let (now, behaviour) = (state.now(), state.behaviour.clone());
        let order = &mut state.orders[number];
        if order.status != "ready" {
            return Err(Problem::new(403, "orderNotReady", &format!("the order is {}", order.status)));
        }
        if let Some(problem) = behaviour.refuses {
            order.status = "invalid";
            order.error = Some(problem);
            return Ok(Reply::json(200, &state.order(number, &self.base)));
        }
        let mut profiles = behaviour.profiles.iter();
        let profile = profiles.find(|(name, ..)| Some(name) == order.profile.as_ref());
        let terms = Terms {
            account: order.account,
            names: order.names.clone(),
            profile: order.profile.clone(),
            replaces: order.replaces.clone(),
            now,
            lifetime: profile.map_or(behaviour.lifetime, |(.., lifetime)| *lifetime),
            mistake: behaviour.mistake,
        };
        let csr = signed.payload.as_ref().and_then(|payload| payload["csr"].as_str());
        let issued = self.issuers.issue(csr.unwrap_or_default(), terms)?;
        order.certificate = Some(state.certificates.len());
        order.processing = behaviour.processing;
        order.status = if behaviour.processing == 0 { "valid" } else { "processing" };
        state.certificates.push(issued);
        let place = format!("{}/order/{number}", self.base);
        Ok(Reply::json(200, &state.order(number, &self.base)).header("Location", place))
    }
}

/// Asks a port for http-01 (RFC 8555 section 8.3).
fn ask(port: u16, it: &Authorization, kind: &str, answer: &str) -> Result<(), Problem> {
    if kind != "http-01" {
        return Err(Problem::new(400, "dns", &format!("no TXT record found at _acme-challenge.{}", it.name)));
    }
    let path = format!("/.well-known/acme-challenge/{}", it.token);
    let found = support::fetch(&support::Request::http(port, &it.name, &path));
    let found = found.map_err(|error| Problem::new(400, "connection", &error.to_string()))?;
    if found.status == 200 && found.text().trim_end() == answer {
        return Ok(());
    }
    let detail = format!("Invalid response from http://{}{path}: {}", it.name, found.status);
    Err(Problem::new(403, "unauthorized", &detail))
}
