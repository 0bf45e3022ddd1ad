//! The program that is told when a certificate could not be issued.

use std::path::Path;
use std::time::Duration;

use crate::diag::Diagnostic;
use crate::host::{Command, Host};
use crate::plan::NodeSpec;
use crate::plan::issuance::CertificateOrder;

/// How long it may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Starts it with the certificate's name and what went wrong. That it fails itself is said beside the error.
pub(super) async fn tell(
    host: &dyn Host,
    order: &CertificateOrder,
    issue: &Path,
    error: Diagnostic,
) -> Diagnostic {
    let Some((program, arguments)) = order.on_failure.split_first() else { return error };
    let name = NodeSpec::certificate_name(issue);
    let command = arguments.iter().fold(Command::new(program), Command::arg).timeout(PATIENCE);
    let wrong = match host.run(command.arg(name).arg(&error.summary)).await {
        Ok(output) if output.success() => return error,
        Ok(output) => output.ending(&format!("`{program}`")),
        Err(why) => why.to_string(),
    };
    error.help(format!("see to the program of `on_failure`, too: {wrong}"))
}
