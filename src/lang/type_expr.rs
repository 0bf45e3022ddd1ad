//! Type constraints: `list(object({ name = string, port = optional(number, 80) }))`.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::expr::{Expression, FuncCall, ObjectKey};

use crate::diag::{Diagnostic, Diagnostics};
use crate::value::{Field, Type, convert};

use super::{NoScope, Source, eval};

const NAMES: [&str; 9] = ["any", "bool", "number", "string", "list", "set", "map", "tuple", "object"];

/// Reads a type constraint. Defaults of `optional(…, default)` are constants, converted to their type.
pub fn type_expr(expr: &Expression, source: Source) -> Result<Type, Diagnostics> {
    match expr {
        Expression::Variable(name) => primitive(name.as_str()).ok_or_else(|| {
            let error = match name.as_str() {
                "list" | "set" | "map" => {
                    Diagnostic::error(format!("`{}` needs the type of its elements", name.as_str()))
                        .help(format!("write `{}(string)`, or `{}(any)`", name.as_str(), name.as_str()))
                }
                "tuple" => Diagnostic::error("`tuple` needs the types of its elements")
                    .help("write `tuple([string, number])`"),
                "object" => Diagnostic::error("`object` needs the types of its attributes")
                    .help("write `object({ name = string })`"),
                name => unknown(name),
            };
            error.at(source.span(expr)).into()
        }),
        Expression::FuncCall(call) => constructor(call, expr, source),
        Expression::Parenthesis(inner) => type_expr(inner.inner(), source),
        Expression::String(text) if primitive(text.as_str()).is_some() => {
            Err(Diagnostic::error("a type is written without quotes")
                .at(source.span(expr))
                .help(format!("write `{}`", text.as_str()))
                .into())
        }
        _ => Err(not_a_type(expr, source).into()),
    }
}

fn primitive(name: &str) -> Option<Type> {
    Some(match name {
        "any" => Type::Any,
        "bool" => Type::Bool,
        "number" => Type::Number,
        "string" => Type::String,
        _ => return None,
    })
}

fn unknown(name: &str) -> Diagnostic {
    let error = Diagnostic::error(format!("there is no type `{name}`"));
    error.did_you_mean(name, NAMES, |error| error.help(format!("the types are `{}`", NAMES.join("`, `"))))
}

fn not_a_type(expr: &Expression, source: Source) -> Diagnostic {
    Diagnostic::error("this is not a type")
        .at(source.span(expr))
        .help("a type is `string`, `number`, `bool`, `any`, `list(T)`, `set(T)`, `map(T)`, `tuple([T])` or `object({ name = T })`")
}

fn constructor(call: &FuncCall, expr: &Expression, source: Source) -> Result<Type, Diagnostics> {
    let name = call.name.name.as_str();
    let arguments: Vec<_> = call.args.iter().collect();
    let one = || match arguments[..] {
        [argument] => Ok(argument),
        _ => Err(Diagnostics::from(
            Diagnostic::error(format!("`{name}` takes one type, not {}", arguments.len()))
                .at(source.span(expr)),
        )),
    };
    match name {
        "list" => Ok(Type::List(Arc::new(type_expr(one()?, source)?))),
        "set" => Ok(Type::Set(Arc::new(type_expr(one()?, source)?))),
        "map" => Ok(Type::Map(Arc::new(type_expr(one()?, source)?))),
        "tuple" => match one()? {
            Expression::Array(elements) => {
                let mut diagnostics = Diagnostics::new();
                let mut types = Vec::new();
                for element in elements {
                    match type_expr(element, source) {
                        Ok(ty) => types.push(ty),
                        Err(errors) => diagnostics.extend(errors),
                    }
                }
                diagnostics.into_result(Type::Tuple(types.into())).map(|(ty, _)| ty)
            }
            other => Err(Diagnostic::error("`tuple` takes a list of types in brackets")
                .at(source.span(other))
                .help("write `tuple([string, number])`")
                .into()),
        },
        "object" => object(one()?, source),
        "optional" => Err(Diagnostic::error("`optional` stands only at an attribute of `object`")
            .at(source.span(expr))
            .help("write `object({ name = optional(string) })`")
            .into()),
        "any" | "bool" | "number" | "string" => {
            Err(Diagnostic::error(format!("`{name}` takes no arguments")).at(source.span(expr)).into())
        }
        other => Err(unknown(other).at(source.span(&call.name.name)).into()),
    }
}

fn object(expr: &Expression, source: Source) -> Result<Type, Diagnostics> {
    let Expression::Object(object) = expr else {
        return Err(Diagnostic::error("`object` takes its attributes in braces")
            .at(source.span(expr))
            .help("write `object({ name = string })`")
            .into());
    };
    let mut diagnostics = Diagnostics::new();
    let mut fields = BTreeMap::new();
    for (key, value) in object {
        let name = match key {
            ObjectKey::Ident(name) => name.as_str(),
            ObjectKey::Expression(Expression::String(name)) => name.as_str(),
            ObjectKey::Expression(other) => {
                diagnostics.push(
                    Diagnostic::error("the name of an attribute is a plain name").at(source.span(other)),
                );
                continue;
            }
        };
        match field(value.expr(), source) {
            Ok(field) => {
                fields.insert(Arc::from(name), field);
            }
            Err(errors) => diagnostics.extend(errors),
        }
    }
    diagnostics.into_result(Type::Object(Arc::new(fields))).map(|(ty, _)| ty)
}

fn field(expr: &Expression, source: Source) -> Result<Field, Diagnostics> {
    let call = match expr {
        Expression::FuncCall(call) if call.name.name.as_str() == "optional" => call,
        _ => return Ok(Field::required(type_expr(expr, source)?)),
    };
    let arguments: Vec<_> = call.args.iter().collect();
    match arguments[..] {
        [ty] => Ok(Field::optional(type_expr(ty, source)?)),
        [ty, default] => {
            let ty = type_expr(ty, source)?;
            let value = eval(default, source, &NoScope)?;
            let value = convert(&value, &ty).map_err(|error| {
                Diagnostic::error("the default does not fit the type")
                    .label(source.span(default), error.to_string())
            })?;
            Ok(Field::with_default(ty, value))
        }
        _ => Err(Diagnostic::error(format!(
            "`optional` takes a type and at most one default, not {} arguments",
            arguments.len()
        ))
        .at(source.span(expr))
        .into()),
    }
}
