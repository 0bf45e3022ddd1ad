//! How an authority fails.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::http::Reply;
use crate::support::processes::wait_until;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Directory,
    NewNonce,
    NewAccount,
    NewOrder,
    Order,
    Authorization,
    Challenge,
    Finalize,
    Certificate,
    Revoke,
    RenewalInfo,
    /// What is none of these; as the place of a fault: any of them.
    Any,
}

impl Step {
    pub(super) fn of(path: &str) -> Self {
        match path.split('/').nth(1).unwrap_or_default() {
            "directory" => Self::Directory,
            "new-nonce" => Self::NewNonce,
            "new-account" | "account" => Self::NewAccount,
            "new-order" => Self::NewOrder,
            "order" => Self::Order,
            "authorization" => Self::Authorization,
            "challenge" => Self::Challenge,
            "finalize" => Self::Finalize,
            "certificate" => Self::Certificate,
            "revoke" => Self::Revoke,
            "renewal-info" => Self::RenewalInfo,
            _ => Self::Any,
        }
    }
}

/// A problem document (RFC 7807), with its type below `urn:ietf:params:acme:error:`.
#[derive(Clone, Debug)]
pub struct Problem {
    pub status: u16,
    pub kind: String,
    pub detail: String,
    /// Name, type and detail of each (RFC 8555 section 6.7.1).
    pub subproblems: Vec<(String, String, String)>,
    /// Seconds, or a date (RFC 9110 section 10.2.3).
    pub retry_after: Option<String>,
}

impl Problem {
    pub fn new(status: u16, kind: &str, detail: &str) -> Self {
        let (kind, detail) = (kind.to_owned(), detail.to_owned());
        Self { status, kind, detail, subproblems: Vec::new(), retry_after: None }
    }

    /// Too many orders.
    pub fn rate_limited(retry_after: &str) -> Self {
        let detail = "too many certificates already issued for this exact set of names";
        Self { retry_after: Some(retry_after.to_owned()), ..Self::new(429, "rateLimited", detail) }
    }

    /// With a problem of one name.
    #[must_use]
    pub fn of_name(mut self, name: &str, kind: &str, detail: &str) -> Self {
        self.subproblems.push((name.to_owned(), kind.to_owned(), detail.to_owned()));
        self
    }

    pub(super) fn document(&self) -> Value {
        let urn = |kind: &str| format!("urn:ietf:params:acme:error:{kind}");
        let mut document = json!({ "type": urn(&self.kind), "detail": self.detail, "status": self.status });
        if !self.subproblems.is_empty() {
            let of = self.subproblems.iter().map(|(name, kind, detail)| {
                json!({
                    "type": urn(kind), "detail": detail, "identifier": { "type": "dns", "value": name },
                })
            });
            document["subproblems"] = of.collect();
        }
        document
    }

    pub(super) fn reply(&self) -> Reply {
        let reply = Reply::text(self.status, "application/problem+json", self.document().to_string());
        match &self.retry_after {
            Some(after) => reply.header("Retry-After", after),
            None => reply,
        }
    }
}

/// What happens in the place of an answer, or on the way to it.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A problem document.
    Problem(Problem),
    /// `503` with a page for people, as from what stands before an authority.
    Unavailable,
    /// Any status, headers and body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The connection ends without an answer.
    Closed,
    /// It takes this long.
    Slow(Duration),
    /// It waits until somebody opens the gate.
    Held(Gate),
}

impl Fault {
    /// A nonce that is not taken.
    pub fn bad_nonce() -> Self {
        Self::Problem(Problem::new(400, "badNonce", "the nonce is not known"))
    }

    /// What is no JSON, with status 200.
    pub fn not_json() -> Self {
        let kind = vec![("Content-Type", "text/html".to_owned())];
        Self::Answer(200, kind, "<html>a captive portal</html>".to_owned())
    }
}

/// Where requests wait.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<(usize, bool)>, Condvar)>);

impl Gate {
    /// Waits until a request waits here.
    pub fn wait_for_one(&self) {
        self.wait_for(1);
    }

    /// Waits until so many do.
    pub fn wait_for(&self, requests: usize) {
        let came = wait_until(Duration::from_secs(30), || self.0.0.lock().unwrap().0 >= requests);
        assert!(came, "too few requests came");
    }

    /// Lets the requests that wait here, and those that come, go on.
    pub fn open(&self) {
        self.0.0.lock().unwrap().1 = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let mut state = self.0.0.lock().unwrap();
        state.0 += 1;
        // A test that never opens it has ended: so does the process.
        drop(self.0.1.wait_while(state, |(_, open)| !*open));
    }
}

/// A fault, where, and how often.
pub(super) struct Rule {
    pub(super) step: Step,
    pub(super) fault: Fault,
    /// Whether the request was processed, and only its answer fails.
    pub(super) processed: bool,
    pub(super) times: usize,
}

/// Takes the fault that is next for a step.
pub(super) fn next(rules: &mut Vec<Rule>, step: Step, processed: bool) -> Option<Fault> {
    let of_it = |rule: &Rule| rule.processed == processed && (rule.step == step || rule.step == Step::Any);
    let at = rules.iter().position(of_it)?;
    let rule = &mut rules[at];
    rule.times = rule.times.saturating_sub(1);
    let fault = rule.fault.clone();
    if rule.times == 0 {
        rules.remove(at);
    }
    Some(fault)
}

/// What becomes of a request.
pub(super) enum Played {
    GoesOn,
    Instead(Reply),
    Closed,
}

impl Fault {
    pub(super) fn play(self) -> Played {
        match self {
            Self::Problem(problem) => Played::Instead(problem.reply()),
            Self::Unavailable => Played::Instead(Reply::text(503, "text/html", "<h1>503</h1>")),
            Self::Answer(status, headers, body) => {
                let reply = Reply { body: body.into_bytes(), ..Reply::empty(status) };
                Played::Instead(
                    headers.into_iter().fold(reply, |reply, (name, value)| reply.header(name, value)),
                )
            }
            Self::Closed => Played::Closed,
            Self::Slow(duration) => {
                std::thread::sleep(duration);
                Played::GoesOn
            }
            Self::Held(gate) => {
                gate.pass();
                Played::GoesOn
            }
        }
    }
}
