//! The program that is told when another certificate is served.

use std::time::Duration;

use super::{Facts, fact};
use crate::diag::Diagnostic;
use crate::host::{Command, Host};
use crate::plan::issuance::Lineage;

/// The fact that tells that it failed. The state does not keep it.
const FAILED: &str = "on_renewal_failed";

/// How long it may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Starts it with what certbot tells a deploy hook. That it fails changes nothing about the certificate: it is said.
pub(super) async fn tell(host: &dyn Host, command: &[String], lineage: &Lineage, names: &[String]) -> Facts {
    let Some((program, arguments)) = command.split_first() else { return Facts::new() };
    let command = arguments.iter().fold(Command::new(program), Command::arg).timeout(PATIENCE);
    let command = command.env("RENEWED_LINEAGE", lineage.live()).env("RENEWED_DOMAINS", names.join(" "));
    let wrong = match host.run(command).await {
        Ok(output) if output.success() => return Facts::new(),
        Ok(output) => {
            let said = output.errors();
            let said = said.lines().rev().find(|line| !line.trim().is_empty());
            let said = said.map(|line| format!(": {}", line.trim())).unwrap_or_default();
            format!("{}{said}", output.ending(&format!("`{program}`")))
        }
        Err(why) => why.to_string(),
    };
    fact(FAILED, wrong)
}

/// Takes what went wrong beside an operation that is done from its facts, as a warning.
pub(in crate::apply) fn remark(facts: &mut Facts) -> Option<Diagnostic> {
    let wrong = facts.remove(FAILED)?;
    let remark = Diagnostic::warning("the program of `on_renewal` failed").code("on_renewal");
    let help = "nginx serves the new certificate, but other programs may go on with the former one: find out why it failed, \
                and start it by hand";
    Some(remark.detail(wrong.as_str().unwrap_or_default()).help(help))
}
