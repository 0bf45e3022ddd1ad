//! The templates, and the one formatter that every value passes.

use std::fmt;
use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};

use crate::resource::Path;

use super::param::{CLOSE, OPEN, Param, Trace};
use super::view::View;

macro_rules! templates {
    ($($(#[$meta:meta])* $variant:ident = $file:literal,)*) => {
        /// A template of this vsa.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Template {
            $($(#[$meta])* $variant,)*
        }

        impl Template {
            const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its file name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $file,)* }
            }

            fn source(self) -> &'static str {
                match self { $(Self::$variant => include_str!(concat!("templates/", $file)),)* }
            }
        }
    };
}

templates! {
    /// The main configuration of a managed nginx.
    Nginx = "nginx.conf.j2",
    /// The body that the include file of a host's nginx brings in.
    Vsa = "vsa.conf.j2",
    /// Maps and log formats.
    Variables = "variables.conf.j2",
    /// Zones of rate limits.
    RateLimit = "rate_limit.conf.j2",
    /// TLS parameters.
    Tls = "tls.conf.j2",
    /// Security headers.
    SecurityHeaders = "security_headers.conf.j2",
    /// Compression.
    Gzip = "gzip.conf.j2",
    /// Headers of requests that are passed on.
    Proxy = "proxy.conf.j2",
    /// The path of ACME challenges.
    Acme = "acme.conf.j2",
    /// Error pages.
    Errors = "errors.conf.j2",
    /// The answer to unknown names.
    DefaultServer = "default_server.conf.j2",
    /// A site.
    Site = "site.conf.j2",
}

/// A template that could not be rendered: a value that nginx cannot take, or a defect of a template.
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

/// A rendered template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// For each line (from 1) that a traced value went into, where that value stands.
    pub origins: Vec<(u32, Path)>,
}

fn format(out: &mut Output<'_>, _state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let text = if let Some(param) = value.downcast_object_ref::<Param>() {
        let mut text = String::new();
        param.write(&mut text).map_err(|reason| Error::new(ErrorKind::BadEscape, reason))?;
        text
    } else if value.is_integer() {
        value.to_string()
    } else {
        return Err(Error::new(
            ErrorKind::BadEscape,
            format!("a value of type {} is not one for nginx", value.kind()),
        ));
    };
    out.write_str(&text).map_err(Error::from)
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?;
    environment.set_syntax(syntax);
    environment.set_formatter(format);
    for template in Template::ALL {
        environment.add_template(template.name(), template.source())?;
    }
    Ok(environment)
}

/// Renders a template. With a trace, the origins of the lines are filled.
pub fn render(template: Template, view: View, trace: &Trace) -> Result<Rendered, RenderError> {
    static ENVIRONMENT: LazyLock<Result<Environment<'static>, Error>> = LazyLock::new(environment);
    let failed = |error: &Error| RenderError {
        template: template.name(),
        reason: match (error.detail(), error.line()) {
            (Some(detail), Some(line)) => format!("line {line}: {detail}"),
            _ => error.to_string(),
        },
    };
    let environment = ENVIRONMENT.as_ref().map_err(failed)?;
    let text = environment
        .get_template(template.name())
        .and_then(|template| template.render(Value::from(view)))
        .map_err(|error| failed(&error))?;
    Ok(if trace.is_on() { strip(&text, trace) } else { Rendered { text, origins: Vec::new() } })
}

/// Takes the marks of places out of a text.
fn strip(text: &str, trace: &Trace) -> Rendered {
    let mut rendered = Rendered { text: String::with_capacity(text.len()), origins: Vec::new() };
    for (number, line) in (1u32..).zip(text.split_inclusive('\n')) {
        let mut rest = line;
        while let Some((before, mark)) = rest.split_once(OPEN) {
            rendered.text.push_str(before);
            let (place, after) = mark.split_once(CLOSE).unwrap_or((mark, ""));
            if let Some(path) = place.parse().ok().and_then(|place| trace.path(place)) {
                rendered.origins.push((number, path.clone()));
            }
            rest = after;
        }
        rendered.text.push_str(rest);
    }
    rendered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_compiles() {
        assert!(environment().is_ok());
    }

    #[test]
    fn plain_strings_are_refused() {
        let mut environment = Environment::empty();
        environment.set_formatter(format);
        assert!(environment.render_str("{{ x }}", minijinja::context!(x => "text")).is_err());
        assert_eq!(environment.render_str("{{ x }}", minijinja::context!(x => 3)).ok().as_deref(), Some("3"));
    }
}
