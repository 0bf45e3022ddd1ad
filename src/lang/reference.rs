//! References: `var.name`, `domain["a.example.com"].url`, `each.value.port`.

use std::fmt;
use std::sync::Arc;

use hcl_edit::expr::{Expression, ForExpr, ObjectKey, Traversal, TraversalOperator};
use hcl_edit::template::{Directive, Element, Template};

use crate::address::is_identifier;
use crate::diag::Span;
use crate::value::{Type, Value};

use super::Source;

/// How one step of a [`Reference`] goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    /// `.name`
    Attribute(Arc<str>),
    /// `["name"]` or `[0]`; unknown where it is not a literal ([`references`]) or not known yet (evaluation).
    Index(Value),
}

/// One step of a [`Reference`].
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// How it goes on.
    pub access: Access,
    /// Its place, from the dot or bracket on.
    pub span: Span,
}

impl Step {
    /// The attribute or string key that it names, where that is known and not sensitive.
    pub fn name(&self) -> Option<&str> {
        match &self.access {
            Access::Attribute(name) => Some(name),
            Access::Index(value) if !value.is_sensitive() => value.as_str(),
            Access::Index(_) => None,
        }
    }
}

/// A name with the steps that follow it, up to the first splat.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The first name.
    pub root: Arc<str>,
    /// The place of the first name.
    pub root_span: Span,
    /// What follows it.
    pub steps: Vec<Step>,
}

impl Reference {
    /// The place of the root and its first `steps` steps (all of them, where there are fewer).
    pub fn span_of(&self, steps: usize) -> Span {
        self.steps.iter().take(steps).fold(self.root_span, |span, step| span.to(step.span))
    }

    /// The place of the whole.
    pub fn span(&self) -> Span {
        self.span_of(self.steps.len())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)?;
        for step in &self.steps {
            match &step.access {
                Access::Attribute(name) if is_identifier(name) => write!(f, ".{name}")?,
                Access::Attribute(name) => write!(f, "[{name:?}]")?,
                Access::Index(value) => match (value.is_sensitive(), value.as_str(), value.as_number()) {
                    (false, Some(name), _) => write!(f, "[{name:?}]")?,
                    (false, _, Some(number)) => write!(f, "[{number}]")?,
                    _ => f.write_str("[…]")?,
                },
            }
        }
        Ok(())
    }
}

/// All references in an expression, in the order they are written; not those to the variables of its own
/// for-expressions.
pub fn references(expr: &Expression, source: Source) -> Vec<Reference> {
    let mut collector = Collector { source, bound: Vec::new(), found: Vec::new() };
    collector.expression(expr);
    collector.found
}

struct Collector<'a> {
    source: Source,
    bound: Vec<&'a str>,
    found: Vec<Reference>,
}

impl<'a> Collector<'a> {
    fn expression(&mut self, expr: &'a Expression) {
        match expr {
            Expression::Null(_) | Expression::Bool(_) | Expression::Number(_) | Expression::String(_) => {}
            Expression::Array(array) => array.iter().for_each(|element| self.expression(element)),
            Expression::Object(object) => {
                for (key, value) in object {
                    if let ObjectKey::Expression(key) = key {
                        self.expression(key);
                    }
                    self.expression(value.expr());
                }
            }
            Expression::StringTemplate(template) => self.template(template),
            Expression::HeredocTemplate(heredoc) => self.template(&heredoc.template),
            Expression::Parenthesis(inner) => self.expression(inner.inner()),
            Expression::Variable(name) => self.root(name.as_str(), self.source.span(name), Vec::new()),
            Expression::Conditional(conditional) => {
                self.expression(&conditional.cond_expr);
                self.expression(&conditional.true_expr);
                self.expression(&conditional.false_expr);
            }
            Expression::FuncCall(call) => call.args.iter().for_each(|argument| self.expression(argument)),
            Expression::Traversal(traversal) => self.traversal(traversal),
            Expression::UnaryOp(operation) => self.expression(&operation.expr),
            Expression::BinaryOp(operation) => {
                self.expression(&operation.lhs_expr);
                self.expression(&operation.rhs_expr);
            }
            Expression::ForExpr(for_expr) => self.for_expr(for_expr),
        }
    }

    fn traversal(&mut self, traversal: &'a Traversal) {
        if let Expression::Variable(name) = &traversal.expr {
            let mut steps = Vec::new();
            for operator in &traversal.operators {
                let access = match operator.value() {
                    TraversalOperator::GetAttr(name) => Access::Attribute(name.as_str().into()),
                    TraversalOperator::LegacyIndex(index) => Access::Index(legacy_index(*index.value())),
                    TraversalOperator::Index(index) => Access::Index(literal(index)),
                    TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => break,
                };
                steps.push(Step { access, span: self.source.operator(operator) });
            }
            self.root(name.as_str(), self.source.span(name), steps);
        } else {
            self.expression(&traversal.expr);
        }
        for operator in &traversal.operators {
            if let TraversalOperator::Index(index) = operator.value() {
                self.expression(index);
            }
        }
    }

    fn root(&mut self, root: &'a str, root_span: Span, steps: Vec<Step>) {
        if !self.bound.contains(&root) {
            self.found.push(Reference { root: root.into(), root_span, steps });
        }
    }

    fn for_expr(&mut self, for_expr: &'a ForExpr) {
        let intro = &for_expr.intro;
        self.expression(&intro.collection_expr);
        let outer = self.bound.len();
        self.bound.extend(intro.key_var.as_ref().map(|name| name.as_str()));
        self.bound.push(intro.value_var.as_str());
        if let Some(key) = &for_expr.key_expr {
            self.expression(key);
        }
        self.expression(&for_expr.value_expr);
        if let Some(condition) = &for_expr.cond {
            self.expression(&condition.expr);
        }
        self.bound.truncate(outer);
    }

    fn template(&mut self, template: &'a Template) {
        for element in template {
            match element {
                Element::Literal(_) => {}
                Element::Interpolation(interpolation) => self.expression(&interpolation.expr),
                Element::Directive(directive) => self.directive(directive),
            }
        }
    }

    fn directive(&mut self, directive: &'a Directive) {
        match directive {
            Directive::If(directive) => {
                self.expression(&directive.if_expr.cond_expr);
                self.template(&directive.if_expr.template);
                if let Some(otherwise) = &directive.else_expr {
                    self.template(&otherwise.template);
                }
            }
            Directive::For(directive) => {
                let intro = &directive.for_expr;
                self.expression(&intro.collection_expr);
                let outer = self.bound.len();
                self.bound.extend(intro.key_var.as_ref().map(|name| name.as_str()));
                self.bound.push(intro.value_var.as_str());
                self.template(&intro.template);
                self.bound.truncate(outer);
            }
        }
    }
}

/// The value of an index that is written as a literal; unknown for any other.
fn literal(index: &Expression) -> Value {
    match index {
        Expression::String(text) => Value::from(text.as_str()),
        Expression::Number(literal) => super::eval::number(literal).into(),
        Expression::Parenthesis(inner) => literal(inner.inner()),
        _ => Value::unknown(Type::Any),
    }
}

/// The value of the index in `list.0`.
pub(super) fn legacy_index(index: u64) -> Value {
    Value::from(crate::value::Number::from(index))
}
