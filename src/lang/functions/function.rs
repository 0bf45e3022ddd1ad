//! What a function is.

use std::fmt;

use crate::lang::Environment;
use crate::value::{Number, Object, Type, Value};

/// A function of the language.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// What it does, in Markdown; the first line is its summary.
    pub doc: &'static str,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// What any number of further arguments are.
    pub variadic: Option<Parameter>,
    /// The type of its result; `any` where it depends on the arguments.
    pub returns: Type,
    pub(in crate::lang) body: Body,
}

/// How a function works.
#[derive(Debug)]
pub(in crate::lang) enum Body {
    /// From the values of its arguments.
    Pure(fn(&Arguments<'_>) -> Result<Value, FunctionError>),
    /// `try`: the first argument that has a value.
    Try,
    /// `can`: whether the argument has a value.
    Can,
}

/// A parameter of a function.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name, for messages and documentation.
    pub name: &'static str,
    /// What arguments are converted to.
    pub ty: Type,
    /// Whether it takes `null`.
    pub nullable: bool,
    pub(in crate::lang) reading: Reading,
}

/// What marks inside an argument mean for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lang) enum Reading {
    /// Anything unknown inside makes the result unknown, anything sensitive the result sensitive; the function sees
    /// neither.
    Whole,
    /// The same for the argument itself; the function sees the marks of its elements and hands them on.
    Shallow,
    /// The function sees all marks and answers for them.
    Raw,
}

/// A parameter that arguments are converted to `ty` for.
pub(super) fn parameter(name: &'static str, ty: Type) -> Parameter {
    Parameter { name, ty, nullable: false, reading: Reading::Whole }
}

impl Parameter {
    /// The same, taking `null`.
    pub(super) fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// The same, with the marks of its elements left to the function.
    pub(super) fn shallow(mut self) -> Self {
        self.reading = Reading::Shallow;
        self
    }

    /// The same, with all marks left to the function.
    pub(super) fn raw(mut self) -> Self {
        self.reading = Reading::Raw;
        self
    }
}

/// Begins the description of a function.
pub(super) fn function(name: &'static str, doc: &'static str) -> Draft {
    Draft { name, doc, parameters: Vec::new(), variadic: None }
}

/// A function without a result yet.
pub(super) struct Draft {
    name: &'static str,
    doc: &'static str,
    parameters: Vec<Parameter>,
    variadic: Option<Parameter>,
}

impl Draft {
    pub(super) fn takes(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    pub(super) fn takes_more(mut self, parameter: Parameter) -> Self {
        self.variadic = Some(parameter);
        self
    }

    pub(super) fn gives(
        self,
        returns: Type,
        body: fn(&Arguments<'_>) -> Result<Value, FunctionError>,
    ) -> Function {
        self.with_body(returns, Body::Pure(body))
    }

    pub(super) fn with_body(self, returns: Type, body: Body) -> Function {
        let Self { name, doc, parameters, variadic } = self;
        Function { name, doc, parameters, variadic, returns, body }
    }
}

/// The arguments of a call: converted to the types of the parameters, checked for `null`.
pub struct Arguments<'a> {
    pub(in crate::lang) values: &'a [Value],
    pub(in crate::lang) environment: &'a dyn Environment,
}

impl Arguments<'_> {
    /// What the function may know of the outside.
    pub fn environment(&self) -> &dyn Environment {
        self.environment
    }

    /// All arguments.
    pub fn values(&self) -> &[Value] {
        self.values
    }

    /// An argument; `null` where it was left out.
    pub fn value(&self, index: usize) -> &Value {
        self.values.get(index).unwrap_or(&Value::NULL)
    }

    /// The text of an argument that is a string.
    pub fn text(&self, index: usize) -> &str {
        self.value(index).as_str().unwrap_or_default()
    }

    /// An argument that is a boolean.
    pub fn bool(&self, index: usize) -> bool {
        self.value(index).as_bool().unwrap_or_default()
    }

    /// An argument that is a number.
    pub fn number(&self, index: usize) -> Number {
        self.value(index).as_number().cloned().unwrap_or_else(|| Number::from(0i64))
    }

    /// An argument that must be a whole number of 64 bits.
    pub fn whole(&self, index: usize) -> Result<i64, FunctionError> {
        self.number(index)
            .as_i64()
            .ok_or_else(|| FunctionError::argument(index, "a whole number of 64 bits is required"))
    }

    /// The elements of an argument that is a list, set or tuple.
    pub fn elements(&self, index: usize) -> &[Value] {
        self.value(index).as_elements().unwrap_or_default()
    }

    /// The elements of an argument that must be a list, set or tuple.
    pub fn collection(&self, index: usize) -> Result<&[Value], FunctionError> {
        let value = self.value(index);
        value.as_elements().ok_or_else(|| {
            FunctionError::argument(index, format!("a list is required, not {}", value.ty().article()))
        })
    }

    /// The entries of an argument that must be a map or an object.
    pub fn object(&self, index: usize) -> Result<&Object, FunctionError> {
        let value = self.value(index);
        value.as_object().ok_or_else(|| {
            FunctionError::argument(index, format!("a map is required, not {}", value.ty().article()))
        })
    }
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// The argument that it is about; the whole call where there is none.
    pub argument: Option<usize>,
    /// Why; not shown where an argument is sensitive.
    pub reason: String,
}

/// That a result of `size` bytes, as [`Value::size`] counts them, is not too large. For functions that may make more than
/// they are given, before they do.
pub(super) fn room(size: usize) -> Result<(), FunctionError> {
    if size <= Value::MAX_SIZE {
        return Ok(());
    }
    let most = Value::MAX_SIZE >> 20;
    Err(FunctionError::call(format!("the result would have more than {most} MiB, which no value may have")))
}

/// What so many parts count for in the size of a value, beside their texts.
pub(super) fn parts(count: usize) -> usize {
    count.saturating_mul(Value::NULL.size())
}

impl FunctionError {
    /// An error about one argument.
    pub fn argument(index: usize, reason: impl Into<String>) -> Self {
        Self { argument: Some(index), reason: reason.into() }
    }

    /// An error about the call.
    pub fn call(reason: impl Into<String>) -> Self {
        Self { argument: None, reason: reason.into() }
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for FunctionError {}
