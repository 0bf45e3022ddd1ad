//! What names mean.

use std::sync::Arc;

use crate::diag::Diagnostics;
use crate::value::Value;

use super::{Environment, Meter, NoEnvironment, Reference};

/// What the first steps of a reference stand for.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The value.
    pub value: Value,
    /// How many steps after the root led to it; the evaluator takes the others.
    pub steps: usize,
}

/// What names mean where an expression stands; asked for each reference as it is evaluated.
pub trait Scope {
    /// The value of a reference, or of its first steps: `domain["a.example.com"]` of `domain["a.example.com"].url`.
    ///
    /// The evaluator has evaluated the indexes (they may be unknown or sensitive). `None` where there is no such root,
    /// which the evaluator reports with the nearest of [`Scope::roots`].
    fn resolve(&self, reference: &Reference) -> Option<Result<Resolved, Diagnostics>>;

    /// The roots that there are.
    fn roots(&self) -> Vec<Arc<str>>;

    /// What functions may know of the outside.
    fn environment(&self) -> &dyn Environment;

    /// What counts the work; without one, each evaluation is counted for itself.
    fn meter(&self) -> Option<&Meter<'_>> {
        None
    }
}

/// A scope without names and without an environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoScope;

impl Scope for NoScope {
    fn resolve(&self, _: &Reference) -> Option<Result<Resolved, Diagnostics>> {
        None
    }

    fn roots(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn environment(&self) -> &dyn Environment {
        &NoEnvironment
    }
}
