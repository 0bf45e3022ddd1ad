//! Evaluation of expressions.

mod call;
mod index;
mod iterate;
mod operator;
mod template;
mod traversal;

use std::sync::Arc;

use hcl_edit::Formatted;
use hcl_edit::expr::{Array, Conditional, Expression, ObjectKey};
use hcl_edit::template::Template;

use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::value::{Number, Object, Type, Value, convert, unify};

use super::work::too_much_work;
use super::{Meter, Scope, Source};

pub(in crate::lang) use operator::equal;

/// The value of an expression.
///
/// Every error is at the sub-expression that caused it; where parts are independent, the errors of all of them are
/// found. Unknown and sensitive marks go from the operands to the result.
pub fn eval(expr: &Expression, source: Source, scope: &dyn Scope) -> Result<Value, Diagnostics> {
    begin(source, scope, |evaluator| {
        let value = evaluator.expression(expr)?;
        evaluator.spend(made(&value), expr)?;
        Ok(value)
    })
}

/// The value of a text that is a template as a whole; a string, unless it is a single interpolation.
pub fn eval_template(template: &Template, source: Source, scope: &dyn Scope) -> Result<Value, Diagnostics> {
    begin(source, scope, |evaluator| evaluator.template(template, template::Lines::Apart))
}

fn begin(source: Source, scope: &dyn Scope, work: impl FnOnce(&Evaluator<'_>) -> Evaluated) -> Evaluated {
    let own = Meter::default();
    let meter = scope.meter().unwrap_or(&own);
    work(&Evaluator { source, scope, bindings: None, meter, unheard: false })
}

/// The steps that making a value takes.
fn made(value: &Value) -> u64 {
    steps(value.size(), 16)
}

/// The steps that looking through a value takes.
fn seen(value: &Value) -> u64 {
    steps(value.size(), 512)
}

fn steps(size: usize, each: usize) -> u64 {
    u64::try_from(size / each).unwrap_or(u64::MAX)
}

#[derive(Clone, Copy)]
struct Evaluator<'a> {
    source: Source,
    scope: &'a dyn Scope,
    bindings: Option<&'a Binding<'a>>,
    meter: &'a Meter<'a>,
    /// Whether nobody hears what an error advises: looking for a like name among thousands takes time.
    unheard: bool,
}

/// A variable of a for-expression.
struct Binding<'a> {
    name: &'a str,
    value: &'a Value,
    outer: Option<&'a Binding<'a>>,
}

type Evaluated = Result<Value, Diagnostics>;

