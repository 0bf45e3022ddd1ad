//! Which parts of the sources hold secrets, so that no snippet of a diagnostic shows them.

use hcl_edit::expr::Expression;

use crate::diag::Span;

use super::declarations::{Declarations, Located};

/// The places in the configuration that hold secrets, with those in `more`.
pub(super) fn secrets(declared: &Declarations<'_>, more: Vec<Span>) -> Vec<Span> {
    let mut places = more;
    for block in &declared.resources {
        block.bound.each_attribute(&mut |attribute, written, source| {
            if attribute.sensitive && holds_text(&written.value) {
                places.push(Located::of(written, source).span());
            }
        });
    }
    for variable in declared.variables.values().filter(|variable| variable.sensitive) {
        places.extend(variable.written_default.map(Located::span));
    }
    places
}

/// Whether an expression may spell a secret out, rather than refer to one.
pub(super) fn holds_text(expr: &Expression) -> bool {
    !matches!(
        expr,
        Expression::Variable(_) | Expression::Traversal(_) | Expression::Null(_) | Expression::Bool(_)
    )
}
