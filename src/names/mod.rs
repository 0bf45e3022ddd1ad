//! Names that reach a path, a file or nginx: newtypes with one validating constructor each.

/// Why a text is not of a [`TextType`]; a phrase such as "has an empty label", for after the quoted text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong with it.
    pub reason: String,
    /// What to write instead, where that can be said.
    pub help: Option<String>,
}

impl Invalid {
    /// With a reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), help: None }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Invalid {}

/// A type of text, as data for schemas.
pub struct TextType {
    /// What it is called: `host name`, `duration`.
    pub name: &'static str,
    /// What it may be, for the reference page.
    pub doc: &'static str,
    /// Examples of right values.
    pub examples: &'static [&'static str],
    /// The canonical form of a text, or why it is none.
    pub canonical: fn(&str) -> Result<String, Invalid>,
}

impl std::fmt::Debug for TextType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A validated text.
pub trait Text: Sized {
    /// Its type, for schemas.
    const TYPE: TextType;
    /// The one constructor: from what a user wrote, to the canonical form.
    fn parse(text: &str) -> Result<Self, Invalid>;
    /// The canonical form.
    fn as_str(&self) -> &str;
}

/// Declares a validated text: `text_type! { /// doc  HostName, "host name", "what it may be", ["a.example"], parse_fn }`
/// where `parse_fn` is `fn(&str) -> Result<String, Invalid>` and idempotent on its results.
macro_rules! text_type {
    ($(#[$meta:meta])* $name:ident, $title:literal, $doc:literal, [$($example:literal),* $(,)?], $canonical:path) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $crate::names::Text for $name {
            const TYPE: $crate::names::TextType = $crate::names::TextType {
                name: $title,
                doc: $doc,
                examples: &[$($example),*],
                canonical: $canonical,
            };
            fn parse(text: &str) -> Result<Self, $crate::names::Invalid> {
                $canonical(text).map(|text| Self(text.into()))
            }
            fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $crate::names::Text::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

mod account;
mod certificate;
mod compose;
mod credential;
mod dns;
mod header;
mod host;
mod mode;
mod network;
mod number;
pub mod password;
mod path;
mod policy;
mod quantity;
mod redirect;
mod registered;
mod slug;
mod words;

pub use account::Account;
pub use certificate::{AuthorityDirectory, CertificateName, EmailAddress, KeyId, ProfileName};
pub use compose::{
    ContainerName, FileText, ImageReference, LabelName, LabelValue, NetworkLabel, RelativePath, ServiceName,
    StackSource, VariableName, VariableValue,
};
pub use credential::{Realm, UserName};
pub use dns::{DomainName, NameServer};
pub use header::{HeaderName, HeaderValue, VARIABLES};
pub use host::{HostName, covers};
pub use mode::DirectoryMode;
pub use network::{AddressRange, INTERNAL_DOMAIN, ResolverAddress, UpstreamAddress, UpstreamScheme};
pub use number::{MOST_COUNTED, number};
pub use path::{FileName, FilePath, UriPath};
pub use policy::Policy;
pub use quantity::{Duration, Rate, Size};
pub use redirect::RedirectTarget;
pub use registered::registered_domain;
pub use slug::Slug;
pub(crate) use text_type;
pub use words::{CommandWord, DisplayName, Snippet};

/// The rules that all one-line texts share: not empty, `most` bytes at most, no control characters.
fn one_line(text: &str, most: usize) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(Invalid::new("is empty"));
    }
    bounded(text, most)?;
    match text.chars().find(|char| char.is_control()) {
        Some(bad) => Err(Invalid::new(format!("contains the control character {bad:?}"))),
        None => Ok(()),
    }
}

fn bounded(text: &str, most: usize) -> Result<(), Invalid> {
    if text.len() > most {
        return Err(Invalid::new(format!("has {} bytes, {most} at most", text.len())));
    }
    Ok(())
}

/// Refuses the first character that `allowed` does not take.
fn only(text: &str, allowed: impl Fn(char) -> bool, what: &str) -> Result<(), Invalid> {
    match text.chars().find(|char| !allowed(*char)) {
        Some(bad) => Err(Invalid::new(format!("contains {bad:?}; only {what} may stand in it"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
