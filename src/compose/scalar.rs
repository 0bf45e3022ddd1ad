//! Values that a template of a Compose file may hold, and how YAML and Compose take each.

use std::fmt::Write as _;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr};

use crate::names::{ImageReference, Size, Text};
use crate::template::Written;

/// A validated text that may stand in a Compose file.
pub trait InCompose: Text {}

impl InCompose for ImageReference {}
impl InCompose for Size {}

/// A value that a template may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A text, read back exactly.
    Text(Arc<str>),
    /// A number, in thousandths.
    Thousandths(u32),
}

impl Scalar {
    /// A validated text.
    pub fn of<T: InCompose>(text: &T) -> Self {
        Self::Text(text.as_str().into())
    }

    /// Ports of the loopback address, one for each container of a service, that lead to one port inside.
    pub fn loopback(first: u16, last: u16, inside: u16) -> Self {
        let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
        Self::Text(format!("127.0.0.1:{range}:{inside}").into())
    }
}

impl Written for Scalar {
    const LANGUAGE: &'static str = "a Compose file";

    fn write(&self, out: &mut String) -> Result<(), String> {
        match self {
            Self::Thousandths(number) => {
                // Writing to a `String` cannot fail.
                let _ = write!(out, "{}.{:03}", number / 1000, number % 1000);
            }
            // Strings of JSON are strings of YAML; `$$` is what Compose makes one `$` of.
            Self::Text(text) => {
                let json = serde_json::to_string(&**text).map_err(|error| error.to_string())?;
                out.push_str(&json.replace('$', "$$"));
            }
        }
        Ok(())
    }
}

impl Object for Scalar {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl From<Scalar> for minijinja::Value {
    fn from(scalar: Scalar) -> Self {
        Self::from_object(scalar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back_as_they_are() {
        let written = |scalar: Scalar| {
            let mut out = String::new();
            scalar.write(&mut out).map(|()| out)
        };
        assert_eq!(
            written(Scalar::Text("a: \"b\" # \n$HOME".into())),
            Ok(r#""a: \"b\" # \n$$HOME""#.to_owned())
        );
        assert_eq!(written(Scalar::Thousandths(1_050)), Ok("1.050".to_owned()));
        assert_eq!(
            written(Scalar::loopback(20_000, 20_001, 80)),
            Ok("\"127.0.0.1:20000-20001:80\"".to_owned())
        );
        assert_eq!(written(Scalar::loopback(20_000, 20_000, 80)), Ok("\"127.0.0.1:20000:80\"".to_owned()));
    }
}
