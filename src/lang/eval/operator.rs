//! Unary and binary operators.

use hcl_edit::expr::{BinaryOp, BinaryOperator, Expression, UnaryOp, UnaryOperator};

use crate::diag::{Diagnostic, Diagnostics};
use crate::value::{Number, Type, Value, convert};

use super::{Evaluated, Evaluator, seen};

impl Evaluator<'_> {
    pub(super) fn unary(&self, operation: &UnaryOp) -> Evaluated {
        let value = self.expression(&operation.expr)?;
        match operation.operator.value() {
            UnaryOperator::Neg => {
                let operand = self.operand(&value, &operation.expr, &Type::Number, "-")?;
                let result = match operand.as_number() {
                    Some(number) => number.neg().into(),
                    None => Value::unknown(Type::Number),
                };
                Ok(result.marked_like([&operand]))
            }
            UnaryOperator::Not => {
                let operand = self.operand(&value, &operation.expr, &Type::Bool, "!")?;
                let result = match operand.as_bool() {
                    Some(bool) => (!bool).into(),
                    None => Value::unknown(Type::Bool),
                };
                Ok(result.marked_like([&operand]))
            }
        }
    }

    pub(super) fn binary(&self, operation: &BinaryOp) -> Evaluated {
        let operator = *operation.operator.value();
        match operator {
            BinaryOperator::And | BinaryOperator::Or => self.logic(operation, operator == BinaryOperator::Or),
            BinaryOperator::Eq | BinaryOperator::NotEq => {
                let (a, b) =
                    both(self.expression(&operation.lhs_expr), self.expression(&operation.rhs_expr))?;
                self.spend(seen(&a).saturating_add(seen(&b)), operation)?;
                let sensitive = a.contains_sensitive() || b.contains_sensitive();
                let result = match equal(&a, &b) {
                    Some(equal) => (equal == (operator == BinaryOperator::Eq)).into(),
                    None => Value::unknown(Type::Bool),
                };
                Ok(result.with_sensitive(sensitive))
            }
            _ => self.arithmetic(operation, operator),
        }
    }

    /// `&&` and `||`; `decisive` is the operand that decides alone.
    ///
    /// Where the left one decides, an error on the right is no error: `x != null && x.enabled`.
    fn logic(&self, operation: &BinaryOp, decisive: bool) -> Evaluated {
        let name = operation.operator.value().as_str();
        let operand = |expr: &Expression| {
            let value = self.expression(expr)?;
            self.operand(&value, expr, &Type::Bool, name)
        };
        let left = operand(&operation.lhs_expr);
        if let Ok(left) = &left
            && left.as_bool() == Some(decisive)
        {
            return Ok(left.clone());
        }
        let (left, right) = both(left, operand(&operation.rhs_expr))?;
        let result = match (left.as_bool(), right.as_bool()) {
            (_, Some(right)) if right == decisive => decisive.into(),
            (Some(_), Some(right)) => right.into(),
            _ => Value::unknown(Type::Bool),
        };
        Ok(result.marked_like([&left, &right]))
    }

    fn arithmetic(&self, operation: &BinaryOp, operator: BinaryOperator) -> Evaluated {
        let name = operator.as_str();
        let operand = |expr: &Expression| {
            let value = self.expression(expr)?;
            self.operand(&value, expr, &Type::Number, name)
        };
        let (left, right) = both(operand(&operation.lhs_expr), operand(&operation.rhs_expr))?;
        let result = match (left.as_number(), right.as_number()) {
            (Some(a), Some(b)) => self.calculate(operation, operator, a, b)?,
            _ => Value::unknown(match operator {
                BinaryOperator::Less
                | BinaryOperator::LessEq
                | BinaryOperator::Greater
                | BinaryOperator::GreaterEq => Type::Bool,
                _ => Type::Number,
            }),
        };
        Ok(result.marked_like([&left, &right]))
    }

    fn calculate(&self, operation: &BinaryOp, operator: BinaryOperator, a: &Number, b: &Number) -> Evaluated {
        let number = match operator {
            BinaryOperator::Less => return Ok((a < b).into()),
            BinaryOperator::LessEq => return Ok((a <= b).into()),
            BinaryOperator::Greater => return Ok((a > b).into()),
            BinaryOperator::GreaterEq => return Ok((a >= b).into()),
            BinaryOperator::Div if *b == Number::from(0i64) => {
                return Err(Diagnostic::error("division by zero").at(self.span(&operation.rhs_expr)).into());
            }
            BinaryOperator::Plus => a.add(b),
            BinaryOperator::Minus => a.sub(b),
            BinaryOperator::Mul => a.mul(b),
            BinaryOperator::Div => a.div(b),
            _ => a.rem(b),
        };
        number.map(Value::from).ok_or_else(|| {
            Diagnostic::error("the result has too many places").at(self.span(operation)).into()
        })
    }

    fn operand(&self, value: &Value, expr: &Expression, ty: &Type, operator: &str) -> Evaluated {
        if value.is_null() {
            return Err(Diagnostic::error(format!("an operand of `{operator}` is `null`"))
                .at(self.span(expr))
                .help("give it a default, as in `coalesce(x, 0)`")
                .into());
        }
        convert(value, ty).map_err(|error| {
            Diagnostic::error(format!("an operand of `{operator}` does not fit"))
                .label(self.span(expr), error.to_string())
                .into()
        })
    }
}

/// Both values, or the errors of both.
pub(super) fn both(a: Evaluated, b: Evaluated) -> Result<(Value, Value), Diagnostics> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(mut errors), Err(more)) => {
            errors.extend(more);
            Err(errors)
        }
        (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(errors),
    }
}

/// Whether two values are equal, sensitive marks aside; `None` where that is not known yet.
///
/// Values of different types are different: `1 == "1"` is false.
pub(in crate::lang) fn equal(a: &Value, b: &Value) -> Option<bool> {
    if a.is_unknown() || b.is_unknown() {
        return None;
    }
    if a.is_null() || b.is_null() {
        return Some(a.is_null() && b.is_null());
    }
    if a.is_scalar() || b.is_scalar() || std::mem::discriminant(a.repr()) != std::mem::discriminant(b.repr())
    {
        return Some(a.repr() == b.repr());
    }
    let all = |results: &mut dyn Iterator<Item = Option<bool>>| {
        let mut known = Some(true);
        for result in results {
            match result {
                Some(false) => return Some(false),
                Some(true) => {}
                None => known = None,
            }
        }
        known
    };
    match (a.as_elements(), b.as_elements(), a.as_object(), b.as_object()) {
        (Some(a), Some(b), ..) if a.len() == b.len() => all(&mut a.iter().zip(b).map(|(a, b)| equal(a, b))),
        (.., Some(a), Some(b)) if a.keys().eq(b.keys()) => {
            all(&mut a.values().zip(b.values()).map(|(a, b)| equal(a, b)))
        }
        _ => Some(false),
    }
}
