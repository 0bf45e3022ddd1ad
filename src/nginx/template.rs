//! The templates of nginx's files.

use std::sync::LazyLock;

use crate::resource::Path;
use crate::template::{RenderError, Templates, View};

use super::param::{CLOSE, OPEN, Param, Trace};

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
    /// Names that are asked for before they have a site.
    Challenges = "challenges.conf.j2",
    /// Error pages.
    Errors = "errors.conf.j2",
    /// The answer to unknown names.
    DefaultServer = "default_server.conf.j2",
    /// A site.
    Site = "site.conf.j2",
}

/// A rendered template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// For each line (from 1) that a traced value went into, where that value stands.
    pub origins: Vec<(u32, Path)>,
}

fn templates() -> Templates {
    Templates::new::<Param>(Template::ALL.iter().map(|template| (template.name(), template.source())))
}

/// Renders a template. With a trace, the origins of the lines are filled.
pub fn render(template: Template, view: View, trace: &Trace) -> Result<Rendered, RenderError> {
    static TEMPLATES: LazyLock<Templates> = LazyLock::new(templates);
    let text = TEMPLATES.render(template.name(), view)?;
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
        assert!(templates().compile());
    }
}
