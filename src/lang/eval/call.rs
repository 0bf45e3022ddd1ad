//! Function calls.

use hcl_edit::expr::{Expression, FuncCall};

use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::functions::{self, Arguments, Body, Function, Parameter, Reading};
use crate::value::{Type, Value, convert};

use super::{Evaluated, Evaluator, collect, seen, too_large};

/// The values of the arguments, each with its place, and the marks that go from them to the result.
#[derive(Default)]
struct Call {
    values: Vec<Value>,
    spans: Vec<Span>,
    unknown: bool,
    sensitive: bool,
}

impl Evaluator<'_> {
    pub(super) fn call(&self, call: &FuncCall) -> Evaluated {
        let function = self.function(call);
        match function {
            Ok(Function { body: Body::Try, .. }) => self.try_each(call),
            Ok(Function { body: Body::Can, .. }) => self.can(call),
            Ok(function) => {
                let arguments = self.arguments(call)?;
                self.apply(function, call, arguments)
            }
            Err(mut errors) => {
                // The arguments may be wrong too.
                if let Err(more) = collect(call.args.iter().map(|argument| self.expression(argument))) {
                    errors.extend(more);
                }
                Err(errors)
            }
        }
    }

    fn function(&self, call: &FuncCall) -> Result<&'static Function, Diagnostics> {
        let name = call.name.name.as_str();
        let namespace: Vec<_> = call.name.namespace.iter().map(|part| part.as_str()).collect();
        let found = match namespace[..] {
            [] | ["core"] => functions::get(name),
            _ => None,
        };
        found.ok_or_else(|| {
            let full = namespace.iter().flat_map(|part| [*part, "::"]).chain([name]).collect::<String>();
            let error =
                Diagnostic::error(format!("there is no function `{full}`")).at(self.span(&call.name.name));
            let names = functions::all().map(|function| function.name);
            error.did_you_mean(name, names, |error| error).into()
        })
    }

    fn arguments(&self, call: &FuncCall) -> Result<Call, Diagnostics> {
        let mut arguments = Call {
            values: collect(call.args.iter().map(|argument| self.expression(argument)))?,
            spans: call.args.iter().map(|argument| self.span(argument)).collect(),
            ..Call::default()
        };
        if !call.args.expand_final() {
            return Ok(arguments);
        }
        let (Some(last), Some(span)) = (arguments.values.pop(), arguments.spans.pop()) else {
            return Ok(arguments);
        };
        arguments.sensitive = last.is_sensitive();
        if last.is_unknown() {
            arguments.unknown = true;
            return Ok(arguments);
        }
        let Some(elements) = last.as_elements() else {
            return Err(Diagnostic::error("`...` needs a list")
                .label(
                    span,
                    format!(
                        "this is {}",
                        if last.is_null() { "`null`".to_owned() } else { last.ty().article() }
                    ),
                )
                .into());
        };
        arguments.spans.extend(elements.iter().map(|_| span));
        arguments.values.extend(elements.iter().cloned());
        Ok(arguments)
    }

    fn apply(&self, function: &Function, call: &FuncCall, arguments: Call) -> Evaluated {
        let whole = self.span(call);
        let Call { mut values, spans, mut unknown, mut sensitive } = arguments;
        if !unknown {
            arity(function, values.len()).map_err(|error| error.at(whole))?;
        } else if values.len() > function.parameters.len() && function.variadic.is_none() {
            arity(function, values.len()).map_err(|error| error.at(whole))?;
        }
        // What a function makes is about as large as what it is given; those that multiply look themselves.
        let size = values.iter().fold(0usize, |size, value| size.saturating_add(value.size()));
        if size > Value::MAX_SIZE {
            return Err(too_large("the arguments together").at(whole).into());
        }
        let mut diagnostics = Diagnostics::new();
        for (position, value) in values.iter_mut().enumerate() {
            let Some(parameter) = function.parameters.get(position).or(function.variadic.as_ref()) else {
                continue;
            };
            if parameter.ty != Type::Any || parameter.reading == Reading::Whole {
                self.spend(seen(value), call)?;
            }
            match admit(parameter, value) {
                Ok((is_unknown, is_sensitive)) => {
                    unknown |= is_unknown;
                    sensitive |= is_sensitive;
                }
                Err(reason) => diagnostics.push(
                    Diagnostic::error(format!(
                        "`{}` cannot take this as `{}`",
                        function.name, parameter.name
                    ))
                    .label(spans.get(position).copied().unwrap_or(whole), reason),
                ),
            }
        }
        diagnostics.into_result(())?;
        let result = match &function.body {
            _ if unknown => Value::unknown(function.returns.clone()),
            Body::Pure(body) => {
                let arguments = Arguments { values: &values, environment: self.scope.environment() };
                body(&arguments).map_err(|error| {
                    let place = error.argument.and_then(|index| spans.get(index)).copied().unwrap_or(whole);
                    let summary = Diagnostic::error(format!("`{}` fails", function.name));
                    if sensitive || values.iter().any(Value::contains_sensitive) {
                        summary.label(place, "the reason is not shown, since an argument is sensitive")
                    } else {
                        summary.label(place, error.reason)
                    }
                })?
            }
            Body::Try | Body::Can => Value::unknown(Type::Any),
        };
        self.spend(seen(&result), call)?;
        let sensitive = sensitive || result.is_sensitive();
        Ok(result.with_sensitive(sensitive))
    }

    fn try_each(&self, call: &FuncCall) -> Evaluated {
        let mut failures = Vec::new();
        let tried = Self { unheard: true, ..*self };
        for argument in &call.args {
            match tried.expression(argument) {
                Ok(value) => return Ok(value),
                Err(errors) => failures.extend(errors.into_iter().filter(Diagnostic::is_error)),
            }
        }
        if failures.is_empty() {
            return Err(Diagnostic::error("`try` needs at least one argument").at(self.span(call)).into());
        }
        let reasons: Vec<_> = failures.iter().map(|failure| format!("- {}", failure.summary)).collect();
        let error = Diagnostic::error("no argument of `try` has a value")
            .at(self.span(call))
            .detail(reasons.join("\n"))
            .help("end with a constant, as in `try(x, null)`");
        Err(failures
            .into_iter()
            .filter_map(|failure| failure.primary)
            .fold(error, |error, label| error.also(label.span, label.text))
            .into())
    }

    fn can(&self, call: &FuncCall) -> Evaluated {
        let arguments: Vec<&Expression> = call.args.iter().collect();
        let [argument] = arguments[..] else {
            return Err(Diagnostic::error(format!("`can` takes one argument, not {}", arguments.len()))
                .at(self.span(call))
                .into());
        };
        Ok(match (Self { unheard: true, ..*self }).expression(argument) {
            Ok(value) if value.is_unknown() => Value::unknown(Type::Bool),
            Ok(_) => true.into(),
            Err(_) => false.into(),
        })
    }
}

