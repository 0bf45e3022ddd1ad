//! Open-loop clients: requests leave at a fixed rate, whatever happens to those before them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::client::{Connection, Failure, PATIENCE, Request, Response};
use super::processes::wait_until;

/// How a load connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// A new connection for every request.
    Fresh,
    /// A pool; a request on a reused connection that was closed before any byte of an answer is sent once more, on a
    /// new one, as every browser does.
    KeptAlive,
}

/// What became of the requests.
#[derive(Debug, Default)]
pub struct Report {
    /// How many were sent.
    pub sent: u64,
    /// How many were answered.
    pub answered: u64,
    /// How many went out again because their reused connection had been closed.
    pub sent_again: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Answers by the first line of their body.
    pub first_lines: BTreeMap<String, u64>,
    /// What went wrong, one for each request that was not answered.
    pub failures: Vec<String>,
}

impl Report {
    /// Checks that every request was answered.
    pub fn assert_all_answered(&self) {
        assert!(self.sent > 0 && self.sent == self.answered, "{self:#?}");
    }
}

/// A running load.
pub struct Load {
    thread: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    answered: Arc<AtomicU64>,
    report: Arc<Mutex<Report>>,
}

/// Port and name in the handshake.
type Peer = (u16, Option<String>);

/// What the requests of a load share.
struct Shared {
    connections: Connections,
    idle: Mutex<BTreeMap<Peer, Vec<Connection>>>,
    answered: Arc<AtomicU64>,
    report: Arc<Mutex<Report>>,
}

impl Load {
    /// Sends these requests in turn, `rate` of them a second, from the network that the caller is in.
    pub fn start(rate: u32, connections: Connections, requests: Vec<Request>) -> Self {
        assert!(!requests.is_empty());
        let answered = Arc::new(AtomicU64::new(0));
        let report = Arc::new(Mutex::new(Report::default()));
        let shared = Arc::new(Shared {
            connections,
            idle: Mutex::default(),
            answered: Arc::clone(&answered),
            report: Arc::clone(&report),
        });
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(rate, &requests, &shared, stopped));
        });
        Self { thread, stop, answered, report }
    }

    /// Waits until this many requests were answered since now.
    pub fn wait_for(&self, more: u64) {
        let goal = self.answered.load(Ordering::Relaxed) + more;
        let reached = wait_until(Duration::from_mins(1), || self.answered.load(Ordering::Relaxed) >= goal);
        assert!(reached, "{:#?}", self.report.lock().unwrap());
    }

    /// Sends no more, waits for the answers that are on their way, and reports.
    pub fn stop(self) -> Report {
        // A load that ended early has nobody listening, and says so by its report.
        let _ = self.stop.send(());
        self.thread.join().unwrap();
        std::mem::take(&mut self.report.lock().unwrap())
    }
}

async fn run(rate: u32, requests: &[Request], shared: &Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let mut ticks = tokio::time::interval_at(Instant::now(), Duration::from_secs(1) / rate);
    // A late tick is made up for: the schedule is fixed.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    for request in requests.iter().cycle() {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            _ = ticks.tick() => {}
        }
        shared.report.lock().unwrap().sent += 1;
        let shared = Arc::clone(shared);
        let request = request.clone();
        under_way.spawn(async move { shared.exchange(&request).await });
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
}

impl Shared {
    async fn exchange(&self, request: &Request) {
        let result = self.send(request).await;
        let mut report = self.report.lock().unwrap();
        match result {
            Ok(response) => {
                report.answered += 1;
                *report.statuses.entry(response.status).or_default() += 1;
                let first = response.text().lines().next().unwrap_or_default().to_owned();
                *report.first_lines.entry(first).or_default() += 1;
                drop(report);
                self.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(failure) => report.failures.push(format!("{}{}: {failure}", request.host, request.path)),
        }
    }

    async fn send(&self, request: &Request) -> Result<Response, Failure> {
        let key = (request.port, request.tls.clone());
        if self.connections == Connections::KeptAlive {
            let reused = self.idle.lock().unwrap().get_mut(&key).and_then(Vec::pop);
            if let Some(mut connection) = reused {
                match connection.send(request).await {
                    Err(Failure::ClosedBeforeAnswer) => self.report.lock().unwrap().sent_again += 1,
                    Err(other) => return Err(other),
                    Ok(response) => {
                        self.keep(key, connection);
                        return Ok(response);
                    }
                }
            }
        }
        let open = tokio::time::timeout(PATIENCE, Connection::open(request)).await;
        let timed_out = |_| Failure::Other(std::io::ErrorKind::TimedOut.into());
        let mut connection = open.map_err(timed_out)??;
        let response = connection.send(request).await?;
        if self.connections == Connections::KeptAlive {
            self.keep(key, connection);
        }
        Ok(response)
    }

    fn keep(&self, key: Peer, connection: Connection) {
        if connection.reusable {
            self.idle.lock().unwrap().entry(key).or_default().push(connection);
        }
    }
}
