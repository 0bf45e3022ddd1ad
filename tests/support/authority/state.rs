//! What an authority knows.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Problem;
use super::faults::{Rule, Step};
use super::issue::Mistake;

/// How an authority sees that a name is its client's.
#[derive(Clone, Debug)]
pub enum Validation {
    /// It asks this port of 127.0.0.1 for http-01; dns-01 never succeeds.
    Asks(u16),
    /// It believes everybody.
    Believes,
    /// It never comes to it: the challenge stays pending.
    Never,
    /// It finds this wrong.
    Finds(Problem),
}

/// When to renew (RFC 9773 section 4.2), in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: i64,
    pub end: i64,
    /// A page that says why.
    pub explanation: Option<String>,
}

/// How an authority behaves; it may change at any time.
#[derive(Clone, Debug)]
pub struct Behaviour {
    pub validation: Validation,
    /// How often a finalized order is still `processing` when it is asked for.
    pub processing: usize,
    /// What makes an order invalid when it is finalized.
    pub refuses: Option<Problem>,
    /// How long a certificate without a profile lasts.
    pub lifetime: Duration,
    /// Profiles: name, description, and how long their certificates last.
    pub profiles: Vec<(String, String, Duration)>,
    /// External accounts, one of which a new account must be bound to, where there are any: key id and HMAC key.
    pub external_accounts: Vec<(String, String)>,
    /// Whether it says when to renew (RFC 9773).
    pub renewal_info: bool,
    /// When to renew each certificate without a window of its own; at a third of its lifetime left where not given.
    pub window: Option<Window>,
    /// When to ask again for a window: seconds or a date; no header where not given.
    pub ask_again: Option<String>,
    /// Seconds that its clock is ahead.
    pub clock: i64,
    pub mistake: Option<Mistake>,
}

impl Behaviour {
    /// What never gets in the way.
    pub fn new(validation: Validation) -> Self {
        Self {
            validation,
            processing: 0,
            refuses: None,
            lifetime: Duration::from_hours(90 * 24),
            profiles: Vec::new(),
            external_accounts: Vec::new(),
            renewal_info: true,
            window: None,
            ask_again: Some("21600".to_owned()),
            clock: 0,
            mistake: None,
        }
    }
}

/// An account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its public key.
    pub key: Value,
    pub contact: Vec<String>,
    /// The external account that it is bound to.
    pub external: Option<String>,
    pub(super) thumbprint: String,
}

/// An order.
#[derive(Clone, Debug)]
pub struct Order {
    pub account: usize,
    pub names: Vec<String>,
    pub replaces: Option<String>,
    pub profile: Option<String>,
    /// `pending`, `ready`, `processing`, `valid`, `invalid`.
    pub status: &'static str,
    pub(super) error: Option<Problem>,
    pub(super) authorizations: Vec<usize>,
    pub(super) certificate: Option<usize>,
    pub(super) processing: usize,
}

/// An authorization, with a challenge each type.
#[derive(Clone, Debug)]
pub struct Authorization {
    pub account: usize,
    /// Without `*.` at the front.
    pub name: String,
    pub wildcard: bool,
    /// `pending`, `valid`, `invalid`.
    pub status: &'static str,
    pub token: String,
    /// The type of the challenge that the client chose.
    pub chosen: Option<String>,
    pub(super) error: Option<Problem>,
}

impl Authorization {
    pub(super) fn kinds(&self) -> &'static [&'static str] {
        if self.wildcard { &["dns-01"] } else { &["http-01", "dns-01"] }
    }
}

/// A certificate.
#[derive(Clone, Debug)]
pub struct Issued {
    pub account: usize,
    /// Its identifier (RFC 9773 section 4.1).
    pub id: String,
    /// In hexadecimal.
    pub serial: String,
    pub names: Vec<String>,
    pub profile: Option<String>,
    pub replaces: Option<String>,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
    /// The chain below each of the roots, PEM.
    pub chains: [String; 2],
    pub der: Vec<u8>,
    /// The reason, if it is revoked.
    pub revoked: Option<u64>,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub step: Step,
    pub method: String,
    pub path: String,
    /// What was signed, where there was something.
    pub payload: Option<Value>,
    /// The account's URL, where the request named one.
    pub account: Option<String>,
    pub at: Instant,
}

