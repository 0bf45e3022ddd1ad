//! Processes of nginx's that a node's pid file does not lead to, workers whose master has ended above all: they answer
//! on, and are in the way of another nginx.

use std::time::Duration;

use crate::diag::Diagnostic;
use crate::host::{Host, Signal};
use crate::plan::{NodeSpec, Orphans, Query};

/// How long those may take that were told to end at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often they are looked at.
const OFTEN: Duration = Duration::from_millis(20);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// They listen no more: what they have begun they may finish.
    Silent,
    /// They have gone.
    Gone,
}

pub(super) async fn find(host: &dyn Host, spec: &NodeSpec) -> Orphans {
    Orphans::of(spec, host.observe(&[Query::NginxProcesses]).await.first())
}

/// Ends those that are provably of the node's nginx: gracefully within its drain time, then at once. Gives whether there
/// were any.
///
/// # Errors
/// There are some that may be anybody's, or some do not end.
pub(super) async fn end(host: &dyn Host, spec: &NodeSpec, until: Until) -> Result<bool, Diagnostic> {
    let drain = match until {
        Until::Silent => PATIENCE,
        Until::Gone => Duration::from_secs(spec.drain_seconds.into()),
    };
    let mut any = false;
    for (signal, patience) in [(Signal::Quit, drain), (Signal::Terminate, PATIENCE), (Signal::Kill, PATIENCE)]
    {
        let found = find(host, spec).await;
        found.refusal(spec).map_or(Ok(()), Err)?;
        any |= !found.ours.is_empty();
        for worker in found.ours {
            // It may end by itself between the look and the signal; one that cannot be told is seen below.
            let _ = host.signal(worker, signal).await;
        }
        let since = host.elapsed();
        loop {
            let left = find(host, spec).await;
            if left.ours.is_empty() || until == Until::Silent && !left.listen {
                return Ok(any);
            }
            if host.elapsed().saturating_sub(since) > patience {
                break;
            }
            host.sleep(OFTEN).await;
        }
    }
    Err(Diagnostic::error("nginx's processes do not end, and the pid file leads to none of them")
        .on(&spec.address))
}
