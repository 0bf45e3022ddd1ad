//! Values as the console prints them.

use std::fmt;

use crate::diag::steers;

use super::{Object, Repr, Type, Value};

/// A value in the notation of Terraform's console; what is sensitive in it is masked.
pub struct Display<'a>(&'a Value);

impl Value {
    /// The value in the notation of Terraform's console; what is sensitive in it is masked.
    pub fn display(&self) -> Display<'_> {
        Display(self)
    }
}

impl fmt::Display for Display<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0, &Type::Any, 0)
    }
}

/// Whether a character cannot stand in a heredoc as it is, where it would steer the terminal.
fn steering(char: char) -> bool {
    steers(char) && !matches!(char, '\n' | '\t')
}

/// Spaces of one level.
const STEP: usize = 2;

/// `ty` is what a `null` is of.
fn write(f: &mut fmt::Formatter<'_>, value: &Value, ty: &Type, indent: usize) -> fmt::Result {
    if value.is_sensitive() {
        return f.write_str("(sensitive value)");
    }
    match value.repr() {
        Repr::Null => match ty {
            Type::String => f.write_str("tostring(null)"),
            Type::Number => f.write_str("tonumber(null)"),
            Type::Bool => f.write_str("tobool(null)"),
            _ => f.write_str("null"),
        },
        Repr::Unknown(_) => f.write_str("(known after apply)"),
        Repr::Bool(bool) => write!(f, "{bool}"),
        Repr::Number(number) => write!(f, "{number}"),
        Repr::String(text) if text.contains('\n') && !text.contains(steering) => heredoc(f, text, indent),
        Repr::String(text) => quoted(f, text),
        Repr::List(element, elements) => called(f, "tolist", |f| sequence(f, elements, element, indent)),
        Repr::Set(element, elements) => called(f, "toset", |f| sequence(f, elements, element, indent)),
        Repr::Tuple(elements) => sequence(f, elements, &Type::Any, indent),
        Repr::Map(element, object) => called(f, "tomap", |f| entries(f, object, element, indent)),
        Repr::Object(object) => entries(f, object, &Type::Any, indent),
    }
}

fn called(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    argument: impl FnOnce(&mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    write!(f, "{name}(")?;
    argument(f)?;
    f.write_str(")")
}

fn sequence(f: &mut fmt::Formatter<'_>, elements: &[Value], ty: &Type, indent: usize) -> fmt::Result {
    if elements.is_empty() {
        return f.write_str("[]");
    }
    let inner = indent + STEP;
    f.write_str("[\n")?;
    for element in elements {
        write!(f, "{:inner$}", "")?;
        write(f, element, ty, inner)?;
        f.write_str(",\n")?;
    }
    write!(f, "{:indent$}]", "")
}

fn entries(f: &mut fmt::Formatter<'_>, object: &Object, ty: &Type, indent: usize) -> fmt::Result {
    if object.is_empty() {
        return f.write_str("{}");
    }
    let inner = indent + STEP;
    f.write_str("{\n")?;
    for (name, value) in object {
        write!(f, "{:inner$}", "")?;
        quoted(f, name)?;
        f.write_str(" = ")?;
        write(f, value, ty, inner)?;
        f.write_str("\n")?;
    }
    write!(f, "{:indent$}}}", "")
}

fn heredoc(f: &mut fmt::Formatter<'_>, text: &str, indent: usize) -> fmt::Result {
    let mut delimiter = "EOT".to_owned();
    while text.lines().any(|line| line.trim() == delimiter) {
        delimiter.push('_');
    }
    let operator = if indent == 0 { "<<" } else { "<<-" };
    write!(f, "{operator}{delimiter}")?;
    for line in text.split('\n') {
        write!(f, "\n{:indent$}{line}", "")?;
    }
    write!(f, "\n{:indent$}{delimiter}", "")
}

/// A string literal as Terraform's console writes it, which is not that of an address or a plan: control characters
/// have Go's short names (`\a`, `\x1b`).
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for char in text.chars() {
        match char {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\u{7}' => f.write_str("\\a")?,
            '\u{8}' => f.write_str("\\b")?,
            '\u{b}' => f.write_str("\\v")?,
            '\u{c}' => f.write_str("\\f")?,
            control if (control as u32) < 0x20 || control as u32 == 0x7f => {
                write!(f, "\\x{:02x}", control as u32)?;
            }
            control if steers(control) => {
                write!(f, "\\u{:04x}", control as u32)?;
            }
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("\"")
}
