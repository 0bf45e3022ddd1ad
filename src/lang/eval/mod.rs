//! Evaluation of expressions.

use hcl_edit::Formatted;
use hcl_edit::expr::Expression;

use crate::diag::{Diagnostic, Diagnostics};
use crate::value::{Number, Value};

use super::{Scope, Source};

/// The value of an expression.
///
/// Every error is at the sub-expression that caused it; where parts are independent, the errors of all of them are
/// found. Unknown and sensitive marks go from the operands to the result.
pub fn eval(expr: &Expression, source: Source, scope: &dyn Scope) -> Result<Value, Diagnostics> {
    Evaluator { source, scope }.expression(expr)
}

struct Evaluator<'a> {
    source: Source,
    scope: &'a dyn Scope,
}

impl<'a> Evaluator<'a> {
    fn expression(&self, expr: &Expression) -> Result<Value, Diagnostics> {
        match expr {
            Expression::Null(_) => Ok(Value::NULL),
            Expression::Bool(bool) => Ok((*bool.value()).into()),
            Expression::Number(literal) => Ok(number(literal).into()),
            Expression::String(text) => Ok(text.as_str().into()),
            _ => Err(Diagnostic::error("not yet").at(self.source.span(expr)).into()),
        }
    }
}

/// The value of a number as it is written.
pub(super) fn number(literal: &Formatted<hcl_edit::Number>) -> Number {
    let written = literal.as_repr().map(|repr| repr.replace(char::is_whitespace, ""));
    written
        .and_then(|text| Number::parse(&text))
        .or_else(|| literal.value().as_f64().and_then(Number::from_f64))
        .unwrap_or_else(|| Number::from(0i64))
}
