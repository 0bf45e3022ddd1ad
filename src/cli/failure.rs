//! Why a command ends otherwise than well, and the exit codes.

use crate::apply::NODE_LOCKED;
use crate::diag::{Diagnostic, Diagnostics};

/// How a command ends; the values are the program's exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All went well.
    Done = 0,
    /// An error, wrong usage too.
    Error = 1,
    /// `plan -detailed-exitcode` found changes.
    Changes = 2,
    /// Another run has locked the state.
    Locked = 3,
    /// The saved plan is stale.
    Stale = 4,
    /// An apply failed and was rolled back whole.
    RolledBack = 5,
    /// An apply failed and something is left to look at.
    Left = 6,
}

impl Exit {
    /// Of what was refused: whether to wait for another run.
    pub(super) fn of<'a>(errors: impl IntoIterator<Item = &'a Diagnostic>) -> Self {
        let is_locked = errors.into_iter().any(|error| error.code == Some(NODE_LOCKED));
        if is_locked { Self::Locked } else { Self::Error }
    }

    /// What monitoring takes for a warning (the plugins' guidelines of Nagios).
    pub const WARNING: Self = Self::Error;
    /// What monitoring takes for critical.
    pub const CRITICAL: Self = Self::Changes;
    /// What monitoring takes for unknown.
    pub const UNKNOWN: Self = Self::Locked;
}

/// What a command gives back where it could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What was wrong.
    pub diagnostics: Diagnostics,
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Self { exit: Exit::of(&diagnostics), diagnostics }
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Diagnostics::from(diagnostic).into()
    }
}

impl From<crate::store::Error> for Failure {
    fn from(error: crate::store::Error) -> Self {
        let exit =
            if matches!(error, crate::store::Error::Locked { .. }) { Exit::Locked } else { Exit::Error };
        Self { exit, diagnostics: error.diagnostic().into() }
    }
}
