//! Text files from templates, in any language: no filters, no functions, nothing undefined, and one formatter that
//! knows the language and takes values of its own type and whole numbers alone. Pure.

mod view;

use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Object;
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};

pub use view::View;

/// A value that a template of one language may hold: it knows how the language takes it.
pub trait Written: Object + fmt::Debug + 'static {
    /// The language, for errors.
    const LANGUAGE: &'static str;

    /// Writes it by the language's grammar.
    ///
    /// # Errors
    /// Why the language cannot take it.
    fn write(&self, out: &mut String) -> Result<(), String>;
}

/// A template that could not be rendered: a value that the language cannot take, or a defect of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    /// The template.
    pub template: &'static str,
    /// What went wrong.
    pub reason: String,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.template, self.reason)
    }
}

impl std::error::Error for RenderError {}

/// The templates of one language.
pub struct Templates(Result<Environment<'static>, Error>);

impl Templates {
    /// Templates by name and source, whose values are of one type.
    pub fn new<W: Written>(sources: impl IntoIterator<Item = (&'static str, &'static str)>) -> Self {
        Self(environment::<W>(sources))
    }

    /// Whether all of them can be used.
    pub fn compile(&self) -> bool {
        self.0.is_ok()
    }

    /// Renders one.
    pub fn render(&self, template: &'static str, view: View) -> Result<String, RenderError> {
        let failed = |error: &Error| RenderError {
            template,
            reason: match (error.detail(), error.line()) {
                (Some(detail), Some(line)) => format!("line {line}: {detail}"),
                _ => error.to_string(),
            },
        };
        let environment = self.0.as_ref().map_err(failed)?;
        let rendered = environment.get_template(template).and_then(|found| found.render(Value::from(view)));
        rendered.map_err(|error| failed(&error))
    }
}

fn environment<W: Written>(
    sources: impl IntoIterator<Item = (&'static str, &'static str)>,
) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?;
    environment.set_syntax(syntax);
    environment.set_formatter(format::<W>);
    for (name, source) in sources {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

fn format<W: Written>(out: &mut Output<'_>, _state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let text = if let Some(written) = value.downcast_object_ref::<W>() {
        let mut text = String::new();
        written.write(&mut text).map_err(|reason| Error::new(ErrorKind::BadEscape, reason))?;
        text
    } else if value.is_integer() {
        value.to_string()
    } else {
        let what = format!("a value of type {} is not one for {}", value.kind(), W::LANGUAGE);
        return Err(Error::new(ErrorKind::BadEscape, what));
    };
    out.write_str(&text).map_err(Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nginx::Param;

    #[test]
    fn plain_strings_are_refused() {
        let templates = Templates::new::<Param>([("one", "{{ x }}")]);
        assert!(templates.render("one", View::new().with("x", "text")).is_err());
        assert_eq!(templates.render("one", View::new().with("x", 3)), Ok("3".to_owned()));
        assert!(templates.render("one", View::new()).is_err());
    }
}
