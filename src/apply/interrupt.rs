//! A run that is asked to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

/// A wish that a run may end early: before its commit it takes back what it did, after it it goes on to its end.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Nobody wishes it.
    pub fn never() -> Self {
        Self::default()
    }

    /// Wished by `SIGINT`, `SIGTERM`, or `SIGHUP` (the terminal has gone), from now on.
    ///
    /// # Errors
    /// The system does not deliver signals.
    pub fn on_signals() -> std::io::Result<Self> {
        let interrupt = Self::default();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let mut signals = signal(kind)?;
            let interrupt = interrupt.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    interrupt.raise();
                }
            });
        }
        Ok(interrupt)
    }

    /// Wishes it.
    pub fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it is wished.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
