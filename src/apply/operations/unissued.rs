//! Why a certificate was not issued, and what that means for the next attempt.

use crate::diag::Diagnostic;

/// What failed, with what the authority said about when to come back.
pub(super) struct Failed {
    pub(super) error: Diagnostic,
    pub(super) again: Option<i64>,
    pub(super) unproven: bool,
    /// Whether the order that is under way leads nowhere.
    pub(super) lost: bool,
    /// Whether nothing is wrong with what was asked for: the same may be had later.
    pub(super) passing: bool,
    /// Whether the next attempt waits for a while: not where something is wrong on the node alone, which nobody else
    /// was asked in vain for.
    pub(super) counts: bool,
}

impl From<Diagnostic> for Failed {
    /// Something is wrong on the node.
    fn from(error: Diagnostic) -> Self {
        Self { error, again: None, unproven: false, lost: false, passing: true, counts: false }
    }
}

impl Failed {
    /// It is about the names, or who answers for them.
    pub(super) fn counting(error: Diagnostic) -> Self {
        Self { passing: false, counts: true, ..error.into() }
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