impl Evaluator<'_> {
    fn span(&self, node: &(impl hcl_edit::Span + ?Sized)) -> Span {
        self.source.span(node)
    }

    /// Expressions are bounded by the parser; the values that they build on, and come to, are bounded here.
    fn expression(&self, expr: &Expression) -> Evaluated {
        self.spend(1, expr)?;
        let value = self.unbounded(expr)?;
        if value.size() > Value::MAX_SIZE {
            return Err(too_large("the value").at(self.span(expr)).into());
        }
        if value.depth() > Value::MAX_DEPTH {
            let most = Value::MAX_DEPTH;
            return Err(Diagnostic::error(format!("the value has more than {most} levels inside each other"))
                .at(self.span(expr))
                .help("put its parts beside each other rather than into each other, for instance with `concat` or `merge`")
                .into());
        }
        Ok(value)
    }

    /// Counts work; past the bound, the error is at what was to be done next.
    fn spend(&self, steps: u64, before: &(impl hcl_edit::Span + ?Sized)) -> Result<(), Diagnostics> {
        if self.meter.spend(steps) {
            return Ok(());
        }
        Err(too_much_work().label(self.span(before), "the bound was reached here").into())
    }

    fn unbounded(&self, expr: &Expression) -> Evaluated {
        match expr {
            Expression::Null(_) => Ok(Value::NULL),
            Expression::Bool(bool) => Ok((*bool.value()).into()),
            Expression::Number(literal) => match number(literal) {
                Some(number) => Ok(number.into()),
                None => Err(Diagnostic::error("the number has too many places").at(self.span(expr)).into()),
            },
            Expression::String(text) => Ok(text.as_str().into()),
            Expression::Array(array) => self.array(array),
            Expression::Object(object) => self.object(object),
            Expression::StringTemplate(template) => self.template(template, template::Lines::Together),
            Expression::HeredocTemplate(heredoc) => self.template(&heredoc.template, template::Lines::Apart),
            Expression::Parenthesis(inner) => self.expression(inner.inner()),
            Expression::Variable(name) => self.variable(name.as_str(), self.span(name)),
            Expression::Conditional(conditional) => self.conditional(conditional, expr),
            Expression::FuncCall(call) => self.call(call),
            Expression::Traversal(traversal) => self.traversal(traversal),
            Expression::UnaryOp(operation) => self.unary(operation),
            Expression::BinaryOp(operation) => self.binary(operation),
            Expression::ForExpr(for_expr) => self.for_expr(for_expr),
        }
    }

    fn array(&self, array: &Array) -> Evaluated {
        collect(array.iter().map(|element| self.expression(element))).map(Value::tuple)
    }

    fn object(&self, object: &hcl_edit::expr::Object) -> Evaluated {
        let mut diagnostics = Diagnostics::new();
        let mut attributes = Object::new();
        let mut unknown_key = false;
        let mut sensitive = false;
        for (key, value) in object {
            let name = self.object_key(key).unwrap_or_else(|errors| {
                diagnostics.extend(errors);
                None
            });
            let value = self.expression(value.expr()).unwrap_or_else(|errors| {
                diagnostics.extend(errors);
                Value::NULL
            });
            match name {
                Some((name, secret)) => {
                    sensitive |= secret;
                    attributes.insert(name, value);
                }
                None => unknown_key = true,
            }
        }
        diagnostics.into_result(())?;
        let object = if unknown_key { Value::unknown(Type::Any) } else { Value::object(attributes) };
        Ok(object.with_sensitive(sensitive))
    }

    /// The name and whether it is sensitive; `None` where it is unknown.
    fn object_key(&self, key: &ObjectKey) -> Result<Option<(Arc<str>, bool)>, Diagnostics> {
        let expr = match key {
            ObjectKey::Ident(name) => return Ok(Some((name.as_str().into(), false))),
            ObjectKey::Expression(Expression::Bool(bool)) => {
                return Ok(Some((bool.value().to_string().into(), false)));
            }
            ObjectKey::Expression(Expression::Null(_)) => return Ok(Some(("null".into(), false))),
            ObjectKey::Expression(Expression::Traversal(traversal)) => {
                return Err(Diagnostic::error("an attribute's name is one name or a string")
                    .at(self.span(&**traversal))
                    .help("put the name in quotes, or an expression in parentheses")
                    .into());
            }
            ObjectKey::Expression(expr) => expr,
        };
        let value = self.expression(expr)?;
        self.text_key(&value, expr)
    }

    /// A value as the name of an attribute.
    fn text_key(&self, value: &Value, expr: &Expression) -> Result<Option<(Arc<str>, bool)>, Diagnostics> {
        if value.is_null() {
            return Err(Diagnostic::error("the name of an attribute is `null`").at(self.span(expr)).into());
        }
        let text = convert(value, &Type::String).map_err(|error| {
            Diagnostic::error("the name of an attribute is a string")
                .label(self.span(expr), error.to_string())
        })?;
        Ok(text.as_str().map(|name| (name.into(), value.is_sensitive())))
    }

    fn conditional(&self, conditional: &Conditional, whole: &Expression) -> Evaluated {
        let condition = self.condition(&conditional.cond_expr, "the condition")?;
        // An error in the branch that is not taken is no error: `x == null ? "" : x.name`.
        let of = |branch: &Expression, taken: bool| {
            let unheard = self.unheard || condition.as_bool() == Some(!taken);
            Evaluator { unheard, ..*self }.expression(branch)
        };
        let on_true = of(&conditional.true_expr, true);
        let on_false = of(&conditional.false_expr, false);
        let Some(decided) = condition.as_bool() else {
            let ty = match (on_true, on_false) {
                (Ok(a), Ok(b)) => self.unify_branches(&a, &b, whole)?.unwrap_or_else(|| a.ty()),
                (Err(errors), Err(_)) => return Err(errors),
                _ => Type::Any,
            };
            return Ok(Value::unknown(ty).marked_like([&condition]));
        };
        let (taken, other) = if decided { (on_true?, on_false) } else { (on_false?, on_true) };
        let taken = match other {
            Ok(other) => match self.unify_branches(&taken, &other, whole)? {
                Some(ty) => convert(&taken, &ty).unwrap_or(taken),
                None => taken,
            },
            Err(_) => taken,
        };
        Ok(taken.marked_like([&condition]))
    }

    /// The type that both branches are converted to; `None` where they need no conversion.
    fn unify_branches(&self, a: &Value, b: &Value, whole: &Expression) -> Result<Option<Type>, Diagnostics> {
        if a.is_null()
            || b.is_null()
            || std::mem::discriminant(a.repr()) == std::mem::discriminant(b.repr()) && a.is_scalar()
        {
            return Ok(None);
        }
        self.spend(seen(a).saturating_add(seen(b)), whole)?;
        let (a, b) = (a.ty(), b.ty());
        if a == b {
            return Ok(None);
        }
        match unify([&a, &b]) {
            Some(ty) => Ok(Some(ty)),
            None => Err(Diagnostic::error("the two results of the condition have no common type")
                .label(self.span(whole), format!("{} and {}", a.article(), b.article()))
                .into()),
        }
    }

    /// A value that must be a boolean, or unknown.
    fn condition(&self, expr: &Expression, what: &str) -> Evaluated {
        let value = self.expression(expr)?;
        if value.is_null() {
            return Err(Diagnostic::error(format!("{what} is `null`"))
                .at(self.span(expr))
                .help("a condition is `true` or `false`")
                .into());
        }
        convert(&value, &Type::Bool).map_err(|error| {
            Diagnostic::error(format!("{what} is not a bool"))
                .label(self.span(expr), error.to_string())
                .into()
        })
    }
}

/// What is said of a value, or of what goes into one, that is larger than there may be; without its place.
fn too_large(what: &str) -> Diagnostic {
    Diagnostic::error(format!("{what} would have more than {} MiB", Value::MAX_SIZE >> 20))
        .code("too_large")
        .detail("each part counts 32 bytes and its text, as often as it stands there")
        .help("look for texts and lists that are put together from themselves; keep large data in files that services read")
}

/// All the values, or all the errors.
fn collect(values: impl Iterator<Item = Evaluated>) -> Result<Vec<Value>, Diagnostics> {
    let mut collected = Vec::with_capacity(values.size_hint().0);
    let mut diagnostics = Diagnostics::new();
    for value in values {
        match value {
            Ok(value) => collected.push(value),
            Err(errors) => diagnostics.extend(errors),
        }
    }
    diagnostics.into_result(collected).map(|(collected, _)| collected)
}

/// The value of a number as it is written: beyond 64 bits the tree holds only the nearest double. `None` where it has
/// too many places.
pub(super) fn number(literal: &Formatted<hcl_edit::Number>) -> Option<Number> {
    match literal.as_repr() {
        Some(written) => Number::parse(&written.replace(char::is_whitespace, "")),
        None => literal.value().as_f64().and_then(Number::from_f64),
    }
}
