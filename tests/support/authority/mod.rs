//! An ACME server (RFC 8555, RFC 9773, profiles) that fails when it is told to. pebble is the one to show that a client
//! is right; this one is for what pebble does not do: windows of renewal, profiles, limits, and every kind of failure.

mod faults;
mod flow;
mod http;
mod issue;
mod jws;
mod orders;
mod state;

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use super::private_ca::PrivateCa;
pub use faults::{Fault, Gate, Problem, Step};
use faults::{Played, Rule};
use http::{Reply, Request};
use issue::Issuers;
pub use issue::Mistake;
use jws::Signed;
use state::State;
pub use state::{Account, Authorization, Behaviour, Issued, Order, Recorded, Validation, Window};

/// The server; it listens as long as the test's process runs.
pub struct Authority {
    shared: Arc<Shared>,
    ca: PathBuf,
    _directory: TempDir,
}

struct Shared {
    /// The URL that all others begin with.
    base: String,
    issuers: Issuers,
    state: Mutex<State>,
}

impl Authority {
    /// Starts one in the network that the caller is in.
    pub fn start(behaviour: Behaviour) -> Self {
        Self::presenting(&PrivateCa::new(), behaviour)
    }

    /// Starts one whose own certificate is this one.
    pub fn presenting(private: &PrivateCa, behaviour: Behaviour) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ca = private.write(directory.path());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let base = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let state = Mutex::new(State::new(behaviour));
        let shared = Arc::new(Shared { base, issuers: Issuers::new(), state });
        let (tls, serving) = (http::tls(private), Arc::clone(&shared));
        std::thread::spawn(move || http::accept(&listener, &tls, &serving));
        Self { shared, ca, _directory: directory }
    }

    /// Its directory's URL.
    pub fn directory(&self) -> String {
        format!("{}/directory", self.shared.base)
    }

    /// The PEM file of the root that its own certificate is signed with.
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// The roots that it issues below, PEM: `Mock Root X1`, and `Mock Root X2` of the alternate chain.
    pub fn roots(&self) -> &[String; 2] {
        &self.shared.issuers.roots
    }

    /// Changes how it behaves.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state().behaviour);
    }

    /// The next `times` requests of a step fail, and are not processed.
    pub fn fail(&self, step: Step, fault: Fault, times: usize) {
        self.state().rules.push(Rule { step, fault, processed: false, times });
    }

    /// The next `times` requests of a step are processed; only their answers fail.
    pub fn fail_answer(&self, step: Step, fault: Fault, times: usize) {
        self.state().rules.push(Rule { step, fault, processed: true, times });
    }

    /// Makes the requests of a step wait at a gate, before or after they are processed.
    pub fn hold(&self, step: Step, processed: bool) -> Gate {
        let gate = Gate::default();
        let fault = Fault::Held(gate.clone());
        self.state().rules.push(Rule { step, fault, processed, times: usize::MAX });
        gate
    }

    /// Nothing fails from now on.
    pub fn mend(&self) {
        self.state().rules.clear();
    }

    /// Whether every connection ends before TLS begins.
    pub fn down(&self, down: bool) {
        self.state().down = down;
    }

    /// Sets when one certificate is to be renewed, by its identifier.
    pub fn window(&self, id: &str, window: Window) {
        self.state().windows.insert(id.to_owned(), window);
    }

    /// The requests that came, in their order.
    pub fn requests(&self) -> Vec<Recorded> {
        self.state().requests.clone()
    }

    /// How many requests of a step came.
    pub fn count(&self, step: Step) -> usize {
        self.state().requests.iter().filter(|request| request.step == step).count()
    }

    /// The accounts, in their order.
    pub fn accounts(&self) -> Vec<Account> {
        self.state().accounts.clone()
    }

    /// The orders, in their order.
    pub fn orders(&self) -> Vec<Order> {
        self.state().orders.clone()
    }

    /// The authorizations, in their order.
    pub fn authorizations(&self) -> Vec<Authorization> {
        self.state().authorizations.clone()
    }

    /// The certificates that it issued, in their order.
    pub fn issued(&self) -> Vec<Issued> {
        self.state().certificates.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}

impl Shared {
    fn is_down(&self) -> bool {
        self.state.lock().unwrap().down
    }

    /// The answer to a request; `None`: the connection ends without one.
    fn answer(self: &Arc<Self>, request: &Request) -> Option<Reply> {
        let step = Step::of(&request.path);
        let signed = (request.method == "POST").then(|| {
            let body: Result<Value, _> = serde_json::from_slice(&request.body);
            let body = body.map_err(|error| Problem::new(400, "malformed", &error.to_string()))?;
            Signed::decode(&body)
        });
        self.record(step, request, signed.as_ref().and_then(|signed| signed.as_ref().ok()));
        let reply = match self.play(step, false) {
            Played::Closed => return None,
            Played::Instead(reply) => reply,
            Played::GoesOn => {
                let reply = self.route(step, request, signed).unwrap_or_else(|problem| problem.reply());
                match self.play(step, true) {
                    Played::Closed => return None,
                    Played::Instead(reply) => reply,
                    Played::GoesOn => reply,
                }
            }
        };
        let mut state = self.state.lock().unwrap();
        let date = jiff::Timestamp::from_second(state.now()).unwrap();
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let reply = reply.header("Date", date).header("Cache-Control", "no-store");
        let index = format!("<{}/directory>;rel=\"index\"", self.base);
        Some(reply.header("Link", index).header("Replay-Nonce", state.nonce()))
    }

    fn play(&self, step: Step, processed: bool) -> Played {
        let fault = faults::next(&mut self.state.lock().unwrap().rules, step, processed);
        fault.map_or(Played::GoesOn, Fault::play)
    }

    fn record(&self, step: Step, request: &Request, signed: Option<&Signed>) {
        self.state.lock().unwrap().requests.push(Recorded {
            step,
            method: request.method.clone(),
            path: request.path.clone(),
            payload: signed.and_then(|signed| signed.payload.clone()),
            account: signed.and_then(|signed| signed.text("kid").map(str::to_owned)),
            at: Instant::now(),
        });
    }
}
