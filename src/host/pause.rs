//! Pauses for tests that kill vsa at a chosen instant. Debug builds only; nothing in a release build.
//!
//! `VSA_PAUSE=before:3` stops the process (`SIGSTOP`) right before the third change that it makes to the outside
//! world, `after:3` right after it, and `phase:switch:2` before the second change of that phase. A test sees the
//! process stopped, which proves that it was alive, and kills it. Every change counts: each file operation, journal
//! record, signal and program.

/// Enters a phase of an apply.
pub fn phase(name: &'static str) {
    #[cfg(debug_assertions)]
    imp::phase(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// Does one change of the outside world.
pub fn around<T>(change: impl FnOnce() -> T) -> T {
    before();
    let result = change();
    after();
    result
}

/// Says that a change is about to happen.
pub fn before() {
    #[cfg(debug_assertions)]
    imp::before();
}

/// Says that a change has happened.
pub fn after() {
    #[cfg(debug_assertions)]
    imp::after();
}

#[cfg(debug_assertions)]
mod imp {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{LazyLock, Mutex, PoisonError};

    use nix::sys::signal::{Signal, raise};

    enum Instant {
        Before(u64),
        After(u64),
        Phase(String, u64),
    }

    static INSTANT: LazyLock<Option<Instant>> = LazyLock::new(|| {
        let text = std::env::var("VSA_PAUSE").ok()?;
        let (what, rest) = text.split_once(':')?;
        match what {
            "before" => Some(Instant::Before(rest.parse().ok()?)),
            "after" => Some(Instant::After(rest.parse().ok()?)),
            "phase" => {
                let (phase, count) = rest.split_once(':')?;
                Some(Instant::Phase(phase.to_owned(), count.parse().ok()?))
            }
            _ => None,
        }
    });
    static BEGUN: AtomicU64 = AtomicU64::new(0);
    static ENDED: AtomicU64 = AtomicU64::new(0);
    static PHASE: Mutex<(&str, u64)> = Mutex::new(("preflight", 0));

    fn stop_if(condition: bool) {
        if condition {
            // What cannot be stopped runs on, and the test says that it was never stopped.
            let _ = raise(Signal::SIGSTOP);
        }
    }

    pub(super) fn phase(name: &'static str) {
        *PHASE.lock().unwrap_or_else(PoisonError::into_inner) = (name, 0);
    }

    pub(super) fn before() {
        let Some(instant) = &*INSTANT else { return };
        let count = BEGUN.fetch_add(1, Ordering::SeqCst) + 1;
        let in_phase = {
            let mut phase = PHASE.lock().unwrap_or_else(PoisonError::into_inner);
            phase.1 += 1;
            *phase
        };
        stop_if(match instant {
            Instant::Before(wanted) => count == *wanted,
            Instant::After(_) => false,
            Instant::Phase(name, wanted) => in_phase == (name.as_str(), *wanted),
        });
    }

    pub(super) fn after() {
        let Some(instant) = &*INSTANT else { return };
        let count = ENDED.fetch_add(1, Ordering::SeqCst) + 1;
        stop_if(matches!(instant, Instant::After(wanted) if count == *wanted));
    }
}
