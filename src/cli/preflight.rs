//! The test of the next generation before anything is touched, with nginx's words brought back to the configuration.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::apply::{self, Run, Scope, Tested, preflight, refusal};
use crate::diag::{Diagnostic, Diagnostics};
use crate::host::clock;
use crate::nginx::{NginxMessage, parse_error};
use crate::plan::{Explanation, Planned, Preflight};
use crate::resource::Resource;
use crate::state::State;

use super::{Failure, Invocation};

/// Tests the next generation of each node that would switch, and says in the plan how that went.
///
/// # Errors
/// Where nginx refuses a generation.
pub(crate) fn run(
    invocation: &Invocation,
    resources: &BTreeMap<Address, Resource>,
    state: &State,
    planned: &mut Planned,
) -> Result<(), Failure> {
    let mut errors = Diagnostics::new();
    for (address, work) in planned.nodes.iter().filter(|(_, work)| work.files.switch) {
        let stored = state.nodes.get(address);
        let number = work.files.number;
        let test = preflight(&*invocation.host, &invocation.run, work, stored, number, "preflight");
        let explanation =
            Explanation { work, resources, state, kinds: invocation.kinds, now: clock().as_second() };
        let mut remark = |warnings: &[String]| {
            let own =
                messages(warnings).into_iter().filter(|message| work.files.files.contains_key(file(message)));
            planned.findings.extend(own.map(|message| explanation.diagnostic(&message)));
        };
        let outcome = match invocation.block_on(test)? {
            Tested::Passed { warnings } => {
                remark(&warnings);
                Preflight::Passed
            }
            Tested::PassedStandalone { warnings } => {
                remark(&warnings);
                Preflight::PassedStandalone
            }
            Tested::Refused { messages: lines } => {
                errors.extend(refused(&explanation, &lines));
                continue;
            }
            broken @ Tested::BrokenBefore { .. } => {
                errors.extend(refusal(&work.node.spec, &broken));
                continue;
            }
            Tested::NotTested { why } => Preflight::NotTested { why },
        };
        if let Some(node) = planned.plan.nodes.iter_mut().find(|node| node.node == *address) {
            node.preflight = outcome;
        }
    }
    if errors.has_errors() { Err(errors.into()) } else { Ok(()) }
}

/// Leaves the test to the apply that follows, and says in the plan what it will be.
pub(crate) fn leave_to_apply(state: &State, planned: &mut Planned) {
    for node in planned.plan.nodes.iter_mut().filter(|node| node.next.is_some()) {
        let work = planned.nodes.get(&node.node);
        let large = apply::Options::default().large;
        if let Some(why) = work.and_then(apply::untested) {
            node.preflight = Preflight::NotTested { why };
            continue;
        }
        node.preflight = match work.map(|work| Scope::of(work, state.nodes.get(&node.node), large)) {
            Some(Scope::Changed { files, of }) => Preflight::ChangedAtApply { files: files.len(), of },
            Some(Scope::Whole) | None => Preflight::AtApply,
        };
    }
}

/// The errors of an apply, nginx's refusals among them brought back to the configuration.
pub(crate) fn explained(
    errors: Vec<Diagnostic>,
    run: &Run,
    resources: &BTreeMap<Address, Resource>,
    invocation: &Invocation,
) -> Vec<Diagnostic> {
    let explain = |error: Diagnostic| {
        let work = error.address.as_ref().and_then(|node| run.nodes.get(node));
        match work.filter(|_| error.code == Some(apply::REFUSED)) {
            Some(work) => {
                let kinds = invocation.kinds;
                let state = &run.prior;
                let explanation = Explanation { work, resources, state, kinds, now: clock().as_second() };
                let lines: Vec<String> = error.detail.lines().map(str::to_owned).collect();
                refused(&explanation, &lines)
            }
            None => vec![error],
        }
    };
    errors.into_iter().flat_map(explain).collect()
}

fn file(message: &NginxMessage) -> &str {
    message.file.as_deref().unwrap_or_default()
}

fn messages(lines: &[String]) -> Vec<NginxMessage> {
    parse_error(&lines.join("\n"))
}

/// nginx's refusal as diagnostics: its errors, and the conflicts of names that count as such.
fn refused(explanation: &Explanation<'_>, lines: &[String]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for message in messages(lines) {
        let mut diagnostic = explanation.diagnostic(&message);
        if message.conflicting_name().is_some() {
            diagnostic.severity = crate::diag::Severity::Error;
            found.push(
                diagnostic.help("two servers of one name on one address: nginx would ignore the second"),
            );
        } else if !message.is_warning() {
            found.push(diagnostic);
        }
    }
    if found.is_empty() {
        found.push(Diagnostic::error("nginx refuses the next generation").detail(lines.join("\n")));
    }
    found
}