fn arity(function: &Function, given: usize) -> Result<(), Box<Diagnostic>> {
    let least = function.parameters.len();
    let names = || {
        let mut names: Vec<_> =
            function.parameters.iter().map(|parameter| parameter.name.to_owned()).collect();
        names.extend(function.variadic.as_ref().map(|parameter| format!("{}...", parameter.name)));
        names.join(", ")
    };
    if given < least || (given > least && function.variadic.is_none()) {
        let quantity = match (least, &function.variadic) {
            (1, None) => "1 argument".to_owned(),
            (_, None) => format!("{least} arguments"),
            (1, Some(_)) => "at least 1 argument".to_owned(),
            (_, Some(_)) => format!("at least {least} arguments"),
        };
        return Err(Diagnostic::error(format!("`{}` takes {quantity}, not {given}", function.name))
            .help(format!("it is called as `{}({})`", function.name, names()))
            .into());
    }
    Ok(())
}

/// Makes an argument what a parameter takes; gives whether it makes the result unknown and sensitive.
fn admit(parameter: &Parameter, value: &mut Value) -> Result<(bool, bool), String> {
    if value.is_null() && !parameter.nullable {
        return Err("it must not be `null`".to_owned());
    }
    if parameter.ty != Type::Any {
        *value = convert(value, &parameter.ty).map_err(|error| error.to_string())?;
    }
    Ok(match parameter.reading {
        Reading::Raw => (false, false),
        Reading::Shallow => {
            let marks = (value.is_unknown(), value.is_sensitive());
            *value = std::mem::replace(value, Value::NULL).with_sensitive(false);
            marks
        }
        Reading::Whole => {
            let marks = (!value.is_wholly_known(), value.contains_sensitive());
            if marks.1 {
                *value = std::mem::replace(value, Value::NULL).without_sensitive();
            }
            marks
        }
    })
}
