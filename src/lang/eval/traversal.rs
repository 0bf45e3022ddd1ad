//! Names, steps and splats.

use std::sync::Arc;

use hcl_edit::Decorated;
use hcl_edit::expr::{Expression, Traversal, TraversalOperator};

use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::reference::legacy_index;
use crate::lang::{Access, Reference, Step};
use crate::value::{Repr, Type, Value, unify};

use super::{Evaluated, Evaluator, collect};

type Operator = Decorated<TraversalOperator>;

impl Evaluator<'_> {
    pub(super) fn variable(&self, name: &str, span: Span) -> Evaluated {
        if let Some(value) = self.bound(name) {
            return Ok(value.clone());
        }
        let reference = Reference { root: name.into(), root_span: span, steps: Vec::new() };
        self.resolve(&reference).map(|(value, _)| value)
    }

    fn bound(&self, name: &str) -> Option<&Value> {
        let mut binding = self.bindings;
        while let Some(inner) = binding {
            if inner.name == name {
                return Some(inner.value);
            }
            binding = inner.outer;
        }
        None
    }

    fn resolve(&self, reference: &Reference) -> Result<(Value, usize), Diagnostics> {
        match self.scope.resolve(reference) {
            Some(resolved) => {
                resolved.map(|resolved| (resolved.value, resolved.steps.min(reference.steps.len())))
            }
            None => Err(self.no_such_root(reference).into()),
        }
    }

    fn no_such_root(&self, reference: &Reference) -> Diagnostic {
        let mut known = self.scope.roots();
        let mut binding = self.bindings;
        while let Some(inner) = binding {
            known.push(inner.name.into());
            binding = inner.outer;
        }
        let root = &*reference.root;
        let error =
            Diagnostic::error(format!("there is nothing named `{root}` here")).at(reference.root_span);
        error.did_you_mean(root, known.iter().map(|name| &**name), |error| {
            if reference.steps.is_empty() {
                error.help(format!("a text is written in quotes: `\"{root}\"`; a variable is `var.{root}`"))
            } else {
                error
            }
        })
    }

    pub(super) fn traversal(&self, traversal: &Traversal) -> Evaluated {
        let operators = &traversal.operators[..];
        self.check_legacy(operators)?;
        let Expression::Variable(name) = &traversal.expr else {
            let value = self.expression(&traversal.expr)?;
            return self.steps(value, operators);
        };
        if let Some(value) = self.bound(name.as_str()) {
            return self.steps(value.clone(), operators);
        }
        let mut diagnostics = Diagnostics::new();
        let mut steps = Vec::with_capacity(operators.len());
        for operator in operators {
            let access = match operator.value() {
                TraversalOperator::GetAttr(name) => Access::Attribute(name.as_str().into()),
                TraversalOperator::LegacyIndex(index) => Access::Index(legacy_index(*index.value())),
                TraversalOperator::Index(index) => match self.expression(index) {
                    Ok(key) => Access::Index(key),
                    Err(errors) => {
                        diagnostics.extend(errors);
                        continue;
                    }
                },
                TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => break,
            };
            steps.push(Step { access, span: self.source.operator(operator) });
        }
        diagnostics.into_result(())?;
        let reference = Reference { root: name.as_str().into(), root_span: self.span(name), steps };
        let (mut value, taken) = self.resolve(&reference)?;
        for step in &reference.steps[taken..] {
            value = match &step.access {
                Access::Attribute(name) => self.attribute(&value, name),
                Access::Index(key) => self.index(&value, key),
            }
            .map_err(|error| error.at(step.span))?;
        }
        self.steps(value, &operators[reference.steps.len()..])
    }

    /// The forms of old that were never allowed together: `list.0.0`, and `.*` inside `.*`.
    fn check_legacy(&self, operators: &[Operator]) -> Result<(), Diagnostics> {
        let mut splat = false;
        let mut index = false;
        for operator in operators {
            let span = self.source.operator(operator);
            match operator.value() {
                TraversalOperator::LegacyIndex(_) if index => {
                    return Err(Diagnostic::error("two indexes with dots cannot follow each other")
                        .at(span)
                        .help("write them in brackets, as in `[0][0]`")
                        .into());
                }
                TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) if splat => {
                    return Err(Diagnostic::error("a splat cannot stand inside `.*`")
                        .at(span)
                        .help("write `[*]` for both")
                        .into());
                }
                TraversalOperator::AttrSplat(_) => splat = true,
                TraversalOperator::Index(_) => splat = false,
                _ => {}
            }
            index = matches!(operator.value(), TraversalOperator::LegacyIndex(_));
        }
        Ok(())
    }

    fn steps(&self, mut value: Value, operators: &[Operator]) -> Evaluated {
        for (position, operator) in operators.iter().enumerate() {
            let span = self.source.operator(operator);
            let rest = &operators[position + 1..];
            value = match operator.value() {
                TraversalOperator::GetAttr(name) => {
                    self.attribute(&value, name.as_str()).map_err(|error| error.at(span))?
                }
                TraversalOperator::LegacyIndex(index) => {
                    self.index(&value, &legacy_index(*index.value())).map_err(|error| error.at(span))?
                }
                TraversalOperator::Index(expr) => {
                    let key = self.expression(expr)?;
                    self.index(&value, &key).map_err(|error| error.at(span))?
                }
                TraversalOperator::FullSplat(_) => return self.splat(&value, rest, operator),
                // `.*` goes on through attributes only; an index after it is one of its result.
                TraversalOperator::AttrSplat(_) => {
                    let inner = rest
                        .iter()
                        .take_while(|operator| {
                            matches!(
                                operator.value(),
                                TraversalOperator::GetAttr(_) | TraversalOperator::LegacyIndex(_)
                            )
                        })
                        .count();
                    let elements = self.splat(&value, &rest[..inner], operator)?;
                    return self.steps(elements, &rest[inner..]);
                }
            };
        }
        Ok(value)
    }

    /// `value[*]` with the steps after it taken of every element; `null` has no elements, what is no list is its own.
    fn splat(&self, value: &Value, each: &[Operator], operator: &Operator) -> Evaluated {
        let elements = value.as_elements().map_or(0, <[Value]>::len);
        self.spend(u64::try_from(elements).unwrap_or(u64::MAX), operator)?;
        let list = matches!(value.repr(), Repr::List(..) | Repr::Set(..));
        let elements: Vec<Value> = match value.repr() {
            Repr::Unknown(_) => return Ok(Value::unknown(Type::Any).marked_like([value])),
            Repr::Null => Vec::new(),
            _ => match value.as_elements() {
                Some(elements) => elements.to_vec(),
                None => vec![value.clone()],
            },
        };
        let results = collect(elements.into_iter().map(|element| self.steps(element, each)))?;
        let result = if list {
            let types: Vec<_> = results.iter().map(Value::ty).collect();
            match unify(&types) {
                Some(element) => Value::new(Repr::List(element, Arc::from(results))),
                None => Value::tuple(results),
            }
        } else {
            Value::tuple(results)
        };
        Ok(result.marked_like([value]))
    }
}
