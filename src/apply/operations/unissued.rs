//! Why a certificate was not issued, and what that means for the next attempt.

use crate::diag::Diagnostic;

/// What failed, with what the authority said about when to come back.
pub(super) struct Failed {
    pub(super) error: Diagnostic,
    pub(super) again: Option<i64>,
    pub(super) unproven: bool,
    /// Whether the order that is under way leads nowhere.
    pub(super) lost: bool,
    pub(super) cause: Cause,
}

/// What the next attempt has to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Something is wrong on the node alone: nobody else was asked in vain, and nothing waits.
    Node,
    /// Nothing is wrong with what was asked for: the same may be had later.
    Passing,
    /// It is about what was asked for.
    Lasting,
}

impl From<Diagnostic> for Failed {
    /// It lasts: of what nobody says anything about, an authority is not asked again and again.
    fn from(error: Diagnostic) -> Self {
        Self { error, again: None, unproven: false, lost: false, cause: Cause::Lasting }
    }
}

impl Failed {
    /// Something is wrong on the node.
    pub(super) fn node(error: impl Into<Diagnostic>) -> Self {
        Self { cause: Cause::Node, ..error.into().into() }
    }

    /// It is about an authority that may do it later.
    pub(super) fn passing(error: Diagnostic) -> Self {
        Self { cause: Cause::Passing, ..error.into() }
    }

    /// With what was not certain before.
    pub(super) fn with(mut self, remarks: &[String]) -> Self {
        let detail = std::mem::take(&mut self.error.detail);
        let lines: Vec<_> = Some(detail).filter(|detail| !detail.is_empty()).into_iter().collect();
        let lines: Vec<_> =
            lines.iter().map(String::as_str).chain(remarks.iter().map(String::as_str)).collect();
        self.error = self.error.detail(lines.join("\n"));
        self
    }
}