pub(super) struct State {
    pub(super) behaviour: Behaviour,
    pub(super) rules: Vec<Rule>,
    pub(super) down: bool,
    pub(super) windows: std::collections::BTreeMap<String, Window>,
    pub(super) nonces: BTreeSet<String>,
    pub(super) accounts: Vec<Account>,
    pub(super) orders: Vec<Order>,
    pub(super) authorizations: Vec<Authorization>,
    pub(super) certificates: Vec<Issued>,
    pub(super) requests: Vec<Recorded>,
}

impl State {
    pub(super) fn new(behaviour: Behaviour) -> Self {
        Self {
            behaviour,
            rules: Vec::new(),
            down: false,
            windows: std::collections::BTreeMap::new(),
            nonces: BTreeSet::new(),
            accounts: Vec::new(),
            orders: Vec::new(),
            authorizations: Vec::new(),
            certificates: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// The authority's clock, in seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second() + self.behaviour.clock
    }

    pub(super) fn nonce(&mut self) -> String {
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        self.nonces.insert(nonce.clone());
        nonce
    }

    /// What an order has come to by what its authorizations have come to.
    pub(super) fn advance(&mut self, order: usize) {
        let order = &mut self.orders[order];
        if order.status == "pending" {
            let mut found = order.authorizations.iter().map(|number| self.authorizations[*number].status);
            if found.clone().any(|status| status == "invalid") {
                order.status = "invalid";
            } else if found.all(|status| status == "valid") {
                order.status = "ready";
            }
        }
    }

    pub(super) fn order(&self, number: usize, base: &str) -> Value {
        let order = &self.orders[number];
        let identifiers: Vec<_> =
            order.names.iter().map(|name| json!({ "type": "dns", "value": name })).collect();
        let authorizations: Vec<_> =
            order.authorizations.iter().map(|number| format!("{base}/authorization/{number}")).collect();
        let mut shown = json!({
            "status": order.status,
            "expires": date(self.now() + 7 * 86_400),
            "identifiers": identifiers,
            "authorizations": authorizations,
            "finalize": format!("{base}/finalize/{number}"),
        });
        for (name, value) in [("replaces", &order.replaces), ("profile", &order.profile)] {
            if let Some(value) = value {
                shown[name] = json!(value);
            }
        }
        if let Some(error) = &order.error {
            shown["error"] = error.document();
        }
        if let (Some(certificate), "valid") = (order.certificate, order.status) {
            shown["certificate"] = json!(format!("{base}/certificate/{certificate}"));
        }
        shown
    }

    pub(super) fn authorization(&self, number: usize, base: &str) -> Value {
        let it = &self.authorizations[number];
        let challenges: Vec<_> = it.kinds().iter().map(|kind| self.challenge(number, kind, base)).collect();
        let mut shown = json!({
            "status": it.status,
            "expires": date(self.now() + 7 * 86_400),
            "identifier": { "type": "dns", "value": it.name },
            "challenges": challenges,
        });
        if it.wildcard {
            shown["wildcard"] = json!(true);
        }
        shown
    }

    pub(super) fn challenge(&self, number: usize, kind: &str, base: &str) -> Value {
        let it = &self.authorizations[number];
        let chosen = it.chosen.as_deref() == Some(kind);
        let status = match it.status {
            "pending" if chosen => "processing",
            status if chosen => status,
            _ => "pending",
        };
        let mut shown = json!({
            "type": kind, "token": it.token, "status": status, "url": format!("{base}/challenge/{number}/{kind}"),
        });
        if let (Some(error), true) = (&it.error, chosen) {
            shown["error"] = error.document();
        }
        shown
    }
}

/// A date as JSON has it (RFC 3339).
pub(super) fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().to_string()
}
