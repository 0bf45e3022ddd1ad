//! What started the renewal before, where that was the other of systemd and cron: one of them is enough.

use std::path::{Path, PathBuf};

use super::install_timer::{CRON, Starter, UNITS, observe, systemctl};
use crate::cli::{Failure, Invocation};
use crate::diag::Diagnostic;
use crate::host::FileOperation;
use crate::plan::{Answer, Query};

/// Takes away what the other one starts the renewal by, and says so; `runs` says whether systemd does.
pub(super) fn remove(
    invocation: &Invocation,
    starter: Starter,
    (name, runs): (&str, bool),
) -> Result<(), Failure> {
    let (timer, service) = (format!("{name}.timer"), format!("{name}.service"));
    let paths = match starter {
        Starter::Systemd => vec![format!("{CRON}/{name}")],
        // The link by which systemd starts it at boot comes first: it names the timer.
        Starter::Cron => vec![
            format!("{UNITS}/timers.target.wants/{timer}"),
            format!("{UNITS}/{timer}"),
            format!("{UNITS}/{service}"),
        ],
    };
    let place = |path: &String| invocation.base.place(path);
    let is_there =
        |path: &PathBuf| matches!(observe(invocation, Query::Stat(path.clone())), Some(Answer::Stat(_)));
    let there: Vec<PathBuf> = paths.iter().map(place).filter(is_there).collect();
    if there.is_empty() {
        return Ok(());
    }
    let is_told = starter == Starter::Cron && runs && invocation.base.system == Path::new("/");
    if is_told {
        systemctl(invocation, &["disable", "--now", &timer])?;
    }
    let removals = there.iter().map(|path| FileOperation::Remove { path: path.clone() });
    let removed = invocation.block_on(invocation.host.files(removals.collect()));
    removed.map_err(|error| Diagnostic::from(error).help("run it as root"))?;
    if is_told {
        systemctl(invocation, &["daemon-reload"])?;
    }
    for path in there {
        invocation.terminal.line(&format!("removed {}: the renewal is started once", path.display()));
    }
    Ok(())
}
