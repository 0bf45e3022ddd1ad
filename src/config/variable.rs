//! `variable` blocks.

use hcl_edit::structure::Block;

use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::{Scope, Source, eval, type_expr};
use crate::value::{Type, Value, convert};

use super::builtin;
use super::declarations::Located;
use super::decode::bind;

/// A `variable` block.
#[expect(clippy::struct_excessive_bools, reason = "the flags of the block, and what was found out about it")]
pub(super) struct Variable<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its header.
    pub(super) span: Span,
    /// The type that values are converted to.
    pub(super) ty: Type,
    /// Whether a value from the command line or the environment is an expression rather than a plain text.
    pub(super) takes_expression: bool,
    /// The value where none is set, converted to the type.
    pub(super) default: Option<Value>,
    /// The expression of the default.
    pub(super) written_default: Option<Located<'a>>,
    /// Whether its value must not be seen.
    pub(super) sensitive: bool,
    /// Whether it may be `null`.
    pub(super) nullable: bool,
    /// Rules that values must keep.
    pub(super) validations: Vec<Validation<'a>>,
    /// Whether something in the block is wrong already.
    pub(super) failed: bool,
}

/// A `validation` block.
#[derive(Clone, Copy)]
pub(super) struct Validation<'a> {
    /// What must be true.
    pub(super) condition: Located<'a>,
    /// What is said where it is not.
    pub(super) message: Located<'a>,
}

/// Reads a `variable` block.
pub(super) fn variable<'a>(
    name: &'a str,
    span: Span,
    block: &'a Block,
    source: Source,
    diagnostics: &mut Diagnostics,
) -> Variable<'a> {
    let before = diagnostics.len();
    let bound = bind(&block.body, &builtin::VARIABLE, ("variable", span), &[], source, diagnostics);
    let written_type = bound.get("type");
    let ty = match written_type.map(|attribute| type_expr(&attribute.value, source)) {
        None => Type::Any,
        Some(Ok(ty)) => ty,
        Some(Err(errors)) => {
            diagnostics.extend(errors);
            Type::Any
        }
    };
    bound.constant_text("description", diagnostics);
    let nullable = bound.constant_bool("nullable", diagnostics).unwrap_or(true);
    let default = bound.constant("default", &ty, diagnostics);
    let written_default = bound.get("default").map(|attribute| Located::of(attribute, source));
    if let (Some(default), Some(written)) = (&default, written_default)
        && default.is_null()
        && !nullable
    {
        diagnostics.push(
            Diagnostic::error(format!(
                "the default of `var.{name}` is `null`, which `nullable = false` refuses"
            ))
            .at(written.span()),
        );
    }
    let validations = bound.blocks(0).filter_map(|validation| {
        let located = |name| validation.get(name).map(|attribute| Located::of(attribute, source));
        Some(Validation { condition: located("condition")?, message: located("error_message")? })
    });
    let validations = validations.collect();
    let takes_expression = match ty {
        Type::Any => written_type.is_some(),
        Type::Bool | Type::Number | Type::String => false,
        _ => true,
    };
    Variable {
        name,
        span,
        takes_expression,
        default,
        written_default,
        sensitive: bound.constant_bool("sensitive", diagnostics).unwrap_or(false),
        nullable,
        validations,
        failed: diagnostics.len() > before,
        ty,
    }
}

/// A value that was set for a variable.
pub(super) struct Assigned {
    /// Before its conversion to the variable's type.
    pub(super) value: Value,
    /// Where, where that is a place in a file.
    pub(super) span: Option<Span>,
    /// Where, in words: `VSA_VAR_name`, `-var`, a file's name.
    pub(super) origin: String,
}

impl Variable<'_> {
    /// The value that the variable has, not yet validated.
    pub(super) fn value(&self, assigned: Option<&Assigned>) -> Result<Value, Diagnostics> {
        let name = self.name;
        let value = match assigned {
            Some(assigned) if assigned.value.is_null() && !self.nullable => self.default.clone(),
            Some(assigned) => match convert(&assigned.value, &self.ty) {
                Ok(value) => Some(value),
                Err(error) => {
                    let summary = format!("the value of `var.{name}` is not of its type");
                    let diagnostic = Diagnostic::error(summary);
                    let origin = format!("the value comes from {}", assigned.origin);
                    return Err(match assigned.span {
                        Some(span) => {
                            diagnostic.label(span, error.to_string()).also(self.span, "declared here")
                        }
                        None => diagnostic.label(self.span, error.to_string()).detail(origin),
                    }
                    .into());
                }
            },
            None => self.default.clone(),
        };
        let Some(value) = value else {
            return Err(if assigned.is_some() {
                Diagnostic::error(format!("`var.{name}` must not be `null`"))
                    .at(assigned.and_then(|assigned| assigned.span))
                    .also(self.span, "declared with `nullable = false`")
            } else {
                Diagnostic::error(format!("no value for `var.{name}`"))
                    .label(self.span, "this has no default")
                    .help(format!(
                        "set it with `-var {name}=…`, in `vsa.vsavars.hcl`, or as VSA_VAR_{name} in the environment"
                    ))
            }
            .into());
        };
        Ok(if self.sensitive { value.with_sensitive(true) } else { value })
    }

    /// Checks the rules; the scope knows the variable's own value.
    pub(super) fn validate(&self, scope: &dyn Scope, assigned: Option<Span>) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        for validation in &self.validations {
            let condition = validation.condition;
            match eval(condition.expr, condition.source, scope) {
                Err(errors) => diagnostics.extend(errors),
                Ok(value) if value.is_unknown() => {}
                Ok(value) => match convert(&value, &Type::Bool).map(|value| value.as_bool()) {
                    Ok(Some(true)) => {}
                    Ok(Some(false)) => diagnostics.push(self.refusal(*validation, scope, assigned)),
                    Ok(None) | Err(_) => diagnostics.push(
                        Diagnostic::error("the condition of a validation is `true` or `false`")
                            .at(condition.span()),
                    ),
                },
            }
        }
        diagnostics
    }

    fn refusal(&self, validation: Validation<'_>, scope: &dyn Scope, assigned: Option<Span>) -> Diagnostic {
        let name = self.name;
        let summary = format!("invalid value for `var.{name}`");
        let message = eval(validation.message.expr, validation.message.source, scope);
        let message = message.and_then(|value| {
            convert(&value, &Type::String).map_err(|error| {
                Diagnostic::error("`error_message` is a string")
                    .label(validation.message.span(), error.to_string())
                    .into()
            })
        });
        let diagnostic = match assigned {
            Some(span) => Diagnostic::error(summary).at(span).also(self.span, "declared here"),
            None => Diagnostic::error(summary).at(self.span),
        };
        let diagnostic = diagnostic.also(validation.condition.span(), "this is not so");
        match message {
            Ok(message) if message.is_sensitive() => {
                diagnostic.detail("the message of the validation comes from a sensitive value")
            }
            Ok(message) => diagnostic.detail(message.as_str().unwrap_or_default().to_owned()),
            Err(errors) => errors.into_iter().next().unwrap_or(diagnostic),
        }
    }
}
