//! Templates: `"…${…}…"`, heredocs, `%{ if }` and `%{ for }`.

use hcl_edit::template::{Directive, Element, ForDirective, IfDirective, Interpolation, Template};

use crate::diag::{Diagnostic, Diagnostics};
use crate::value::{Type, Value, convert};

use super::iterate::Variables;
use super::{Evaluated, Evaluator, steps, too_large};

/// How far `~` strips.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Lines {
    /// Up to the end of the line, with its newline: in heredocs and files.
    Apart,
    /// All white space: in quoted strings, where a newline is an escape sequence.
    Together,
}

/// Text that grows, with the marks of its parts.
#[derive(Default)]
struct Text {
    written: String,
    unknown: bool,
    sensitive: bool,
    diagnostics: Diagnostics,
}

impl Text {
    /// Adds a part, where there is room for it.
    fn add(&mut self, part: &str, evaluator: &Evaluator<'_>, from: &impl hcl_edit::Span) {
        if self.written.len() + part.len() > Value::MAX_SIZE {
            return self.diagnostics.push(too_large("the text").at(evaluator.span(from)));
        }
        match evaluator.spend(steps(part.len(), 16), from) {
            Ok(()) => self.written.push_str(part),
            Err(errors) => self.diagnostics.extend(errors),
        }
    }
}

impl Evaluator<'_> {
    pub(super) fn template(&self, template: &Template, lines: Lines) -> Evaluated {
        // A template that is one interpolation is that value, of whatever type.
        if let Some(Element::Interpolation(only)) = template.as_single_element() {
            return self.expression(&only.expr);
        }
        let mut text = Text::default();
        self.render(template, lines, (false, false), &mut text);
        text.diagnostics.into_result(())?;
        let value = if text.unknown { Value::unknown(Type::String) } else { text.written.into() };
        Ok(value.with_sensitive(text.sensitive))
    }

    /// Adds the parts of a template to `text`; `strip` tells whether white space at its start and end goes.
    fn render(&self, template: &Template, lines: Lines, strip: (bool, bool), text: &mut Text) {
        let mut elements = template.iter().peekable();
        let mut strip_next = strip.0;
        while let Some(element) = elements.next() {
            match element {
                Element::Literal(literal) => {
                    let mut literal = literal.as_str();
                    if strip_next {
                        literal = strip_start(literal, lines);
                    }
                    if elements.peek().map_or(strip.1, |next| markers(next).0) {
                        literal = strip_end(literal, lines);
                    }
                    text.add(literal, self, template);
                }
                Element::Interpolation(interpolation) => self.interpolation(interpolation, text),
                Element::Directive(directive) => match &**directive {
                    Directive::If(directive) => self.if_directive(directive, lines, text),
                    Directive::For(directive) => self.for_directive(directive, lines, text),
                },
            }
            strip_next = markers(element).1;
        }
    }

    fn interpolation(&self, interpolation: &Interpolation, text: &mut Text) {
        let value = match self.expression(&interpolation.expr) {
            Ok(value) => value,
            Err(errors) => return text.diagnostics.extend(errors),
        };
        if value.is_null() {
            return text.diagnostics.push(
                Diagnostic::error("`null` cannot be part of a text")
                    .at(self.span(&interpolation.expr))
                    .help("give it a default, as in `coalesce(x, \"\")`"),
            );
        }
        match convert(&value, &Type::String) {
            Ok(part) => {
                text.sensitive |= part.is_sensitive();
                match part.as_str() {
                    Some(part) => text.add(part, self, &interpolation.expr),
                    None => text.unknown = true,
                }
            }
            Err(error) => text.diagnostics.push(
                Diagnostic::error("the value cannot be part of a text")
                    .label(self.span(&interpolation.expr), error.to_string())
                    .help("`join(\", \", …)` or `jsonencode(…)` make a text of a list or an object"),
            ),
        }
    }

    fn if_directive(&self, directive: &IfDirective, lines: Lines, text: &mut Text) {
        let (opening, closing) = (&directive.if_expr, &directive.endif_expr);
        let condition = match self.condition(&opening.cond_expr, "the condition") {
            Ok(condition) => condition,
            Err(errors) => return text.diagnostics.extend(errors),
        };
        text.sensitive |= condition.is_sensitive();
        let otherwise = directive.else_expr.as_ref();
        match condition.as_bool() {
            Some(true) => {
                let end = otherwise.map_or(closing.strip, |otherwise| otherwise.strip);
                let strip = (opening.strip.strip_end(), end.strip_start());
                self.render(&opening.template, lines, strip, text);
            }
            Some(false) => {
                if let Some(otherwise) = otherwise {
                    let strip = (otherwise.strip.strip_end(), closing.strip.strip_start());
                    self.render(&otherwise.template, lines, strip, text);
                }
            }
            None => text.unknown = true,
        }
    }

    fn for_directive(&self, directive: &ForDirective, lines: Lines, text: &mut Text) {
        let (opening, closing) = (&directive.for_expr, &directive.endfor_expr);
        let items = self.expression(&opening.collection_expr).and_then(|collection| {
            text.sensitive |= collection.is_sensitive();
            self.items(&collection, &opening.collection_expr)
        });
        let items = match items {
            Ok(Some(items)) => items,
            Ok(None) => {
                text.unknown = true;
                return;
            }
            Err(errors) => return text.diagnostics.extend(errors),
        };
        let variables = Variables { key: opening.key_var.as_ref(), value: &opening.value_var };
        let strip = (opening.strip.strip_end(), closing.strip.strip_start());
        for item in &items {
            if let Err(errors) = self.spend(1, &opening.collection_expr) {
                return text.diagnostics.extend(errors);
            }
            self.with_item(&variables, item, |inner| inner.render(&opening.template, lines, strip, text));
            if text.diagnostics.has_errors() {
                return;
            }
        }
    }
}

/// Whether an element strips the white space before it and after it.
fn markers(element: &Element) -> (bool, bool) {
    match element {
        Element::Literal(_) => (false, false),
        Element::Interpolation(interpolation) => {
            (interpolation.strip.strip_start(), interpolation.strip.strip_end())
        }
        Element::Directive(directive) => match &**directive {
            Directive::If(directive) => {
                (directive.if_expr.strip.strip_start(), directive.endif_expr.strip.strip_end())
            }
            Directive::For(directive) => {
                (directive.for_expr.strip.strip_start(), directive.endfor_expr.strip.strip_end())
            }
        },
    }
}

fn strip_start(text: &str, lines: Lines) -> &str {
    let line = match lines {
        Lines::Apart => text.find('\n').map_or(text.len(), |newline| newline + 1),
        Lines::Together => text.len(),
    };
    &text[line - text[..line].trim_start().len()..]
}

fn strip_end(text: &str, lines: Lines) -> &str {
    let line = match lines {
        Lines::Apart => {
            let body = text.strip_suffix('\n').unwrap_or(text);
            body.rfind('\n').map_or(0, |newline| newline + 1)
        }
        Lines::Together => 0,
    };
    &text[..line + text[line..].trim_end().len()]
}
