//! What is looked at before an authority is asked, so that no order is wasted.

pub mod caa;
mod clock;
mod names;
mod probe;

pub use clock::check as clock;
pub use names::{Addresses, allowed, answered, resolve};
pub use probe::{Probe, probe};

use crate::diag::Diagnostic;

/// What is said of every failure found here.
const NOT_ASKED: &str = "the authority was not asked: nothing counts against its limits";

/// One error of those that were found; the others stand below it.
fn together(errors: Vec<Diagnostic>) -> Result<(), Diagnostic> {
    let mut errors = errors.into_iter();
    let Some(mut first) = errors.next() else { return Ok(()) };
    let others = errors.map(|error| error.summary).filter(|other| *other != first.summary);
    let others: Vec<_> = others.collect();
    let lines: Vec<_> = Some(std::mem::take(&mut first.detail))
        .filter(|detail| !detail.is_empty())
        .into_iter()
        .chain(others)
        .collect();
    let lines: Vec<_> = lines.into_iter().chain([NOT_ASKED.to_owned()]).collect();
    Err(first.detail(lines.join("\n")))
}
