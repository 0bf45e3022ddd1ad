//! Values that a template may hold, and how nginx's grammar takes each.
//!
//! Between double quotes nginx takes every byte as it is but `"` and `\`, which a `\` escapes, and `$`, which begins
//! a variable and cannot be escaped. So a `$` is refused unless the type of the value allows named variables only.

use std::fmt::Write as _;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr};

use crate::names::{
    AddressRange, Duration, FileName, FilePath, HeaderName, HeaderValue, HostName, Policy, Rate, Realm,
    RedirectTarget, ResolverAddress, Size, Slug, Text, UpstreamAddress, UriPath,
};
use crate::resource::Path;
use crate::template::Written;

/// How a value stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One parameter, read back exactly; `$` is refused.
    Literal,
    /// One parameter, read back exactly; its type allows named variables.
    Variables,
    /// Part of a parameter: characters without meaning to nginx only.
    Bare,
    /// A path that `location` compares, where `$` has no meaning.
    Location,
    /// A line that the tokenizer has accepted.
    Line,
}

/// A validated text that may stand in nginx's configuration.
pub trait InNginx: Text {
    /// How it stands there.
    const FORM: Form;
}

macro_rules! in_nginx {
    ($($form:ident: $($name:ident)*;)*) => {
        $($(impl InNginx for $name { const FORM: Form = Form::$form; })*)*
    };
}

in_nginx! {
    Bare: AddressRange Duration HeaderName HostName Rate ResolverAddress Size Slug FileName;
    Literal: FilePath Realm RedirectTarget UpstreamAddress Policy;
    Variables: HeaderValue;
    Location: UriPath;
}

/// Where a value came from; only known while [`Trace`] is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place(u32);

/// Remembers where values came from, so that a line of a file can be traced back.
#[derive(Debug, Default)]
pub struct Trace {
    on: bool,
    paths: Vec<Path>,
}

impl Trace {
    /// Switched on or off.
    pub fn new(on: bool) -> Self {
        Self { on, paths: Vec::new() }
    }

    /// The place of a value; `path` is only called when the trace is on.
    pub fn place(&mut self, path: impl FnOnce() -> Path) -> Place {
        if !self.on {
            return Place::default();
        }
        self.paths.push(path());
        Place(u32::try_from(self.paths.len()).unwrap_or_default())
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.on
    }

    pub(super) fn path(&self, place: u32) -> Option<&Path> {
        self.paths.get(usize::try_from(place).ok()?.checked_sub(1)?)
    }
}

/// Before the number of a place, in the text of a template rendered with a trace. No value can hold it.
pub(super) const OPEN: char = '\u{1}';
/// Behind the number of a place.
pub(super) const CLOSE: char = '\u{2}';

/// A value that a template may hold: the only one, beside whole numbers, that the formatter writes.
#[derive(Clone, Debug)]
pub struct Param {
    before: &'static str,
    text: Arc<str>,
    after: &'static str,
    form: Form,
    place: Place,
}

impl Param {
    fn new(text: impl Into<Arc<str>>, form: Form) -> Self {
        Self { before: "", text: text.into(), after: "", form, place: Place::default() }
    }

    /// A validated text.
    pub fn of<T: InNginx>(text: &T) -> Self {
        Self::new(text.as_str(), T::FORM)
    }

    /// One parameter, read back exactly.
    pub fn literal(text: impl Into<Arc<str>>) -> Self {
        Self::new(text, Form::Literal)
    }

    /// Part of a parameter; refused where it holds more than letters, digits and harmless punctuation.
    pub fn bare(text: impl Into<Arc<str>>) -> Self {
        Self::new(text, Form::Bare)
    }

    /// A path that `location` compares.
    pub fn location(path: impl Into<Arc<str>>) -> Self {
        Self::new(path, Form::Location)
    }

    /// A variable or text of vsa's own.
    pub fn fixed(text: &'static str) -> Self {
        Self { before: text, ..Self::new("", Form::Literal) }
    }

    /// A line of a snippet that [`super::check_snippet`] has accepted.
    pub(crate) fn line(text: impl Into<Arc<str>>) -> Self {
        Self::new(text, Form::Line)
    }

    /// With text of vsa's own in front of it, inside the same parameter.
    #[must_use]
    pub fn after(mut self, before: &'static str) -> Self {
        self.before = before;
        self
    }

    /// With text of vsa's own behind it, inside the same parameter.
    #[must_use]
    pub fn before(mut self, after: &'static str) -> Self {
        self.after = after;
        self
    }

    /// With the place that it came from.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }
}

impl Written for Param {
    const LANGUAGE: &'static str = "nginx";

    fn write(&self, out: &mut String) -> Result<(), String> {
        if self.place.0 > 0 {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "{OPEN}{}{CLOSE}", self.place.0);
        }
        if let Some(bad) = self.text.chars().find(|char| char.is_control() && *char != '\t') {
            return Err(format!("the control character {bad:?} cannot be written to nginx"));
        }
        match self.form {
            Form::Line => out.push_str(&self.text),
            Form::Bare if self.text.bytes().all(is_plain) => {
                out.push_str(self.before);
                out.push_str(&self.text);
                out.push_str(self.after);
            }
            Form::Bare => return Err(format!("`{}` cannot stand unquoted in nginx", self.text)),
            Form::Literal if self.text.contains('$') => {
                return Err(format!("`{}` contains `$`, which nginx cannot escape", self.text));
            }
            Form::Literal | Form::Variables | Form::Location => self.quote(out),
        }
        Ok(())
    }
}

impl Param {
    fn quote(&self, out: &mut String) {
        let parts = [self.before, &self.text, self.after];
        let fixed = |part: &str| part.bytes().all(|byte| is_plain(byte) || byte == b'$');
        let plain = self.text.bytes().all(is_plain) && fixed(self.before) && fixed(self.after);
        if plain && parts.iter().any(|part| !part.is_empty()) {
            out.extend(parts);
            return;
        }
        out.push('"');
        for char in parts.iter().flat_map(|part| part.chars()) {
            if matches!(char, '"' | '\\') {
                out.push('\\');
            }
            out.push(char);
        }
        out.push('"');
    }
}

/// Bytes without a meaning of their own anywhere in a parameter.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'.' | b'_' | b'/' | b':' | b'=' | b'@' | b'%' | b'+' | b',' | b'-' | b'[' | b']' | b'?' | b'&'
        )
}

impl Object for Param {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl From<Param> for minijinja::Value {
    fn from(param: Param) -> Self {
        Self::from_object(param)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(param: &Param) -> Result<String, String> {
        let mut out = String::new();
        param.write(&mut out).map(|()| out)
    }

    #[test]
    fn values_are_quoted_or_refused() {
        assert_eq!(written(&Param::literal("/srv/a b")), Ok("\"/srv/a b\"".into()));
        assert_eq!(written(&Param::literal("a\"; } \\")), Ok("\"a\\\"; } \\\\\"".into()));
        assert_eq!(written(&Param::literal("")), Ok("\"\"".into()));
        assert_eq!(written(&Param::literal("#x")), Ok("\"#x\"".into()));
        assert_eq!(written(&Param::literal("x").after("http://")), Ok("http://x".into()));
        assert_eq!(
            written(&Param::literal("/a;b").before("$request_uri")),
            Ok("\"/a;b$request_uri\"".into())
        );
        assert!(written(&Param::literal("$x")).is_err());
        assert!(written(&Param::literal("a\nb")).is_err());
        assert!(written(&Param::bare("a b")).is_err());
    }
}
